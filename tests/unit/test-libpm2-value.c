/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The value tree of libpm2 and its JSON. */

#include "libpm2/value.h"

#include <float.h>
#include <glib.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static void assert_json(const pm2_value *value, pm2_json_format format, const char *expected) {
        char *text = NULL;

        g_assert_cmpint(pm2_value_to_json(value, format, &text), ==, 0);
        g_assert_cmpstr(text, ==, expected);
        free(text);
}

static pm2_value *example(void) {
        pm2_value *process = NULL, *env = NULL, *args = NULL;

        g_assert_cmpint(pm2_value_new_object(&process), ==, 0);
        g_assert_cmpint(pm2_value_new_object(&env), ==, 0);
        g_assert_cmpint(pm2_value_new_array(&args), ==, 0);
        g_assert_cmpint(pm2_value_add_string(process, "name", "api"), ==, 0);
        g_assert_cmpint(pm2_value_add_uint64(process, "pid", 42), ==, 0);
        g_assert_cmpint(pm2_value_add_string(args, NULL, "--x"), ==, 0);
        g_assert_cmpint(pm2_value_add_int64(args, NULL, -7), ==, 0);
        g_assert_cmpint(pm2_value_add_string(env, "status", "online"), ==, 0);
        g_assert_cmpint(pm2_value_add_value(env, "args", args), ==, 0);
        g_assert_cmpint(pm2_value_add_bool(env, "a.b", true), ==, 0);
        g_assert_cmpint(pm2_value_add_value(process, "pm2_env", env), ==, 0);
        g_assert_cmpint(pm2_value_add_double(process, "cpu", 0.3), ==, 0);
        g_assert_cmpint(pm2_value_add_null(process, "none"), ==, 0);
        return process;
}

static void test_tree(void) {
        pm2_value *process = example();

        g_assert_cmpuint(pm2_value_get_length(process), ==, 5);
        g_assert_cmpstr(pm2_value_get_key(process, 0), ==, "name");
        g_assert_cmpstr(pm2_value_get_key(process, 4), ==, "none");
        g_assert_null(pm2_value_get_key(process, 5));
        g_assert_null(pm2_value_get_item(process, 5));
        g_assert_null(pm2_value_get_key(pm2_value_get(process, "pm2_env.args"), 0));
        g_assert_cmpint(pm2_value_get_type(NULL), ==, PM2_VALUE_NULL);
        g_assert_cmpuint(pm2_value_get_length(NULL), ==, 0);
        g_assert_null(pm2_value_free(process));
        g_assert_null(pm2_value_free(NULL));
}

static void test_paths(void) {
        pm2_value *process = example();
        const char *text = NULL;
        int64_t number = 0;
        uint64_t count = 0;
        double real = 0;
        bool flag = false;

        g_assert_cmpint(pm2_value_get_string(process, "pm2_env.status", &text), ==, 0);
        g_assert_cmpstr(text, ==, "online");
        g_assert_cmpint(pm2_value_get_string(process, "pm2_env.args.0", &text), ==, 0);
        g_assert_cmpstr(text, ==, "--x");
        g_assert_cmpint(pm2_value_get_int64(process, "pm2_env.args.1", &number), ==, 0);
        g_assert_cmpint(number, ==, -7);
        g_assert_cmpint(pm2_value_get_bool(process, "pm2_env.a.b", &flag), ==, 0);
        g_assert_true(flag);
        g_assert_true(pm2_value_get(process, "") == process);
        g_assert_cmpint(pm2_value_get_string(process, "pid", &text), ==, -EINVAL);
        g_assert_cmpint(pm2_value_get_string(process, "pm2_env.missing", &text), ==, -ENOENT);
        g_assert_cmpint(pm2_value_get_bool(process, "name.x", &flag), ==, -ENOENT);
        g_assert_cmpint(pm2_value_get_uint64(process, "pm2_env.args.1", &count), ==, -ERANGE);
        g_assert_cmpint(pm2_value_get_uint64(process, "cpu", &count), ==, -EINVAL);
        g_assert_cmpint(pm2_value_get_double(process, "pid", &real), ==, 0);
        g_assert_cmpfloat(real, ==, 42);
        static const char *const nowhere[] = {
                "pm2_env.args.2",
                "pm2_env.args.-1",
                "pm2_env.args.x",
                "pm2_env.args.99999999999999999999",
                "nam",
                "names",
                ".",
                "name.",
        };
        for (size_t i = 0; i < ELEMENTS(nowhere) - 1; i++) {
                g_assert_null(pm2_value_get(process, nowhere[i]));
        }
        (void) pm2_value_free(process);
}

