/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The small parsers: durations, signals, numbers, UTF-8, and the names of files. */

#include "fuzz.h"

#include "basic/log.h"
#include "basic/parse-util.h"
#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "core/app-config.h"
#include "core/error.h"
#include "core/file-names.h"
#include "core/interpreter.h"

#include <errno.h>
#include <string.h>

static void check_numbers(const char *text) {
        uint64_t usec = 42;
        int64_t number = 42;
        uint32_t small = 42;
        bool flag;

        int r = parse_duration_usec(text, &usec);
        g_assert_true(r == 0 || r == -EINVAL || r == -ERANGE);
        g_assert_true(r == 0 ? usec <= UINT64_C(36500) * 86400 * USEC_PER_SEC : usec == 42);
        r = parse_int64(text, &number);
        g_assert_true(r == 0 || number == 42);
        if (r == 0) {
                g_autofree char *again = g_strdup_printf("%" G_GINT64_FORMAT, number);
                int64_t number_again = 0;
                g_assert_cmpint(parse_int64(again, &number_again), ==, 0);
                g_assert_cmpint(number_again, ==, number);
        }
        bool fits = r == 0 && number >= 0 && number <= UINT32_MAX;
        g_assert_true((parse_uint32(text, &small) == 0) == fits);
        g_assert_true(!fits || small == number);
        (void) parse_bool(text, &flag);
        r = log_level_from_string(text);
        g_assert_true(r == -EINVAL || (r >= 0 && r <= LOG_DEBUG));
}

static void check_signal(const char *text) {
        int number = signal_from_text(text);

        if (number == -EINVAL) {
                return;
        }
        g_autofree char *name = g_strdup(signal_to_name(number));
        g_assert_nonnull(name);
        g_assert_cmpint(signal_from_text(name), ==, number);
}

static void check_names(const char *text) {
        g_autofree char *part = file_name_of_app(text);
        g_autofree char *with_id = file_name_with_id(text, ".log", 7);
        g_autofree char *again = file_name_with_id(with_id, ".log", 7);
        g_autofree char *resolved = file_name_resolve(text, "/cwd", "/home/u");
        g_autofree char *quoted = error_quote(text);

        g_assert_null(strchr(part, '/'));
        g_assert_cmpuint(strlen(part), <=, 255);
        g_assert_true(strcmp(part, ".") != 0 && strcmp(part, "..") != 0);
        g_assert_cmpstr(again, ==, with_id);
        g_assert_cmpint(resolved[0], ==, '/');
        g_assert_null(strstr(resolved, "/../"));
        g_assert_null(strstr(resolved, "//"));
        g_assert_true(g_utf8_validate(quoted, -1, NULL));
        g_assert_cmpuint(strlen(quoted), <, 600);
        if (text[0]) {
                g_free(file_name_stem(text));
                (void) interpreter_for_extension(file_name_extension(text));
        }
        (void) attribute_find(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = fuzz_text(data, size);
        bool valid = g_utf8_validate_len(size > 0 ? (const char *) data : "", size, NULL);

        g_assert_true(utf8_is_valid((const char *) data, size) == valid);
        check_numbers(text);
        check_signal(text);
        check_names(text);
        return 0;
}
