/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/parse-util.h"

#include <errno.h>
#include <glib.h>

static const struct {
        const char *text;
        int result;
        int64_t number;
        int result_uint32;
} numbers[] = {
        { "0", 0, 0, 0 },
        { "1", 0, 1, 0 },
        { "007", 0, 7, 0 },
        { "-1", 0, -1, -ERANGE },
        { "2147483648", 0, INT64_C(2147483648), 0 },
        { "4294967295", 0, INT64_C(4294967295), 0 },
        { "4294967296", 0, INT64_C(4294967296), -ERANGE },
        { "9223372036854775807", 0, INT64_MAX, -ERANGE },
        { "-9223372036854775808", 0, INT64_MIN, -ERANGE },
        { "9223372036854775808", -ERANGE, 0, -ERANGE },
        { "-9223372036854775809", -ERANGE, 0, -ERANGE },
        { "100000000000000000000000000000", -ERANGE, 0, -ERANGE },
        { "", -EINVAL, 0, -EINVAL },
        { "-", -EINVAL, 0, -EINVAL },
        { "--1", -EINVAL, 0, -EINVAL },
        { "+1", -EINVAL, 0, -EINVAL },
        { " 1", -EINVAL, 0, -EINVAL },
        { "1 ", -EINVAL, 0, -EINVAL },
        { "\t1", -EINVAL, 0, -EINVAL },
        { "1\n", -EINVAL, 0, -EINVAL },
        { "1.0", -EINVAL, 0, -EINVAL },
        { "1e3", -EINVAL, 0, -EINVAL },
        { "0x10", -EINVAL, 0, -EINVAL },
        { "1,000", -EINVAL, 0, -EINVAL },
        { "one", -EINVAL, 0, -EINVAL },
        { "\xd9\xa3", -EINVAL, 0, -EINVAL }, /* an Arabic three */
};

static void test_numbers(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
                int64_t number = 42;
                uint32_t number32 = 42;
                g_test_message("'%s'", numbers[i].text);
                g_assert_cmpint(parse_int64(numbers[i].text, &number), ==, numbers[i].result);
                g_assert_cmpint(number, ==, numbers[i].result < 0 ? 42 : numbers[i].number);
                g_assert_cmpint(parse_uint32(numbers[i].text, &number32), ==, numbers[i].result_uint32);
                g_assert_cmpint(number32, ==, numbers[i].result_uint32 < 0 ? 42 : numbers[i].number);
        }
}

static void test_bools(void) {
        static const char *const truths[] = { "true", "TRUE", "True", "yes", "YES", "on", "oN", "1" };
        static const char *const lies[] = { "false", "FALSE", "no", "No", "off", "OFF", "0" };
        static const char *const neither[] = {
                "", " ", "2", "-1", "t", "y", "n", "truee", " true", "true ", "01", "null", "yes\n",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(truths); i++) {
                bool value = false;
                g_assert_cmpint(parse_bool(truths[i], &value), ==, 0);
                g_assert_true(value);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
                bool value = true;
                g_assert_cmpint(parse_bool(lies[i], &value), ==, 0);
                g_assert_false(value);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(neither); i++) {
                bool value = true;
                g_assert_cmpint(parse_bool(neither[i], &value), ==, -EINVAL);
                g_assert_true(value);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/parse-util/numbers", test_numbers);
        g_test_add_func("/basic/parse-util/bools", test_bools);
        return g_test_run();
}
