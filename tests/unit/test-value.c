/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/value.h"

#include "value-fixture.h"

#include <string.h>

static void test_scalars(void) {
        g_autoptr(Value) null = value_new_null();
        g_autoptr(Value) boolean = value_new_bool(true);
        g_autoptr(Value) integer = value_new_int(INT64_MIN);
        g_autoptr(Value) real = value_new_double(0.5);
        g_autoptr(Value) string = value_new_string("text");

        g_assert_cmpint(null->kind, ==, VALUE_NULL);
        g_assert_true(boolean->kind == VALUE_BOOL && boolean->boolean);
        g_assert_true(integer->kind == VALUE_INT && integer->integer == INT64_MIN);
        g_assert_true(real->kind == VALUE_DOUBLE && real->real == 0.5);
        g_assert_cmpint(string->kind, ==, VALUE_STRING);
        g_assert_cmpstr(string->string, ==, "text");
        g_assert_cmpuint(value_count(null), ==, 0);
        g_assert_cmpuint(value_count(string), ==, 0);
        value_free(NULL);
}

static void test_array(void) {
        g_autoptr(Value) array = value_new_array();

        g_assert_cmpuint(value_count(array), ==, 0);
        value_append(array, value_new_int(1));
        value_append(array, value_new_string("two"));
        value_append(array, value_new_array());
        g_assert_cmpuint(value_count(array), ==, 3);
        g_autofree char *text = test_value_to_text(array);
        g_assert_cmpstr(text, ==, "[i:1, s:two, []]");
}

static void test_map(void) {
        g_autoptr(Value) map = value_new_map();

        g_assert_cmpuint(value_count(map), ==, 0);
        g_assert_null(value_get(map, "a"));
        value_set(map, "z", value_new_int(1));
        value_set(map, "a", value_new_bool(false));
        value_set(map, "", value_new_null());
        g_assert_cmpuint(value_count(map), ==, 3);
        g_assert_cmpint(value_get(map, "z")->integer, ==, 1);
        g_assert_cmpint(value_get(map, "")->kind, ==, VALUE_NULL);
        g_assert_null(value_get(map, "A"));
        g_autofree char *text = test_value_to_text(map);
        g_assert_cmpstr(text, ==, "{z: i:1, a: false, : null}"); /* the order of setting is kept */
}

/* As deep as decoders let it be. */
static void test_deep(void) {
        g_autoptr(Value) arrays = test_value_nested(VALUE_DEPTH_MAX, false);
        g_autoptr(Value) maps = test_value_nested(VALUE_DEPTH_MAX, true);
        unsigned depth = 1;

        for (const Value *value = arrays; value_count(value) > 0; value = value->items->pdata[0]) {
                depth++;
        }
        g_assert_cmpuint(depth, ==, VALUE_DEPTH_MAX);
        g_assert_nonnull(value_get(maps, "k"));
}

static void test_kinds(void) {
        g_assert_cmpstr(value_kind_to_text(VALUE_NULL), ==, "null");
        g_assert_cmpstr(value_kind_to_text(VALUE_BOOL), ==, "a boolean");
        g_assert_cmpstr(value_kind_to_text(VALUE_INT), ==, "a number");
        g_assert_cmpstr(value_kind_to_text(VALUE_DOUBLE), ==, "a number");
        g_assert_cmpstr(value_kind_to_text(VALUE_STRING), ==, "a string");
        g_assert_cmpstr(value_kind_to_text(VALUE_ARRAY), ==, "an array");
        g_assert_cmpstr(value_kind_to_text(VALUE_MAP), ==, "an object");
}

static void test_copy(void) {
        static const char *const notations[] = {
                "null",  "true",           "i:-7",
                "d:0.5", "s:text",         "[]",
                "{}",    "l:null|s:a|i:1", "M:a=null|b=[]|c=d:1.5",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(notations); i++) {
                g_autoptr(Value) value = test_value(notations[i]);
                g_autoptr(Value) copy = value_copy(value);
                g_autofree char *before = test_value_to_text(value);
                g_autofree char *after = test_value_to_text(copy);
                g_assert_cmpstr(before, ==, after);
                g_assert_cmpuint(value_bytes(copy), ==, value_bytes(value));
        }
        g_autoptr(Value) map = test_value("M:a=i:1|b=s:text|c=[]");
        size_t whole = value_bytes(map);
        value_remove(map, "nobody");
        g_assert_cmpuint(value_bytes(map), ==, whole);
        value_remove(map, "b");
        g_assert_cmpuint(value_bytes(map), <, whole - strlen("text"));
        g_assert_null(value_get(map, "b"));
        g_assert_cmpuint(value_count(map), ==, 2);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/value/scalars", test_scalars);
        g_test_add_func("/core/value/array", test_array);
        g_test_add_func("/core/value/map", test_map);
        g_test_add_func("/core/value/deep", test_deep);
        g_test_add_func("/core/value/kinds", test_kinds);
        g_test_add_func("/core/value/copy", test_copy);
        return g_test_run();
}
