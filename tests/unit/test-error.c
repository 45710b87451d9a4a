/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/error.h"

#include "fixture.h"

#include <string.h>

static void test_set(void) {
        g_auto(Error) error = { 0 };

        g_assert_cmpint(error_set(&error, ERROR_TIMEOUT, "after %d s", 3), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_TIMEOUT);
        g_assert_cmpstr(error.message, ==, "after 3 s");
        /* a message that quotes the one it replaces */
        g_assert_cmpint(error_set(&error, ERROR_BUSY, "first: %s", error.message), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        g_assert_cmpstr(error.message, ==, "first: after 3 s");
        g_assert_cmpint(error_set(NULL, ERROR_BUSY, "nobody asks"), ==, -ECANCELED);
        error_clear(&error);
        g_assert_cmpint(error.code, ==, ERROR_NONE);
        g_assert_null(error.message);
        error_clear(&error);
}

/* What quotes others can be sent over the bus, whatever they wrote. */
static void test_set_makes_text(void) {
        g_auto(Error) error = { 0 };

        (void) error_set(&error, ERROR_INVALID_DATA, "got %s", "a\xff\xc3");
        g_assert_cmpstr(error.message, ==, "got a\xef\xbf\xbd\xef\xbf\xbd");
        (void) error_set(&error, ERROR_INVALID_DATA, "zähl 日");
        g_assert_cmpstr(error.message, ==, "zähl 日");
}

static void test_move(void) {
        g_auto(Error) a = { 0 }, b = { 0 };

        (void) error_set(&a, ERROR_BUSY, "a");
        (void) error_set(&b, ERROR_TIMEOUT, "b");
        error_move(&a, &b);
        g_assert_cmpint(a.code, ==, ERROR_TIMEOUT);
        g_assert_cmpstr(a.message, ==, "b");
        g_assert_cmpint(b.code, ==, ERROR_NONE);
        g_assert_null(b.message);
}

/* Each is the last part of a D-Bus error name, and no two are the same. */
static void test_names(void) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        g_assert_cmpstr(error_code_to_name(ERROR_NONE), ==, "");
        g_assert_cmpstr(error_code_to_name(ERROR_NO_SUCH_PROCESS), ==, "NoSuchProcess");
        g_assert_cmpstr(error_code_to_name(ERROR_INVALID_ARGS), ==, "InvalidArgs");
        for (int code = ERROR_NONE + 1; code < _ERROR_CODE_MAX; code++) {
                const char *name = error_code_to_name((ErrorCode) code);
                g_assert_true(g_ascii_isupper(name[0]));
                for (const char *p = name; *p; p++) {
                        g_assert_true(g_ascii_isalpha(*p));
                }
                g_assert_true(g_hash_table_add(seen, (char *) name));
        }
}

static void test_quote(void) {
        static const struct {
                const char *text, *quoted;
        } samples[] = {
                { "", "''" },
                { "api", "'api'" },
                { "with 'quotes' and \\", "'with 'quotes' and \\'" },
                { "line\nbreak", "'line\\x0abreak'" },
                { "\033[2J\177", "'\\x1b[2J\\x7f'" },
                { "zähl", "'zähl'" },
                { "\xff\xfe", "'\xef\xbf\xbd\xef\xbf\xbd'" },
                { "a\xc3", "'a\xef\xbf\xbd'" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *quoted = error_quote(samples[i].text);
                g_assert_cmpstr(quoted, ==, samples[i].quoted);
        }
}

/* Short enough for a message, whatever a caller sends, and always valid text. */
static void test_quote_long(void) {
        for (size_t length = 100; length < 140; length++) {
                g_autofree char *plain = g_strnfill(length, 'x');
                g_autofree char *quoted = error_quote(plain);
                if (length <= 120) {
                        g_assert_cmpuint(strlen(quoted), ==, length + 2);
                } else {
                        g_assert_cmpuint(strlen(quoted), ==, 125);
                        g_assert_true(g_str_has_suffix(quoted, "x...'"));
                }
                /* an umlaut at the cut, wherever that is */
                g_autoptr(GString) umlauts = g_string_new(length % 2 ? "x" : "");
                while (umlauts->len < length) {
                        g_string_append(umlauts, "ä");
                }
                g_autofree char *cut = error_quote(umlauts->str);
                g_assert_true(g_utf8_validate(cut, -1, NULL));
                g_assert_cmpuint(strlen(cut), <, 135);
        }
        g_autofree char *huge = g_strnfill(1000000, '\n');
        g_autofree char *quoted = error_quote(huge);
        g_assert_cmpuint(strlen(quoted), <, 500);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/error/set", test_set);
        g_test_add_func("/core/error/set-makes-text", test_set_makes_text);
        g_test_add_func("/core/error/move", test_move);
        g_test_add_func("/core/error/names", test_names);
        g_test_add_func("/core/error/quote", test_quote);
        g_test_add_func("/core/error/quote-long", test_quote_long);
        return g_test_run();
}
