/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is written is read back the same, whatever it holds; what is not a list is refused with its line. */

#include "config/saved-list.h"

#include "fixture.h"
#include "value-fixture.h"

#include <errno.h>
#include <string.h>

static void set(AppConfig *config, const char *name, const char *notation) {
        g_autoptr(Value) value = test_value(notation);
        g_auto(Error) error = { 0 };

        if (app_config_set_by_name(config, name, value, &error) < 0) {
                g_error("%s", error.message);
        }
}

static AppConfig *new_app(const char *name) {
        AppConfig *config = app_config_new();
        g_autofree char *notation = g_strdup_printf("s:%s", name);

        set(config, "name", notation);
        set(config, "script", "s:/srv/app.sh");
        return config;
}

static int check_all(SavedListReader *reader, Error *error) {
        int r;

        do {
                r = saved_list_reader_check(reader, error);
        } while (r > 0);
        return r;
}

/* A reader that has checked all of the text. */
static SavedListReader *checked_reader(const char *text, size_t length) {
        SavedListReader *reader = NULL;
        g_auto(Error) error = { 0 };

        if (saved_list_reader_new(text, length, &reader, &error) < 0 || check_all(reader, &error) < 0) {
                g_error("%s", error.message);
        }
        return reader;
}

static AppConfig *config_of(const SavedEntry *entry) {
        AppConfig *config = app_config_new();

        for (guint i = 0; i < entry->attributes->entries->len; i++) {
                const ValueEntry *member = &g_array_index(entry->attributes->entries, ValueEntry, i);
                g_auto(Error) error = { 0 };
                if (app_config_set_by_name(config, member->key, member->value, &error) < 0) {
                        g_error("%s", error.message);
                }
        }
        return config;
}

static void assert_same_config(const AppConfig *a, const AppConfig *b) {
        for (size_t i = 0; i < n_attributes; i++) {
                g_autoptr(Value) first = app_config_get(a, &attributes[i]);
                g_autoptr(Value) second = app_config_get(b, &attributes[i]);
                g_autofree char *first_text = test_value_to_text(first);
                g_autofree char *second_text = test_value_to_text(second);
                g_assert_cmpstr(first_text, ==, second_text);
                g_assert_cmpint(app_config_is_given(a, attributes[i].name),
                                ==,
                                app_config_is_given(b, attributes[i].name));
        }
}

static void test_round_trip(void) {
        const char *const assignments[] = { "A=1",          "$bytes=AAAA", "BYTES=\xff\xfe", "N\xffME=x",
                                            "QUOTE=\"\\\n", "EMPTY=",      "\x7f=\x01",      NULL };
        g_autoptr(Environment) environment = environment_new(assignments);
        g_autoptr(Environment) other = environment_new((const char *const[]){ "$bytes=only", NULL });
        g_autoptr(AppConfig) first = new_app("first"), second = new_app("zähl \"\\");
        size_t length = 0;

        set(first, "args", "a:a b||\xff|$bytes|\"");
        set(first, "env", "m:$map=1|B=\xc3|C=\"");
        set(first, "kill_timeout", "s:1500us");
        set(first, "max_restarts", "i:1000000000");
        set(first, "autorestart", "false");
        set(first, "kill_signal", "s:SIGUSR2");
        set(second, "env", "m:$bytes=QUJD");
        SavedListWriter *writer = saved_list_writer_new();
        saved_list_writer_add(writer, first, environment, SAVED_ONLINE);
        saved_list_writer_add(writer, second, environment, SAVED_STOPPED);
        saved_list_writer_add(writer, second, other, SAVED_ENDED);
        g_autofree char *text = saved_list_writer_finish(writer, &length);
        g_assert_cmpuint(length, ==, strlen(text));
        g_assert_true(g_utf8_validate(text, -1, NULL));

        g_autoptr(SavedListReader) reader = checked_reader(text, length);
        const AppConfig *configs[] = { first, second, second };
        const Environment *environments[] = { environment, environment, other };
        const SavedStatus statuses[] = { SAVED_ONLINE, SAVED_STOPPED, SAVED_ENDED };
        for (size_t i = 0; i < 3; i++) {
                g_auto(SavedEntry) entry = { 0 };
                g_assert_cmpint(saved_list_reader_next(reader, &entry, NULL), ==, 1);
                g_autoptr(AppConfig) config = config_of(&entry);
                assert_same_config(config, configs[i]);
                g_assert_true(environment_equal(entry.environment, environments[i]));
                g_assert_cmpint(entry.status, ==, statuses[i]);
                g_assert_cmpuint(entry.line, >, 1);
        }
        g_auto(SavedEntry) none = { 0 };
        g_assert_cmpint(saved_list_reader_next(reader, &none, NULL), ==, 0);
}

