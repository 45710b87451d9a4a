/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The next time of a cron expression. Fields are as in crontab(5): where day of month and day of week are
 * both restricted one of them is enough. Changes of the clock are followed as cron(8) of Debian does: what
 * has a fixed hour is neither left out nor done twice, what has not follows the clock. */

#include "core/cron.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define DAY_SEC        INT64_C(86400)
#define OFFSET_MAX_SEC (26 * INT64_C(3600))  /* of any zone from UTC: RFC 8536, 3.2 */
#define LAST_SEC       INT64_C(253402300799) /* of the year 9999 */
#define EPOCH_JULIAN   719163u               /* 1 January 1970 of a GDate */
#define CYCLE_DAYS     146097                /* the calendar repeats itself after 400 years */

enum {
        FIELDS_MAX = 6,
        ALL_HOURS = (1 << 24) - 1,
};

typedef struct Field {
        const char *name;
        int minimum, maximum;
        const char *names; /* three letters each, from the minimum on */
} Field;

enum {
        SECOND,
        MINUTE,
        HOUR,
        DAY,
        MONTH,
        WEEKDAY,
};

static const Field fields[FIELDS_MAX] = {
        [SECOND] = { "second", 0, 59, "" },
        [MINUTE] = { "minute", 0, 59, "" },
        [HOUR] = { "hour", 0, 23, "" },
        [DAY] = { "day of month", 1, 31, "" },
        [MONTH] = { "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
        [WEEKDAY] = { "day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT" },
};

static int refuse(const Field *field, const char *text, const char *why, Error *error) {
        g_autofree char *quoted = error_quote(text);

        return error_set(error, ERROR_INVALID_CONFIG, "%s: %s %s", field->name, quoted, why);
}

/* -1: it is no name. */
static int find_name(const Field *field, const char *text, size_t length) {
        for (size_t i = 0; length == 3 && field->names[i]; i += 3) {
                if (g_ascii_strncasecmp(field->names + i, text, 3) == 0) {
                        return field->minimum + (int) i / 3;
                }
        }
        return -1;
}

/* A number or a name at the front; *text is behind it then. */
static int read_value(const Field *field, const char **text, int *ret, Error *error) {
        size_t length = strcspn(*text, "-/");
        g_autofree char *word = g_strndup(*text, length);
        int value = find_name(field, word, length);

        if (value < 0) {
                if (length == 0 || strspn(word, "0123456789") != length) {
                        return refuse(field,
                                      word,
                                      field->names[0] ? "is neither a number nor a name of three letters"
                                                      : "is not a number",
                                      error);
                }
                value = length > 4 ? G_MAXINT : (int) g_ascii_strtoll(word, NULL, 10);
                if (value < field->minimum || value > field->maximum) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: %s is out of range, it must be %d to %d",
                                        field->name,
                                        word,
                                        field->minimum,
                                        field->maximum);
                }
        }
        *text += length;
        *ret = value;
        return 0;
}

static int read_step(const Field *field, const char *text, int *ret, Error *error) {
        size_t length = strlen(text);
        int count = field->maximum - field->minimum + 1;
        bool number = length > 0 && length <= 4 && strspn(text, "0123456789") == length;

        *ret = number ? (int) g_ascii_strtoll(text, NULL, 10) : 0;
        if (*ret < 1 || *ret > count) {
                g_autofree char *quoted = error_quote(text);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: a step of %s cannot be, it must be 1 to %d",
                                field->name,
                                quoted,
                                count);
        }
        return 0;
}

static bool is_star(const Field *field, const char *item) {
        return item[0] == '*' || (item[0] == '?' && (field == &fields[DAY] || field == &fields[WEEKDAY]));
}

/* One of "*", "5", "1-5", "FRI", each of them with a step behind it. */
static int read_item(const Field *field, const char *item, uint64_t *mask, Error *error) {
        int first = field->minimum, last = field->maximum, step = 1, r = 0;
        const char *rest = item;

        if (is_star(field, item)) {
                rest++;
        } else {
                r = read_value(field, &rest, &first, error);
                last = *rest == '/' ? last : first;
                if (r >= 0 && *rest == '-') {
                        rest++;
                        r = read_value(field, &rest, &last, error);
                        if (r >= 0 && field == &fields[WEEKDAY] && last == 0 && first > 0) {
                                last = 7; /* a week may end with its Sunday */
                        }
                }
        }
        if (r >= 0 && *rest == '/') {
                r = read_step(field, rest + 1, &step, error);
        } else if (r >= 0 && *rest) {
                r = refuse(field, item, "is not understood", error);
        }
        if (r < 0) {
                return r;
        }
        if (first > last) {
                return refuse(field, item, "ends before it begins", error);
        }
        for (int value = first; value <= last && value < 64; value += step) {
                *mask |= UINT64_C(1) << value;
        }
        return 0;
}

