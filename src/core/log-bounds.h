/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"

/* How large a log may become, and when it is looked at. */

#define LOG_INTERVAL_MIN_USEC UINT64_C(100000)
#define LOG_INTERVAL_MAX_USEC UINT64_C(2000000)

typedef struct LogLimits {
        uint64_t bound_bytes; /* a file that is larger loses its oldest part; 0: never */
        uint64_t part_bytes;  /* that is so much at least */
        bool separate;        /* the part goes into a file of its own */
        uint64_t retain;      /* so many of these are kept */
        LogCompression compression;
} LogLimits;

LogLimits log_limits_of(const AppConfig *config);

/* Of a file that several apps write to: as the one wants that keeps most. */
LogLimits log_limits_join(LogLimits one, LogLimits other);

/* What a log takes on its disk. */
typedef struct LogUse {
        uint64_t size_bytes; /* of the log itself */
        uint64_t kept_bytes; /* of the files beside it, and their number */
        uint64_t kept_files;
} LogUse;

/* Limits for one cut that frees so much, or as much of it as can be had: a log keeps 64 KiB, and where it
 * has files beside it one of them. False: nothing can be had. */
bool log_limits_squeeze(LogLimits *limits, const LogUse *use, uint64_t wanted_bytes);

/* The time until a file that grows is looked at again: about half of what it takes to reach its bound, at
 * the rate at which it grew by so much in that time. */
uint64_t log_interval_usec(
                uint64_t size_bytes, uint64_t bound_bytes, uint64_t grown_bytes, uint64_t elapsed_usec);