/* More than one piece of JSON may have, in one value and in all. */
static void test_large(void) {
        g_autofree char *word = g_malloc(100001);
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(AppConfig) config = new_app("large");
        size_t length = 0;

        memset(word, 1, 100000); /* six bytes each as JSON */
        word[100000] = '\0';
        for (unsigned i = 0; i < 9; i++) {
                g_ptr_array_add(assignments, g_strdup_printf("V%u=%s", i, word));
        }
        g_ptr_array_add(assignments, NULL);
        g_autoptr(Environment) environment = environment_new((const char *const *) assignments->pdata);
        g_autoptr(Value) words = value_new_array();
        for (unsigned i = 0; i < 9; i++) {
                value_append(words, value_new_string(word));
        }
        g_assert_cmpint(app_config_set_by_name(config, "args", words, NULL), ==, 0);
        SavedListWriter *writer = saved_list_writer_new();
        saved_list_writer_add(writer, config, environment, SAVED_ONLINE);
        g_autofree char *text = saved_list_writer_finish(writer, &length);
        g_assert_cmpuint(length, >, 10000000);
        g_autoptr(SavedListReader) reader = checked_reader(text, length);
        g_auto(SavedEntry) entry = { 0 };
        g_assert_cmpint(saved_list_reader_next(reader, &entry, NULL), ==, 1);
        g_autoptr(AppConfig) again = config_of(&entry);
        assert_same_config(config, again);
        g_assert_true(environment_equal(entry.environment, environment));
}

static void test_empty(void) {
        size_t length = 0;
        g_autofree char *text = saved_list_writer_finish(saved_list_writer_new(), &length);
        g_autoptr(SavedListReader) reader = checked_reader(text, length);
        g_auto(SavedEntry) none = { 0 };

        g_assert_cmpint(saved_list_reader_next(reader, &none, NULL), ==, 0);
}

static void test_refused(void) {
#define LIST "{\"pm2d_saved_list\": 1, "
        static const char *const samples[][2] = {
                { "", "line 1: expected an object" },
                { "null", "line 1: " },
                { "{}", "not a saved list" },
                { "{\"apps\": []}", "not a saved list" },
                { "{\"pm2d_saved_list\": 1}", "not a saved list" },
                { "{\"pm2d_saved_list\": 2, \"apps\": []}", "another version" },
                { "{\"pm2d_saved_list\": \"1\", \"apps\": []}", "another version" },
                { LIST "\"apps\": [], \"more\": 1}", "'more': is not one" },
                { LIST "\"apps\": [], \"apps\": []}", "stands twice" },
                { LIST "\"apps\": {}}", "expected an array" },
                { LIST "\"apps\": [1]}", "expected objects, got a number" },
                { LIST "\"apps\": [{}]}", "config: is missing" },
                { LIST "\"apps\": [\n\n{\"config\": []}]}", "line 3: config: expected an object" },
                { LIST "\"apps\": [{\"config\": {}, \"status\": 5}]}", "status" },
                { LIST "\"apps\": [{\"config\": {}, \"status\": \"errored\"}]}", "status" },
                { LIST "\"apps\": [{\"config\": {}, \"environment\": 0}]}", "environment" },
                { LIST "\"apps\": [{\"config\": {}, \"environment\": -1}]}", "environment" },
                { LIST "\"apps\": [{\"config\": {}, \"name\": \"x\"}]}", "'name': is not one" },
                { LIST "\"environments\": [1], \"apps\": []}", "expected objects" },
                { LIST "\"environments\": [{\"A\": 1}], \"apps\": []}", "expected strings" },
                { LIST "\"environments\": [{\"A=\": \"1\"}], \"apps\": []}", "no variable" },
                { LIST "\"environments\": [{\"A\": {\"$bytes\": 1}}], \"apps\": []}", "$bytes" },
                { LIST "\"environments\": [{\"A\": {\"$bytes\": \"AA==\"}}], \"apps\": []}", "$bytes" },
                { LIST "\"environments\": [{\"$map\": 1}], \"apps\": []}", "$map" },
                { LIST "\"environments\": [{\"$map\": [[\"a\"]]}], \"apps\": []}", "$map" },
                { LIST "\"environments\": [{\"$map\": [[1, 2]]}], \"apps\": []}", "$map" },
                { LIST "\"environments\": [{\"$map\": [[\"a\", \"1\"], [\"a\", \"2\"]]}], \"apps\": []}",
                  "$map" },
                { "[{]", "line 1: " },
                { "[5 6]", "line 1: " },
                { "[5]\n\n6", "line 3: " },
        };
#undef LIST

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(SavedListReader) reader = NULL;
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i][0]);
                int r = saved_list_reader_new(samples[i][0], strlen(samples[i][0]), &reader, &error);
                if (r >= 0) {
                        r = check_all(reader, &error);
                }
                g_assert_cmpint(r, ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
                g_assert_true(g_str_has_prefix(error.message, "line "));
                test_assert_contains(error.message, samples[i][1]);
        }
}

