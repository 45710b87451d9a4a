/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whose connection is closed when there are too many of them, so that whoever opens thousands takes the
 * place of nobody else. */

typedef struct CrowdMember {
        uid_t uid;
        pid_t pid; /* of who connected, to tell clients apart and for nothing else */
        bool busy; /* somebody waits for something on it */
        uint64_t last_used_usec;
} CrowdMember;

enum {
        /* Where there are no descriptors at all, who came or said something since then keeps its own: else
         * two clients would take it from each other before either is served. */
        CROWD_REST_USEC = 1000 * 1000,
};

/* The place in the array: of the user with the most connections, of that user's process with the most, the
 * one that was not used for the longest time; a busy one only where its process has several and all are
 * busy. A process that has no more than others keeps a busy one. count: none can go. */
size_t crowd_choose(const CrowdMember *members, size_t count);
