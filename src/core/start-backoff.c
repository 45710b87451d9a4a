/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/start-backoff.h"

#include "basic/time-util.h"

enum {
        FREE_STARTS = 2,
        DOUBLINGS_MAX = 9, /* beyond them the limit is reached in any case */
};

#define FIRST_USEC   (100 * USEC_PER_MSEC)
#define LONGEST_USEC (30 * USEC_PER_SEC)

uint64_t start_backoff_usec(uint32_t unfinished_starts) {
        if (unfinished_starts < FREE_STARTS) {
                return 0;
        }
        uint32_t doublings = unfinished_starts - FREE_STARTS;
        uint64_t usec = FIRST_USEC << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
        return usec < LONGEST_USEC ? usec : LONGEST_USEC;
}
