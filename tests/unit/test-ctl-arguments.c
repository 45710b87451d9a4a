/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The command line of pm2ctl: parsing, the tables of verbs and options, what becomes of attributes. */

#include "ctl/arguments.h"
#include "ctl/attributes.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define START (GROUP_COMMON | GROUP_JSON | GROUP_CALL | GROUP_ATTRIBUTES | GROUP_START | GROUP_QUIET)
#define LOGS  (GROUP_COMMON | GROUP_JSON | GROUP_LOGS)

/* Texts that live as long as the test. */
#define WORDS(...)                                                                                          \
        ({                                                                                                  \
                static const char *const words_[] = { __VA_ARGS__, NULL };                                  \
                words_;                                                                                     \
        })

static const char *positional(const Arguments *arguments, unsigned index) {
        return index < arguments->positional->len ? g_ptr_array_index(arguments->positional, index) : NULL;
}

static void test_parse(void) {
        g_autofree char *message = NULL;
        Arguments arguments;

        g_assert_cmpint(arguments_parse(WORDS("app.js",
                                              "-n",
                                              "api",
                                              "--cwd=/x",
                                              "--env",
                                              "A=1",
                                              "other",
                                              "--env=B=2",
                                              "-fs",
                                              "-oout.log",
                                              "--no-autorestart",
                                              "--json",
                                              "-",
                                              "--",
                                              "-n",
                                              "--",
                                              "x"),
                                        START,
                                        true,
                                        &arguments,
                                        &message),
                        ==,
                        0);
        g_assert_cmpuint(arguments.positional->len, ==, 3);
        g_assert_cmpstr(positional(&arguments, 0), ==, "app.js");
        g_assert_cmpstr(positional(&arguments, 1), ==, "other");
        g_assert_cmpstr(positional(&arguments, 2), ==, "-");
        g_assert_cmpstr(arguments_get(&arguments, "name"), ==, "api");
        g_assert_cmpstr(arguments_get(&arguments, "cwd"), ==, "/x");
        g_assert_cmpstr(arguments_get(&arguments, "env"), ==, "B=2");
        g_assert_cmpstr(arguments_get(&arguments, "output"), ==, "out.log");
        g_assert_cmpstr(arguments_get(&arguments, "autorestart"), ==, "false");
        g_assert_cmpstr(arguments_get(&arguments, "json"), ==, "");
        g_assert_true(arguments_has(&arguments, "force"));
        g_assert_true(arguments_has(&arguments, "silent"));
        g_assert_false(arguments_has(&arguments, "wait"));
        g_assert_nonnull(arguments.behind);
        g_assert_cmpstr(arguments.behind[0], ==, "-n");
        g_assert_cmpstr(arguments.behind[1], ==, "--");
        g_assert_cmpstr(arguments.behind[2], ==, "x");
        g_assert_null(arguments.behind[3]);
        arguments_done(&arguments);
}

/* Other verbs have no arguments of an app: what is behind "--" is a target. */
static void test_parse_dashes(void) {
        g_autofree char *message = NULL;
        Arguments arguments;

        g_assert_cmpint(arguments_parse(WORDS("a", "--", "-b", "--json"),
                                        GROUP_JSON,
                                        false,
                                        &arguments,
                                        &message),
                        ==,
                        0);
        g_assert_cmpuint(arguments.positional->len, ==, 3);
        g_assert_cmpstr(positional(&arguments, 2), ==, "--json");
        g_assert_null(arguments.behind);
        arguments_done(&arguments);
}

/* The same letter means what the verb wants. */
static void test_parse_letters(void) {
        g_autofree char *message = NULL;
        Arguments arguments;

        g_assert_cmpint(arguments_parse(WORDS("-fn", "20"), LOGS, false, &arguments, &message), ==, 0);
        g_assert_cmpstr(arguments_get(&arguments, "lines"), ==, "20");
        g_assert_true(arguments_has(&arguments, "follow"));
        arguments_done(&arguments);
        g_assert_cmpint(arguments_parse(WORDS("--interpreter-args=--x"), START, false, &arguments, &message),
                        ==,
                        0);
        g_assert_cmpstr(arguments_get(&arguments, "node-args"), ==, "--x");
        arguments_done(&arguments);
}

