/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"
#include "log-filter.h"
#include "log-tail.h"

/* The log files of processes, printed line by line. */

/* One log file of one process; a file that several share is shown once. */
typedef struct Source {
        const Ctl *ctl;
        LogTail *tail;
        char *name;
        uint32_t id;
        bool error;   /* its standard error */
        char *prefix; /* before each line, or NULL */
        const struct LogSources *logs;
        bool skipping; /* see log-filter.h */
} Source;

typedef struct LogSources {
        const Ctl *ctl;
        GPtrArray *sources; /* of Source */
        GPtrArray *tails;   /* of LogTail: theirs */
        bool out, err;
        LogFilter filter; /* of nothing at first */
        bool timestamps;  /* before each line that comes */
        bool live;        /* lines come now: they were not there before */
} LogSources;

void log_sources_init(LogSources *logs, const Ctl *ctl);
void log_sources_done(LogSources *logs);

/* The files of processes as pm2_list() gives them, as far as there are such and they are wanted. */
void log_sources_add(LogSources *logs, const pm2_value *processes);

/* Name the process before each line, if there are several: "0|api | ", as wide for all. */
void log_sources_set_prefixes(LogSources *logs);