static void test_number_ranges(void) {
        static const double beyond[] = { 0x1p63, -0x1p64, 1e300, INFINITY, NAN };
        pm2_value *array = NULL;
        int64_t number = 0;
        uint64_t count = 0;

        g_assert_cmpint(pm2_value_new_array(&array), ==, 0);
        g_assert_cmpint(pm2_value_add_uint64(array, NULL, UINT64_MAX), ==, 0);
        g_assert_cmpint(pm2_value_add_double(array, NULL, -0x1p63), ==, 0);
        g_assert_cmpint(pm2_value_get_int64(array, "0", &number), ==, -ERANGE);
        g_assert_cmpint(pm2_value_get_uint64(array, "0", &count), ==, 0);
        g_assert_true(count == UINT64_MAX);
        g_assert_cmpint(pm2_value_get_int64(array, "1", &number), ==, 0);
        g_assert_true(number == INT64_MIN);
        for (size_t i = 0; i < ELEMENTS(beyond); i++) {
                g_autofree char *path = g_strdup_printf("%zu", i + 2);
                g_assert_cmpint(pm2_value_add_double(array, NULL, beyond[i]), ==, 0);
                g_assert_cmpint(pm2_value_get_int64(array, path, &number), ==, -ERANGE);
        }
        (void) pm2_value_free(array);
}

static void test_add(void) {
        pm2_value *object = NULL, *array = NULL;

        g_assert_cmpint(pm2_value_new_object(&object), ==, 0);
        g_assert_cmpint(pm2_value_new_array(&array), ==, 0);
        g_assert_cmpint(pm2_value_add_null(object, NULL), ==, -EINVAL);
        g_assert_cmpint(pm2_value_add_null(array, "key"), ==, -EINVAL);
        g_assert_cmpint(pm2_value_add_null(NULL, NULL), ==, -EINVAL);
        g_assert_cmpint(pm2_value_add_value(array, NULL, NULL), ==, -EINVAL);
        g_assert_cmpint(pm2_value_add_value(array, NULL, array), ==, -EINVAL);
        g_assert_cmpint(pm2_value_add_string(object, "a", "old"), ==, 0);
        g_assert_cmpint(pm2_value_add_string(object, "b", "x"), ==, 0);
        g_assert_cmpint(pm2_value_add_bool(object, "a", false), ==, 0);
        g_assert_cmpint(pm2_value_add_value(object, "b", array), ==, 0);
        assert_json(object, PM2_JSON_SHORT, "{\"a\":false,\"b\":[]}");
        (void) pm2_value_free(object);
}

static void test_depth(void) {
        pm2_value *inner = NULL, *copy = NULL;
        int r = pm2_value_new_array(&inner);
        unsigned levels = 1;

        for (; r == 0; levels++) {
                pm2_value *outer = NULL;
                g_assert_cmpint(pm2_value_new_array(&outer), ==, 0);
                r = pm2_value_add_value(outer, NULL, inner);
                if (r < 0) {
                        (void) pm2_value_free(outer);
                        break;
                }
                inner = outer;
        }
        g_assert_cmpint(r, ==, -ELOOP);
        g_assert_cmpuint(levels, ==, VALUE_NESTED_MAX);
        g_assert_cmpint(pm2_value_copy(inner, &copy), ==, 0);
        (void) pm2_value_free(inner);
        (void) pm2_value_free(copy);
}

static void test_copy(void) {
        pm2_value *process = example(), *copy = NULL, *null = NULL;
        char *before = NULL;

        g_assert_cmpint(pm2_value_to_json(process, PM2_JSON_PRETTY, &before), ==, 0);
        g_assert_cmpint(pm2_value_copy(process, &copy), ==, 0);
        (void) pm2_value_free(process);
        assert_json(copy, PM2_JSON_PRETTY, before);
        g_assert_cmpint(pm2_value_copy(NULL, &null), ==, 0);
        assert_json(null, PM2_JSON_SHORT, "null");
        (void) pm2_value_free(copy);
        (void) pm2_value_free(null);
        free(before);
}

static void test_json(void) {
        pm2_value *process = example(), *empty = NULL;
        char *text = NULL;

        assert_json(process,
                    PM2_JSON_SHORT,
                    "{\"name\":\"api\",\"pid\":42,\"pm2_env\":{\"status\":\"online\",\"args\":[\"--x\",-7],"
                    "\"a.b\":true},\"cpu\":0.3,\"none\":null}");
        assert_json(process,
                    PM2_JSON_PRETTY,
                    "{\n  \"name\": \"api\",\n  \"pid\": 42,\n  \"pm2_env\": {\n    \"status\": "
                    "\"online\",\n"
                    "    \"args\": [\n      \"--x\",\n      -7\n    ],\n    \"a.b\": true\n  },\n"
                    "  \"cpu\": 0.3,\n  \"none\": null\n}");
        g_assert_cmpint(pm2_value_new_object(&empty), ==, 0);
        assert_json(empty, PM2_JSON_PRETTY, "{}");
        assert_json(NULL, PM2_JSON_SHORT, "null");
        g_assert_cmpint(pm2_value_to_json(empty, (pm2_json_format) 7, &text), ==, -EINVAL);
        (void) pm2_value_free(empty);
        (void) pm2_value_free(process);
}

