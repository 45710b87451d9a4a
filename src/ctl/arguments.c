/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The options of the command line: one table that feeds the parser, the help and the tests of the manual
 * and of the completions. getopt is not enough: the same letter means different things to different verbs,
 * as it does in PM2, and switches have a negative form. */

#include "arguments.h"

#include "i18n.h"

#include <errno.h>
#include <string.h>

const OptionSpec option_specs[] = {
        { "help", NULL, 'h', KIND_FLAG, GROUP_COMMON, NULL, NULL, N_("show the help of the command") },
        { "system",
          NULL,
          0,
          KIND_FLAG,
          GROUP_COMMON,
          NULL,
          NULL,
          N_("command the pm2d of the system, for all users") },
        { "user",
          NULL,
          0,
          KIND_FLAG,
          GROUP_COMMON,
          NULL,
          NULL,
          N_("command the pm2d of this user (default)") },
        { "json",
          NULL,
          0,
          KIND_OPTIONAL,
          GROUP_JSON,
          NULL,
          N_("FORMAT"),
          N_("print JSON: short (default), pretty or off") },
        { "silent", NULL, 's', KIND_FLAG, GROUP_QUIET, NULL, NULL, N_("print errors alone") },

        { "name", NULL, 'n', KIND_STRING, GROUP_ATTRIBUTES, "name", N_("NAME"), N_("name of the app") },
        { "namespace",
          NULL,
          'N',
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "namespace",
          N_("NAME"),
          N_("namespace of the app") },
        { "cwd", NULL, 0, KIND_STRING, GROUP_ATTRIBUTES, "cwd", N_("FOLDER"), N_("folder to run it in") },
        { "interpreter",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "interpreter",
          N_("PROGRAM"),
          N_("program that runs the script, or none") },
        { "node-args",
          "interpreter-args",
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "node_args",
          N_("ARGS"),
          N_("arguments for the interpreter") },
        { "instances",
          NULL,
          'i',
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "instances",
          N_("NUMBER"),
          N_("how many processes it has, or max") },
        { "autostart",
          NULL,
          0,
          KIND_SWITCH,
          GROUP_ATTRIBUTES,
          "autostart",
          NULL,
          N_("start it when it is declared") },
        { "autorestart",
          NULL,
          0,
          KIND_SWITCH,
          GROUP_ATTRIBUTES,
          "autorestart",
          NULL,
          N_("start it again when it ends") },
        { "min-uptime",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "min_uptime",
          N_("TIME"),
          N_("ending sooner counts as unstable") },
        { "max-restarts",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "max_restarts",
          N_("NUMBER"),
          N_("unstable restarts before it is given up") },
        { "restart-delay",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "restart_delay",
          N_("TIME"),
          N_("time between its end and the restart") },
        { "exp-backoff-restart-delay",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "exp_backoff_restart_delay",
          N_("TIME"),
          N_("first of delays that grow by half") },
        { "stop-exit-codes",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "stop_exit_codes",
          N_("CODES"),
          N_("exit codes that are followed by no restart") },
        { "max-memory-restart",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "max_memory_restart",
          N_("SIZE"),
          N_("memory above which it is restarted") },
        { "kill-timeout",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "kill_timeout",
          N_("TIME"),
          N_("how long it may take to stop") },
        { "kill-signal",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "kill_signal",
          N_("SIGNAL"),
          N_("signal that asks it to stop") },
        { "treekill",
          NULL,
          0,
          KIND_SWITCH,
          GROUP_ATTRIBUTES,
          "treekill",
          NULL,
          N_("stop its descendants too") },
        { "watch",
          NULL,
          0,
          KIND_OPTIONAL,
          GROUP_ATTRIBUTES,
          "watch",
          N_("PATHS"),
          N_("restart it when a file changes, in its folder or in these") },
        { "ignore-watch",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "ignore_watch",
          N_("PATTERNS"),
          N_("paths that are not watched") },
        { "watch-delay",
          NULL,
          0,
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "watch_delay",
          N_("TIME"),
          N_("how long nothing may change before that") },
        { "output",
          NULL,
          'o',
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "out_file",
          N_("FILE"),
          N_("log file of its standard output") },
        { "error",
          NULL,
          'e',
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "error_file",
          N_("FILE"),
          N_("log file of its standard error") },
        { "pid",
          NULL,
          'p',
          KIND_STRING,
          GROUP_ATTRIBUTES,
          "pid_file",
          N_("FILE"),
          N_("file for its process id") },
        { "merge-logs",
          NULL,
          0,
          KIND_SWITCH,
          GROUP_ATTRIBUTES,
          "merge_logs",
          NULL,
          N_("one log file for all instances") },
        { "env",
          NULL,
          0,
          KIND_LIST,
          GROUP_ATTRIBUTES | GROUP_FILE,
          NULL,
          N_("KEY=VALUE"),
          N_("add to its environment; of an ecosystem file: the profile to use") },
        { "set", NULL, 0, KIND_LIST, GROUP_ATTRIBUTES, NULL, N_("KEY=VALUE"), N_("set any attribute") },

        { "force",
          NULL,
          'f',
          KIND_FLAG,
          GROUP_START,
          NULL,
          NULL,
          N_("start one more although the name is taken") },
        { "no-daemon",
          NULL,
          0,
          KIND_FLAG,
          GROUP_START,
          NULL,
          NULL,
          N_("stay and show its logs; it ends with this command") },
        { "force", NULL, 'f', KIND_FLAG, GROUP_SAVE, NULL, NULL, N_("save also an empty list") },
        { "only",
          NULL,
          0,
          KIND_STRING,
          GROUP_FILE,
          NULL,
          N_("NAMES"),
          N_("of an ecosystem file, only these apps") },
        { "update-env",
          NULL,
          0,
          KIND_FLAG,
          GROUP_RESTART | GROUP_CHECK,
          NULL,
          NULL,
          N_("give it the environment of this command") },
        { "wait",
          NULL,
          0,
          KIND_SWITCH,
          GROUP_CALL,
          NULL,
          NULL,
          N_("return when the work is done (default)") },
        { "timeout", NULL, 0, KIND_STRING, GROUP_CALL, NULL, N_("TIME"), N_("how long to wait for it") },

        { "lines",
          NULL,
          'n',
          KIND_STRING,
          GROUP_LOGS,
          NULL,
          N_("NUMBER"),
          N_("how many lines to begin with (15)") },
        { "out", NULL, 0, KIND_FLAG, GROUP_LOGS, NULL, NULL, N_("only the standard output") },
        { "err", NULL, 0, KIND_FLAG, GROUP_LOGS, NULL, NULL, N_("only the standard error") },
        { "follow",
          NULL,
          'f',
          KIND_FLAG,
          GROUP_LOGS,
          NULL,
          NULL,
          N_("go on with what is logged (default)") },
        { "nostream", NULL, 0, KIND_FLAG, GROUP_LOGS, NULL, NULL, N_("end after the first lines") },
        { "raw", NULL, 0, KIND_FLAG, GROUP_LOGS, NULL, NULL, N_("no prefixes and headings") },
        { "timestamp",
          NULL,
          0,
          KIND_FLAG,
          GROUP_LOGS,
          NULL,
          NULL,
          N_("the time before each line that comes") },
        { "since",
          NULL,
          0,
          KIND_STRING,
          GROUP_LOGS,
          NULL,
          N_("TIME"),
          N_("only lines from then on, as far as their time is known") },
        { "grep",
          NULL,
          0,
          KIND_STRING,
          GROUP_LOGS,
          NULL,
          N_("PATTERN"),
          N_("only lines that a regular expression matches") },
        { "event",
          NULL,
          0,
          KIND_LIST,
          GROUP_BUS,
          NULL,
          N_("NAME"),
          N_("only this event; a final * stands for anything") },
        { "dry-run",
          NULL,
          0,
          KIND_FLAG,
          GROUP_IMPORT,
          NULL,
          NULL,
          N_("tell what would be done, and do nothing") },
        { .name = NULL },
};