static void test_instance(void) {
        static const struct {
                const char *words[4];
                bool system;
        } cases[] = {
                { { "x" }, false },
                { { "--system" }, true },
                { { "--user", "x", "--system" }, true },
                { { "--system", "--force", "--user" }, false },
                { { "--", "--system" }, false },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *message = NULL;
                Arguments arguments;
                g_assert_cmpint(arguments_parse(cases[i].words, START, true, &arguments, &message), ==, 0);
                g_assert_true(arguments_want_system(&arguments) == cases[i].system);
                arguments_done(&arguments);
        }
}

static void test_parse_wrong(void) {
        static const char *const wrong[] = {
                "--frob",          "-x",      "--name",           "-n",     "--force=yes", "--no-name=x",
                "--no-force",      "--lines", "--autorestart=no", "--no-",  "--=x",        "--nam=x",
                "--no-no-restart", "-sx",     "--no-env",         "--only", "--jsonx",
        };
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                const char *const words[] = { wrong[i], NULL };
                g_autofree char *message = NULL;
                Arguments arguments;
                g_assert_cmpint(arguments_parse(words, START, true, &arguments, &message), ==, -EINVAL);
                g_assert_nonnull(message);
                arguments_done(&arguments);
        }
}

static void test_verbs(void) {
        const char *option = NULL;

        g_assert_true(verb_find("ls", &option) == verb_find("list", &option));
        g_assert_cmpstr(verb_find("jlist", &option)->name, ==, "list");
        g_assert_cmpstr(option, ==, "--json=short");
        g_assert_cmpstr(verb_find("start", &option)->name, ==, "start");
        g_assert_null(option);
        g_assert_null(verb_find("", &option));
        g_assert_null(verb_find("star", &option));
        for (const Verb *verb = verbs; verb->name; verb++) {
                g_assert_nonnull(verb->run);
                g_assert_nonnull(verb->summary);
                for (const Verb *other = verb + 1; other->name; other++) {
                        g_assert_cmpstr(verb->name, !=, other->name);
                }
        }
        for (const VerbAlias *alias = verb_aliases; alias->name; alias++) {
                g_assert_nonnull(verb_find(alias->verb, &option));
        }
}

/* No two options of a verb have the same name or letter. */
static void test_options_unique(void) {
        for (const Verb *verb = verbs; verb->name; verb++) {
                unsigned groups = verb->options | GROUP_COMMON;
                for (const OptionSpec *spec = option_specs; spec->name; spec++) {
                        for (const OptionSpec *other = spec + 1; other->name && (spec->group & groups);
                             other++) {
                                if (other->group & groups) {
                                        g_assert_cmpstr(spec->name, !=, other->name);
                                        g_assert_true(spec->letter == 0 || spec->letter != other->letter);
                                }
                        }
                }
        }
}

static int add_attributes(const char *const *words, pm2_options **ret, char **ret_message) {
        Arguments arguments;

        g_assert_cmpint(pm2_options_new(ret), ==, 0);
        g_assert_cmpint(arguments_parse(words, START | GROUP_RESTART, true, &arguments, ret_message), ==, 0);
        int r = attributes_add_call(&arguments, *ret, ret_message);
        if (r >= 0) {
                r = attributes_add_app(&arguments, *ret, ret_message);
        }
        arguments_done(&arguments);
        return r;
}

