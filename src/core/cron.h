/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
        CRON_TEXT_BYTES_MAX = 256,
        CRON_ZONE_BYTES_MAX = 64,
};

/* When something is due, as crontab(5) says it; every field is the set of its values, one bit each. */
typedef struct Cron {
        uint64_t seconds, minutes;
        uint32_t hours;
        uint32_t days;     /* of the month, from bit 1 */
        uint32_t months;   /* from bit 1 */
        uint32_t weekdays; /* bit 0: Sunday */
        bool last_day;     /* of each month: "L" */
        bool any_day;      /* this and the next: the field begins with a star */
        bool any_weekday;
} Cron;

/* Five fields (minute, hour, day of month, month, day of week), six (seconds first), or a nickname (@daily).
 * InvalidConfig with the field and the reason; also for what never comes, such as 30 February. */
int cron_parse(const char *text, Cron *ret, Error *error);

/* The first second (since 1970) after an instant at which it is due by the clocks of a zone. Where the hour
 * is left open it is due whenever the clocks show it. Else it is due once for each time of day: of those
 * that clocks show twice at the first, and those that they leave out when they have gone on.
 * -ENOENT: there is none before the year 9999. */
int cron_next(const Cron *cron, GTimeZone *zone, int64_t after_sec, int64_t *ret_sec);

/* Whether a text may be the name of a zone: "Europe/Berlin". */
bool cron_zone_name_is_valid(const char *name);
