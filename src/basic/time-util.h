/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

/* Microseconds of CLOCK_REALTIME: what users and the bus see. */
uint64_t now_realtime_usec(void);

/* Microseconds of CLOCK_BOOTTIME: what deadlines and uptimes are counted in. */
uint64_t now_boottime_usec(void);

/* Microseconds of CLOCK_MONOTONIC, which stands still while the machine sleeps. */
uint64_t now_monotonic_usec(void);

/* A duration: a plain number in milliseconds, as PM2 has it, or a systemd time span such as "1min 30s",
 * "500ms", "2h". -EINVAL: neither; -ERANGE: over 100 years. */
int parse_duration_usec(const char *text, uint64_t *ret_usec);
