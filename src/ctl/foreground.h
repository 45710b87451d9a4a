/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "log-sources.h"

/* start --no-daemon: what was started lives as long as we do, and we show what it logs. */

typedef struct Foreground {
        Ctl *ctl;
        GHashTable *there;  /* ids of the processes that were there before; weak keys */
        GHashTable *sizes;  /* path of a log file that was there before -> its size, a uint64_t */
        GHashTable *errors; /* ids that came to a bad end */
        GArray *ids;        /* uint32_t: of what was started */
        LogSources logs;
        pm2_bus *bus;
        int signal_fd;
        uint64_t begun_usec; /* CLOCK_REALTIME */
        bool changed;        /* something happened to a process */
        bool lost;           /* pm2d has ended */
        bool quit;           /* we are asked to end */
} Foreground;

/* Before anything is started. */
void foreground_init(Foreground *foreground, Ctl *ctl, const Arguments *arguments);

/* These were started. */
void foreground_add(Foreground *foreground, const pm2_value *processes);

/* Show what they log until none of them runs, or we are asked to end. Returns the exit status: that they
 * ended well. */
int foreground_follow(Foreground *foreground);

/* End what was started, and free: what was there before is stopped, all else deleted. Returns status, unless
 * it hides a failure of this. */
int foreground_end(Foreground *foreground, int status);
