/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/exit-status.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The last events of a process: what happened, who asked for it, and what follows. Bounded in number and
 * bytes: the oldest goes. */

enum {
        HISTORY_COUNT_MAX = 50,
        HISTORY_TEXT_BYTES_MAX = 240,
};

typedef enum HistoryKind {
        HISTORY_COMMAND, /* somebody asked for something */
        HISTORY_SIGNAL,  /* somebody sent a signal */
        HISTORY_ONLINE,
        HISTORY_EXIT,
        HISTORY_FAILED,     /* could not be launched */
        HISTORY_HOOK,       /* a hook failed */
        HISTORY_RESTART,    /* it will be started again, after delay_usec */
        HISTORY_STOPPED,    /* it rests, until somebody asks */
        HISTORY_ERRORED,    /* given up */
        HISTORY_TAKEN_OVER, /* by the next supervisor */
        HISTORY_OOM,        /* the kernel ended something of it for want of memory */
        HISTORY_READY_TIMEOUT,
        HISTORY_WATCHDOG, /* no sign of life */
        HISTORY_RELOAD,   /* another took its place */
        HISTORY_RETIRED,  /* the one before that has ended */
        HISTORY_CRON,     /* its cron_restart was due */
        HISTORY_MEMORY,   /* it had more than max_memory_restart */
        HISTORY_HEALTHY,  /* its probes succeed: at first, or again */
        HISTORY_UNHEALTHY,
        HISTORY_WATCH, /* a file that it watches has changed */
        _HISTORY_KIND_MAX,
} HistoryKind;

typedef struct HistoryEntry {
        HistoryKind kind;
        uint64_t at_realtime_usec;
        ExitStatus exit_status; /* of HISTORY_EXIT */
        uint64_t delay_usec;    /* of HISTORY_RESTART */
        bool asked;             /* the next two say who asked, and for what */
        uint32_t uid;
        char *verb; /* "" for none */
        char *text; /* for a person; "" for none */
} HistoryEntry;

typedef struct History History;

History *history_new(void);
void history_free(History *history);

/* The entry is copied, its text cut where it is too long; NULL texts count as "". */
void history_add(History *history, const HistoryEntry *entry);

unsigned history_count(const History *history);
/* 0: the oldest. */
const HistoryEntry *history_at(const History *history, unsigned i);

/* Grows with every change. */
uint64_t history_version(const History *history);

/* "exit": the name of an event. */
const char *history_kind_to_name(HistoryKind kind);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(History, history_free)
