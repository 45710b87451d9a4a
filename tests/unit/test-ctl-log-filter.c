/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which lines --since and --grep of logs let through. */

#include "ctl/log-filter.h"

#include "basic/time-util.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define NOW_SECONDS UINT64_C(1700000000) /* 2023-11-14 22:13:20 UTC */

static void assert_time(const char *text, int64_t expected_msec) {
        uint64_t usec = 0;

        int r = log_filter_parse_time(text, NOW_SECONDS * USEC_PER_SEC, &usec);
        g_test_message("%s", text);
        if (expected_msec < 0) {
                g_assert_cmpint(r, ==, -EINVAL);
        } else {
                g_assert_cmpint(r, ==, 0);
                g_assert_cmpuint(usec, ==, (uint64_t) expected_msec * USEC_PER_MSEC);
        }
}

static void test_times(void) {
        const int64_t now = NOW_SECONDS * 1000;

        assert_time("@1700000000", now);
        assert_time("2023-11-14 22:13:20", now);
        assert_time("2023-11-14T22:13:20.250Z", now + 250);
        assert_time("2023/11/14 22:13:20", now);
        assert_time("2023-11-14 23:13:20+01:00", now);
        assert_time("2023-11-14 23:13:20 +0100", now);
        assert_time("2023-11-14 20:43:20 -01:30", now);
        assert_time("2023-11-14 22:13", now - 20000);
        assert_time("22:13", now - 20000);
        assert_time("22:13:20", now);
        assert_time("2023-11-14", now - (22 * 3600 + 13 * 60 + 20) * 1000);
        assert_time("10min", now - 600000);
        assert_time("1h 30min", now - 5400000);
        static const char *const bad[] = {
                "",           "10",
                "@",          "@x",
                "@-1",        "@99999999999999999999",
                "yesterday",  "2023-13-01",
                "2023-11-00", "2023-11-14 25:00",
                "22:61",      "2023-11-14 22:13:20 x",
                "22",         "-5min",
                "100y",       "2023-11",
        };
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                assert_time(bad[i], -1);
        }
}

static void assert_line(const char *line, int64_t expected_msec) {
        uint64_t usec = 0;

        bool known = log_filter_line_time(line, strlen(line), &usec);
        g_test_message("%s", line);
        g_assert_true(known == (expected_msec >= 0));
        if (known) {
                g_assert_cmpuint(usec, ==, (uint64_t) expected_msec * USEC_PER_MSEC);
        }
}

static void test_lines(void) {
        const int64_t now = NOW_SECONDS * 1000;

        assert_line("2023-11-14 22:13:20.544 +00:00: one", now + 544);
        assert_line("2023-11-14T22:13:20: one", now);
        assert_line("[2023-11-14T22:13:20,5Z] one", now + 500);
        assert_line("{\"message\":\"x\",\"timestamp\":\"2023-11-14T22:13:20.001Z\",\"type\":\"out\"}",
                    now + 1);
        assert_line("{\"message\":\"x\"}", -1);
        assert_line("22:13:20 one", -1);
        assert_line("one", -1);
        assert_line("2023", -1);
        assert_line("", -1);
        assert_line("{", -1);
}

static void test_filter(void) {
        LogFilter filter = { .since_usec = NOW_SECONDS * USEC_PER_SEC };
        bool skipping = false;
        static const struct {
                const char *line;
                bool taken;
        } cases[] = {
                { "no time at all", true },       { "2023-11-14 22:13:19 old", false },
                { "  at the same error", false }, { "2023-11-14 22:13:20 new", true },
                { "  at the error", true },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_assert_true(log_filter_takes(&filter, &skipping, cases[i].line, strlen(cases[i].line)) ==
                              cases[i].taken);
        }
        filter = (LogFilter){ .pattern = g_regex_new("ö+$", 0, 0, NULL) };
        g_assert_true(log_filter_takes(&filter, &skipping, "h\xff öö", 7));
        g_assert_false(log_filter_takes(&filter, &skipping, "öx", 3));
        log_filter_done(&filter);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_assert_true(g_setenv("TZ", "UTC", true));
        g_test_add_func("/ctl-log-filter/times", test_times);
        g_test_add_func("/ctl-log-filter/lines", test_lines);
        g_test_add_func("/ctl-log-filter/filter", test_filter);
        return g_test_run();
}
