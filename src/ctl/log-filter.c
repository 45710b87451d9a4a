/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log-filter.h"

#include "basic/time-util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
        STAMP_BYTES_MAX = 48,
        JSON_HEAD_BYTES_MAX = 64 * 1024, /* as far as the time is looked for */
};

static bool take_digits(const char **text, unsigned count, int *ret) {
        int number = 0;

        for (unsigned i = 0; i < count; i++) {
                if (!g_ascii_isdigit((*text)[i])) {
                        return false;
                }
                number = number * 10 + ((*text)[i] - '0');
        }
        *text += count;
        *ret = number;
        return true;
}

static bool take_character(const char **text, const char *any) {
        if (**text == '\0' || !strchr(any, **text)) {
                return false;
        }
        (*text)++;
        return true;
}

/* "2026-11-23", with "/" too. */
static bool take_date(const char **text, struct tm *time) {
        if (!take_digits(text, 4, &time->tm_year) || !take_character(text, "-/") ||
            !take_digits(text, 2, &time->tm_mon) || !take_character(text, "-/") ||
            !take_digits(text, 2, &time->tm_mday)) {
                return false;
        }
        time->tm_year -= 1900;
        time->tm_mon--;
        return time->tm_mon >= 0 && time->tm_mon < 12 && time->tm_mday >= 1 && time->tm_mday <= 31;
}

static uint64_t take_fraction(const char **text) {
        uint64_t usec = 0, unit = USEC_PER_SEC / 10;

        for (; g_ascii_isdigit(**text); (*text)++, unit /= 10) {
                usec += (uint64_t) (**text - '0') * unit;
        }
        return usec;
}

/* "20:10", "20:10:38.123". */
static bool take_clock(const char **text, struct tm *time, uint64_t *ret_usec) {
        *ret_usec = 0;
        if (!take_digits(text, 2, &time->tm_hour) || !take_character(text, ":") ||
            !take_digits(text, 2, &time->tm_min)) {
                return false;
        }
        if (**text == ':') {
                (*text)++;
                if (!take_digits(text, 2, &time->tm_sec)) {
                        return false;
                }
                if (take_character(text, ".,")) {
                        *ret_usec = take_fraction(text);
                }
        }
        return time->tm_hour < 24 && time->tm_min < 60 && time->tm_sec <= 60;
}

/* "Z", "+01:00", "-0100", after a blank or not. False: there is none. */
static bool take_zone(const char **text, int *ret_seconds) {
        const char *position = *text;
        int hours, minutes, sign;

        *ret_seconds = 0;
        (void) take_character(&position, " ");
        if (take_character(&position, "Z")) {
                *text = position;
                return true;
        }
        sign = *position == '-' ? -1 : 1;
        if (!take_character(&position, "+-") || !take_digits(&position, 2, &hours)) {
                return false;
        }
        (void) take_character(&position, ":");
        if (!take_digits(&position, 2, &minutes)) {
                return false;
        }
        *ret_seconds = sign * (hours * 3600 + minutes * 60);
        *text = position;
        return true;
}

/* A date, with or without a time; what is behind it is left. today: where a time alone is one of that day;
 * NULL: it is none. */
static bool take_stamp(const char **text, const struct tm *today, uint64_t *ret_usec) {
        struct tm time = { .tm_isdst = -1 };
        uint64_t fraction_usec = 0;
        int zone_seconds = 0;
        const char *start = *text;

        if (!take_date(text, &time)) {
                if (!today) {
                        return false;
                }
                *text = start;
                time = (struct tm){
                        .tm_year = today->tm_year,
                        .tm_mon = today->tm_mon,
                        .tm_mday = today->tm_mday,
                        .tm_isdst = -1,
                };
                if (!take_clock(text, &time, &fraction_usec)) {
                        return false;
                }
        } else if (take_character(text, "T -") && !take_clock(text, &time, &fraction_usec)) {
                return false;
        }
        bool has_zone = take_zone(text, &zone_seconds);
        time_t seconds = has_zone ? timegm(&time) - zone_seconds : mktime(&time);
        if (seconds < 0) {
                return false;
        }
        *ret_usec = (uint64_t) seconds * USEC_PER_SEC + fraction_usec;
        return true;
}

int log_filter_parse_time(const char *text, uint64_t now_usec, uint64_t *ret_usec) {
        time_t now = (time_t) (now_usec / USEC_PER_SEC);
        const char *position = text;
        uint64_t usec;
        struct tm today;

        if (text[0] == '@') {
                char *end;
                errno = 0;
                uint64_t seconds = g_ascii_strtoull(text + 1, &end, 10);
                if (!g_ascii_isdigit(text[1]) || *end || errno || seconds > UINT32_MAX * UINT64_C(4)) {
                        return -EINVAL;
                }
                *ret_usec = seconds * USEC_PER_SEC;
                return 0;
        }
        if (!localtime_r(&now, &today)) {
                return -EINVAL;
        }
        if (take_stamp(&position, &today, &usec) && *position == '\0') {
                *ret_usec = usec;
                return 0;
        }
        /* A plain number is no time that anybody means: it would be milliseconds. */
        if (strspn(text, "0123456789") == strlen(text) || parse_duration_usec(text, &usec) < 0 ||
            usec > now_usec) {
                return -EINVAL;
        }
        *ret_usec = now_usec - usec;
        return 0;
}

bool log_filter_line_time(const char *line, size_t length, uint64_t *ret_usec) {
        static const char key[] = "\"timestamp\":\"";
        char stamp[STAMP_BYTES_MAX + 1];
        const char *from = line, *end = line + length;

        if (length > 0 && line[0] == '{') {
                from = memmem(line, MIN(length, (size_t) JSON_HEAD_BYTES_MAX), key, sizeof(key) - 1);
                if (!from) {
                        return false;
                }
                from += sizeof(key) - 1;
        } else if (length > 0 && line[0] == '[') {
                from++;
        }
        size_t stamp_length = MIN((size_t) (end - from), (size_t) STAMP_BYTES_MAX);
        memcpy(stamp, from, stamp_length);
        stamp[stamp_length] = '\0';
        const char *position = stamp;
        return take_stamp(&position, NULL, ret_usec);
}

static bool matches(const LogFilter *filter, const char *line, size_t length) {
        g_autofree char *text = g_utf8_make_valid(line, (gssize) length);

        return g_regex_match(filter->pattern, text, 0, NULL);
}

bool log_filter_takes(const LogFilter *filter, bool *skipping, const char *line, size_t length) {
        uint64_t usec;

        if (filter->since_usec > 0 && log_filter_line_time(line, length, &usec)) {
                *skipping = usec < filter->since_usec;
        }
        return !*skipping && (!filter->pattern || matches(filter, line, length));
}

void log_filter_done(LogFilter *filter) {
        g_clear_pointer(&filter->pattern, g_regex_unref);
}