static void test_json_escapes(void) {
        pm2_value *array = NULL;

        g_assert_cmpint(pm2_value_new_array(&array), ==, 0);
        g_assert_cmpint(pm2_value_add_string(array, NULL, "\"\\/\b\f\n\r\t\001\033\037\177"), ==, 0);
        g_assert_cmpint(pm2_value_add_string(array, NULL, "zählwerk 日本 🙂"), ==, 0);
        g_assert_cmpint(pm2_value_add_string(array, NULL, ""), ==, 0);
        assert_json(array,
                    PM2_JSON_SHORT,
                    "[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001b\\u001f\177\",\"zählwerk 日本 "
                    "🙂\",\"\"]");
        (void) pm2_value_free(array);
}

static void test_json_numbers(void) {
        static const struct {
                double number;
                const char *text;
        } doubles[] = {
                { 0, "0" },
                { 0.1, "0.1" },
                { 100, "100" },
                { 1.0 / 3, "0.3333333333333333" },
                { 0.1 + 0.2, "0.30000000000000004" },
                { DBL_MAX, "1.7976931348623157e+308" },
                { -1.5, "-1.5" },
                { NAN, "null" },
                { -INFINITY, "null" },
        };
        pm2_value *array = NULL;

        for (size_t i = 0; i < ELEMENTS(doubles); i++) {
                pm2_value *one = NULL;
                g_autofree char *expected = g_strdup_printf("[%s]", doubles[i].text);
                g_assert_cmpint(pm2_value_new_array(&one), ==, 0);
                g_assert_cmpint(pm2_value_add_double(one, NULL, doubles[i].number), ==, 0);
                assert_json(one, PM2_JSON_SHORT, expected);
                (void) pm2_value_free(one);
        }
        g_assert_cmpint(pm2_value_new_array(&array), ==, 0);
        g_assert_cmpint(pm2_value_add_int64(array, NULL, INT64_MIN), ==, 0);
        g_assert_cmpint(pm2_value_add_uint64(array, NULL, UINT64_MAX), ==, 0);
        assert_json(array, PM2_JSON_SHORT, "[-9223372036854775808,18446744073709551615]");
        (void) pm2_value_free(array);
}

/* A locale with a comma changes nothing. */
static void test_json_locale(void) {
        if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
                g_test_skip("there is no German locale");
                return;
        }
        pm2_value *array = NULL;
        g_assert_cmpint(pm2_value_new_array(&array), ==, 0);
        g_assert_cmpint(pm2_value_add_double(array, NULL, 1.5), ==, 0);
        assert_json(array, PM2_JSON_SHORT, "[1.5]");
        (void) pm2_value_free(array);
        (void) setlocale(LC_NUMERIC, "C");
}

static void test_process(void) {
        pm2_value *process = example(), *monit = NULL;

        g_assert_cmpint(pm2_value_new_object(&monit), ==, 0);
        g_assert_cmpint(pm2_value_add_uint64(monit, "memory", UINT64_C(1) << 40), ==, 0);
        g_assert_cmpint(pm2_value_add_uint64(monit, "cpu", 12), ==, 0);
        g_assert_cmpint(pm2_value_add_value(process, "monit", monit), ==, 0);
        g_assert_cmpint(pm2_value_add_uint64(process, "pm_id", UINT64_C(1) << 40), ==, 0);
        g_assert_cmpstr(pm2_process_get_name(process), ==, "api");
        g_assert_cmpuint(pm2_process_get_pid(process), ==, 42);
        g_assert_cmpuint(pm2_process_get_id(process), ==, 0);
        g_assert_cmpstr(pm2_process_get_status(process), ==, "online");
        g_assert_true(pm2_process_get_memory(process) == UINT64_C(1) << 40);
        g_assert_cmpfloat(pm2_process_get_cpu(process), ==, 12);
        g_assert_cmpstr(pm2_process_get_cwd(process), ==, "");
        g_assert_cmpuint(pm2_process_get_restart_time(NULL), ==, 0);
        g_assert_cmpstr(pm2_process_get_version(NULL), ==, "");
        (void) pm2_value_free(process);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/libpm2/value/tree", test_tree);
        g_test_add_func("/libpm2/value/paths", test_paths);
        g_test_add_func("/libpm2/value/number-ranges", test_number_ranges);
        g_test_add_func("/libpm2/value/add", test_add);
        g_test_add_func("/libpm2/value/depth", test_depth);
        g_test_add_func("/libpm2/value/copy", test_copy);
        g_test_add_func("/libpm2/value/json", test_json);
        g_test_add_func("/libpm2/value/json-escapes", test_json_escapes);
        g_test_add_func("/libpm2/value/json-numbers", test_json_numbers);
        g_test_add_func("/libpm2/value/json-locale", test_json_locale);
        g_test_add_func("/libpm2/value/process", test_process);
        return g_test_run();
}
