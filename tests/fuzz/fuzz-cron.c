/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as a cron expression. What is refused names why; what is taken has next times that grow, that
 * clocks of the zone show, and that do not depend on where the search for them began. */

#include "fuzz.h"

#include "core/cron.h"

#include <string.h>

enum {
        TIMES = 4,
        TIMES_BY_STEPS_SEC = 7200, /* of each gap the first so many seconds are begun from, too */
};

/* Each of them has its changes of the clock at other times of the day. */
static const char *const zones[] = { "UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe" };

static bool has(uint64_t mask, int value) {
        return mask >> value & 1;
}

static void check_time(const Cron *cron, GTimeZone *zone, int64_t at) {
        g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(at);
        g_autoptr(GDateTime) shown = g_date_time_to_timezone(utc, zone);
        g_autoptr(GDateTime) before = g_date_time_add_seconds(shown, -1);
        bool changed = g_date_time_get_utc_offset(shown) != g_date_time_get_utc_offset(before);

        if (!changed) { /* else it may stand for a time that was left out */
                g_assert_true(has(cron->seconds, g_date_time_get_second(shown)));
                g_assert_true(has(cron->minutes, g_date_time_get_minute(shown)));
                g_assert_true(has(cron->hours, g_date_time_get_hour(shown)));
                g_assert_true(has(cron->months, g_date_time_get_month(shown)));
        }
}

static void check_times(const Cron *cron, GTimeZone *zone, int64_t at) {
        for (int i = 0; i < TIMES; i++) {
                int64_t next, again;
                if (cron_next(cron, zone, at, &next) < 0) {
                        return;
                }
                g_assert_cmpint(next, >, at);
                check_time(cron, zone, next);
                for (int64_t step = 1; step < TIMES_BY_STEPS_SEC && at + step < next; step *= 3) {
                        g_assert_cmpint(cron_next(cron, zone, at + step, &again), ==, 0);
                        g_assert_cmpint(again, ==, next);
                }
                g_assert_cmpint(cron_next(cron, zone, next - 1, &again), ==, 0);
                g_assert_cmpint(again, ==, next);
                at = next;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader reader = { data, size };
        const char *zone_name = zones[fuzz_byte(&reader) % G_N_ELEMENTS(zones)];
        uint32_t days = (uint32_t) fuzz_byte(&reader) << 8 | fuzz_byte(&reader);
        g_autofree char *text = fuzz_text(reader.data, reader.size);
        g_auto(Error) error = { 0 };
        Cron cron;

        (void) cron_zone_name_is_valid(text);
        if (cron_parse(text, &cron, &error) < 0) {
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                g_assert_cmpuint(strlen(error.message), <, 1000);
                return 0;
        }
        g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);
        g_assert_nonnull(zone);
        check_times(&cron, zone, (int64_t) days * 86400);
        return 0;
}
