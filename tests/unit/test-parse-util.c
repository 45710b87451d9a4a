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

static const struct {
        const char *text;
        int result;
        uint64_t bytes;
} sizes[] = {
        { "0", 0, 0 },
        { "1", 0, 1 },
        { "200M", 0, UINT64_C(200) << 20 },
        { "200m", 0, UINT64_C(200) << 20 },
        { "200 MB", 0, UINT64_C(200) << 20 },
        { "200MiB", 0, UINT64_C(200) << 20 },
        { "1K", 0, 1024 },
        { "1kb", 0, 1024 },
        { "7B", 0, 7 },
        { "2G", 0, UINT64_C(2) << 30 },
        { "3T", 0, UINT64_C(3) << 40 },
        { "0.5K", 0, 512 },
        { "1.5G", 0, UINT64_C(3) << 29 },
        { "1.9999999999999999999K", 0, 2046 }, /* thousandths */
        { "0001", 0, 1 },
        { " 1K", 0, 1024 },
        { "9223372036854775806", 0, INT64_MAX - 1 },
        { "9223372036854775808", -ERANGE, 0 },
        { "18446744073709551617", -ERANGE, 0 },
        { "8388608T", -ERANGE, 0 },
        { "99999999999999999999999999G", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { " ", -EINVAL, 0 },
        { "M", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { "1X", -EINVAL, 0 },
        { "1P", -EINVAL, 0 },
        { "1KK", -EINVAL, 0 },
        { "1.M", -EINVAL, 0 },
        { ".5M", -EINVAL, 0 },
        { "1.5.5M", -EINVAL, 0 },
        { "1,5M", -EINVAL, 0 },
        { "0x10", -EINVAL, 0 },
        { "1e3", -EINVAL, 0 },
        { "1K ", -EINVAL, 0 },
        { "1M\n", -EINVAL, 0 },
        { "infinity", -EINVAL, 0 },
};

static void test_sizes(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                uint64_t bytes = 42;
                int r = parse_size(sizes[i].text, &bytes);
                if (r != sizes[i].result || bytes != (r < 0 ? 42 : sizes[i].bytes)) {
                        g_error("'%s': got %d and %" G_GUINT64_FORMAT, sizes[i].text, r, bytes);
                }
        }
}

/* Any number with any unit is that many times the unit, or out of range; spelling does not matter. */
static void test_size_properties(void) {
        static const char *const units[] = { "", "K", "M", "G", "T" };
        GRand *random = g_rand_new_with_seed(5);

        for (int i = 0; i < 20000; i++) {
                size_t exponent = (size_t) g_rand_int_range(random, 0, G_N_ELEMENTS(units));
                uint64_t number = (((uint64_t) g_rand_int(random) << 32) | g_rand_int(random)) >>
                                  g_rand_int_range(random, 1, 63);
                g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "%s", number, units[exponent]);
                g_autofree char *lower = g_ascii_strdown(text, -1);
                uint64_t bytes = 0, again = 0;
                int r = parse_size(text, &bytes);
                bool fits = number < ((uint64_t) INT64_MAX >> (10 * exponent)) - 10;
                g_assert_true(!fits || r == 0);
                g_assert_true(r == 0 || r == -ERANGE);
                g_assert_true(r < 0 || bytes == number << (10 * exponent));
                g_assert_true(r < 0 || bytes <= INT64_MAX);
                g_assert_cmpint(parse_size(lower, &again), ==, r);
                g_assert_cmpuint(again, ==, bytes);
        }
        g_rand_free(random);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/parse-util/numbers", test_numbers);
        g_test_add_func("/basic/parse-util/bools", test_bools);
        g_test_add_func("/basic/parse-util/sizes", test_sizes);
        g_test_add_func("/basic/parse-util/size-properties", test_size_properties);
        return g_test_run();
}
