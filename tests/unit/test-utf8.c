/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/utf8.h"

#include <glib.h>
#include <string.h>

static void test_samples(void) {
        static const struct {
                const char *bytes;
                size_t length;
                bool valid;
        } samples[] = {
                { "", 0, true },
                { "plain", 5, true },
                { "a\0b", 3, false },
                { "\xc2\x80", 2, true },
                { "\xdf\xbf", 2, true },
                { "\xe0\xa0\x80", 3, true },
                { "\xed\x9f\xbf", 3, true },
                { "\xee\x80\x80", 3, true },
                { "\xef\xbf\xbf", 3, true },
                { "\xf0\x90\x80\x80", 4, true },
                { "\xf4\x8f\xbf\xbf", 4, true },
                { "a\xe6\x97\xa5z", 5, true },
                { "plain by eight, and \xe6\x97\xa5, \xc3\xa4 in between: so", 39, true },
                { "0123456\0", 8, false },
                { "\0001234567", 8, false },
                { "012\x7f\001567", 8, true },
                { "0123456\x80", 8, false },
                { "01234567\xff", 9, false },
                { "\x80", 1, false },                 /* a continuation alone */
                { "\xc0\x80", 2, false },             /* overlong NUL */
                { "\xc1\xbf", 2, false },             /* overlong */
                { "\xe0\x9f\xbf", 3, false },         /* overlong */
                { "\xf0\x8f\xbf\xbf", 4, false },     /* overlong */
                { "\xed\xa0\x80", 3, false },         /* a surrogate */
                { "\xed\xbf\xbf", 3, false },         /* a surrogate */
                { "\xf4\x90\x80\x80", 4, false },     /* over U+10FFFF */
                { "\xf5\x80\x80\x80", 4, false },     /* over U+10FFFF */
                { "\xf8\x88\x80\x80\x80", 5, false }, /* five bytes */
                { "\xff", 1, false },
                { "\xc3", 1, false },         /* cut */
                { "\xe6\x97", 2, false },     /* cut */
                { "\xf0\x90\x80", 3, false }, /* cut */
                { "\xe6\x97\xa5", 2, false }, /* cut by the length alone */
                { "\xc3(", 2, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_test_message("sample %zu", i);
                g_assert_true(utf8_is_valid(samples[i].bytes, samples[i].length) == samples[i].valid);
        }
}

static void compare(const char *bytes, size_t length) {
        bool expected = g_utf8_validate_len(bytes, length, NULL);

        if (utf8_is_valid(bytes, length) != expected) {
                g_error("%02x %02x %02x %02x (%zu bytes): expected %d",
                        (unsigned char) bytes[0],
                        (unsigned char) bytes[1],
                        (unsigned char) bytes[2],
                        (unsigned char) bytes[3],
                        length,
                        expected);
        }
}

/* All of one and two bytes, all of three that begin as such, and the edges of four, against GLib. */
static void test_against_glib(void) {
        static const unsigned char edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
        char bytes[4] = "";

        for (unsigned a = 0; a < 256; a++) {
                bytes[0] = (char) a;
                compare(bytes, 1);
                for (unsigned b = 0; b < 256; b++) {
                        bytes[1] = (char) b;
                        compare(bytes, 2);
                        for (unsigned c = 0; a >= 0xe0 && c < 256; c++) {
                                bytes[2] = (char) c;
                                compare(bytes, 3);
                        }
                        for (size_t i = 0; a >= 0xee && i < sizeof(edges) * sizeof(edges); i++) {
                                bytes[2] = (char) edges[i / sizeof(edges)];
                                bytes[3] = (char) edges[i % sizeof(edges)];
                                compare(bytes, 4);
                        }
                }
        }
}

/* Nothing is read behind the length: the sanitizers watch. */
static void test_bounds(void) {
        static const char text[] = "\xf4\x8f\xbf\xbf";

        for (size_t length = 0; length < 4; length++) {
                g_autofree char *exact = g_memdup2(text, length);
                g_assert_true(utf8_is_valid(exact, length) == (length == 0));
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/utf8/samples", test_samples);
        g_test_add_func("/basic/utf8/against-glib", test_against_glib);
        g_test_add_func("/basic/utf8/bounds", test_bounds);
        return g_test_run();
}
