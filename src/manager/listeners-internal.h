/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the listening sockets. */

#include "cluster/listen-bind.h"
#include "manager/listeners.h"

struct Listener {
        uint32_t number;
        uid_t owner;
        char *name, *key; /* of the app; within it */
        ListenAddress address;
        ListenFile file; /* what was made at its path */
        char *data;      /* NULL: none */
        int fd;
        void *user;
        GDestroyNotify free_user;
};

/* Not in the list of the manager yet. The fd becomes the listener's. */
Listener *listeners_make_one(uint32_t number, uid_t owner, const char *name, const char *key, int fd);

/* listeners-store.c: what outlives us of them. */
/* A number that none has had. */
uint32_t listeners_store_number(const Manager *manager);
/* Keep the fd, then write the new set down, of which it is one. */
int listeners_store_add(Manager *manager, const Listener *listener);
/* When it is written down that it is no more in the set: its fd need not be kept. */
void listeners_store_remove(Manager *manager, uint32_t number);
/* Write the set down as it is. */
int listeners_store_write(Manager *manager);