static bool name_matches(const OptionSpec *spec, const char *name, size_t length) {
        return (strncmp(spec->name, name, length) == 0 && spec->name[length] == '\0') ||
               (spec->alias && strncmp(spec->alias, name, length) == 0 && spec->alias[length] == '\0');
}

static const OptionSpec *find_long(const char *name, size_t length, unsigned groups) {
        for (const OptionSpec *spec = option_specs; spec->name; spec++) {
                if ((spec->group & groups) && name_matches(spec, name, length)) {
                        return spec;
                }
        }
        return NULL;
}

const OptionSpec *option_find(const char *name, unsigned groups) {
        return find_long(name, strlen(name), groups);
}

static const OptionSpec *find_letter(char letter, unsigned groups) {
        for (const OptionSpec *spec = option_specs; spec->name; spec++) {
                if ((spec->group & groups) && spec->letter == letter) {
                        return spec;
                }
        }
        return NULL;
}

static bool takes_value(const OptionSpec *spec) {
        return spec->kind == KIND_STRING || spec->kind == KIND_LIST;
}

static void add_option(Arguments *arguments, const OptionSpec *spec, const char *value) {
        OptionValue option = { .spec = spec, .value = value };
        (void) g_array_append_val(arguments->options, option);
}

/* Parse the long option at *argv, which moves to the last word used. */
static int parse_long(const char *const **argv, unsigned groups, Arguments *arguments, char **ret_message) {
        const char *name = **argv + 2, *value = NULL;
        size_t length = strcspn(name, "=");
        bool negative = false;

        if (name[length] == '=') {
                value = name + length + 1;
        }
        const OptionSpec *spec = find_long(name, length, groups);
        if (!spec && strncmp(name, "no-", 3) == 0) {
                spec = find_long(name + 3, length - 3, groups);
                negative = spec && spec->kind == KIND_SWITCH;
                spec = negative ? spec : NULL;
        }
        if (!spec) {
                *ret_message = g_strdup_printf(_("unknown option --%.*s"), (int) length, name);
                return -EINVAL;
        }
        if (takes_value(spec)) {
                if (!value && (*argv)[1]) {
                        value = *++*argv;
                }
                if (!value) {
                        *ret_message = g_strdup_printf(_("option --%s needs a value"), spec->name);
                        return -EINVAL;
                }
        } else if (value && spec->kind != KIND_OPTIONAL) {
                *ret_message = g_strdup_printf(_("option --%s takes no value"), spec->name);
                return -EINVAL;
        }
        if (spec->kind == KIND_SWITCH) {
                value = negative ? "false" : "true";
        }
        add_option(arguments, spec, value ? value : "");
        return 0;
}