static void test_attributes(void) {
        static const char *const expected[] = {
                "name",     "node_args",  "autorestart", "kill_timeout", "out_file", "error_file",
                "pid_file", "env",        "merge_logs",  "max_memory",   "force",    "args",
                "cwd",      "update_env", "wait",        "timeout",
        };
        pm2_options *options = NULL;
        char *message = NULL;

        g_assert_cmpint(add_attributes(WORDS("x",
                                             "-n",
                                             "api",
                                             "--node-args",
                                             "a 'b c",
                                             "--autorestart",
                                             "--kill-timeout",
                                             "5s",
                                             "-o",
                                             "o",
                                             "-e",
                                             "e",
                                             "-p",
                                             "p",
                                             "--env",
                                             "A=1",
                                             "--no-merge-logs",
                                             "--set",
                                             "max-memory=1",
                                             "-f",
                                             "--cwd",
                                             "sub",
                                             "--update-env",
                                             "--no-wait",
                                             "--timeout",
                                             "1min",
                                             "--",
                                             "y"),
                                       &options,
                                       &message),
                        ==,
                        0);
        g_assert_null(message);
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                g_assert_true(pm2_options_has(options, expected[i]));
        }
        g_assert_false(pm2_options_has(options, "set"));
        g_assert_false(pm2_options_has(options, "output"));
        (void) pm2_options_free(options);
}

static void test_attributes_wrong(void) {
        static const char *const wrong[][2] = {
                { "--env", "A" }, { "--env", "=x" },     { "--env", "\xff=A" },   { "--set", "x" },
                { "--set", "=" }, { "--set", "\xff=1" }, { "--timeout", "soon" },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                const char *const words[] = { wrong[i][0], wrong[i][1], NULL };
                pm2_options *options = NULL;
                g_autofree char *message = NULL;
                g_assert_cmpint(add_attributes(words, &options, &message), ==, -EINVAL);
                g_assert_nonnull(message);
                (void) pm2_options_free(options);
        }
}

static void test_find_app(void) {
        g_autofree char *message = NULL;
        Arguments arguments;

        g_assert_cmpint(arguments_parse(WORDS("a.json", "--no-wait", "--json"),
                                        START,
                                        true,
                                        &arguments,
                                        &message),
                        ==,
                        0);
        g_assert_null(attributes_find_app(&arguments));
        arguments_done(&arguments);
        g_assert_cmpint(arguments_parse(WORDS("a.json", "--cwd", "x"), START, true, &arguments, &message),
                        ==,
                        0);
        g_assert_cmpstr(attributes_find_app(&arguments)->name, ==, "cwd");
        arguments_done(&arguments);
}

static void test_json_mode(void) {
        JsonMode mode = JSON_OFF;

        g_assert_cmpint(json_mode_from_string("", &mode), ==, 0);
        g_assert_cmpint(mode, ==, JSON_SHORT);
        g_assert_cmpint(json_mode_from_string("pretty", &mode), ==, 0);
        g_assert_cmpint(mode, ==, JSON_PRETTY);
        g_assert_cmpint(json_mode_from_string("off", &mode), ==, 0);
        g_assert_cmpint(mode, ==, JSON_OFF);
        g_assert_cmpint(json_mode_from_string("yes", &mode), ==, -EINVAL);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/ctl/arguments/parse", test_parse);
        g_test_add_func("/ctl/arguments/dashes", test_parse_dashes);
        g_test_add_func("/ctl/arguments/letters", test_parse_letters);
        g_test_add_func("/ctl/arguments/wrong", test_parse_wrong);
        g_test_add_func("/ctl/arguments/instance", test_instance);
        g_test_add_func("/ctl/arguments/unique", test_options_unique);
        g_test_add_func("/ctl/verbs", test_verbs);
        g_test_add_func("/ctl/attributes/all", test_attributes);
        g_test_add_func("/ctl/attributes/wrong", test_attributes_wrong);
        g_test_add_func("/ctl/attributes/find-app", test_find_app);
        g_test_add_func("/ctl/json-mode", test_json_mode);
        return g_test_run();
}
