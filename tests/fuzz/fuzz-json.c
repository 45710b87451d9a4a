/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as JSON: what is taken is plain JSON by RFC 8259, what is not has a message that can be sent. */

#include "fuzz.h"

#include "config/json-text.h"

#include <string.h>

/* A second opinion: the grammar and nothing else. Each function returns where the part ends, or NULL. */
static const char *end_of_value(const char *p, const char *end, unsigned depth);

static const char *skip_blanks(const char *p, const char *end) {
        while (p < end && *p && strchr(" \t\r\n", *p)) {
                p++;
        }
        return p;
}

static const char *end_of_digits(const char *p, const char *end) {
        const char *start = p;

        while (p < end && g_ascii_isdigit(*p)) {
                p++;
        }
        return p > start ? p : NULL;
}

static const char *end_of_number(const char *p, const char *end) {
        p += *p == '-';
        p = p < end && *p == '0' ? p + 1 : end_of_digits(p, end);
        if (p && p < end && *p == '.') {
                p = end_of_digits(p + 1, end);
        }
        if (p && p < end && (*p == 'e' || *p == 'E')) {
                p++;
                p += p < end && (*p == '+' || *p == '-');
                p = end_of_digits(p, end);
        }
        return p;
}

static const char *end_of_string(const char *p, const char *end) {
        for (p++; p < end && *p != '"'; p++) {
                if ((unsigned char) *p < ' ') {
                        return NULL;
                }
                if (*p == '\\') {
                        p++;
                        if (p >= end || !*p || !strchr("\"\\/bfnrtu", *p)) {
                                return NULL;
                        }
                }
        }
        return p < end ? p + 1 : NULL;
}

static const char *end_of_members(const char *p, const char *end, unsigned depth) {
        char closing = *p == '{' ? '}' : ']';
        bool first = true;

        for (p = skip_blanks(p + 1, end); p < end; p = skip_blanks(p, end)) {
                if (*p == closing && first) {
                        return p + 1;
                }
                if (closing == '}') {
                        p = *p == '"' ? end_of_string(p, end) : NULL;
                        p = p ? skip_blanks(p, end) : NULL;
                        if (!p || p >= end || *p++ != ':') {
                                return NULL;
                        }
                }
                p = end_of_value(p, end, depth);
                p = p ? skip_blanks(p, end) : NULL;
                if (!p || p >= end || (*p != ',' && *p != closing)) {
                        return NULL;
                }
                if (*p++ == closing) {
                        return p;
                }
                first = false;
        }
        return NULL;
}

static const char *end_of_value(const char *p, const char *end, unsigned depth) {
        static const char *const words[] = { "true", "false", "null" };

        p = skip_blanks(p, end);
        if (p >= end || depth > VALUE_DEPTH_MAX) {
                return NULL;
        }
        if (*p == '{' || *p == '[') {
                return end_of_members(p, end, depth + 1);
        }
        if (*p == '"') {
                return end_of_string(p, end);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                size_t length = strlen(words[i]);
                if ((size_t) (end - p) >= length && memcmp(p, words[i], length) == 0) {
                        return p + length;
                }
        }
        return *p == '-' || g_ascii_isdigit(*p) ? end_of_number(p, end) : NULL;
}

static bool is_json(const char *text, size_t length) {
        const char *end = text + length;
        const char *p = end_of_value(text, end, 0);

        return p && skip_blanks(p, end) == end;
}

/* Whatever is plain JSON is also what people write. */
static void check_relaxed(const char *text, size_t length, bool plain) {
        g_autoptr(Value) value = NULL;
        g_auto(Error) error = { 0 };

        if (json_text_decode_relaxed(length > 0 ? text : "", length, &value, &error) < 0) {
                g_assert_false(plain);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
        } else {
                fuzz_check_decoded(value);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(Value) value = NULL;
        g_auto(Error) error = { 0 };

        if (json_text_decode(size > 0 ? (const char *) data : "", size, &value, &error) < 0) {
                g_assert_null(value);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
        } else {
                g_assert_true(is_json((const char *) data, size));
                fuzz_check_decoded(value);
        }
        check_relaxed((const char *) data, size, value != NULL);
        return 0;
}
