/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* Accepts the clients of one of PM2's sockets, some in each turn of the loop. Those that are not to connect
 * are closed, and so is who has come and gone: a connection that is opened and closed at once is how PM2's
 * clients ask whether anybody listens. */
typedef struct Listener Listener;

typedef struct ListenerOptions {
        const char *name; /* static, for the log */
        uid_t own_uid;    /* who may connect, beside root */
        bool any_user;
        /* Takes the fd over, which does not block. */
        void (*on_client)(void *userdata, int fd, const struct ucred *peer);
        /* No descriptor is left: close a connection. false: there is none that can go. */
        bool (*on_full)(void *userdata);
        void *userdata;
} ListenerOptions;

/* Options are copied. */
int listener_new(sd_event *event, const ListenerOptions *options, Listener **ret);
void listener_free(Listener *listener);

/* The fd is borrowed, made non-blocking, and takes the place of an earlier one. Negative: nobody is accepted
 * any more. */
int listener_set_fd(Listener *listener, int fd);
