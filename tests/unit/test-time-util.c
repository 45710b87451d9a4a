/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Durations as users write them, and the two clocks. */

#include "basic/time-util.h"

#include <errno.h>
#include <glib.h>

#define SEC  UINT64_C(1000000)
#define DAY  (UINT64_C(86400) * SEC)
#define MOST (36500 * DAY)

static const struct {
        const char *text;
        int result;
        uint64_t usec;
} durations[] = {
        /* plain numbers are PM2's milliseconds */
        { "0", 0, 0 },
        { "1", 0, 1000 },
        { "1600", 0, 1600 * UINT64_C(1000) },
        { "1.5", 0, 1500 },
        { "0.001", 0, 1 },
        { "0.0009", 0, 0 },
        { "0001", 0, 1000 },
        { "  7  ", 0, 7000 },
        /* time spans */
        { "1us", 0, 1 },
        { "1usec", 0, 1 },
        { "3ms", 0, 3000 },
        { "3 msec", 0, 3000 },
        { "2s", 0, 2 * SEC },
        { "2sec", 0, 2 * SEC },
        { "1second", 0, SEC },
        { "2 seconds", 0, 2 * SEC },
        { "2m", 0, 120 * SEC },
        { "2min", 0, 120 * SEC },
        { "1minute", 0, 60 * SEC },
        { "2minutes", 0, 120 * SEC },
        { "1h", 0, 3600 * SEC },
        { "1hr", 0, 3600 * SEC },
        { "1hour", 0, 3600 * SEC },
        { "2hours", 0, 7200 * SEC },
        { "1d", 0, DAY },
        { "1day", 0, DAY },
        { "2days", 0, 2 * DAY },
        { "1w", 0, 7 * DAY },
        { "1week", 0, 7 * DAY },
        { "2weeks", 0, 14 * DAY },
        { "1min 30s", 0, 90 * SEC },
        { "1min30s", 0, 90 * SEC },
        { "1h 1min 1s 1ms 1us", 0, 3661001001 },
        { "0.5s", 0, SEC / 2 },
        { "1.000001s", 0, SEC + 1 },
        { "1.0000019s", 0, SEC + 1 },
        { "0.999999999999999999999999s", 0, 999999 },
        { "0.5w", 0, 7 * DAY / 2 },
        /* the limit of 100 years */
        { "36500d", 0, MOST },
        { "3153600000000000us", 0, MOST },
        { "3153600000000000.9us", 0, MOST },
        { "3153600000000001us", -ERANGE, 0 },
        { "36501d", -ERANGE, 0 },
        { "36500d 1us", -ERANGE, 0 },
        { "20000d 20000d", -ERANGE, 0 },
        { "36500.5d", -ERANGE, 0 },
        { "3153600000000001", -ERANGE, 0 },
        { "18446744073709551615", -ERANGE, 0 },
        { "18446744073709551616", -ERANGE, 0 },
        { "30500568904943w", -ERANGE, 0 },
        { "99999999999999999999999999999999999999", -ERANGE, 0 },
        /* neither */
        { "", -EINVAL, 0 },
        { "   ", -EINVAL, 0 },
        { "s", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { ".5s", -EINVAL, 0 },
        { "1 x", -EINVAL, 0 },
        { "1S", -EINVAL, 0 },
        { "1M", -EINVAL, 0 },
        { "5 parsecs", -EINVAL, 0 },
        { "1e3", -EINVAL, 0 },
        { "0x10", -EINVAL, 0 },
        { "1s,", -EINVAL, 0 },
        { "1s -1s", -EINVAL, 0 },
        { "1:30", -EINVAL, 0 },
        { "infinity", -EINVAL, 0 },
        { "1\n", -EINVAL, 0 },
        { "1..5s", -EINVAL, 0 },
};

static void test_durations(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(durations); i++) {
                uint64_t usec = 42;
                int r = parse_duration_usec(durations[i].text, &usec);
                if (r != durations[i].result || usec != (r < 0 ? 42 : durations[i].usec)) {
                        g_error("'%s': got %d and %" G_GUINT64_FORMAT, durations[i].text, r, usec);
                }
        }
}

/* Every number of milliseconds and of microseconds that is written out comes back. */
static void test_round_trip(void) {
        for (uint64_t value = 1; value < MOST / 10; value = value * 7 / 2 + 1) {
                g_autofree char *usec_text = g_strdup_printf("%" G_GUINT64_FORMAT "us", value);
                g_autofree char *msec_text = g_strdup_printf(
                                "%" G_GUINT64_FORMAT ".%03" G_GUINT64_FORMAT, value / 1000, value % 1000);
                uint64_t usec = 0;
                g_assert_cmpint(parse_duration_usec(usec_text, &usec), ==, 0);
                g_assert_cmpuint(usec, ==, value);
                g_assert_cmpint(parse_duration_usec(msec_text, &usec), ==, 0);
                g_assert_cmpuint(usec, ==, value);
        }
}

/* Any row of numbers and units is the sum of its parts, whatever blanks stand between. */
static void test_properties(void) {
        static const struct {
                const char *unit;
                uint64_t usec;
        } units[] = { { "us", 1 },         { "ms", 1000 },      { "", 1000 },    { "s", SEC },
                      { "min", 60 * SEC }, { "h", 3600 * SEC }, { "days", DAY }, { "w", 7 * DAY } };
        GRand *random = g_rand_new_with_seed(5);

        for (int i = 0; i < 20000; i++) {
                GString *text = g_string_new(NULL);
                uint64_t sum = 0, usec = 42;
                for (int parts = g_rand_int_range(random, 1, 6); parts > 0; parts--) {
                        size_t unit = (size_t) g_rand_int_range(random, 0, G_N_ELEMENTS(units));
                        uint64_t number = g_rand_int(random) >> g_rand_int_range(random, 0, 32);
                        number %= 2 * MOST / units[unit].usec; /* else the sum here does not fit */
                        g_string_append_printf(
                                        text,
                                        "%" G_GUINT64_FORMAT "%s%s%s",
                                        number,
                                        g_rand_boolean(random) ? " " : "",
                                        units[unit].unit,
                                        parts > 1 ? " " : "");
                        sum += number * units[unit].usec;
                }
                int r = parse_duration_usec(text->str, &usec);
                if (sum <= MOST ? r != 0 || usec != sum : r != -ERANGE || usec != 42) {
                        g_error("'%s': got %d and %" G_GUINT64_FORMAT, text->str, r, usec);
                }
                g_string_free(text, TRUE);
        }
        g_rand_free(random);
}

static void test_clocks(void) {
        uint64_t before = (uint64_t) g_get_real_time();
        uint64_t realtime = now_realtime_usec();
        uint64_t after = (uint64_t) g_get_real_time();
        g_assert_cmpuint(realtime, >=, before);
        g_assert_cmpuint(realtime, <=, after);

        uint64_t last = now_boottime_usec();
        g_assert_cmpuint(last, >, 0);
        for (int i = 0; i < 1000; i++) {
                uint64_t now = now_boottime_usec();
                g_assert_cmpuint(now, >=, last);
                last = now;
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/time-util/durations", test_durations);
        g_test_add_func("/basic/time-util/round-trip", test_round_trip);
        g_test_add_func("/basic/time-util/properties", test_properties);
        g_test_add_func("/basic/time-util/clocks", test_clocks);
        return g_test_run();
}
