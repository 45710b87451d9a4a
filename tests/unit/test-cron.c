/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Expressions against instants that are known, the changes of the clocks of real zones, and everything
 * against a search that looks at each second or minute. */

#include "core/cron.h"

#include <errno.h>
#include <string.h>

#define DAY INT64_C(86400)

static GTimeZone *zone_of(const char *name) {
        GTimeZone *zone = g_time_zone_new_identifier(name);

        g_assert_nonnull(zone);
        return zone;
}

/* "2025-03-30T02:30:00Z", or with an offset as "+02". */
static int64_t instant(const char *text) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);

        g_assert_nonnull(time);
        return g_date_time_to_unix(time);
}

static Cron parsed(const char *text) {
        g_auto(Error) error = { 0 };
        Cron cron;

        int r = cron_parse(text, &cron, &error);
        if (r < 0) {
                g_error("%s: %s", text, error.message);
        }
        return cron;
}

/* The times that follow an instant, each with the offset that the clocks had, separated by blanks. */
static void check_row(const char *text, const char *zone_name, const char *after, const char *expected) {
        g_autoptr(GTimeZone) zone = zone_of(zone_name);
        g_auto(GStrv) times = g_strsplit(expected, " ", -1);
        Cron cron = parsed(text);
        int64_t at = instant(after);

        for (char **expected_time = times; *expected_time; expected_time++) {
                g_assert_cmpint(cron_next(&cron, zone, at, &at), ==, 0);
                g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(at);
                g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
                g_autofree char *shown = g_date_time_format(local, "%Y-%m-%dT%H:%M:%S%:::z");
                g_test_message("%s in %s", text, zone_name);
                g_assert_cmpstr(shown, ==, *expected_time);
        }
}

typedef struct Row {
        const char *text, *after, *expected;
} Row;

