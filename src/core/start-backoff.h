/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* How long a supervisor waits before it starts, by the number of those before it that died while they
 * started: the first two are free, then 100 ms, twice as much each time, 30 s at most. */
uint64_t start_backoff_usec(uint32_t unfinished_starts);
