/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/time-util.h"

#include "basic/macro.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define DURATION_MAX_USEC (UINT64_C(100) * 365 * 86400 * USEC_PER_SEC)

static uint64_t clock_usec(clockid_t clock) {
        struct timespec now;
        (void) clock_gettime(clock, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / NSEC_PER_USEC;
}

uint64_t now_realtime_usec(void) {
        return clock_usec(CLOCK_REALTIME);
}

uint64_t now_boottime_usec(void) {
        return clock_usec(CLOCK_BOOTTIME);
}

uint64_t now_monotonic_usec(void) {
        return clock_usec(CLOCK_MONOTONIC);
}

/* The units of systemd.time(7) up to weeks; no unit is PM2's milliseconds. */
static const struct {
        const char *name;
        uint64_t usec;
} duration_units[] = {
        { "", USEC_PER_MSEC },
        { "us", 1 },
        { "usec", 1 },
        { "ms", USEC_PER_MSEC },
        { "msec", USEC_PER_MSEC },
        { "s", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "second", USEC_PER_SEC },
        { "seconds", USEC_PER_SEC },
        { "m", UINT64_C(60) * USEC_PER_SEC },
        { "min", 60 * USEC_PER_SEC },
        { "minute", 60 * USEC_PER_SEC },
        { "minutes", 60 * USEC_PER_SEC },
        { "h", 3600 * USEC_PER_SEC },
        { "hr", 3600 * USEC_PER_SEC },
        { "hour", 3600 * USEC_PER_SEC },
        { "hours", 3600 * USEC_PER_SEC },
        { "d", 86400 * USEC_PER_SEC },
        { "day", 86400 * USEC_PER_SEC },
        { "days", 86400 * USEC_PER_SEC },
        { "w", UINT64_C(7) * 86400 * USEC_PER_SEC },
        { "week", UINT64_C(7) * 86400 * USEC_PER_SEC },
        { "weeks", UINT64_C(7) * 86400 * USEC_PER_SEC },
};

static uint64_t unit_usec(const char *unit, size_t length) {
        for (size_t i = 0; i < ELEMENTS(duration_units); i++) {
                if (strlen(duration_units[i].name) == length &&
                    memcmp(duration_units[i].name, unit, length) == 0) {
                        return duration_units[i].usec;
                }
        }
        return 0;
}

/* One "<number>[.<fraction>][unit]"; the fraction is kept to the microsecond. */
static int parse_span(const char **cursor, uint64_t *ret_usec) {
        const char *p = *cursor;
        uint64_t whole = 0, fraction = 0, scale = 1;

        if (!isdigit((unsigned char) *p)) {
                return -EINVAL;
        }
        for (; isdigit((unsigned char) *p); p++) {
                if (whole > DURATION_MAX_USEC / 10) {
                        return -ERANGE;
                }
                whole = whole * 10 + (uint64_t) (*p - '0');
        }
        if (*p == '.') {
                for (p++; isdigit((unsigned char) *p); p++) {
                        if (scale < USEC_PER_SEC) {
                                fraction = fraction * 10 + (uint64_t) (*p - '0');
                                scale *= 10;
                        }
                }
        }
        while (*p == ' ') {
                p++;
        }
        size_t length = 0;
        while (isalpha((unsigned char) p[length])) {
                length++;
        }
        uint64_t unit = unit_usec(p, length);
        if (unit == 0) {
                return -EINVAL;
        }
        if (whole > DURATION_MAX_USEC / unit) {
                return -ERANGE;
        }
        *ret_usec = whole * unit + fraction * unit / scale;
        *cursor = p + length;
        return 0;
}

int parse_duration_usec(const char *text, uint64_t *ret_usec) {
        uint64_t total = 0;
        const char *p = text;

        while (*p == ' ') {
                p++;
        }
        do {
                uint64_t part;
                int r = parse_span(&p, &part);
                if (r < 0) {
                        return r;
                }
                total += part;
                if (total > DURATION_MAX_USEC) {
                        return -ERANGE;
                }
                while (*p == ' ') {
                        p++;
                }
        } while (*p);
        *ret_usec = total;
        return 0;
}
