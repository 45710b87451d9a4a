/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What PM2's clients send, in our words. */

#include "config/json-text.h"
#include "config/pm2-app.h"

#include "fixture.h"
#include "value-fixture.h"

#include <string.h>

static int read_app(const char *text, Pm2Source source, Pm2App *ret, Error *error) {
        g_autoptr(Value) object = NULL;

        g_assert_cmpint(json_text_decode(text, strlen(text), &object, NULL), ==, 0);
        return pm2_app_read(object, source, ret, error);
}

#define START(more) "{\"name\":\"web\",\"pm_exec_path\":\"/srv/a.js\",\"instances\":1" more "}"

static void test_values(void) {
        static const struct {
                Pm2Source source;
                const char *text, *attribute, *value;
        } cases[] = {
                { PM2_SOURCE_START, START(""), "script", "s:/srv/a.js" },
                { PM2_SOURCE_START, START(""), "instances", "i:1" },
                { PM2_SOURCE_START, START(""), "ready_timeout_action", "s:online" },
                { PM2_SOURCE_START, START(""), "extra", NULL },
                { PM2_SOURCE_START,
                  START(",\"exec_mode\":\"cluster_mode\""),
                  "exec_mode",
                  "s:cluster_mode" },
                { PM2_SOURCE_START, START(",\"exec_mode\":5"), "exec_mode", "i:5" },
                { PM2_SOURCE_START, START(",\"kill_timeout\":0"), "kill_timeout", NULL },
                { PM2_SOURCE_START, START(",\"kill_timeout\":7"), "kill_timeout", "i:7" },
                { PM2_SOURCE_START, START(",\"pmx\":true"), "pmx", "s:preload" },
                { PM2_SOURCE_START, START(",\"pmx\":\"false\""), "pmx", "s:false" },
                { PM2_SOURCE_START,
                  START(",\"pm_out_log_path\":\"/h/.pm2/logs/a.log\""),
                  "out_file",
                  "s:/h/.pm2/logs/a.log" },
                { PM2_SOURCE_START, START(",\"cwd\":\"x\",\"pm_cwd\":\"/x\""), "cwd", "s:/x" },
                { PM2_SOURCE_START, START(",\"cwd\":\"x\",\"pm_cwd\":\"/x\""), "extra", "{cwd: s:x}" },
                { PM2_SOURCE_START,
                  START(",\"windowsHide\":true,\"mine\":[1]"),
                  "extra",
                  "{windowsHide: true, mine: [i:1]}" },
                { PM2_SOURCE_START, START(",\"filter_env\":[\"X\"]"), "extra", "{filter_env: [s:X]}" },
                { PM2_SOURCE_START,
                  START(",\"watch\":false,\"ignore_watch\":[\"a\"]"),
                  "ignore_watch",
                  "[s:a]" },
                { PM2_SOURCE_START,
                  START(",\"pm_id\":7,\"status\":\"online\",\"axm_monitor\":{}"),
                  "extra",
                  NULL },
                { PM2_SOURCE_START, START(",\"min_uptime\":\"null\""), "min_uptime", "null" },
                { PM2_SOURCE_DUMP, START(",\"pmx\":true"), "pmx", "true" },
                { PM2_SOURCE_CHANGE, "{\"merge_logs\":true,\"km_link\":false}", "merge_logs", NULL },
                { PM2_SOURCE_CHANGE, "{\"merge_logs\":true,\"km_link\":false}", "extra", NULL },
                { PM2_SOURCE_CHANGE, "{\"merge_logs\":true,\"name\":\"a\"}", "merge_logs", "true" },
                { PM2_SOURCE_CHANGE, "{\"max_restarts\":\"null\"}", "max_restarts", "null" },
                { PM2_SOURCE_CHANGE, "{\"max_restarts\":null}", "max_restarts", "null" },
                { PM2_SOURCE_CHANGE, "{\"instances\":4}", "instances", NULL },
                { PM2_SOURCE_CHANGE, "{\"script\":\"./b.js\"}", "script", NULL },
                { PM2_SOURCE_CHANGE, "{\"pm_exec_path\":\"/b.js\"}", "script", "s:/b.js" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Pm2App) app = { 0 };
                g_test_message("%s", cases[i].text);
                g_assert_cmpint(read_app(cases[i].text, cases[i].source, &app, NULL), ==, 0);
                const Value *value = value_get(app.attributes, cases[i].attribute);
                g_autofree char *notation = value ? test_value_to_text(value) : NULL;
                g_assert_cmpstr(notation, ==, cases[i].value);
        }
}

static void test_environment(void) {
        g_auto(Pm2App) app = { 0 }, none = { 0 };

        g_assert_cmpint(read_app(START(",\"env\":{\"A\":1,\"web\":{},\"B\":null,\"C\":\"x\",\"=\":\"y\"}"),
                                 PM2_SOURCE_START,
                                 &app,
                                 NULL),
                        ==,
                        0);
        g_assert_cmpuint(environment_count(app.environment), ==, 2);
        g_assert_cmpstr(environment_get(app.environment, "A"), ==, "1");
        g_assert_cmpint(read_app("{\"env\":{}}", PM2_SOURCE_CHANGE, &none, NULL), ==, 0);
        g_assert_null(none.environment);
}

static void test_facts(void) {
        static const struct {
                const char *text;
                bool stopped, single;
        } cases[] = {
                { START(""), false, false },
                { "{\"pm_exec_path\":\"/a\",\"status\":\"stopped\"}", true, true },
                { "{\"pm_exec_path\":\"/a\",\"status\":\"stopping\",\"instances\":null}", true, true },
                { "{\"pm_exec_path\":\"/a\",\"status\":7,\"instances\":\"max\"}", false, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Pm2App) app = { 0 };
                g_assert_cmpint(read_app(cases[i].text, PM2_SOURCE_START, &app, NULL), ==, 0);
                g_assert_cmpint(app.stopped, ==, cases[i].stopped);
                g_assert_cmpint(app.single, ==, cases[i].single);
        }
}

static void test_refused(void) {
        static const struct {
                Pm2Source source;
                const char *text, *mentions;
        } cases[] = {
                { PM2_SOURCE_START, "{}", "pm_exec_path" },
                { PM2_SOURCE_START, "{\"pm_exec_path\":7}", "pm_exec_path" },
                { PM2_SOURCE_DUMP, "{}", "dump" },
                { PM2_SOURCE_START, START(",\"env\":[]"), "env" },
                { PM2_SOURCE_CHANGE, "{\"env\":\"x\"}", "env" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Pm2App) app = { 0 };
                g_auto(Error) error = { 0 };
                g_assert_cmpint(read_app(cases[i].text, cases[i].source, &app, &error), <, 0);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
                test_assert_contains(error.message, cases[i].mentions);
        }
}

static void test_known_keys(void) {
        static const char *const known[] = { "status", "pm_exec_path", "name", "watch", "env" };
        static const char *const unknown[] = { "HOME", "km_link", "PATH", "" };

        for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
                g_assert_true(pm2_key_is_known(known[i]));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
                g_assert_false(pm2_key_is_known(unknown[i]));
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/pm2-app/values", test_values);
        g_test_add_func("/config/pm2-app/environment", test_environment);
        g_test_add_func("/config/pm2-app/facts", test_facts);
        g_test_add_func("/config/pm2-app/refused", test_refused);
        g_test_add_func("/config/pm2-app/known-keys", test_known_keys);
        return g_test_run();
}
