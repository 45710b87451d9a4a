/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of attributes itself, lookups in it, and what no single attribute can tell. */

#include "core/app-config.h"

#include "fixture.h"
#include "value-fixture.h"

#include <string.h>

/* "kill_timeout" -> "killTimeout" */
static char *to_camel_case(const char *name) {
        GString *camel = g_string_new(NULL);

        for (; *name; name++) {
                if (*name == '_' && name[1]) {
                        name++;
                        g_string_append_c(camel, g_ascii_toupper(*name));
                } else {
                        g_string_append_c(camel, *name);
                }
        }
        return g_string_free(camel, FALSE);
}

static void add_name(GHashTable *seen, const char *name, const Attribute *attribute) {
        g_autofree char *camel = to_camel_case(name);

        if (!g_hash_table_add(seen, g_strdup(name))) {
                g_error("%s stands twice in the table", name);
        }
        g_assert_true(attribute_find(name) == attribute);
        g_assert_true(attribute_find(camel) == attribute);
}

static void test_names(void) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                g_auto(GStrv) aliases = g_strsplit(attribute->aliases ? attribute->aliases : "", " ", -1);
                add_name(seen, attribute->name, attribute);
                for (char **alias = aliases; *alias; alias++) {
                        g_assert_cmpstr(*alias, !=, "");
                        add_name(seen, *alias, attribute);
                }
        }
}

/* The aliases that PM2's users write. */
static void test_aliases(void) {
        static const char *const aliases[][2] = {
                { "exec", "script" },
                { "cmd", "script" },
                { "command", "script" },
                { "killTimeout", "kill_timeout" },
                { "minUptime", "min_uptime" },
                { "maxRestarts", "max_restarts" },
                { "out", "out_file" },
                { "output", "out_file" },
                { "out_log", "out_file" },
                { "outFile", "out_file" },
                { "err", "error_file" },
                { "error", "error_file" },
                { "err_file", "error_file" },
                { "errLog", "error_file" },
                { "pid", "pid_file" },
                { "execInterpreter", "interpreter" },
                { "interpreterArgs", "node_args" },
                { "nodeArgs", "node_args" },
                { "restartDelay", "restart_delay" },
                { "expBackoffRestartDelay", "exp_backoff_restart_delay" },
                { "stopExitCodes", "stop_exit_codes" },
                { "instanceVar", "instance_var" },
                { "namePrefix", "name_prefix" },
                { "filterEnv", "filter_env" },
                { "log", "log_file" },
                { "cron", "cron_restart" },
                { "cronRestart", "cron_restart" },
                { "maxMemoryRestart", "max_memory_restart" },
                { "user", "uid" },
                { "ignoreWatch", "ignore_watch" },
                { "windowsHide", "windows_hide" },
                { "disableSourceMapSupport", "disable_source_map_support" },
                { "combine_logs", "merge_logs" },
                { "mergeLogs", "merge_logs" },
        };
        static const char *const unknown[] = {
                "",
                " ",
                "nonsense",
                "Script",
                "SCRIPT",
                "kill-timeout",
                "kill timeout",
                "exec cmd",
                "kill__timeout",
                "_script",
                "script_",
                "killTimeOut",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++) {
                const Attribute *attribute = attribute_find(aliases[i][0]);
                g_assert_nonnull(attribute);
                g_assert_cmpstr(attribute->name, ==, aliases[i][1]);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
                g_test_message("'%s'", unknown[i]);
                g_assert_null(attribute_find(unknown[i]));
        }
}

/* Rows that a manual and messages can be made from. */
static void test_rows(void) {
        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                g_test_message("%s", attribute->name);
                g_assert_cmpint(attribute->type, >=, 0);
                g_assert_cmpint(attribute->type, <, _ATTRIBUTE_TYPE_MAX);
                g_assert_cmpuint(attribute->offset, <, sizeof(AppConfig));
                g_assert_cmpstr(attribute_type_to_name(attribute->type), !=, NULL);
                if (attribute->type == ATTRIBUTE_OFF || attribute->type == ATTRIBUTE_KEPT) {
                        g_assert_cmpuint(attribute->offset, ==, 0);
                        continue;
                }
                g_assert_true(g_str_has_suffix(attribute->help, "."));
                g_assert_cmpstr(attribute_type_to_text(attribute->type), !=, NULL);
                if (attribute->type == ATTRIBUTE_SCORE || attribute->type == ATTRIBUTE_COUNT) {
                        g_assert_cmpint((int64_t) attribute->maximum, >, (int64_t) attribute->minimum);
                } else if (attribute->type != ATTRIBUTE_LIMITS && attribute->type != ATTRIBUTE_BOOL &&
                           attribute->type != ATTRIBUTE_HEALTH && attribute->type != ATTRIBUTE_SIGNAL &&
                           attribute->type != ATTRIBUTE_WORD && attribute->type != ATTRIBUTE_OFF &&
                           attribute->type != ATTRIBUTE_KEPT) {
                        g_assert_cmpuint(attribute->maximum, >, attribute->minimum);
                }
                for (size_t j = 0; j < i; j++) {
                        g_assert_cmpuint(attributes[j].offset, !=, attribute->offset);
                }
        }
}

