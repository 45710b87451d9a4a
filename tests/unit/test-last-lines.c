/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/last-lines.h"

#include <glib.h>
#include <string.h>

static void assert_lines(const char *text, bool whole, unsigned lines, size_t bytes, const char *expected) {
        g_autofree char *last = last_lines(text, strlen(text), whole, lines, bytes);

        g_assert_cmpstr(last, ==, expected);
}

static void test_lines(void) {
        assert_lines("", true, 3, 100, "");
        assert_lines("\n", true, 3, 100, "");
        assert_lines("a", true, 3, 100, "a");
        assert_lines("a\nb\nc\n", true, 3, 100, "a\nb\nc");
        assert_lines("a\nb\nc\nd\n", true, 3, 100, "b\nc\nd");
        assert_lines("a\nb\nc\nd", true, 1, 100, "d");
        assert_lines("a\n\n\n\n", true, 2, 100, "\n");
        assert_lines("\n\n\n", true, 9, 100, "\n\n");
}

static void test_parts(void) {
        assert_lines("rt\nb\nc\n", false, 9, 100, "b\nc");
        assert_lines("rest of a long one\n", false, 9, 100, "rest of a long one");
        assert_lines("\nb\n", false, 9, 100, "b");
        assert_lines("aaaa\nbbbb\ncccc\n", true, 9, 11, "bbbb\ncccc");
        assert_lines("aaaa\nbbbb\ncccc\n", true, 9, 9, "bbbb\ncccc");
        assert_lines("aaaa\nbbbb\ncccc\n", true, 9, 8, "cccc");
        assert_lines("aaaa\nbbbb\ncccc\n", true, 9, 2, "cc");
}

/* Characters stay whole, whatever the bytes are; what is replaced by more is still bounded. */
static void test_bytes(void) {
        static const char nul[] = "a\0b\n";
        char noise[1000];

        assert_lines("\xc3\xa4\xc3\xa4\xc3\xa4", true, 9, 3, "\xc3\xa4");
        assert_lines("x\xff\n", true, 9, 100, "x\xef\xbf\xbd");
        g_autofree char *last = last_lines(nul, sizeof(nul) - 1, true, 9, 100);
        g_assert_cmpstr(last,
                        ==,
                        "a\xef\xbf\xbd"
                        "b");
        memset(noise, 0xff, sizeof(noise));
        for (size_t max = 1; max < 100; max++) {
                g_autofree char *text = last_lines(noise, sizeof(noise), false, 50, max);
                g_assert_cmpuint(strlen(text), <=, max);
                g_assert_true(g_utf8_validate(text, -1, NULL));
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/last-lines/lines", test_lines);
        g_test_add_func("/last-lines/parts", test_parts);
        g_test_add_func("/last-lines/bytes", test_bytes);
        return g_test_run();
}
