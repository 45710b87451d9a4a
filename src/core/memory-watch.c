/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/memory-watch.h"

#include <glib.h>

/* A run of this length ends a row: longer than any wait, which is a part of it. */
#define ROW_END_USEC (2 * MEMORY_GRACE_MAX_USEC)

void memory_watch_start(MemoryWatch *watch, uint64_t started_usec) {
        *watch = (MemoryWatch){ .started_usec = started_usec, .step_usec = MEMORY_INTERVAL_MIN_USEC };
}

static void thin_out(MemoryWatch *watch) {
        for (unsigned i = 0; i < MEMORY_CURVE_MAX / 2; i++) {
                watch->curve[i] = watch->curve[2 * (size_t) i];
        }
        watch->n_curve = MEMORY_CURVE_MAX / 2;
        watch->step_usec *= 2;
}

static bool is_due(const MemoryWatch *watch, uint64_t now_usec) {
        return watch->n_curve == 0 ||
               now_usec - watch->curve[watch->n_curve - 1].at_usec >= watch->step_usec;
}

void memory_watch_add(MemoryWatch *watch, uint64_t bytes, uint64_t now_usec) {
        watch->before = watch->last;
        watch->last = (MemorySample){ .at_usec = now_usec, .bytes = bytes };
        if (watch->n_curve == MEMORY_CURVE_MAX && is_due(watch, now_usec)) {
                thin_out(watch);
        }
        if (is_due(watch, now_usec)) {
                watch->curve[watch->n_curve++] = watch->last;
        }
}

uint64_t memory_watch_interval_usec(const MemoryWatch *watch, uint64_t limit_bytes) {
        const MemorySample *last = &watch->last;
        bool first = watch->before.at_usec == 0; /* it began with nothing */
        uint64_t since_usec = first ? watch->started_usec : watch->before.at_usec;

        if (last->at_usec == 0 || last->bytes >= limit_bytes) {
                return MEMORY_INTERVAL_MIN_USEC;
        }
        if (last->bytes <= watch->before.bytes || last->at_usec <= since_usec) {
                return MEMORY_INTERVAL_MAX_USEC;
        }
        /* In floating point: nothing overflows, and nobody counts the microseconds. */
        double rate = (double) (last->bytes - watch->before.bytes) / (double) (last->at_usec - since_usec);
        double usec = (double) (limit_bytes - last->bytes) / 2 / rate;

        return (uint64_t) CLAMP(usec, (double) MEMORY_INTERVAL_MIN_USEC, (double) MEMORY_INTERVAL_MAX_USEC);
}

bool memory_watch_is_over(const MemoryWatch *watch, uint64_t limit_bytes) {
        return watch->last.at_usec > 0 && watch->last.bytes > limit_bytes;
}

/* Since when it runs undisturbed. */
static uint64_t calm_since_usec(const MemoryRow *row, const MemoryWatch *watch) {
        return MAX(row->tried_usec, watch->started_usec);
}

static uint64_t grace_usec(unsigned count) {
        uint64_t usec = MEMORY_GRACE_MIN_USEC;

        for (unsigned i = 1; i < count && usec < MEMORY_GRACE_MAX_USEC; i++) {
                usec *= 2;
        }
        return count == 0 ? 0 : MIN(usec, MEMORY_GRACE_MAX_USEC);
}

uint64_t memory_row_wait_usec(const MemoryRow *row, const MemoryWatch *watch, uint64_t now_usec) {
        uint64_t until_usec = calm_since_usec(row, watch) + grace_usec(row->count);

        return until_usec > now_usec ? until_usec - now_usec : 0;
}

void memory_row_add(MemoryRow *row, const MemoryWatch *watch, uint64_t now_usec) {
        bool anew = now_usec - calm_since_usec(row, watch) >= ROW_END_USEC;

        row->count = anew ? 1 : MIN(row->count, 64) + 1;
        row->tried_usec = now_usec;
}
