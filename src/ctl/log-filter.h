/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which lines of logs are shown: --grep and --since. */
typedef struct LogFilter {
        GRegex *pattern;     /* NULL: any */
        uint64_t since_usec; /* 0: at any time */
} LogFilter;

/* "10min", "2h": so long ago; "2026-11-23 20:10:38", "20:10", "2026-11-23": a time of here, or with "Z" or
 * "+01:00" at its end; "@1700000000". Microseconds since 1970. -EINVAL: none of these. */
int log_filter_parse_time(const char *text, uint64_t now_usec, uint64_t *ret_usec);

/* The time that a line bears: at its beginning, as log_date_format and most programs write it (year first),
 * or as "timestamp" of an object of JSON, as log_type has it. False: none that is known. */
bool log_filter_line_time(const char *line, size_t length, uint64_t *ret_usec);

/* Whether a line is shown. *skipping is kept for each file, false at first: a line without a time goes with
 * those before it. */
bool log_filter_takes(const LogFilter *filter, bool *skipping, const char *line, size_t length);

void log_filter_done(LogFilter *filter);