static int read_field(
                const Field *field, const char *text, uint64_t *ret_mask, bool *last_day, Error *error) {
        g_auto(GStrv) items = g_strsplit(text, ",", -1);
        int r = 0;

        *ret_mask = 0;
        for (char **item = items; r >= 0 && *item; item++) {
                if (field == &fields[DAY] && g_ascii_strcasecmp(*item, "L") == 0) {
                        *last_day = true;
                } else if (!**item) {
                        r = refuse(field, text, "has nothing before or behind a comma", error);
                } else {
                        r = read_item(field, *item, ret_mask, error);
                }
        }
        return r;
}

/* The rows that cron has names for. */
static const char *expand_nickname(const char *text) {
        static const char *const nicknames[][2] = {
                { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
                { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
                { "@hourly", "0 * * * *" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(nicknames); i++) {
                if (g_ascii_strcasecmp(nicknames[i][0], text) == 0) {
                        return nicknames[i][1];
                }
        }
        return text;
}

static GPtrArray *split_fields(char *text) {
        GPtrArray *words = g_ptr_array_new();
        char *rest = NULL;

        for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
                g_ptr_array_add(words, word);
        }
        return words;
}

static int read_fields(const GPtrArray *words, Cron *cron, Error *error) {
        uint64_t masks[FIELDS_MAX] = { [SECOND] = 1 };
        guint skipped = FIELDS_MAX - words->len; /* no seconds: at the first of the minute */
        int r = 0;

        for (guint i = skipped; r >= 0 && i < FIELDS_MAX; i++) {
                r = read_field(&fields[i], words->pdata[i - skipped], &masks[i], &cron->last_day, error);
        }
        if (r < 0) {
                return r;
        }
        cron->seconds = masks[SECOND];
        cron->minutes = masks[MINUTE];
        cron->hours = (uint32_t) masks[HOUR];
        cron->days = (uint32_t) masks[DAY];
        cron->months = (uint32_t) masks[MONTH];
        cron->weekdays = (uint32_t) (masks[WEEKDAY] | masks[WEEKDAY] >> 7) & 0x7f;
        cron->any_day = is_star(&fields[DAY], words->pdata[DAY - skipped]);
        cron->any_weekday = is_star(&fields[WEEKDAY], words->pdata[WEEKDAY - skipped]);
        return 0;
}

static int64_t find_wall_time(const Cron *cron, int64_t from_sec);

int cron_parse(const char *text, Cron *ret, Error *error) {
        Cron cron = { 0 };
        g_autofree char *row = g_strstrip(g_strndup(text, CRON_TEXT_BYTES_MAX));

        if (g_ascii_strcasecmp(row, "@reboot") == 0) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "@reboot is no time: apps of the saved list are started with the "
                                "supervisor");
        }
        g_autofree char *expanded = g_strdup(expand_nickname(row));
        if (expanded[0] == '@') {
                g_autofree char *quoted = error_quote(row);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s is not one of @yearly @annually @monthly @weekly @daily @midnight "
                                "@hourly",
                                quoted);
        }
        g_autoptr(GPtrArray) words = split_fields(expanded);
        if (words->len < FIELDS_MAX - 1 || words->len > FIELDS_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "has %u fields, it must have 5 (minute hour day-of-month month day-of-week) "
                                "or 6 (second first)",
                                words->len);
        }
        int r = read_fields(words, &cron, error);
        if (r < 0) {
                return r;
        }
        if (find_wall_time(&cron, 0) < 0) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "day of month: no month of the field has such a day, it never comes");
        }
        *ret = cron;
        return 0;
}

static bool is_day(const Cron *cron, const GDate *date) {
        unsigned day = g_date_get_day(date);
        bool weekday = cron->weekdays >> (g_date_get_weekday(date) % 7) & 1; /* Sunday is 7 */
        bool by_number = cron->days >> day & 1;
        bool last = cron->last_day &&
                    day == g_date_get_days_in_month(g_date_get_month(date), g_date_get_year(date));

        if (cron->any_day || cron->any_weekday) {
                return weekday && (by_number || last);
        }
        return weekday || by_number || last;
}

/* The first bit that is set from one on; -1: none. */
static int next_bit(uint64_t mask, int from) {
        uint64_t rest = from < 64 ? mask >> from << from : 0;
        return rest ? __builtin_ctzll(rest) : -1;
}

/* The first second of a day, from one on, with the hours, minutes and seconds; -1: none is left. */
static int find_second_of_day(const Cron *cron, int from) {
        int hour = from / 3600, minute = from / 60 % 60;
        int first_second = next_bit(cron->seconds, 0), first_minute = next_bit(cron->minutes, 0);

        if (cron->hours >> hour & 1) {
                int second = cron->minutes >> minute & 1 ? next_bit(cron->seconds, from % 60) : -1;
                if (second >= 0) {
                        return hour * 3600 + minute * 60 + second;
                }
                minute = next_bit(cron->minutes, minute + 1);
                if (minute >= 0) {
                        return hour * 3600 + minute * 60 + first_second;
                }
        }
        hour = next_bit(cron->hours, hour + 1);
        return hour >= 0 ? hour * 3600 + first_minute * 60 + first_second : -1;
}