/* From Monday, 10 November 2025, in UTC: what fields mean. */
static void test_fields(void) {
        static const Row rows[] = {
                { "* * * * *", "2025-11-10T10:20:30Z", "2025-11-10T10:21:00+00 2025-11-10T10:22:00+00" },
                { "* * * * *", "2025-11-10T10:21:00Z", "2025-11-10T10:22:00+00" },
                { "* * * * *", "2025-12-31T23:59:00Z", "2026-01-01T00:00:00+00" },
                { "* * * * * *", "2025-11-10T10:20:59Z", "2025-11-10T10:21:00+00 2025-11-10T10:21:01+00" },
                { "*/20 * * * * *",
                  "2025-11-10T10:20:30Z",
                  "2025-11-10T10:20:40+00 2025-11-10T10:21:00+00" },
                { "5,10 30 8 * * *",
                  "2025-11-10T10:20:30Z",
                  "2025-11-11T08:30:05+00 2025-11-11T08:30:10+00" },
                { "0 4 * * *", "2025-11-10T10:20:30Z", "2025-11-11T04:00:00+00 2025-11-12T04:00:00+00" },
                { "0 4 * * *", "2025-11-10T03:59:59Z", "2025-11-10T04:00:00+00" },
                { "0 4 * * *", "2025-11-10T04:00:00Z", "2025-11-11T04:00:00+00" },
                { "*/15 9-17 * * MON-FRI",
                  "2025-11-10T17:45:00Z",
                  "2025-11-11T09:00:00+00 2025-11-11T09:15:00+00" },
                { "*/15 9-17 * * 1-5", "2025-11-14T17:45:00Z", "2025-11-17T09:00:00+00" },
                { "0-30/10,45 0 * * *",
                  "2025-11-10T00:00:00Z",
                  "2025-11-10T00:10:00+00 2025-11-10T00:20:00+00 2025-11-10T00:30:00+00 "
                  "2025-11-10T00:45:00+00 "
                  "2025-11-11T00:00:00+00" },
                { "50/5 0 * * *",
                  "2025-11-10T00:00:00Z",
                  "2025-11-10T00:50:00+00 2025-11-10T00:55:00+00 2025-11-11T00:50:00+00" },
                { "0 0 1 jan,JUL *",
                  "2025-11-10T00:00:00Z",
                  "2026-01-01T00:00:00+00 2026-07-01T00:00:00+00" },
                { "0 0 * * 0", "2025-11-10T00:00:00Z", "2025-11-16T00:00:00+00" },
                { "0 0 * * 7", "2025-11-10T00:00:00Z", "2025-11-16T00:00:00+00" },
                { "0 0 * * sun", "2025-11-10T00:00:00Z", "2025-11-16T00:00:00+00" },
                { "0 0 * * FRI-SUN",
                  "2025-11-10T00:00:00Z",
                  "2025-11-14T00:00:00+00 2025-11-15T00:00:00+00 2025-11-16T00:00:00+00 "
                  "2025-11-21T00:00:00+00" },
                { "0 0 * * 5-7", "2025-11-16T00:00:00Z", "2025-11-21T00:00:00+00" },
                { "0 0 31 * *",
                  "2025-11-10T00:00:00Z",
                  "2025-12-31T00:00:00+00 2026-01-31T00:00:00+00 2026-03-31T00:00:00+00" },
                { "0 0 29 2 *", "2025-11-10T00:00:00Z", "2028-02-29T00:00:00+00 2032-02-29T00:00:00+00" },
                { "0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00+00" },
                { "0 0 L * *", "2025-11-10T00:00:00Z", "2025-11-30T00:00:00+00 2025-12-31T00:00:00+00" },
                { "0 0 L 2 *",
                  "2025-11-10T00:00:00Z",
                  "2026-02-28T00:00:00+00 2027-02-28T00:00:00+00 2028-02-29T00:00:00+00" },
                { "0 0 15,l * *", "2025-11-10T00:00:00Z", "2025-11-15T00:00:00+00 2025-11-30T00:00:00+00" },
                { "0 0 ? * MON", "2025-11-10T00:00:00Z", "2025-11-17T00:00:00+00" },
                { "0 0 5 * ?", "2025-11-10T00:00:00Z", "2025-12-05T00:00:00+00" },
                { "  0   0\t5 *  *  ", "2025-11-10T00:00:00Z", "2025-12-05T00:00:00+00" },
                { "@hourly", "2025-11-10T10:20:30Z", "2025-11-10T11:00:00+00" },
                { "@daily", "2025-11-10T10:20:30Z", "2025-11-11T00:00:00+00" },
                { "@Midnight", "2025-11-10T10:20:30Z", "2025-11-11T00:00:00+00" },
                { "@weekly", "2025-11-10T10:20:30Z", "2025-11-16T00:00:00+00" },
                { "@monthly", "2025-11-10T10:20:30Z", "2025-12-01T00:00:00+00" },
                { "@yearly", "2025-11-10T10:20:30Z", "2026-01-01T00:00:00+00" },
                { "@annually", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00+00" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                check_row(rows[i].text, "UTC", rows[i].after, rows[i].expected);
        }
}

/* crontab(5): where both days are restricted one of them is enough; a field that begins with a star is not
 * restricted for that. */
static void test_either_day(void) {
        static const Row rows[] = {
                { "0 0 13 * FRI",
                  "2025-11-10T00:00:00Z",
                  "2025-11-13T00:00:00+00 2025-11-14T00:00:00+00 2025-11-21T00:00:00+00" },
                { "0 0 L * MON",
                  "2025-11-20T00:00:00Z",
                  "2025-11-24T00:00:00+00 2025-11-30T00:00:00+00 2025-12-01T00:00:00+00" },
                { "0 0 30 2 MON", "2026-02-03T00:00:00Z", "2026-02-09T00:00:00+00" },
                { "0 0 */2 * MON", "2025-11-10T00:00:00Z", "2025-11-17T00:00:00+00 2025-12-01T00:00:00+00" },
                { "0 0 1 * */2", "2025-11-10T00:00:00Z", "2026-01-01T00:00:00+00 2026-02-01T00:00:00+00" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                check_row(rows[i].text, "UTC", rows[i].after, rows[i].expected);
        }
}

/* What has a fixed hour: not left out where the clocks are put on over it, not done twice where they are put
 * back. */
static void test_fixed_hours_over_changes(void) {
        static const struct {
                const char *zone;
                Row row;
        } rows[] = {
                /* 30 March 2025, 02:00 -> 03:00; 26 October, 03:00 -> 02:00 */
                { "Europe/Berlin",
                  { "30 2 * * *",
                    "2025-03-29T00:00:00Z",
                    "2025-03-29T02:30:00+01 2025-03-30T03:00:00+02 2025-03-31T02:30:00+02" } },
                { "Europe/Berlin",
                  { "0 2 * * *", "2025-03-29T12:00:00Z", "2025-03-30T03:00:00+02 2025-03-31T02:00:00+02" } },
                { "Europe/Berlin",
                  { "0 3 * * *", "2025-03-29T12:00:00Z", "2025-03-30T03:00:00+02 2025-03-31T03:00:00+02" } },
                { "Europe/Berlin",
                  { "*/10 2 * * *",
                    "2025-03-29T12:00:00Z",
                    "2025-03-30T03:00:00+02 2025-03-31T02:00:00+02" } },
                { "Europe/Berlin",
                  { "30 2,3 * * *",
                    "2025-03-29T12:00:00Z",
                    "2025-03-30T03:00:00+02 2025-03-30T03:30:00+02 2025-03-31T02:30:00+02" } },
                { "Europe/Berlin",
                  { "30 2 30 3 *",
                    "2025-03-01T12:00:00Z",
                    "2025-03-30T03:00:00+02 2026-03-30T02:30:00+02" } },
                { "Europe/Berlin",
                  { "30 2 * * *",
                    "2025-10-25T12:00:00Z",
                    "2025-10-26T02:30:00+02 2025-10-27T02:30:00+01" } },
                { "Europe/Berlin", { "30 2 * * *", "2025-10-26T00:45:00Z", "2025-10-27T02:30:00+01" } },
                { "Europe/Berlin", { "30 2 * * *", "2025-10-26T01:15:00Z", "2025-10-27T02:30:00+01" } },
                { "Europe/Berlin",
                  { "*/20 2 * * *",
                    "2025-10-25T12:00:00Z",
                    "2025-10-26T02:00:00+02 2025-10-26T02:20:00+02 2025-10-26T02:40:00+02 "
                    "2025-10-27T02:00:00+01" } },
                { "Europe/Berlin", { "0 3 * * *", "2025-10-26T00:30:00Z", "2025-10-26T03:00:00+01" } },
                { "Europe/Berlin",
                  { "*/30 1-3 * * *",
                    "2025-10-26T00:15:00Z",
                    "2025-10-26T02:30:00+02 2025-10-26T03:00:00+01" } },
                { "Europe/Berlin", { "* * 2 * * *", "2025-10-26T01:10:11Z", "2025-10-27T02:00:00+01" } },
                /* 9 March 2025, 02:00 -> 03:00; 2 November, 02:00 -> 01:00 */
                { "America/New_York",
                  { "15 2 * * SUN",
                    "2025-03-08T12:00:00Z",
                    "2025-03-09T03:00:00-04 2025-03-16T02:15:00-04" } },
                { "America/New_York",
                  { "0 1 * * *", "2025-11-01T12:00:00Z", "2025-11-02T01:00:00-04 2025-11-03T01:00:00-05" } },
                /* half an hour: 5 October 2025, 02:00 -> 02:30; 6 April, 02:00 -> 01:30 */
                { "Australia/Lord_Howe",
                  { "15 2 * * *",
                    "2025-10-04T00:00:00Z",
                    "2025-10-05T02:30:00+11 2025-10-06T02:15:00+11" } },
                { "Australia/Lord_Howe",
                  { "45 1 * * *",
                    "2025-04-05T00:00:00Z",
                    "2025-04-06T01:45:00+11 2025-04-07T01:45:00+10:30" } },
                /* at midnight: 9 March 2025, 00:00 -> 01:00; 2 November, 01:00 -> 00:00 */
                { "America/Havana",
                  { "@daily", "2025-03-08T12:00:00Z", "2025-03-09T01:00:00-04 2025-03-10T00:00:00-04" } },
                { "America/Havana",
                  { "@daily", "2025-11-01T12:00:00Z", "2025-11-02T00:00:00-04 2025-11-03T00:00:00-05" } },
                /* a day that was left out as a whole: 30 December 2011 */
                { "Pacific/Apia",
                  { "0 12 30 12 *",
                    "2011-12-01T12:00:00Z",
                    "2011-12-31T00:00:00+14 2012-12-30T12:00:00+14" } },
                /* the year after next, by the rule of the zone */
                { "Europe/Berlin", { "30 2 25-31 3 *", "2029-03-24T12:00:00Z", "2029-03-25T03:00:00+02" } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                check_row(rows[i].row.text, rows[i].zone, rows[i].row.after, rows[i].row.expected);
        }
}

/* What is due each hour follows the clock. */
static void test_each_hour_over_changes(void) {
        static const struct {
                const char *zone;
                Row row;
        } rows[] = {
                { "Europe/Berlin",
                  { "30 * * * *",
                    "2025-03-30T00:00:00Z",
                    "2025-03-30T01:30:00+01 2025-03-30T03:30:00+02" } },
                { "Europe/Berlin", { "0 */1 * * *", "2025-03-30T00:00:00Z", "2025-03-30T03:00:00+02" } },
                { "Europe/Berlin",
                  { "30 * * * *",
                    "2025-10-26T00:00:00Z",
                    "2025-10-26T02:30:00+02 2025-10-26T02:30:00+01 2025-10-26T03:30:00+01" } },
                { "Europe/Berlin",
                  { "@hourly",
                    "2025-10-25T23:30:00Z",
                    "2025-10-26T02:00:00+02 2025-10-26T02:00:00+01 2025-10-26T03:00:00+01" } },
                { "Australia/Lord_Howe",
                  { "15 * * * *",
                    "2025-10-04T14:00:00Z",
                    "2025-10-05T01:15:00+10:30 2025-10-05T03:15:00+11" } },
                { "Australia/Lord_Howe",
                  { "40 * * * *",
                    "2025-04-05T14:00:00Z",
                    "2025-04-06T01:40:00+11 2025-04-06T01:40:00+10:30 2025-04-06T02:40:00+10:30" } },
                { "Pacific/Apia", { "0 * 30,31 12 *", "2011-12-29T12:00:00Z", "2011-12-31T00:00:00+14" } },
                /* far away, and the offset is the same again: what lies between is not overlooked */
                { "Europe/Berlin",
                  { "0 * 26 10 *",
                    "2025-10-25T22:30:00Z",
                    "2025-10-26T01:00:00+02 2025-10-26T02:00:00+02 2025-10-26T02:00:00+01" } },
                { "Europe/Berlin", { "30 * 1 1 *", "2025-01-02T00:00:00Z", "2026-01-01T00:30:00+01" } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                check_row(rows[i].row.text, rows[i].zone, rows[i].row.after, rows[i].row.expected);
        }
}

static void test_errors(void) {
        static const char *const rows[][2] = {
                { "", "has 0 fields" },
                { "   ", "has 0 fields" },
                { "* * * *", "has 4 fields" },
                { "* * * * * * *", "has 7 fields" },
                { "60 * * * *", "minute: 60 is out of range, it must be 0 to 59" },
                { "60 * * * * *", "second: 60 is out of range" },
                { "* 24 * * *", "hour: 24 is out of range, it must be 0 to 23" },
                { "* * 0 * *", "day of month: 0 is out of range, it must be 1 to 31" },
                { "* * 32 * *", "day of month: 32 is out of range" },
                { "* * * 13 *", "month: 13 is out of range, it must be 1 to 12" },
                { "* * * * 8", "day of week: 8 is out of range, it must be 0 to 7" },
                { "99999999999999999999 * * * *", "minute: 99999999999999999999 is out of range" },
                { "-1 * * * *", "minute: '' is not a number" },
                { "5- * * * *", "minute: '' is not a number" },
                { "5-- * * * *", "minute: '' is not a number" },
                { "1.5 * * * *", "minute: '1.5' is not a number" },
                { "MON * * * *", "minute: 'MON' is not a number" },
                { "* * * JANUARY *", "month: 'JANUARY' is neither a number nor a name" },
                { "* * * * MO", "day of week: 'MO' is neither a number nor a name" },
                { "* * * MON *", "month: 'MON' is neither" },
                { "22-2 * * * *", "minute: '22-2' ends before it begins" },
                { "* * * * SAT-FRI", "day of week: 'SAT-FRI' ends before it begins" },
                { "*/0 * * * *", "minute: a step of '0' cannot be, it must be 1 to 60" },
                { "*/61 * * * *", "minute: a step of '61' cannot be" },
                { "*/ * * * *", "minute: a step of '' cannot be" },
                { "*/-5 * * * *", "minute: a step of '-5' cannot be" },
                { "*/5/5 * * * *", "minute: a step of '5/5' cannot be" },
                { "*/x * * * *", "minute: a step of 'x' cannot be" },
                { "1-2-3 * * * *", "minute: '1-2-3' is not understood" },
                { "*5 * * * *", "minute: '*5' is not understood" },
                { "1,,2 * * * *", "minute: '1,,2' has nothing before or behind a comma" },
                { ", * * * *", "minute: ',' has nothing" },
                { "1, * * * *", "minute: '1,' has nothing" },
                { "? * * * *", "minute: '?' is not a number" },
                { "L * * * *", "minute: 'L' is not a number" },
                { "* * * * L", "day of week: 'L' is neither" },
                { "* * L-3 * *", "day of month: 'L' is not a number" },
                { "0 0 30 2 *", "day of month: no month of the field has such a day, it never comes" },
                { "0 0 31 2,4,6,9,11 *", "it never comes" },
                { "0 0 31 4 ?", "it never comes" },
                { "@reboot", "@reboot is no time" },
                { "@Reboot", "@reboot is no time" },
                { "@fortnightly", "'@fortnightly' is not one of @yearly" },
                { "@daily *", "is not one of @yearly" },
                { "@", "'@' is not one of" },
                { "not a pattern", "has 3 fields" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Error) error = { 0 };
                Cron cron;
                g_test_message("%s", rows[i][0]);
                g_assert_cmpint(cron_parse(rows[i][0], &cron, &error), ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                if (!strstr(error.message, rows[i][1])) {
                        g_error("%s: %s", rows[i][0], error.message);
                }
        }
}

static void test_end_of_time(void) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        Cron cron = parsed("* * * * *");
        int64_t at = 0;

        g_assert_cmpint(cron_next(&cron, utc, INT64_MAX, &at), ==, -ENOENT);
        g_assert_cmpint(cron_next(&cron, utc, -1, &at), ==, -ENOENT);
        g_assert_cmpint(cron_next(&cron, utc, 0, &at), ==, 0);
        g_assert_cmpint(at, ==, 60);
        cron = parsed("0 0 29 2 *");
        g_assert_cmpint(cron_next(&cron, utc, instant("9996-03-01T00:00:00Z"), &at), ==, -ENOENT);
}

static void test_zone_names(void) {
        static const char *const good[] = { "UTC",       "Europe/Berlin", "America/Argentina/Buenos_Aires",
                                            "Etc/GMT+5", "GMT-0",         "America/Port-au-Prince" };
        static const char *const bad[] = { "",
                                           "/etc/passwd",
                                           "../x",
                                           "Europe/../x",
                                           "Europe/",
                                           "Europe//Berlin",
                                           "+05:30",
                                           "Europe Berlin",
                                           "EST5EDT,M3.2.0,M11.1.0",
                                           ":UTC",
                                           "Z\n",
                                           "tzdata.zi",
                                           "Berl\xc3\xadn" };
        char many[CRON_ZONE_BYTES_MAX + 2];

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                g_assert_true(cron_zone_name_is_valid(good[i]));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_assert_false(cron_zone_name_is_valid(bad[i]));
        }
        memset(many, 'a', sizeof(many));
        many[sizeof(many) - 1] = '\0';
        g_assert_false(cron_zone_name_is_valid(many));
        many[sizeof(many) - 2] = '\0';
        g_assert_true(cron_zone_name_is_valid(many));
}

/* An expression of random fields, with what was meant by them as tables of its own. */
typedef struct Model {
        bool second[60], minute[60], hour[24], day[32], month[13], weekday[8];
        bool last, any_day, any_weekday;
} Model;

static void add_random_item(GString *text, bool *table, int minimum, int maximum) {
        int first = g_test_rand_int_range(minimum, maximum + 1);
        int last = g_test_rand_int_range(first, maximum + 1);
        int step = g_test_rand_int_range(1, (maximum - minimum) / 2 + 1);

        switch (g_test_rand_int_range(0, 3)) {
        case 0:
                g_string_append_printf(text, "%d", first);
                table[first] = true;
                return;
        case 1:
                g_string_append_printf(text, "%d-%d", first, last);
                step = 1;
                break;
        default:
                g_string_append_printf(text, "%d-%d/%d", first, last, step);
                break;
        }
        for (int value = first; value <= last; value += step) {
                table[value] = true;
        }
}

/* Whether it is the star. */
static bool add_random_field(GString *text, bool *table, int minimum, int maximum, unsigned stars) {
        bool star = (unsigned) g_test_rand_int_range(0, 100) < stars;

        if (star) {
                int step = g_test_rand_bit() ? 1 : g_test_rand_int_range(1, (maximum - minimum) / 2);
                g_string_append_printf(text, step > 1 ? "*/%d " : "* ", step);
                for (int value = minimum; value <= maximum; value += step) {
                        table[value] = true;
                }
                return true;
        }
        for (int items = g_test_rand_int_range(1, 4); items > 0; items--) {
                add_random_item(text, table, minimum, maximum);
                g_string_append(text, items > 1 ? "," : " ");
        }
        return false;
}

static char *random_expression(Model *model, bool with_seconds) {
        GString *text = g_string_new(NULL);

        *model = (Model){ 0 };
        model->second[0] = !with_seconds;
        if (with_seconds) {
                (void) add_random_field(text, model->second, 0, 59, 30);
        }
        (void) add_random_field(text, model->minute, 0, 59, 30);
        (void) add_random_field(text, model->hour, 0, 23, 50);
        model->last = g_test_rand_int_range(0, 10) == 0;
        if (model->last) {
                g_string_append(text, "L ");
        } else {
                model->any_day = add_random_field(text, model->day, 1, 31, 50);
        }
        (void) add_random_field(text, model->month, 1, 12, 90);
        model->any_weekday = add_random_field(text, model->weekday, 0, 7, 50);
        return g_string_free(text, FALSE);
}

static bool model_has(const Model *model, GDateTime *wall) {
        int weekday = g_date_time_get_day_of_week(wall); /* 7: Sunday */
        g_autoptr(GDateTime) tomorrow = g_date_time_add_days(wall, 1);
        bool by_number = model->day[g_date_time_get_day_of_month(wall)] ||
                         (model->last && g_date_time_get_day_of_month(tomorrow) == 1);
        bool by_weekday = model->weekday[weekday] || (weekday == 7 && model->weekday[0]);
        bool day = model->any_day || model->any_weekday ? by_number && by_weekday : by_number || by_weekday;

        return day && model->month[g_date_time_get_month(wall)] && model->hour[g_date_time_get_hour(wall)] &&
               model->minute[g_date_time_get_minute(wall)] && model->second[g_date_time_get_second(wall)];
}

static bool has_all_hours(const Model *model) {
        for (int hour = 0; hour < 24; hour++) {
                if (!model->hour[hour]) {
                        return false;
                }
        }
        return true;
}

/* All instants of a span at which it is due, by looking at what clocks show: each second, or each minute.
 * With fixed hours a time counts when clocks first show it, and all times that they leave out as one. */
static GArray *search(const Model *model, GTimeZone *zone, int64_t from, int64_t to, int64_t step) {
        GArray *found = g_array_new(FALSE, FALSE, sizeof(int64_t));
        bool follows = has_all_hours(model);
        int64_t shown = 0; /* the latest time that clocks have shown */

        /* From a day before, so that what is shown for the second time is known. */
        for (int64_t at = from - DAY; at <= to; at += step) {
                g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(at);
                g_autoptr(GDateTime) local = g_date_time_to_timezone(now, zone);
                int64_t wall = at + g_date_time_get_utc_offset(local) / G_TIME_SPAN_SECOND;
                bool due = (follows || wall > shown) && model_has(model, local);
                for (int64_t left_out = shown + step; !follows && !due && shown > 0 && left_out < wall;
                     left_out += step) {
                        g_autoptr(GDateTime) missing = g_date_time_new_from_unix_utc(left_out);
                        due = model_has(model, missing);
                }
                shown = MAX(shown, wall);
                if (due && at > from) {
                        g_array_append_val(found, at);
                }
        }
        return found;
}

static void check_span(
                const char *text,
                const Model *model,
                GTimeZone *zone,
                int64_t from,
                int64_t days,
                int64_t step) {
        int64_t to = from + days * DAY, at = from;
        g_autoptr(GArray) expected = search(model, zone, from, to, step);
        g_auto(Error) error = { 0 };
        Cron cron;

        if (cron_parse(text, &cron, &error) < 0) {
                g_assert_nonnull(strstr(error.message, "never comes"));
                g_assert_cmpuint(expected->len, ==, 0);
                return;
        }
        for (guint i = 0; i < expected->len; i++) {
                g_assert_cmpint(cron_next(&cron, zone, at, &at), ==, 0);
                g_assert_cmpint(at, ==, g_array_index(expected, int64_t, i));
        }
        int r = cron_next(&cron, zone, at, &at);
        g_assert_true(r == -ENOENT || (r == 0 && at > to));
}

/* Whatever the expression: it is due when its fields say so, and at no other time. Over the changes of five
 * zones, by minutes; and by seconds over the hours of a change. */
static void test_property(void) {
        static const struct {
                const char *zone, *from;
        } spans[] = {
                { "Europe/Berlin", "2025-03-29T00:00:00Z" },
                { "Europe/Berlin", "2025-10-25T00:00:00Z" },
                { "America/New_York", "2025-03-08T00:00:00Z" },
                { "America/New_York", "2025-11-01T00:00:00Z" },
                { "Australia/Lord_Howe", "2025-10-04T00:00:00Z" },
                { "Australia/Lord_Howe", "2025-04-05T00:00:00Z" },
                { "America/Havana", "2025-03-08T00:00:00Z" },
                { "America/Havana", "2025-11-01T00:00:00Z" },
                { "Africa/Casablanca", "2025-02-22T00:00:00Z" },
                { "Africa/Casablanca", "2025-04-05T00:00:00Z" },
        };

        for (unsigned i = 0; i < 100; i++) {
                const char *name = spans[i % G_N_ELEMENTS(spans)].zone;
                int64_t from = instant(spans[i % G_N_ELEMENTS(spans)].from);
                g_autoptr(GTimeZone) zone = zone_of(name);
                Model model;
                g_autofree char *text = random_expression(&model, i % 10 == 9);
                g_test_message("'%s' in %s from %" G_GINT64_FORMAT, text, name, from);
                check_span(text, &model, zone, from, i % 10 == 9 ? 2 : 4, i % 10 == 9 ? 1 : 60);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/cron/fields", test_fields);
        g_test_add_func("/core/cron/either-day", test_either_day);
        g_test_add_func("/core/cron/fixed-hours-over-changes", test_fixed_hours_over_changes);
        g_test_add_func("/core/cron/each-hour-over-changes", test_each_hour_over_changes);
        g_test_add_func("/core/cron/errors", test_errors);
        g_test_add_func("/core/cron/end-of-time", test_end_of_time);
        g_test_add_func("/core/cron/zone-names", test_zone_names);
        g_test_add_func("/core/cron/property", test_property);
        return g_test_run();
}
