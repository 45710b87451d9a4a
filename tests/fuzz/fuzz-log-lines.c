/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes in any pieces as lines of a log: as text no byte is lost, and a date is at the beginning of
 * lines alone; as JSON each line is one object. Any format of a date fits its buffer. */

#include "fuzz.h"

#include "core/log-date.h"
#include "core/log-lines.h"

#include <string.h>

static GString *make(const LogLineStyle *style, FuzzReader reader, bool *ret_in_line) {
        static char out[LOG_LINES_OUT_MIN];
        GString *waiting = g_string_new(NULL), *made = g_string_new(NULL);
        bool in_line = false, end = false;

        while (!end) {
                size_t wanted = fuzz_byte(&reader), piece = MIN(wanted, reader.size);
                unsigned times = piece > 250 ? 2000 : 1; /* also lines that are too long */
                end = reader.size == 0;
                while (!end && times-- > 0) {
                        g_string_append_len(waiting, (const char *) reader.data, (gssize) piece);
                }
                reader.data += piece;
                reader.size -= piece;
                for (;;) {
                        const LogLineInput input = { waiting->str, waiting->len, in_line, end };
                        LogLineOutput output = log_lines_format(style, &input, out, sizeof(out));
                        if (output.taken == 0 && output.made == 0) {
                                break;
                        }
                        g_assert_cmpuint(output.made, <=, sizeof(out));
                        g_string_append_len(made, out, (gssize) output.made);
                        (void) g_string_erase(waiting, 0, (gssize) output.taken);
                        in_line = output.in_line;
                }
        }
        g_assert_cmpuint(waiting->len, ==, 0);
        *ret_in_line = in_line;
        (void) g_string_free(waiting, TRUE);
        return made;
}

static void check_text(FuzzReader reader) {
        const LogLineStyle raw = { .before = "", .facts = "" }, dated = { .before = "D: ", .facts = "" };
        bool in_line;
        GString *plain = make(&raw, reader, &in_line), *with_dates = make(&dated, reader, &in_line);
        const char *at = with_dates->str, *end = at + with_dates->len;
        size_t checked = 0;

        g_assert_false(in_line);
        while (at < end) {
                g_assert_cmpint(memcmp(at, "D: ", 3), ==, 0);
                at += 3;
                const char *newline = memchr(at, '\n', (size_t) (end - at));
                g_assert_nonnull(newline);
                size_t length = (size_t) (newline + 1 - at);
                g_assert_cmpuint(checked + length, <=, plain->len);
                g_assert_true(memcmp(plain->str + checked, at, length) == 0);
                checked += length;
                at += length;
        }
        g_assert_cmpuint(checked, ==, plain->len);
        (void) g_string_free(plain, TRUE);
        (void) g_string_free(with_dates, TRUE);
}

static void check_json(FuzzReader reader) {
        const LogLineStyle json = { .json = true, .before = "", .facts = ",\"type\":\"out\"" };
        bool in_line;
        GString *made = make(&json, reader, &in_line);
        const char *at = made->str, *end = at + made->len;

        g_assert_true(g_utf8_validate(made->str, (gssize) made->len, NULL));
        while (at < end) {
                const char *newline = memchr(at, '\n', (size_t) (end - at));
                g_assert_nonnull(newline);
                g_autofree char *object = g_strndup(at, (size_t) (newline - at));
                g_assert_true(g_str_has_prefix(object, "{\"message\":\"") && g_str_has_suffix(object, "}"));
                at = newline + 1;
        }
        (void) g_string_free(made, TRUE);
}

static void check_date(FuzzReader reader) {
        g_autofree char *format = fuzz_text(reader.data, reader.size);
        const LogTime time = { 2026, 11, 23, 1, 23, 59, 59, 999, -210 };
        char text[LOG_DATE_BYTES_MAX];

        g_assert_cmpuint(log_date_format(format, &time, text), ==, strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader reader = { data, size };

        check_date(reader);
        check_text(reader);
        check_json(reader);
        return 0;
}