/* A list with this environment in it as "$map" or "$bytes" is what the writer means by it. */
static void test_marks(void) {
        const char *text = "{\"apps\": [{\"config\": {\"args\": [{\"$bytes\": \"/w==\"}],"
                           "\"env\": {\"$map\": [[{\"$bytes\": \"/g==\"}, \"1\"], [\"$bytes\", \"2\"]]}},"
                           "\"environment\": 0}],"
                           "\"environments\": [{\"A\": {\"$bytes\": \"/w==\"}}], \"pm2d_saved_list\": 1}";
        g_autoptr(SavedListReader) reader = checked_reader(text, strlen(text));
        g_auto(SavedEntry) entry = { 0 };

        g_assert_cmpint(saved_list_reader_next(reader, &entry, NULL), ==, 1);
        g_assert_cmpstr(environment_get(entry.environment, "A"), ==, "\xff");
        const Value *env = value_get(entry.attributes, "env");
        g_assert_cmpstr(value_get(env, "\xfe")->string, ==, "1");
        g_assert_cmpstr(value_get(env, "$bytes")->string, ==, "2");
        const Value *args = value_get(entry.attributes, "args");
        g_assert_cmpstr(((const Value *) args->items->pdata[0])->string, ==, "\xff");
}

#define PM2_APP(more)                                                                                       \
        "[{\"name\": \"web\", \"pm_exec_path\": \"/srv/app.js\", \"pm_cwd\": \"/srv\", "                    \
        "\"exec_interpreter\": "                                                                            \
        "\"node\", \"exec_mode\": \"fork_mode\", \"status\": \"online\", \"created_at\": 1" more "}]"