/* The first time, from one on, that a clock shows then, as seconds since a clock like it showed 1970; -1:
 * none. */
static int64_t find_wall_time(const Cron *cron, int64_t from_sec) {
        int64_t day = from_sec / DAY_SEC, end = day + CYCLE_DAYS;
        int second = (int) (from_sec % DAY_SEC);

        while (from_sec >= 0 && day <= end && day <= LAST_SEC / DAY_SEC) {
                GDate date;
                g_date_clear(&date, 1);
                g_date_set_julian(&date, EPOCH_JULIAN + (guint32) day);
                if (!(cron->months >> g_date_get_month(&date) & 1)) {
                        day += g_date_get_days_in_month(g_date_get_month(&date), g_date_get_year(&date)) -
                               g_date_get_day(&date) + 1;
                        second = 0;
                        continue;
                }
                int found = is_day(cron, &date) ? find_second_of_day(cron, second) : -1;
                if (found >= 0) {
                        return day * DAY_SEC + found;
                }
                day++;
                second = 0;
        }
        return -1;
}

static int64_t offset_at(GTimeZone *zone, int64_t at_sec) {
        return g_time_zone_get_offset(zone, g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, at_sec));
}

/* When the clocks of the zone are next changed: the first instant after one, up to another, that is in a
 * later interval. INT64_MAX: none is. */
static int64_t find_change(GTimeZone *zone, int64_t from_sec, int64_t to_sec) {
        gint interval = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, from_sec);

        if (to_sec <= from_sec ||
            g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, to_sec) == interval) {
                return INT64_MAX;
        }
        while (to_sec - from_sec > 1) {
                int64_t middle = from_sec + (to_sec - from_sec) / 2;
                bool later = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, middle) != interval;
                *(later ? &to_sec : &from_sec) = middle;
        }
        return to_sec;
}

/* The first instant at which the clocks of the zone show a time or, where they leave it out, a later one. */
static int64_t find_instant(GTimeZone *zone, int64_t wall_sec) {
        int64_t from = wall_sec - OFFSET_MAX_SEC;

        for (;;) {
                int64_t at = MAX(wall_sec - offset_at(zone, from), from);
                int64_t change = find_change(zone, from, at);
                if (change > at) {
                        return at;
                }
                from = change;
        }
}

/* Whenever the clocks show it. */
static int64_t next_by_clock(const Cron *cron, GTimeZone *zone, int64_t after_sec) {
        int64_t from = after_sec + 1;

        for (;;) {
                int64_t offset = offset_at(zone, from);
                int64_t wall = find_wall_time(cron, from + offset);
                if (wall < 0) {
                        return -1;
                }
                int64_t change = find_change(zone, from, wall - offset);
                if (change > wall - offset) {
                        return wall - offset;
                }
                from = change;
        }
}

/* Each time of day once. */
static int64_t next_by_date(const Cron *cron, GTimeZone *zone, int64_t after_sec) {
        int64_t from = after_sec + offset_at(zone, after_sec) + 1;

        for (;;) {
                int64_t wall = find_wall_time(cron, from);
                if (wall < 0) {
                        return -1;
                }
                int64_t at = find_instant(zone, wall);
                if (at > after_sec) {
                        return at;
                }
                /* The clocks were set back after that, and show it for the second time: on to where they
                 * were then. */
                int64_t change = find_change(zone, at, after_sec);
                from = MAX(wall + 1, change == INT64_MAX ? 0 : change + offset_at(zone, change - 1));
        }
}

int cron_next(const Cron *cron, GTimeZone *zone, int64_t after_sec, int64_t *ret_sec) {
        if (after_sec < 0 || after_sec >= LAST_SEC - OFFSET_MAX_SEC) {
                return -ENOENT;
        }
        int64_t at = cron->hours == ALL_HOURS ? next_by_clock(cron, zone, after_sec)
                                              : next_by_date(cron, zone, after_sec);
        if (at < 0) {
                return -ENOENT;
        }
        *ret_sec = at;
        return 0;
}

bool cron_zone_name_is_valid(const char *name) {
        size_t length = strlen(name);

        if (length > CRON_ZONE_BYTES_MAX || !g_ascii_isalpha(name[0]) || name[length - 1] == '/' ||
            strstr(name, "//")) {
                return false;
        }
        for (; *name; name++) {
                if (!g_ascii_isalnum(*name) && !strchr("+-_/", *name)) {
                        return false;
                }
        }
        return true;
}
