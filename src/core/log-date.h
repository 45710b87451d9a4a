/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The date before each line of a log, in the format of dayjs, which PM2 uses for it. Checked against dayjs
 * 1.11 as npm's pm2 7.0.4 brings it, without plugins: YYYY YY M MM MMM MMMM D DD d dd ddd dddd H HH h hh m
 * mm s ss SSS Z ZZ A a and [literal]. All else stands for itself; Y and YYY are the offset, as there. */

enum {
        LOG_DATE_FORMAT_BYTES_MAX = 128,
        LOG_DATE_BYTES_MAX = LOG_DATE_FORMAT_BYTES_MAX * 6 + 1, /* "+05:30" of a "Z", and a NUL */
};

/* A time as a clock on the wall of its zone shows it. */
typedef struct LogTime {
        int year;
        unsigned month, day; /* from 1 on */
        unsigned weekday;    /* 0: Sunday */
        unsigned hour, minute, second, millisecond;
        int offset_minutes; /* east of UTC */
} LogTime;

/* Into a buffer of LOG_DATE_BYTES_MAX, with a NUL; what a longer format would give is cut off. Returns the
 * length. */
size_t log_date_format(const char *format, const LogTime *time, char *buffer);

/* "2026-01-05T03:04:09.007Z": what JavaScript has for a time in UTC; the offset is not looked at. */
size_t log_date_iso(const LogTime *time, char *buffer);
