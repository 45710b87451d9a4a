/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Bytes become lines: the same, whatever the pieces in which they come. */

#include "core/log-lines.h"

#include "fixture.h"

#include <string.h>

/* Feed a text in two or more pieces of at most so many bytes, with so much room for what is made of it. */
static char *feed(const LogLineStyle *style, const char *text, size_t size, size_t piece, size_t room) {
        GString *waiting = g_string_new(NULL), *made = g_string_new(NULL);
        g_autofree char *out = g_malloc(room);
        bool in_line = false;
        size_t at = 0;

        for (bool end = false; !end;) {
                size_t more = MIN(piece, size - at);
                g_string_append_len(waiting, text + at, (gssize) more);
                at += more;
                end = more == 0;
                for (;;) {
                        const LogLineInput input = { waiting->str, waiting->len, in_line, end };
                        LogLineOutput output = log_lines_format(style, &input, out, room);
                        if (output.taken == 0 && output.made == 0) {
                                break;
                        }
                        g_assert_cmpuint(output.made, <=, room);
                        in_line = output.in_line;
                        g_string_append_len(made, out, (gssize) output.made);
                        (void) g_string_erase(waiting, 0, (gssize) output.taken);
                }
                g_assert_cmpuint(waiting->len, <=, LOG_LINE_BYTES_MAX);
        }
        g_assert_cmpuint(waiting->len, ==, 0);
        g_assert_false(in_line);
        (void) g_string_free(waiting, TRUE);
        return g_string_free(made, FALSE);
}

#define FACTS ",\"type\":\"out\""

static const struct {
        const char *text, *dated, *json;
} samples[] = {
        { "", "", "" },
        { "\n", "D: \n", "{\"message\":\"\"" FACTS "}\n" },
        { "a", "D: a\n", "{\"message\":\"a\"" FACTS "}\n" },
        { "a\nb\n", "D: a\nD: b\n", "{\"message\":\"a\"" FACTS "}\n{\"message\":\"b\"" FACTS "}\n" },
        { "\n\nx",
          "D: \nD: \nD: x\n",
          "{\"message\":\"\"" FACTS "}\n{\"message\":\"\"" FACTS "}\n{\"message\":\"x\"" FACTS "}\n" },
        { "\"\\/\t\r\b\f\x01\x1f\x7f\n",
          "D: \"\\/\t\r\b\f\x01\x1f\x7f\n",
          "{\"message\":\"\\\"\\\\/\\t\\r\\b\\f\\u0001\\u001f\x7f\"" FACTS "}\n" },
        { "\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x8e\x89\n",
          "D: \xc3\xa4\xe6\xbc\xa2\xf0\x9f\x8e\x89\n",
          "{\"message\":\"\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x8e\x89\"" FACTS "}\n" },
        { "a\xff"
          "b\xc3\n",
          "D: a\xff"
          "b\xc3\n",
          "{\"message\":\"a\xef\xbf\xbd"
          "b\xef\xbf\xbd\"" FACTS ",\"invalid_utf8\":true}\n" },
};

static void test_all_chunkings(void) {
        const LogLineStyle dated = { .before = "D: ", .facts = "" };
        const LogLineStyle json = { .json = true, .before = "", .facts = FACTS };
        const LogLineStyle raw = { .before = "", .facts = "" };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                const char *text = samples[i].text;
                size_t size = strlen(text);
                for (size_t piece = 1; piece <= size + 1; piece++) {
                        for (size_t room = 256; room < 2048; room *= 2) {
                                g_autofree char *of_dated = feed(&dated, text, size, piece, room);
                                g_autofree char *of_json = feed(&json, text, size, piece, room);
                                g_autofree char *of_raw = feed(&raw, text, size, piece, room);
                                g_assert_cmpstr(of_dated, ==, samples[i].dated);
                                g_assert_cmpstr(of_json, ==, samples[i].json);
                                g_assert_true(g_str_has_prefix(of_raw, text));
                                g_assert_cmpuint(strlen(of_raw) - size, <=, 1);
                        }
                }
        }
}

static void test_nul(void) {
        const LogLineStyle json = { .json = true, .before = "", .facts = "" };
        const LogLineStyle raw = { .before = "", .facts = "" };
        g_autofree char *of_json = feed(&json, "a\0b\n", 4, 4, 256);
        g_autofree char *of_raw = feed(&raw, "a\0b\n", 4, 1, 256);

        g_assert_cmpstr(of_json, ==, "{\"message\":\"a\\u0000b\"}\n");
        g_assert_true(memcmp(of_raw, "a\0b\n", 5) == 0);
}

/* One date, however long it is; the pieces do not depend on how they come. */
static void test_long_lines(void) {
        static const size_t lengths[] = { LOG_LINE_BYTES_MAX - 1,     LOG_LINE_BYTES_MAX,
                                          LOG_LINE_BYTES_MAX + 1,     2 * LOG_LINE_BYTES_MAX,
                                          2 * LOG_LINE_BYTES_MAX + 1, 3 * LOG_LINE_BYTES_MAX + 17 };
        static const size_t pieces[] = { 4096, LOG_LINE_BYTES_MAX - 1, LOG_LINE_BYTES_MAX, 1000000 };
        const LogLineStyle dated = { .before = "D: ", .facts = "" };

        for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
                g_autofree char *line = g_strnfill(lengths[i], 'x');
                for (size_t j = 0; j < 2 * G_N_ELEMENTS(pieces); j++) {
                        g_autofree char *text = g_strconcat(line, j % 2 ? "\n" : "", "", NULL);
                        g_autofree char *expected = g_strconcat("D: ", line, "\n", NULL);
                        g_autofree char *made =
                                        feed(&dated, text, strlen(text), pieces[j / 2], LOG_LINES_OUT_MIN);
                        g_assert_cmpstr(made, ==, expected);
                }
        }
}

/* The pieces end between characters. */
static void test_long_json(void) {
        const LogLineStyle json = { .json = true, .before = "", .facts = "" };
        static const char *const characters[] = { "\xc3\xa4", "\xe6\xbc\xa2", "\xf0\x9f\x8e\x89" };

        for (size_t i = 0; i < G_N_ELEMENTS(characters); i++) {
                GString *text = g_string_new(&"abcde"[i]);
                while (text->len < 3 * LOG_LINE_BYTES_MAX - 100) {
                        g_string_append(text, characters[i]);
                }
                g_autofree char *made = feed(&json, text->str, text->len, 5000, LOG_LINES_OUT_MIN);
                g_auto(GStrv) objects = g_strsplit(made, "\n", 0);
                g_assert_cmpuint(g_strv_length(objects), ==, 4); /* the last is empty */
                GString *joined = g_string_new(NULL);
                for (size_t j = 0; j < 3; j++) {
                        const char *end = j < 2 ? "\",\"partial\":true}" : "\"}";
                        g_assert_true(g_str_has_prefix(objects[j], "{\"message\":\""));
                        g_assert_true(g_str_has_suffix(objects[j], end));
                        g_string_append_len(
                                        joined,
                                        objects[j] + 12,
                                        (gssize) (strlen(objects[j]) - 12 - strlen(end)));
                }
                g_assert_cmpstr(joined->str, ==, text->str);
                (void) g_string_free(joined, TRUE);
                (void) g_string_free(text, TRUE);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/log-lines/all-chunkings", test_all_chunkings);
        g_test_add_func("/core/log-lines/nul", test_nul);
        g_test_add_func("/core/log-lines/long-lines", test_long_lines);
        g_test_add_func("/core/log-lines/long-json", test_long_json);
        return g_test_run();
}