/* Parse the letters at *argv, which moves to the last word used. */
static int parse_letters(
                const char *const **argv, unsigned groups, Arguments *arguments, char **ret_message) {
        for (const char *letter = **argv + 1; *letter; letter++) {
                const OptionSpec *spec = find_letter(*letter, groups);
                if (!spec) {
                        *ret_message = g_strdup_printf(_("unknown option -%c"), *letter);
                        return -EINVAL;
                }
                if (!takes_value(spec)) {
                        add_option(arguments, spec, "");
                        continue;
                }
                const char *value = letter[1] ? letter + 1 : (*argv)[1];
                if (!value) {
                        *ret_message = g_strdup_printf(_("option -%c needs a value"), *letter);
                        return -EINVAL;
                }
                *argv += letter[1] ? 0 : 1;
                add_option(arguments, spec, value);
                break;
        }
        return 0;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

int arguments_parse(
                const char *const *argv,
                unsigned groups,
                bool behind_dashes,
                Arguments *arguments,
                char **ret_message) {
        *arguments = (Arguments){
                .positional = g_ptr_array_new(),
                .options = g_array_new(false, false, sizeof(OptionValue)),
        };
        for (; *argv; argv++) {
                int r = 0;
                if (strcmp(*argv, "--") == 0) {
                        argv++;
                        if (behind_dashes) {
                                arguments->behind = argv;
                        }
                        break;
                }
                if (strncmp(*argv, "--", 2) == 0) {
                        r = parse_long(&argv, groups, arguments, ret_message);
                } else if ((*argv)[0] == '-' && (*argv)[1] && !is_digit((*argv)[1])) { /* -2 is a number */
                        r = parse_letters(&argv, groups, arguments, ret_message);
                } else {
                        g_ptr_array_add(arguments->positional, (gpointer) *argv);
                        continue;
                }
                if (r < 0) {
                        return r;
                }
        }
        for (; !behind_dashes && *argv; argv++) {
                g_ptr_array_add(arguments->positional, (gpointer) *argv);
        }
        return 0;
}

void arguments_done(Arguments *arguments) {
        if (arguments->positional) {
                g_ptr_array_unref(arguments->positional);
        }
        if (arguments->options) {
                g_array_unref(arguments->options);
        }
        *arguments = (Arguments){ 0 };
}

const char *arguments_get(const Arguments *arguments, const char *name) {
        for (guint i = arguments->options->len; i > 0; i--) {
                const OptionValue *option = &g_array_index(arguments->options, OptionValue, i - 1);
                if (strcmp(option->spec->name, name) == 0) {
                        return option->value;
                }
        }
        return NULL;
}

bool arguments_want_system(const Arguments *arguments) {
        for (guint i = arguments->options->len; i > 0; i--) {
                const char *name = g_array_index(arguments->options, OptionValue, i - 1).spec->name;
                if (strcmp(name, "system") == 0 || strcmp(name, "user") == 0) {
                        return name[0] == 's';
                }
        }
        return false;
}

bool arguments_has(const Arguments *arguments, const char *name) {
        return arguments_get(arguments, name) != NULL;
}
