/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From options of the command line to attributes of an app, in the names of PM2. Numbers, durations and
 * lists of arguments are sent as they were typed: the supervisor reads them, so that there is one grammar.
 */

#include "attributes.h"

#include "i18n.h"

#include "basic/time-util.h"

#include <errno.h>
#include <string.h>

static int fail(char **ret_message, char *message) {
        *ret_message = message;
        return -EINVAL;
}

int attributes_add_call(const Arguments *arguments, pm2_options *options, char **ret_message) {
        const char *wait = arguments_get(arguments, "wait");
        const char *timeout = arguments_get(arguments, "timeout");
        uint64_t usec;
        int r = 0;

        if (wait && strcmp(wait, "false") == 0) {
                r = pm2_options_set_bool(options, "wait", false);
        }
        if (r >= 0 && timeout) {
                if (parse_duration_usec(timeout, &usec) < 0) {
                        return fail(ret_message, g_strdup_printf(_("\"%s\" is not a duration"), timeout));
                }
                r = pm2_options_set_uint(options, "timeout", usec);
        }
        return r;
}

/* A folder is meant from here; all else is read by the supervisor. */
static int set_attribute(pm2_options *options, const char *attribute, const char *text) {
        if (strcmp(attribute, "cwd") == 0) {
                g_autofree char *path = g_canonicalize_filename(text, NULL);
                return pm2_options_set_string(options, attribute, path);
        }
        return pm2_options_set_string(options, attribute, text);
}

/* Dashes in the key are as good as underscores. */
int attributes_add_assignment(const char *assignment, pm2_options *options, char **ret_message) {
        const char *equals = strchr(assignment, '=');

        if (!equals || equals == assignment) {
                return fail(ret_message, g_strdup_printf(_("\"%s\" is not KEY=VALUE"), assignment));
        }
        g_autofree char *key = g_strndup(assignment, (gsize) (equals - assignment));
        (void) g_strdelimit(key, "-", '_');
        int r = set_attribute(options, key, equals + 1);
        if (r == -EINVAL && !*ret_message) {
                return fail(ret_message, g_strdup_printf(_("\"%s\" is not the name of an attribute"), key));
        }
        return r;
}

static int set_environment(pm2_options *options, const GPtrArray *assignments, char **ret_message) {
        for (guint i = 0; i + 1 < assignments->len; i++) {
                const char *assignment = g_ptr_array_index(assignments, i);
                const char *equals = strchr(assignment, '=');
                if (!equals || equals == assignment) {
                        return fail(ret_message, g_strdup_printf(_("\"%s\" is not KEY=VALUE"), assignment));
                }
                if (!g_utf8_validate(assignment, equals - assignment, NULL)) {
                        return fail(ret_message, g_strdup(_("the value of --env is not UTF-8")));
                }
        }
        return pm2_options_set_map(options, "env", (const char *const *) assignments->pdata);
}

int attributes_add_app(const Arguments *arguments, pm2_options *options, char **ret_message) {
        g_autoptr(GPtrArray) environment = g_ptr_array_new();
        int r = 0;

        for (guint i = 0; r >= 0 && i < arguments->options->len; i++) {
                const OptionValue *option = &g_array_index(arguments->options, OptionValue, i);
                const OptionSpec *spec = option->spec;
                if (spec->attribute && spec->kind == KIND_SWITCH) {
                        r = pm2_options_set_bool(options, spec->attribute, option->value[0] == 't');
                } else if (spec->attribute) {
                        bool bare = spec->kind == KIND_OPTIONAL && !option->value[0];
                        r = set_attribute(options, spec->attribute, bare ? "true" : option->value);
                } else if (strcmp(spec->name, "set") == 0) {
                        r = attributes_add_assignment(option->value, options, ret_message);
                } else if (strcmp(spec->name, "env") == 0) {
                        g_ptr_array_add(environment, (gpointer) option->value);
                } else if (strcmp(spec->name, "force") == 0) {
                        r = pm2_options_set_bool(options, "force", true);
                } else if (strcmp(spec->name, "update-env") == 0) {
                        r = pm2_options_set_bool(options, "update_env", true);
                }
        }
        if (r >= 0 && environment->len > 0) {
                g_ptr_array_add(environment, NULL);
                r = set_environment(options, environment, ret_message);
        }
        if (r >= 0 && arguments->behind) {
                r = pm2_options_set_strv(options, "args", arguments->behind);
        }
        return r;
}

const OptionSpec *attributes_find_app(const Arguments *arguments) {
        for (guint i = 0; i < arguments->options->len; i++) {
                const OptionSpec *spec = g_array_index(arguments->options, OptionValue, i).spec;
                if ((spec->group & GROUP_ATTRIBUTES) || strcmp(spec->name, "force") == 0) {
                        return spec;
                }
        }
        return NULL;
}
