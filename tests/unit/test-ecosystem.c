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
                { "{\"deploy\": {}, \"apps\": [{\"script\": \"a\"}], \"x-mine\": 1}", "[{script: s:a}]" },
                { "// c\n{\"apps\": [{\"script\": \"a\",},],}", "[{script: s:a}]" },
                { "{\"env_production\": {}}", "[{env_production: {}}]" },
                { "[]", "[]" },
                { "{\"apps\": []}", "[]" },
                { "{}", "[{}]" },
                { "{\"apps\": [{\"apps\": []}]}", "[{apps: []}]" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_auto(Ecosystem) ecosystem = { 0 };
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i][0]);
                g_assert_cmpint(ecosystem_decode(samples[i][0], &ecosystem, &error), ==, 0);
                g_autofree char *text = test_value_to_text(ecosystem.apps);
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
                { "{\n\"apps\": [\n5]}", ERROR_INVALID_CONFIG, "line 3: apps[0]: expected an object" },
                { "{\"aps\": []}",
                  ERROR_INVALID_CONFIG,
                  "'aps': unknown key of the document, did you mean \"apps\"?" },
                { "{\"scirpt\": \"a\"}", ERROR_INVALID_CONFIG, "did you mean \"script\"?" },
                { "{\"apps\": [],\n\"deplyo\": 1}",
                  ERROR_INVALID_CONFIG,
                  "line 2: 'deplyo': unknown key of the document, did you mean \"deploy\"?" },
                { "{\"apps\": [], \"env\": {}}",
                  ERROR_INVALID_CONFIG,
                  "'env': unknown key of the document, it belongs to an app" },
                { "{\"deploy\": {}}", ERROR_INVALID_CONFIG, "apps: is missing" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_auto(Ecosystem) ecosystem = { 0 };
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i].document);
                g_assert_cmpint(ecosystem_decode(samples[i].document, &ecosystem, &error), ==, -ECANCELED);
                g_assert_null(ecosystem.apps);
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
        g_auto(Ecosystem) apps = { 0 };
        g_auto(Ecosystem) none = { 0 };
        g_auto(Error) error = { 0 };

        g_assert_cmpint(ecosystem_decode(most, &apps, &error), ==, 0);
        g_assert_cmpuint(value_count(apps.apps), ==, ECOSYSTEM_APPS_MAX);
        g_assert_cmpint(ecosystem_decode(too_many, &none, &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        test_assert_contains(error.message, "over 10000");
}

static void test_notices(void) {
        g_auto(Ecosystem) ecosystem = { 0 };

        g_assert_cmpint(ecosystem_decode("{\"apps\": [], \"deploy\": {}}", &ecosystem, NULL), ==, 0);
        g_assert_cmpuint(ecosystem.notices->len, ==, 1);
        test_assert_contains(ecosystem.notices->pdata[0], "deploy");
}

/* What a message is about is found by the key that it begins with. */
static void test_places(void) {
        static const struct {
                const char *document, *message, *placed;
        } samples[] = {
                { "{\"apps\": [{},\n{\"killTimeout\":\n 5}]}",
                  "kill_timeout: is bad",
                  "line 2: apps[1].kill_timeout: is bad" },
                { "{\"apps\": [{},\n{\"a\":1,\n\"args\": [5]}]}",
                  "args[0]: is bad",
                  "line 3: apps[1].args[0]: is bad" },
                { "{\"apps\": [{},\n{\"a\":1,\n\"oops\": [5]}]}",
                  "'oops': unknown attribute",
                  "line 3: apps[1]: 'oops': unknown attribute" },
                { "{\"apps\": [{},\n{\"script\": 1,\n\"env_x\": 5}]}",
                  "env_x: is bad",
                  "line 3: apps[1].env_x: is bad" },
                { "{\"apps\": [{},\n{}]}", "script: is required", "line 2: apps[1].script: is required" },
                { "{\"apps\": [{},\n{}]}",
                  "something else: it is bad",
                  "line 2: apps[1]: something else: it is bad" },
                { "[{}, {\"cwd\": 5}]\n", "cwd: is bad", "apps[1].cwd: is bad" },
                { "{\"cwd\": 5}", "cwd: is bad", "cwd: is bad" },
                { "{\"apps\":\n{\"cwd\": 5}}", "cwd: is bad", "line 2: apps.cwd: is bad" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_auto(Ecosystem) ecosystem = { 0 };
                g_auto(Error) error = { 0 };
                g_assert_cmpint(ecosystem_decode(samples[i].document, &ecosystem, NULL), ==, 0);
                (void) error_set(&error, ERROR_INVALID_CONFIG, "%s", samples[i].message);
                ecosystem_place_error(&ecosystem, (unsigned) value_count(ecosystem.apps) - 1, &error);
                g_assert_cmpstr(error.message, ==, samples[i].placed);
        }
}

static void test_profiles(void) {
        static const char *const samples[][3] = {
                { "{\"env\": {\"A\": 1, \"B\": 2}, \"env_p\": {\"B\": 3, \"C\": 4}}",
                  "p",
                  "{A: i:1, B: i:3, C: i:4}" },
                { "{\"env\": {\"A\": 1}, \"env_p\": {\"B\": 3}}", NULL, "{A: i:1}" },
                { "{\"env\": {\"A\": 1}, \"env_p\": {\"B\": 3}}", "q", "{A: i:1}" },
                { "{\"env_p\": {\"B\": null}}", "p", "{B: null}" },
                { "{\"env\": null, \"env_p\": null}", "p", "{}" },
                { "{\"script\": \"a\"}", "p", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_auto(Ecosystem) ecosystem = { 0 };
                g_autoptr(Value) environment = NULL;
                g_assert_cmpint(ecosystem_decode(samples[i][0], &ecosystem, NULL), ==, 0);
                const Value *app = ecosystem.apps->items->pdata[0];
                g_assert_cmpint(ecosystem_environment(app, samples[i][1], &environment, NULL), ==, 0);
                g_autofree char *text = environment ? test_value_to_text(environment) : NULL;
                g_assert_cmpstr(text, ==, samples[i][2]);
        }
        g_auto(Ecosystem) wrong = { 0 };
        g_autoptr(Value) none = NULL;
        g_auto(Error) error = { 0 };
        g_assert_cmpint(ecosystem_decode("{\"env_p\": [1]}", &wrong, NULL), ==, 0);
        g_assert_cmpint(ecosystem_environment(wrong.apps->items->pdata[0], "p", &none, &error),
                        ==,
                        -ECANCELED);
        test_assert_contains(error.message, "env_p: expected an object of variables, got an array");
        g_assert_cmpstr(ecosystem_profile_of("env_production"), ==, "production");
        g_assert_null(ecosystem_profile_of("env_"));
        g_assert_null(ecosystem_profile_of("env"));
        g_assert_null(ecosystem_profile_of("env_a b"));
        g_assert_null(ecosystem_profile_of("environment"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/ecosystem/shapes", test_shapes);
        g_test_add_func("/config/ecosystem/refused", test_refused);
        g_test_add_func("/config/ecosystem/many", test_many);
        g_test_add_func("/config/ecosystem/notices", test_notices);
        g_test_add_func("/config/ecosystem/places", test_places);
        g_test_add_func("/config/ecosystem/profiles", test_profiles);
        return g_test_run();
}
