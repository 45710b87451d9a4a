/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What npm's dayjs 1.11 (of pm2 7.0.4) says of the same formats and times. */

#include "core/log-date.h"

#include "fixture.h"

#include <string.h>

static const LogTime early = { 2026, 1, 5, 1, 3, 4, 9, 7, 330 };
static const LogTime late = { 2026, 11, 23, 1, 23, 59, 59, 999, -210 };
static const LogTime midnight = { 2026, 11, 22, 0, 0, 0, 0, 0, 0 };
static const LogTime noon = { 2026, 11, 25, 3, 12, 0, 0, 0, -45 };

static const struct {
        const LogTime *time;
        const char *format, *expected;
} samples[] = {
        { &early, "YYYY", "2026" },
        { &early, "YY", "26" },
        { &early, "Y", "+0530" },
        { &early, "YYY", "+0530" },
        { &early, "YYYYY", "2026+0530" },
        { &early, "M MM MMM MMMM MMMMM", "1 01 Jan January January1" },
        { &early, "D DD DDD DDDD Do", "5 05 055 0505 5o" },
        { &early, "d dd ddd dddd ddddd", "1 Mo Mon Monday Monday1" },
        { &early, "H HH HHH h hh hhh", "3 03 033 3 03 033" },
        { &early, "m mm mmm s ss sss", "4 04 044 9 09 099" },
        { &early, "S SS SSS SSSS", "S SS 007 007S" },
        { &early, "Z ZZ ZZZ", "+05:30 +0530 +0530+05:30" },
        { &early, "A a AA aa", "AM am AMAM amam" },
        { &early, "[x] [YYYY] [a[b]] [] [[YYYY]]", "x YYYY a[b] [] [YYYY]" },
        { &early, "[unclosed YYYY", "[unclo9e1 2026" },
        { &early, "X x Q k W T z L E w \\[YYYY]", "X x Q k W T z L E w \\YYYY" },
        { &early, "YYYY-MM-DDTHH:mm:ss", "2026-01-05T03:04:09" },
        { &early, "\xc3\xa9 YYYYMMDD", "\xc3\xa9 20260105" },
        { &early, "", "" },
        { &late, "YYYY-MM-DD HH:mm:ss.SSS Z", "2026-11-23 23:59:59.999 -03:30" },
        { &late, "h hh A a ZZ", "11 11 PM pm -0330" },
        { &midnight, "h hh A a H dddd d", "12 12 AM am 0 Sunday 0" },
        { &noon, "h hh A a H ddd Z", "12 12 PM pm 12 Wed -00:45" },
};

static void test_samples(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                char text[LOG_DATE_BYTES_MAX];
                size_t length = log_date_format(samples[i].format, samples[i].time, text);
                g_assert_cmpstr(text, ==, samples[i].expected);
                g_assert_cmpuint(length, ==, strlen(text));
        }
}

static void test_iso(void) {
        char text[LOG_DATE_BYTES_MAX];

        g_assert_cmpuint(log_date_iso(&early, text), ==, 24);
        g_assert_cmpstr(text, ==, "2026-01-05T03:04:09.007Z");
}

/* Whatever the format, it fits. */
static void test_longest(void) {
        char format[LOG_DATE_FORMAT_BYTES_MAX * 4 + 1] = "", text[LOG_DATE_BYTES_MAX];

        memset(format, 'Y', sizeof(format) - 1);
        g_assert_cmpuint(log_date_format(format, &early, text), <, sizeof(text));
        memset(format, 'A', sizeof(format) - 1);
        g_assert_cmpuint(log_date_format(format, &early, text), ==, sizeof(text) - 1);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/log-date/samples", test_samples);
        g_test_add_func("/core/log-date/iso", test_iso);
        g_test_add_func("/core/log-date/longest", test_longest);
        return g_test_run();
}
