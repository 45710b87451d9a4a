/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The one table of app attributes. A new attribute is a row here and a field in AppConfig, nothing else:
 * the D-Bus and JSON decoders, the checks, GetConfig, Describe and the manual all read this table.
 * Names, aliases and defaults are PM2's where PM2 has the attribute. */

#include "basic/time-util.h"
#include "core/app-config.h"

#include <limits.h>
#include <string.h>

#define ROW(field)   .offset = offsetof(AppConfig, field)
#define NAME_BYTES   255
#define STRING_BYTES (128 * 1024 - 1) /* MAX_ARG_STRLEN of execve(2), with the NUL */
#define DAY_USEC     (UINT64_C(86400) * USEC_PER_SEC)

const Attribute attributes[] = {
        { .name = "script",
          .aliases = "exec cmd command",
          .type = ATTRIBUTE_STRING,
          ROW(script),
          .minimum = 1,
          .maximum = STRING_BYTES,
          .help = "What to run: a path, a program in PATH, or with a blank in it a shell command." },
        { .name = "name",
          .type = ATTRIBUTE_STRING,
          ROW(name),
          .minimum = 1,
          .maximum = NAME_BYTES,
          .help = "Name of the app; by default the file name of the script without its last extension." },
        { .name = "namespace",
          .type = ATTRIBUTE_STRING,
          ROW(namespace),
          .minimum = 1,
          .maximum = NAME_BYTES,
          .fallback = "default",
          .help = "A group of apps that can be addressed together." },
        { .name = "cwd",
          .type = ATTRIBUTE_PATH,
          ROW(cwd),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "Working directory; relative paths of the app are taken from here. Default: the home "
                  "directory of the owner." },
        { .name = "args",
          .type = ATTRIBUTE_STRINGS,
          ROW(args),
          .maximum = 4096,
          .help = "Arguments of the script." },
        { .name = "interpreter",
          .aliases = "exec_interpreter",
          .type = ATTRIBUTE_STRING,
          ROW(interpreter),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "Program that runs the script, or \"none\". Default: by the extension of the script." },
        { .name = "node_args",
          .aliases = "interpreter_args",
          .type = ATTRIBUTE_STRINGS,
          ROW(node_args),
          .maximum = 4096,
          .help = "Arguments of the interpreter, before the script." },
        { .name = "env",
          .type = ATTRIBUTE_ENVIRONMENT,
          ROW(env),
          .maximum = 8192,
          .help = "Environment variables, put over those of the caller." },
        { .name = "autorestart",
          .type = ATTRIBUTE_BOOL,
          ROW(autorestart),
          .fallback = "true",
          .help = "Whether an exit of any kind is followed by a restart." },
        { .name = "min_uptime",
          .type = ATTRIBUTE_DURATION,
          ROW(min_uptime_usec),
          .maximum = 365 * DAY_USEC,
          .fallback = "1000",
          .help = "An exit sooner than this after the start counts as unstable." },
        { .name = "max_restarts",
          .type = ATTRIBUTE_NUMBER,
          ROW(max_restarts),
          .maximum = 1000000000,
          .fallback = "16",
          .help = "After this many unstable exits in a row the process is errored and left alone." },
        { .name = "kill_timeout",
          .type = ATTRIBUTE_DURATION,
          ROW(kill_timeout_usec),
          .maximum = DAY_USEC,
          .fallback = "1600",
          .help = "Time between the kill signal and SIGKILL." },
        { .name = "kill_signal",
          .type = ATTRIBUTE_SIGNAL,
          ROW(kill_signal),
          .fallback = "SIGINT",
          .help = "Signal that asks the process to end." },
        { .name = "treekill",
          .type = ATTRIBUTE_BOOL,
          ROW(treekill),
          .fallback = "true",
          .help = "Whether a stop, and an exit of the main process, ends every descendant too." },
        { .name = "out_file",
          .aliases = "out output out_log",
          .type = ATTRIBUTE_PATH,
          ROW(out_file),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "File that standard output is appended to; \"NULL\" or /dev/null: none." },
        { .name = "error_file",
          .aliases = "error err err_file err_log",
          .type = ATTRIBUTE_PATH,
          ROW(error_file),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "File that standard error is appended to; \"NULL\" or /dev/null: none." },
        { .name = "pid_file",
          .aliases = "pid",
          .type = ATTRIBUTE_PATH,
          ROW(pid_file),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "File that holds the pid while the process runs." },
        { .name = "merge_logs",
          .aliases = "combine_logs",
          .type = ATTRIBUTE_BOOL,
          ROW(merge_logs),
          .fallback = "true",
          .help = "Whether the names of log files go without the id of the process." },
};
const size_t n_attributes = ELEMENTS(attributes);

_Static_assert(ELEMENTS(attributes) <= 64, "AppConfig.given has a bit for each attribute");

/* "killTimeout" -> "kill_timeout" */
static char *to_snake_case(const char *name) {
        GString *snake = g_string_new(NULL);

        for (; *name; name++) {
                if (g_ascii_isupper(*name)) {
                        g_string_append_c(snake, '_');
                }
                g_string_append_c(snake, g_ascii_tolower(*name));
        }
        return g_string_free(snake, FALSE);
}

static bool is_alias(const char *aliases, const char *name) {
        size_t length = strlen(name);

        for (const char *p = aliases; p && *p; p += strspn(p, " ")) {
                size_t word = strcspn(p, " ");
                if (word == length && memcmp(p, name, length) == 0) {
                        return true;
                }
                p += word;
        }
        return false;
}

const Attribute *attribute_find(const char *name) {
        g_autofree char *snake = to_snake_case(name);

        for (size_t i = 0; i < n_attributes; i++) {
                if (strcmp(attributes[i].name, snake) == 0 || is_alias(attributes[i].aliases, snake)) {
                        return &attributes[i];
                }
        }
        return NULL;
}

const char *attribute_type_to_text(AttributeType type) {
        static const char *const texts[_ATTRIBUTE_TYPE_MAX] = {
                [ATTRIBUTE_STRING] = "a string",
                [ATTRIBUTE_PATH] = "a path",
                [ATTRIBUTE_BOOL] = "true or false",
                [ATTRIBUTE_NUMBER] = "a whole number",
                [ATTRIBUTE_DURATION] = "a duration (milliseconds, or a time span such as \"2s\")",
                [ATTRIBUTE_SIGNAL] = "a signal (its name or number)",
                [ATTRIBUTE_STRINGS] = "an array of strings, or a string to be split",
                [ATTRIBUTE_ENVIRONMENT] = "an object of variables",
        };
        return texts[type];
}
