/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* When a process that has to give a sign of life within some time is late. Times are those of a clock that
 * stands still while the machine sleeps (CLOCK_MONOTONIC): else all would be late when it wakes up. */
typedef struct Watchdog {
        uint64_t timeout_usec; /* 0 or WATCHDOG_NEVER: off */
        uint64_t seen_usec;    /* the last sign of life; while paused: how long ago it was */
        bool paused;
} Watchdog;

#define WATCHDOG_NEVER UINT64_MAX

/* Also what WATCHDOG_USEC= asks for: counted from now on. */
void watchdog_start(Watchdog *watchdog, uint64_t timeout_usec, uint64_t now_usec);

void watchdog_ping(Watchdog *watchdog, uint64_t now_usec);

/* While the process cannot run (it is frozen), or cannot be heard (there is no supervisor), time does not
 * count. Each of them may be called twice. */
void watchdog_pause(Watchdog *watchdog, uint64_t now_usec);
void watchdog_resume(Watchdog *watchdog, uint64_t now_usec);

/* When it is late, WATCHDOG_NEVER: not as things are. A timer need not follow each sign of life: when it
 * fires, this says whether to wait on. */
uint64_t watchdog_deadline(const Watchdog *watchdog);