static void test_of_pm2(void) {
        static const struct {
                const char *text, *attribute, *value;
        } samples[] = {
                { PM2_APP(""), "script", "s:/srv/app.js" },
                { PM2_APP(""), "name", "s:web" },
                { PM2_APP(""), "cwd", "s:/srv" },
                { PM2_APP(""), "interpreter", "s:node" },
                { PM2_APP(""), "exec_mode", "s:fork_mode" },
                { PM2_APP(""), "created_at", NULL },
                { PM2_APP(", \"min_uptime\": 2000"), "min_uptime", "i:2000" },
                { PM2_APP(", \"args\": [\"a\"]"), "args", "[s:a]" },
                { PM2_APP(", \"args\": null"), "args", NULL },
                { PM2_APP(", \"env\": {\"args\": \"x\"}, \"args\": \"x\""), "args", NULL },
                { PM2_APP(", \"env\": {\"HOME\": \"/x\"}, \"args\": \"x\""), "args", "s:x" },
                { PM2_APP(", \"pm_out_log_path\": \"/home/me/.pm2/logs/web-out-0.log\""), "out_file", NULL },
                { PM2_APP(", \"pm_out_log_path\": \"/p/logs/web-out-0.log\", \"env\": {\"PM2_HOME\": "
                          "\"/p\"}"),
                  "out_file",
                  NULL },
                { PM2_APP(", \"pm_out_log_path\": \"/p/logs/o.log\", \"env\": {\"PM2_HOME\": \"/q\"}"),
                  "out_file",
                  "s:/p/logs/o.log" },
                { PM2_APP(", \"pm_out_log_path\": \"/var/log/web-12.log\""),
                  "out_file",
                  "s:/var/log/web.log" },
                { PM2_APP(", \"pm_out_log_path\": \"/var/log/web-1.log\", \"merge_logs\": true"),
                  "out_file",
                  "s:/var/log/web-1.log" },
                { PM2_APP(", \"pm_out_log_path\": \"/var/log/web12.log\""),
                  "out_file",
                  "s:/var/log/web12.log" },
                { PM2_APP(", \"pm_pid_path\": \"/run/web-3.pid\""), "pid_file", "s:/run/web.pid" },
                { PM2_APP(", \"instances\": 4"), "instances", NULL },
                { PM2_APP(", \"x\": 1, \"vizion\": true, \"env\": {\"y\": 2}, \"y\": 2"),
                  "extra",
                  "{x: i:1, vizion: true}" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(SavedListReader) reader = checked_reader(samples[i].text, strlen(samples[i].text));
                g_auto(SavedEntry) entry = { 0 };
                g_test_message("%s", samples[i].text);
                g_assert_cmpint(saved_list_reader_next(reader, &entry, NULL), ==, 1);
                const Value *value = value_get(entry.attributes, samples[i].attribute);
                g_autofree char *notation = value ? test_value_to_text(value) : NULL;
                g_assert_cmpstr(notation, ==, samples[i].value);
        }
}

static void test_of_pm2_status(void) {
        static const struct {
                const char *status, *more;
                SavedStatus expected;
        } samples[] = {
                { "online", "", SAVED_ONLINE },
                { "stopped", "", SAVED_STOPPED },
                { "stopped", ", \"autorestart\": true", SAVED_STOPPED },
                { "stopped", ", \"autorestart\": false", SAVED_ENDED }, /* it has done its work */
                { "stopping", "", SAVED_STOPPED },
                { "errored", ", \"autorestart\": false", SAVED_ONLINE },
                { "waiting restart", "", SAVED_ONLINE },
                { "one-launch-status", "", SAVED_ONLINE },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *text =
                                g_strdup_printf("[{\"pm_exec_path\": \"/a\", \"status\": \"%s\"%s, \"env\": "
                                                "{\"N\": 1, \"O\": {}, "
                                                "\"B\": true}}]",
                                                samples[i].status,
                                                samples[i].more);
                g_autoptr(SavedListReader) reader = checked_reader(text, strlen(text));
                g_auto(SavedEntry) entry = { 0 };
                g_assert_cmpint(saved_list_reader_next(reader, &entry, NULL), ==, 1);
                g_assert_cmpint(entry.status, ==, samples[i].expected);
                g_assert_cmpstr(environment_get(entry.environment, "N"), ==, "1");
                g_assert_cmpstr(environment_get(entry.environment, "B"), ==, "true");
                g_assert_null(environment_get(entry.environment, "O"));
        }
}

/* One bad object of PM2 keeps no other from being read. */
static void test_of_pm2_broken(void) {
        const char *text = "[5, {\"name\": \"x\"}, {\"pm_exec_path\": \"/a\", \"env\": 5},\n"
                           "{\"pm_exec_path\": \"/a\", \"exec_mode\": \"cluster_mode\"}]";
        g_autoptr(SavedListReader) reader = checked_reader(text, strlen(text));

        for (unsigned i = 0; i < 3; i++) {
                g_auto(SavedEntry) entry = { 0 };
                g_auto(Error) error = { 0 };
                g_assert_cmpint(saved_list_reader_next(reader, &entry, &error), ==, -ECANCELED);
                test_assert_contains(error.message, "line 1: ");
        }
        g_auto(SavedEntry) entry = { 0 };
        g_assert_cmpint(saved_list_reader_next(reader, &entry, NULL), ==, 1);
        g_assert_cmpuint(entry.line, ==, 2);
        g_assert_null(entry.environment);
        g_assert_cmpstr(value_get(entry.attributes, "exec_mode")->string, ==, "cluster_mode");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/saved-list/round-trip", test_round_trip);
        g_test_add_func("/config/saved-list/large", test_large);
        g_test_add_func("/config/saved-list/empty", test_empty);
        g_test_add_func("/config/saved-list/refused", test_refused);
        g_test_add_func("/config/saved-list/marks", test_marks);
        g_test_add_func("/config/saved-list/of-pm2", test_of_pm2);
        g_test_add_func("/config/saved-list/of-pm2-status", test_of_pm2_status);
        g_test_add_func("/config/saved-list/of-pm2-broken", test_of_pm2_broken);
        return g_test_run();
}