/* Every attribute that PM2's users can declare has a row. */
static void test_all_of_pm2(void) {
        static const char names[] =
                        "script name name_prefix namespace cwd args exec_interpreter interpreter node_args "
                        "exec_mode instances instance_var increment_var env filter_env append_env_to_name "
                        "out_file error_file log_file pid_file merge_logs disable_logs log_type "
                        "log_date_format time max_memory_restart min_uptime max_restarts restart_delay "
                        "exp_backoff_restart_delay autorestart autostart stop_exit_codes kill_timeout "
                        "kill_retry_time treekill shutdown_with_message wait_ready listen_timeout "
                        "cron_restart watch ignore_watch watch_delay watch_options uid gid port username "
                        "vizion pmx automation trace disable_trace deep_monitoring v8 event_loop_inspector "
                        "io source_map_support disable_source_map_support force execute_command write "
                        "install_url post_update windowsHide km_link pmx_module";
        g_auto(GStrv) all = g_strsplit(names, " ", -1);

        for (char **name = all; *name; name++) {
                g_test_message("%s", *name);
                g_assert_nonnull(attribute_find(*name));
        }
}

static void test_guesses(void) {
        static const char *const guesses[][2] = {
                { "kil_timeout", "kill_timeout" },
                { "killTimout", "kill_timeout" },
                { "kill-timeout", "kill_timeout" },
                { "max_restart", "max_restarts" },
                { "maxRestart", "max_restarts" },
                { "autorestarts", "autorestart" },
                { "auto_restart", "autorestart" },
                { "scrpt", "script" },
                { "interpeter", "interpreter" },
                { "exp_backoff", NULL },
                { "x", NULL },
                { "", NULL },
                { "completely_different_thing", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(guesses); i++) {
                g_test_message("%s", guesses[i][0]);
                g_assert_cmpstr(attribute_guess(guesses[i][0]), ==, guesses[i][1]);
        }
        /* A letter wrong anywhere in any longer name still finds it, or one that is as near. */
        for (size_t i = 0; i < n_attributes; i++) {
                size_t length = strlen(attributes[i].name);
                for (size_t at = 0; length >= 5 && at < length; at++) {
                        g_autofree char *wrong = g_strdup(attributes[i].name);
                        wrong[at] = 'q';
                        g_assert_nonnull(attribute_guess(wrong));
                }
        }
        g_autofree char *endless = g_strnfill(100000, 'x');
        g_assert_null(attribute_guess(endless));
}

static void test_unknown_says_what_was_meant(void) {
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Value) value = value_new_int(5);
        g_auto(Error) error = { 0 };

        g_assert_cmpint(app_config_set_by_name(config, "kilTimeout", value, &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        g_assert_cmpstr(error.message,
                        ==,
                        "'kilTimeout': unknown attribute, did you mean \"kill_timeout\"?");
}

static void test_set_by_name(void) {
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Value) value = value_new_int(5);
        g_auto(Error) error = { 0 };

        g_assert_cmpint(app_config_set_by_name(config, "killTimeout", value, &error), ==, 0);
        g_assert_cmpuint(config->kill_timeout_usec, ==, 5000);
        g_assert_true(app_config_is_given(config, "kill_timeout"));
        g_assert_true(app_config_is_given(config, "killTimeout"));
        g_assert_false(app_config_is_given(config, "nonsense"));
        g_assert_cmpint(app_config_set_by_name(config, "nonsense\n", value, &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        test_assert_contains(error.message, "nonsense\\x0a");
}

/* A name goes into tables and file names; a command may be a script of several lines. */
static void test_control_characters(void) {
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Value) lines = value_new_string("echo one\necho two");
        g_auto(Error) error = { 0 };

        g_assert_cmpint(app_config_set_by_name(config, "script", lines, &error), ==, 0);
        g_assert_cmpint(app_config_set_by_name(config, "name", lines, &error), ==, -ECANCELED);
        test_assert_contains(error.message, "name: 'echo one\\x0aecho two' has a control character");
}

static Value *words_value(size_t count, size_t length) {
        Value *array = value_new_array();
        g_autofree char *word = g_strnfill(length, 'x');

        for (size_t i = 0; i < count; i++) {
                value_append(array, value_new_string(word));
        }
        return array;
}

static void test_strings_limits(void) {
        static const struct {
                size_t count, length;
                bool taken;
        } sizes[] = {
                { 4096, 1, true },    { 4097, 1, false },  { 1, 131071, true },
                { 1, 131072, false }, { 7, 131071, true }, { 9, 131071, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) value = words_value(sizes[i].count, sizes[i].length);
                g_auto(Error) error = { 0 };
                int r = app_config_set_by_name(config, "args", value, &error);
                g_assert_cmpint(r, ==, sizes[i].taken ? 0 : -ECANCELED);
                g_assert_cmpuint(g_strv_length(config->args), ==, sizes[i].taken ? sizes[i].count : 0);
        }
}

static Value *variables_value(size_t count, size_t length) {
        Value *map = value_new_map();
        g_autofree char *text = g_strnfill(length, 'x');

        for (size_t i = 0; i < count; i++) {
                g_autofree char *name = g_strdup_printf("V%zu", i);
                value_set(map, name, value_new_string(text));
        }
        return map;
}

static void test_environment_limits(void) {
        static const struct {
                size_t count, length;
                bool taken;
        } sizes[] = {
                { 8192, 1, true },        { 8193, 1, false },  { 1, 131071 - 3, true },
                { 1, 131072 - 3, false }, { 7, 131000, true }, { 9, 131000, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) value = variables_value(sizes[i].count, sizes[i].length);
                g_auto(Error) error = { 0 };
                int r = app_config_set_by_name(config, "env", value, &error);
                g_assert_cmpint(r, ==, sizes[i].taken ? 0 : -ECANCELED);
                g_assert_cmpuint(environment_count(config->env), ==, sizes[i].taken ? sizes[i].count : 0);
        }
}

/* Messages say where in a list or an object it is wrong. */
static void test_inner_messages(void) {
        static const struct {
                const char *attribute, *value, *part;
        } samples[] = {
                { "args", "l:s:x|null", "args[1]" },
                { "args", "s:'", "args: a quote is not closed" },
                { "env", "M:GOOD=s:x|BAD=[]", "env.'BAD'" },
                { "env", "M:=s:x", "env: ''" },
                { "kill_signal",
                  "s:SIGFOO",
                  "kill_signal: expected a signal (its name or number), got 'SIGFOO'" },
                { "max_restarts", "i:-1", "max_restarts: '-1' is out of range, it must be 0 to 1000000000" },
                { "kill_timeout",
                  "s:2d",
                  "kill_timeout: '2d' is out of range, it must be 0 to 86400000 ms" },
                { "autorestart", "s:maybe", "autorestart: expected true or false, got 'maybe'" },
                { "name", "[]", "name: expected a string, got an array" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) value = test_value(samples[i].value);
                g_auto(Error) error = { 0 };
                g_assert_cmpint(app_config_set_by_name(config, samples[i].attribute, value, &error), <, 0);
                test_assert_contains(error.message, samples[i].part);
        }
}

static void test_check(void) {
        static const struct {
                const char *script, *name, *namespace, *message; /* NULL: it is good */
        } samples[] = {
                { "s:api.js", "s:api", "s:default", NULL },
                { "s:api.js", "s:5", "s:default", NULL },
                { "s:api.js", "s:allin", "s:alls", NULL },
                { "null", "s:api", "s:default", "script: is required" },
                { "s:api.js", "null", "s:default", "name: is required" },
                { "s:api.js", "s:all", "s:default", "name: 'all' is taken" },
                { "s:api.js", "s:/a/", "s:default", "name: '/a/' is taken" },
                { "s:api.js", "s:/org/pm2/Process/0", "s:default", "name: '/org/pm2/Process/0' is taken" },
                { "s:api.js", "s:api", "s:all", "namespace: 'all' is taken" },
                { "s:api.js", "s:api", "s:/x", "namespace: '/x' is taken" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) script = test_value(samples[i].script);
                g_autoptr(Value) name = test_value(samples[i].name);
                g_autoptr(Value) namespace = test_value(samples[i].namespace);
                g_auto(Error) error = { 0 };
                g_assert_cmpint(app_config_set_by_name(config, "script", script, NULL), ==, 0);
                g_assert_cmpint(app_config_set_by_name(config, "name", name, NULL), ==, 0);
                g_assert_cmpint(app_config_set_by_name(config, "namespace", namespace, NULL), ==, 0);
                int r = app_config_check(config, &error);
                if (!samples[i].message) {
                        g_assert_cmpint(r, ==, 0);
                } else {
                        g_assert_cmpint(r, ==, -ECANCELED);
                        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                        g_assert_true(g_str_has_prefix(error.message, samples[i].message));
                }
        }
}

static void test_references(void) {
        AppConfig *config = app_config_new();

        g_assert_true(app_config_ref(config) == config);
        app_config_unref(config);
        g_assert_true(config->autorestart);
        app_config_unref(config);
        app_config_unref(NULL);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/app-attributes/names", test_names);
        g_test_add_func("/core/app-attributes/aliases", test_aliases);
        g_test_add_func("/core/app-attributes/rows", test_rows);
        g_test_add_func("/core/app-attributes/all-of-pm2", test_all_of_pm2);
        g_test_add_func("/core/app-attributes/guesses", test_guesses);
        g_test_add_func("/core/app-attributes/did-you-mean", test_unknown_says_what_was_meant);
        g_test_add_func("/core/app-attributes/set-by-name", test_set_by_name);
        g_test_add_func("/core/app-attributes/control-characters", test_control_characters);
        g_test_add_func("/core/app-attributes/strings-limits", test_strings_limits);
        g_test_add_func("/core/app-attributes/environment-limits", test_environment_limits);
        g_test_add_func("/core/app-attributes/inner-messages", test_inner_messages);
        g_test_add_func("/core/app-attributes/check", test_check);
        g_test_add_func("/core/app-attributes/references", test_references);
        return g_test_run();
}
