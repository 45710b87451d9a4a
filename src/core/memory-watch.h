/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a process with max_memory_restart has, and when it is looked at and restarted. Times are those of any
 * clock that only goes on. */

#define MEMORY_INTERVAL_MIN_USEC UINT64_C(100000)
#define MEMORY_INTERVAL_MAX_USEC UINT64_C(1000000)

/* Between two restarts that came soon after each other: what has more than it may as soon as it runs is
 * restarted no more often, in the end, than by PM2, which looks each 30 s. */
#define MEMORY_GRACE_MIN_USEC UINT64_C(1000000)
#define MEMORY_GRACE_MAX_USEC UINT64_C(30000000)

enum {
        MEMORY_CURVE_MAX = 32,
};

typedef struct MemorySample {
        uint64_t at_usec;
        uint64_t bytes;
} MemorySample;

/* Of one launch: the last samples that were taken, and some of its whole life. */
typedef struct MemoryWatch {
        uint64_t started_usec;
        MemorySample last, before; /* of at_usec 0: none */
        MemorySample curve[MEMORY_CURVE_MAX];
        unsigned n_curve;
        uint64_t step_usec; /* between two of the curve, at least; it doubles when there are too many */
} MemoryWatch;

/* Restarts of one process for its memory. Starts as {0}. */
typedef struct MemoryRow {
        unsigned count;      /* in a row */
        uint64_t tried_usec; /* when the last one was tried */
} MemoryRow;

/* A new launch: nothing is known of it. */
void memory_watch_start(MemoryWatch *watch, uint64_t started_usec);

void memory_watch_add(MemoryWatch *watch, uint64_t bytes, uint64_t now_usec);

/* The time until it is looked at again: about half of what it takes to reach its limit, as fast as it grew
 * last. */
uint64_t memory_watch_interval_usec(const MemoryWatch *watch, uint64_t limit_bytes);

/* Whether it has more than it may. */
bool memory_watch_is_over(const MemoryWatch *watch, uint64_t limit_bytes);

/* How long a restart has to wait yet: none for the first, then longer and longer as long as they follow each
 * other closely. */
uint64_t memory_row_wait_usec(const MemoryRow *row, const MemoryWatch *watch, uint64_t now_usec);

/* It is restarted; or that is tried, and it may go on as it is. */
void memory_row_add(MemoryRow *row, const MemoryWatch *watch, uint64_t now_usec);
