/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "log-tail.h"

#include <glib.h>

enum {
        LOG_WATCH_FDS_MAX = 4,
};

/* What else is waited for. */
typedef struct LogWatchMore {
        const int *fds; /* to become readable */
        size_t n_fds;   /* at most LOG_WATCH_FDS_MAX */
        /* Called at the beginning and whenever there was something, with what is readable as a bit each.
         * False: it is to end; else the longest time until the next call, -1: any. */
        bool (*on_turn)(void *userdata, unsigned readable, int *ret_timeout_msec);
        void *userdata;
} LogWatchMore;

/* Wait for changes of the files and update each, until nobody reads standard output any more, or on_turn
 * says so. tails: of LogTail. more: NULL is fine. Returns 0 then; a negative errno if waiting fails. */
int log_watch(const GPtrArray *tails, const LogWatchMore *more);
