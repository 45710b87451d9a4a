/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/watchdog.h"

void watchdog_start(Watchdog *watchdog, uint64_t timeout_usec, uint64_t now_usec) {
        watchdog->timeout_usec = timeout_usec;
        watchdog_ping(watchdog, now_usec);
}

void watchdog_ping(Watchdog *watchdog, uint64_t now_usec) {
        watchdog->seen_usec = watchdog->paused ? 0 : now_usec;
}

void watchdog_pause(Watchdog *watchdog, uint64_t now_usec) {
        if (!watchdog->paused) {
                watchdog->paused = true;
                watchdog->seen_usec = now_usec - watchdog->seen_usec;
        }
}

void watchdog_resume(Watchdog *watchdog, uint64_t now_usec) {
        if (watchdog->paused) {
                watchdog->paused = false;
                watchdog->seen_usec = now_usec - watchdog->seen_usec;
        }
}

uint64_t watchdog_deadline(const Watchdog *watchdog) {
        if (watchdog->paused || watchdog->timeout_usec == 0 ||
            watchdog->timeout_usec >= WATCHDOG_NEVER - watchdog->seen_usec) {
                return WATCHDOG_NEVER;
        }
        return watchdog->seen_usec + watchdog->timeout_usec;
}
