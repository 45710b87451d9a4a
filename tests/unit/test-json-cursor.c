/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Walking through a text, and values that are larger than the decoder takes at once. */

#include "config/json-cursor.h"

#include "config/json-text.h"
#include "fixture.h"
#include "value-fixture.h"

#include <errno.h>
#include <string.h>

static void test_walk(void) {
        const char *text = " {\"a\": [1, \"x]\", {}],\n\"b\\\"\" :\t{\"c\": null} , \"d\": true}\n ";
        static const char *const expected[][2] = { { "a", "[i:1, s:x], {}]" },
                                                   { "b\"", "{c: null}" },
                                                   { "d", "true" } };
        JsonCursor cursor = json_cursor_begin(text, strlen(text));
        bool first = true;

        g_assert_cmpint(json_cursor_enter(&cursor, '{', NULL), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                g_autofree char *key = NULL;
                g_autoptr(Value) value = NULL;
                g_assert_cmpint(json_cursor_next(&cursor, '{', &first, NULL), ==, 1);
                g_assert_cmpint(json_cursor_key(&cursor, &key, NULL), ==, 0);
                g_assert_cmpstr(key, ==, expected[i][0]);
                g_assert_cmpint(json_cursor_value(&cursor, &value, NULL), ==, 0);
                g_autofree char *notation = test_value_to_text(value);
                g_assert_cmpstr(notation, ==, expected[i][1]);
        }
        g_assert_cmpint(json_cursor_next(&cursor, '{', &first, NULL), ==, 0);
        g_assert_cmpint(json_cursor_end(&cursor, NULL), ==, 0);
}

static int walk_all(const char *text, Error *error) {
        JsonCursor cursor = json_cursor_begin(text, strlen(text));
        bool first = true;
        int r = json_cursor_enter(&cursor, '[', error);

        while (r >= 0 && (r = json_cursor_next(&cursor, '[', &first, error)) > 0) {
                g_autoptr(Value) value = NULL;
                r = json_cursor_value(&cursor, &value, error);
        }
        return r < 0 ? r : json_cursor_end(&cursor, error);
}

static void test_refused(void) {
        static const char *const samples[][2] = {
                { "", "line 1: expected an array, found the end" },
                { "{}", "line 1: expected an array, found '{'" },
                { "[", "line 1: expected a value, found the end" },
                { "[1", "line 1: expected ',' or ']'" },
                { "[1\n\n 2]", "line 3: expected ',' or ']', found '2'" },
                { "[1,]", "line 1: expected a value behind the comma, found ']'" },
                { "[,1]", "line 1: expected a value, found ','" },
                { "[1] 2", "line 1: expected the end, found '2'" },
                { "[\"a]", "line 1: a string is not closed" },
                { "[\"a\n\"]", "a string is not closed" },
                { "[{\"a\":\n\n,}]", "line 3: " },
                { "[\n{\"a\": 1,\n\"a\": 2}]", "line 3: " },
                { "[[}]]", "line 1: " },
                { "[\n\ntrux]", "line 3: " },
                { "[\001]", "line 1: " },
                { "[{\"a\": \"\\u0000\"}]", "NUL" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i][0]);
                g_assert_cmpint(walk_all(samples[i][0], &error), ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
                test_assert_contains(error.message, samples[i][1]);
        }
}

static void test_lines_of_values(void) {
        const char *text = "[\n\n{\"a\":\n[1,\n2]}]";
        JsonCursor cursor = json_cursor_begin(text, strlen(text));
        g_autoptr(Value) value = NULL;
        bool first = true;

        g_assert_cmpint(json_cursor_enter(&cursor, '[', NULL), ==, 0);
        g_assert_cmpint(json_cursor_next(&cursor, '[', &first, NULL), ==, 1);
        g_assert_cmpint(json_cursor_value(&cursor, &value, NULL), ==, 0);
        g_assert_cmpuint(value->line, ==, 3);
        const Value *array = value_get(value, "a");
        g_assert_cmpuint(((const Value *) array->items->pdata[1])->line, ==, 5);
}

/* {"k": ["xxx...", ...]}, larger than one decoding may be. */
static char *large_text(unsigned items, size_t bytes_each) {
        GString *text = g_string_new("{\"k\": [");
        g_autofree char *item = g_malloc(bytes_each + 1);

        memset(item, 'x', bytes_each);
        item[bytes_each] = '\0';
        for (unsigned i = 0; i < items; i++) {
                g_string_append_printf(text, "%s\"%s\"", i > 0 ? "," : "", item);
        }
        g_string_append(text, "]}");
        return g_string_free(text, FALSE);
}

static int decode_all(const char *text, Value **ret, Error *error) {
        JsonCursor cursor = json_cursor_begin(text, strlen(text));
        return json_cursor_value(&cursor, ret, error);
}

static void test_large(void) {
        g_autofree char *text = large_text(30, 100000);
        g_autoptr(Value) value = NULL, none = NULL;
        g_auto(Error) error = { 0 };

        g_assert_cmpint(json_text_decode(text, strlen(text), &none, NULL), ==, -ECANCELED);
        g_assert_cmpint(decode_all(text, &value, &error), ==, 0);
        const Value *array = value_get(value, "k");
        g_assert_cmpuint(value_count(array), ==, 30);
        g_assert_cmpuint(strlen(((const Value *) array->items->pdata[29])->string), ==, 100000);
}

static void test_too_large(void) {
        g_autofree char *string = large_text(1, JSON_BYTES_MAX + 1);
        g_autofree char *many = large_text(VALUE_COUNT_MAX + 1, 20);
        g_autofree char *nested = g_malloc(2 * JSON_BYTES_MAX + 1);
        g_autofree char *twice = NULL;
        const char *samples[] = { string, many, nested, NULL };

        memset(nested, '[', JSON_BYTES_MAX);
        const size_t half = JSON_BYTES_MAX;
        memset(nested + half, ']', half);
        nested[2 * half] = '\0';
        g_autofree char *value = large_text(11, 100000);
        twice = g_strdup_printf("{\"a\": %s, \"a\": 1}", value);
        samples[3] = twice;
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) none = NULL;
                g_auto(Error) error = { 0 };
                g_assert_cmpint(decode_all(samples[i], &none, &error), ==, -ECANCELED);
                g_assert_null(none);
                test_assert_contains(error.message, "line 1: ");
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/json-cursor/walk", test_walk);
        g_test_add_func("/config/json-cursor/refused", test_refused);
        g_test_add_func("/config/json-cursor/lines", test_lines_of_values);
        g_test_add_func("/config/json-cursor/large", test_large);
        g_test_add_func("/config/json-cursor/too-large", test_too_large);
        return g_test_run();
}
