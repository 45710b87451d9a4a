/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns that a text takes in a terminal of the current locale. */
size_t text_width(const char *text, bool utf8);

/* A copy in which nothing can move the cursor: control and invalid characters become U+FFFD, or, as all
 * that is not ASCII, "?" where the locale is not UTF-8. */
char *text_clean(const char *text, bool utf8);

/* "42s", "5m", "3h", "2D", "1M", "1Y": the largest unit, as PM2 shows it. */
char *format_uptime(uint64_t msec);

/* "512b", "1.0kb", "34.5mb", "1.2gb". */
char *format_bytes(uint64_t bytes);

/* A time of day with its date in the local zone, for milliseconds since 1970. */
char *format_time(uint64_t msec);
