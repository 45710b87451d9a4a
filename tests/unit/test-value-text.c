/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/value-text.h"

#include "fixture.h"
#include "value-fixture.h"

#include <string.h>

static void test_to_text(void) {
        static const char *const samples[][2] = {
                { "s:text", "text" },
                { "s:", "" },
                { "s:\xff", "\xff" },
                { "true", "true" },
                { "false", "false" },
                { "i:0", "0" },
                { "i:-5", "-5" },
                { "i:9223372036854775807", "9223372036854775807" },
                { "i:-9223372036854775808", "-9223372036854775808" },
                { "d:2", "2" },
                { "d:-2", "-2" },
                { "d:0.5", "0.5" },
                { "d:100000000000000", "100000000000000" },
                { "null", NULL },
                { "[]", NULL },
                { "a:x", NULL },
                { "{}", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) value = test_value(samples[i][0]);
                g_autofree char *text = value_to_text(value);
                g_assert_cmpstr(text, ==, samples[i][1]);
        }
}

/* Whatever the number, its text is that number again. */
static void test_doubles(void) {
        static const double numbers[] = { 0.1, 1.001, 3.14, 1e-7, 1e15, 1e300, -2.5e-300, 1.0 / 3 };

        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
                g_autoptr(Value) value = value_new_double(numbers[i]);
                g_autofree char *text = value_to_text(value);
                g_assert_true(g_ascii_strtod(text, NULL) == numbers[i]);
                g_assert_true(strlen(text) <= 16 || numbers[i] == 1.0 / 3);
        }
}

static void test_describe(void) {
        static const char *const samples[][2] = {
                { "s:text", "'text'" },   { "s:a\nb", "'a\\x0ab'" }, { "i:5", "'5'" },
                { "true", "'true'" },     { "null", "null" },        { "[]", "an array" },
                { "m:a=b", "an object" }, { "d:1.5", "'1.5'" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) value = test_value(samples[i][0]);
                g_autofree char *text = value_describe(value);
                g_assert_cmpstr(text, ==, samples[i][1]);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/value-text/to-text", test_to_text);
        g_test_add_func("/core/value-text/doubles", test_doubles);
        g_test_add_func("/core/value-text/describe", test_describe);
        return g_test_run();
}
