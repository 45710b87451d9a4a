/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/ecosystem.h"

#include "fixture.h"
#include "value-fixture.h"

#include <errno.h>
#include <string.h>

static void test_shapes(void) {
        static const char *const samples[][2] = {
                { "{\"script\": \"a\"}", "[{script: s:a}]" },
                { "[{\"script\": \"a\"}, {\"script\": \"b\"}]", "[{script: s:a}, {script: s:b}]" },
                { "{\"apps\": [{\"script\": \"a\"}]}", "[{script: s:a}]" },
                { "{\"apps\": {\"script\": \"a\"}}", "[{script: s:a}]" },
                { "{\"deploy\": {}, \"apps\": [{\"script\": \"a\"}], \"x\": 1}", "[{script: s:a}]" },
                { "[]", "[]" },
                { "{\"apps\": []}", "[]" },
                { "{}", "[{}]" },
                { "{\"apps\": [{\"apps\": []}]}", "[{apps: []}]" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) apps = NULL;
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i][0]);
                g_assert_cmpint(ecosystem_decode(samples[i][0], &apps, &error), ==, 0);
                g_autofree char *text = test_value_to_text(apps);
                g_assert_cmpstr(text, ==, samples[i][1]);
        }
}

static void test_refused(void) {
        static const struct {
                const char *document;
                ErrorCode code;
                const char *part;
        } samples[] = {
                { "", ERROR_INVALID_DATA, "empty" },
                { "{", ERROR_INVALID_DATA, "JSON" },
                { "/etc/passwd", ERROR_INVALID_DATA, "JSON" }, /* a path is never read */
                { "ecosystem.json", ERROR_INVALID_DATA, "JSON" },
                { "module.exports = {}", ERROR_INVALID_DATA, "JSON" },
                { "{\"apps\": [], \"apps\": []}", ERROR_INVALID_DATA, "twice" },
                { "null", ERROR_INVALID_CONFIG, "apps: expected an app or an array of apps, got null" },
                { "5", ERROR_INVALID_CONFIG, "got a number" },
                { "\"a\"", ERROR_INVALID_CONFIG, "got a string" },
                { "{\"apps\": null}", ERROR_INVALID_CONFIG, "got null" },
                { "{\"apps\": \"a\"}", ERROR_INVALID_CONFIG, "got a string" },
                { "[1]", ERROR_INVALID_CONFIG, "apps[0]: expected an object, got a number" },
                { "[{}, \"a.js\"]", ERROR_INVALID_CONFIG, "apps[1]: expected an object, got a string" },
                { "{\"apps\": [{}, {}, [{}]]}",
                  ERROR_INVALID_CONFIG,
                  "apps[2]: expected an object, got an array" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) apps = NULL;
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i].document);
                g_assert_cmpint(ecosystem_decode(samples[i].document, &apps, &error), ==, -ECANCELED);
                g_assert_null(apps);
                g_assert_cmpint(error.code, ==, samples[i].code);
                test_assert_contains(error.message, samples[i].part);
        }
}

static char *many_apps(unsigned count) {
        GString *text = g_string_new("[{}");

        for (unsigned i = 1; i < count; i++) {
                g_string_append(text, ",{}");
        }
        g_string_append_c(text, ']');
        return g_string_free(text, FALSE);
}

static void test_many(void) {
        g_autofree char *most = many_apps(ECOSYSTEM_APPS_MAX);
        g_autofree char *too_many = many_apps(ECOSYSTEM_APPS_MAX + 1);
        g_autoptr(Value) apps = NULL, none = NULL;
        g_auto(Error) error = { 0 };

        g_assert_cmpint(ecosystem_decode(most, &apps, &error), ==, 0);
        g_assert_cmpuint(value_count(apps), ==, ECOSYSTEM_APPS_MAX);
        g_assert_cmpint(ecosystem_decode(too_many, &none, &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        test_assert_contains(error.message, "over 10000");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/ecosystem/shapes", test_shapes);
        g_test_add_func("/config/ecosystem/refused", test_refused);
        g_test_add_func("/config/ecosystem/many", test_many);
        return g_test_run();
}
