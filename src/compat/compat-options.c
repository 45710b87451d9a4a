/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Between what PM2's clients send and the options of our own calls. */

#include "compat/compat-internal.h"

Value *compat_start_options(const Pm2App *app) {
        Value *options = value_copy(app->attributes);

        value_remove(options, "script");
        /* A client looks itself whether there is one of that name, and asks for another one then. */
        value_set(options, "force", value_new_bool(true));
        if (app->environment) {
                value_set(options, "caller_env", environment_to_value(app->environment));
        }
        if (app->single && app->stopped) {
                value_set(options, "start", value_new_bool(false));
        }
        return options;
}

/* What the app keeps for others, with what they have changed. */
static void merge_extra(const Process *process, Value *options) {
        const Value *before = process->config->extra;
        const Value *sent = value_get(options, "extra");

        if (!sent || !before) {
                return;
        }
        Value *merged = value_copy(before);
        for (guint i = 0; i < sent->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(sent->entries, ValueEntry, i);
                value_remove(merged, entry->key);
                if (entry->value->kind != VALUE_NULL) {
                        value_set(merged, entry->key, value_copy(entry->value));
                }
        }
        value_remove(options, "extra");
        value_set(options, "extra", merged);
}

/* Those of current_conf, else those beside it, over those that it had: a client may send some alone, and PM2
 * takes none away. */
static Environment *merge_environment(
                const Process *process, const Environment *of_conf, const Value *sent) {
        if (of_conf) {
                return environment_merge(process->caller_env, of_conf);
        }
        if (!sent) {
                return NULL;
        }
        g_autoptr(Value) variables = value_copy(sent);

        value_remove(variables, "current_conf");
        g_autoptr(Environment) more = pm2_environment_read(variables);
        if (environment_count(more) == 0) {
                return NULL;
        }
        return environment_merge(process->caller_env, more);
}

int compat_change_options(const Process *process, const Value *sent, Value **ret, Error *error) {
        g_auto(Pm2App) app = { 0 };

        if (sent && sent->kind != VALUE_MAP) {
                return error_set(error, ERROR_INVALID_DATA, "env: expected an object");
        }
        const Value *conf = sent ? value_get(sent, "current_conf") : NULL;
        if (conf && conf->kind != VALUE_MAP) {
                return error_set(error, ERROR_INVALID_DATA, "current_conf: expected an object");
        }
        int r = conf ? pm2_app_read(conf, PM2_SOURCE_CHANGE, &app, error) : 0;
        if (r < 0) {
                return r;
        }
        Value *options = app.attributes ? g_steal_pointer(&app.attributes) : value_new_map();
        merge_extra(process, options);
        g_autoptr(Environment) environment = merge_environment(process, app.environment, sent);
        if (environment) {
                value_set(options, "caller_env", environment_to_value(environment));
                value_set(options, "update_env", value_new_bool(true));
        }
        *ret = options;
        return 0;
}
