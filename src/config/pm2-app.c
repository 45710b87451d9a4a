/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* PM2 has for each process one object of all that it knows: what was declared, what its client has made of
 * that, facts of the run, and, once it has run, every variable of the environment once more at the top. */

#include "config/pm2-app.h"

#include "core/app-config.h"
#include "core/value-text.h"

#include <string.h>

/* What is an attribute under another name. */
static const struct {
        const char *fact, *attribute;
} renamed[] = {
        { "pm_exec_path", "script" },      { "pm_cwd", "cwd" },
        { "pm_out_log_path", "out_file" }, { "pm_err_log_path", "error_file" },
        { "pm_log_path", "log_file" },     { "pm_pid_path", "pid_file" },
};

/* Of the run, or made anew here. */
static const char *const facts[] = {
        "env",
        "status",
        "pid",
        "pm_id",
        "pm_uptime",
        "created_at",
        "restart_time",
        "unstable_restarts",
        "prev_restart_delay",
        "exit_code",
        "unique_id",
        "version",
        "node_version",
        "versioning",
        "vizion_running",
        "axm_actions",
        "axm_monitor",
        "axm_options",
        "axm_dynamic",
        "_pm2_version",
        "_tree_pids",
        "NODE_APP_INSTANCE",
        "monit",
};

/* What the user has written, which the client has made something of: that counts. */
static const char *const declared[] = {
        "script", "cwd",     "out_file",    "error_file", "log_file", "pid_file",           "exec",
        "cmd",    "command", "interpreter", "filter_env", "env_file", "append_env_to_name", "name_prefix",
        "uid",    "gid",     "user",
};

/* A client sends these with every restart, whatever the app was started with (PM2's defect 11.3.6). */
static const char *const sent_always[] = {
        "filter_env", "merge_logs", "instance_var", "username", "windowsHide", "kill_retry_time", "km_link",
};

void pm2_app_done(Pm2App *app) {
        g_clear_pointer(&app->attributes, value_free);
        g_clear_pointer(&app->environment, environment_unref);
}

static bool is_among(const char *key, const char *const *words, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (strcmp(words[i], key) == 0) {
                        return true;
                }
        }
        return false;
}

static bool is_renamed(const char *key) {
        for (size_t i = 0; i < G_N_ELEMENTS(renamed); i++) {
                if (strcmp(renamed[i].fact, key) == 0) {
                        return true;
                }
        }
        return false;
}

static bool is_fact(const char *key) {
        return is_renamed(key) || is_among(key, facts, G_N_ELEMENTS(facts));
}

bool pm2_key_is_fact(const char *key) {
        return is_fact(key);
}

static GHashTable *make_known_keys(void) {
        GHashTable *known = g_hash_table_new(g_str_hash, g_str_equal);

        for (size_t i = 0; i < G_N_ELEMENTS(facts); i++) {
                (void) g_hash_table_add(known, (void *) facts[i]);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(renamed); i++) {
                (void) g_hash_table_add(known, (void *) renamed[i].fact);
        }
        for (size_t i = 0; i < n_attributes; i++) {
                if (attributes[i].type != ATTRIBUTE_KEPT) {
                        (void) g_hash_table_add(known, (void *) attributes[i].name);
                }
        }
        return known;
}

bool pm2_key_is_known(const char *key) {
        static GHashTable *known; /* it is asked for every variable of every process of a list */

        if (!known) {
                known = make_known_keys();
        }
        return g_hash_table_contains(known, key);
}

static const char *text_of(const Value *object, const char *key) {
        const Value *value = value_get(object, key);
        return value && value->kind == VALUE_STRING ? value->string : NULL;
}

/* A variable of the environment that PM2 has copied to the top, whose name happens to be that of an
 * attribute. */
static bool is_variable(const Value *environment, const ValueEntry *entry) {
        const Value *variable = environment ? value_get(environment, entry->key) : NULL;
        g_autofree char *inner = variable ? value_to_text(variable) : NULL;
        g_autofree char *outer = inner ? value_to_text(entry->value) : NULL;

        return outer && strcmp(entry->key, "name") != 0 && strcmp(inner, outer) == 0;
}

/* PM2's own folders are not ours: what is there by default goes to where our default is. */
static bool is_below_pm2_home(const Value *environment, const char *path) {
        const char *home = environment ? text_of(environment, "PM2_HOME") : NULL;

        if (home && home[0] == '/') {
                size_t length = strlen(home);
                return strncmp(path, home, length) == 0 && (g_str_has_prefix(path + length, "/logs/") ||
                                                            g_str_has_prefix(path + length, "/pids/"));
        }
        return strstr(path, "/.pm2/logs/") || strstr(path, "/.pm2/pids/");
}

/* PM2 has put the number of the process into the name, as we will. */
static char *without_id(const char *path, const char *suffix) {
        const char *end = g_str_has_suffix(path, suffix) ? path + strlen(path) - strlen(suffix) : NULL;
        const char *digits = end;

        while (digits && digits > path && g_ascii_isdigit(digits[-1])) {
                digits--;
        }
        if (!end || digits == end || digits == path || digits[-1] != '-') {
                return g_strdup(path);
        }
        return g_strdup_printf("%.*s%s", (int) (digits - 1 - path), path, suffix);
}

static Value *file_of(const Value *object, const char *attribute, const char *path) {
        const Value *merged = value_get(object, "merge_logs");
        bool pid = strcmp(attribute, "pid_file") == 0;

        if (!pid && merged && merged->kind == VALUE_BOOL && merged->boolean) {
                return value_new_string(path);
        }
        g_autofree char *plain = without_id(path, pid ? ".pid" : ".log");
        return value_new_string(plain);
}

static void take_renamed(const Value *object, const Value *environment, Pm2Source source, Value *given) {
        for (size_t i = 0; i < G_N_ELEMENTS(renamed); i++) {
                const char *attribute = renamed[i].attribute;
                const char *text = text_of(object, renamed[i].fact);
                if (!text) {
                        continue;
                }
                if (!g_str_has_suffix(attribute, "_file") || source != PM2_SOURCE_DUMP) {
                        value_set(given, attribute, value_new_string(text));
                } else if (!is_below_pm2_home(environment, text)) {
                        value_set(given, attribute, file_of(object, attribute, text));
                }
        }
}

static bool is_text(const Value *value, const char *text) {
        return value && value->kind == VALUE_STRING && strcmp(value->string, text) == 0;
}

static bool is_false(const Value *value) {
        return !value || value->kind == VALUE_NULL || is_text(value, "false") ||
               (value->kind == VALUE_BOOL && !value->boolean);
}

/* 0 of these counts as unset. */
static bool is_unset(const char *key, const Value *value) {
        return (strcmp(key, "kill_timeout") == 0 || strcmp(key, "listen_timeout") == 0) &&
               value->kind == VALUE_INT && value->integer == 0;
}

/* Where a key of the object goes. */
typedef enum Place {
        PLACE_NOWHERE,
        PLACE_ATTRIBUTE,
        PLACE_EXTRA,
} Place;

static Place place_of(
                const Value *object, const Value *environment, const ValueEntry *entry, Pm2Source source) {
        const char *key = entry->key;
        const Attribute *attribute = attribute_find(key);

        if (is_fact(key) || is_variable(environment, entry) || is_unset(key, entry->value)) {
                return PLACE_NOWHERE;
        }
        if (source == PM2_SOURCE_CHANGE && !value_get(object, "name") &&
            is_among(key, sent_always, G_N_ELEMENTS(sent_always))) {
                return PLACE_NOWHERE;
        }
        if (strcmp(key, "instances") == 0) {
                return source == PM2_SOURCE_START ? PLACE_ATTRIBUTE : PLACE_NOWHERE;
        }
        /* What asks for nothing that is not supported is given back, no more. */
        if (!attribute || attribute->type == ATTRIBUTE_KEPT ||
            (attribute->type == ATTRIBUTE_OFF && is_false(entry->value)) ||
            (source != PM2_SOURCE_DUMP && is_among(key, declared, G_N_ELEMENTS(declared)))) {
                return PLACE_EXTRA;
        }
        return PLACE_ATTRIBUTE;
}

static Value *value_of(const ValueEntry *entry, Pm2Source source) {
        bool no_limit = strcmp(entry->key, "max_memory_restart") == 0 &&
                        (is_false(entry->value) || is_text(entry->value, ""));

        if (no_limit || is_text(entry->value, "null")) {
                return value_new_null();
        }
        if (strcmp(entry->key, "pmx") == 0 && source != PM2_SOURCE_DUMP) {
                return value_new_string(is_false(entry->value) ? "false" : "preload");
        }
        return value_copy(entry->value);
}

/* One key of the table may come under its name and its alias: the first counts, as the facts do that were
 * renamed. */
static void take_rest(
                const Value *object,
                const Value *environment,
                Pm2Source source,
                Value *given,
                Value *extra) {
        for (guint i = 0; i < object->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(object->entries, ValueEntry, i);
                Place place = place_of(object, environment, entry, source);
                if (place == PLACE_EXTRA) {
                        value_set(extra, entry->key, value_of(entry, source));
                } else if (place == PLACE_ATTRIBUTE) {
                        const char *name = attribute_find(entry->key)->name;
                        if (!value_get(given, name) &&
                            (entry->value->kind != VALUE_NULL || source == PM2_SOURCE_CHANGE)) {
                                value_set(given, name, value_of(entry, source));
                        }
                }
        }
}

/* Objects in it are settings of PM2's modules, which no process gets. */
Environment *pm2_environment_read(const Value *map) {
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);

        for (guint i = 0; i < map->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(map->entries, ValueEntry, i);
                g_autofree char *text = value_to_text(entry->value);
                if (text && environment_name_is_valid(entry->key)) {
                        g_ptr_array_add(assignments, g_strdup_printf("%s=%s", entry->key, text));
                }
        }
        g_ptr_array_add(assignments, NULL);
        return environment_new((const char *const *) assignments->pdata);
}

static int check(const Value *object, Pm2Source source, Error *error) {
        const Value *environment = value_get(object, "env");

        if (environment && environment->kind != VALUE_MAP) {
                return error_set(error, ERROR_INVALID_DATA, "env: expected an object");
        }
        if (source == PM2_SOURCE_CHANGE || text_of(object, "pm_exec_path")) {
                return 0;
        }
        return error_set(
                        error,
                        ERROR_INVALID_DATA,
                        "pm_exec_path: expected a path%s",
                        source == PM2_SOURCE_DUMP ? ": is this a dump of PM2?" : "");
}

int pm2_app_read(const Value *object, Pm2Source source, Pm2App *ret, Error *error) {
        const Value *environment = value_get(object, "env");
        const char *status = text_of(object, "status");
        const Value *instances = value_get(object, "instances");

        int r = check(object, source, error);
        if (r < 0) {
                return r;
        }
        g_autoptr(Value) extra = value_new_map();
        *ret = (Pm2App){
                .attributes = value_new_map(),
                .stopped = g_strcmp0(status, "stopped") == 0 || g_strcmp0(status, "stopping") == 0,
                .single = !instances || instances->kind == VALUE_NULL,
        };
        ret->attributes->line = object->line;
        if (environment && (source != PM2_SOURCE_CHANGE || value_count(environment) > 0)) {
                ret->environment = pm2_environment_read(environment);
        }
        take_renamed(object, environment, source, ret->attributes);
        take_rest(object, environment, source, ret->attributes, extra);
        const Value *autorestart = value_get(ret->attributes, "autorestart");
        ret->ended = ret->stopped && autorestart && autorestart->kind == VALUE_BOOL && !autorestart->boolean;
        if (source == PM2_SOURCE_START) {
                value_set(ret->attributes, "ready_timeout_action", value_new_string("online"));
                if (!value_get(ret->attributes, "pmx")) {
                        value_set(ret->attributes, "pmx", value_new_string("preload"));
                }
        }
        /* A dump may hold there what an app has had in its environment for years. */
        if (value_count(extra) > 0 &&
            (source != PM2_SOURCE_DUMP || value_bytes(extra) <= attribute_find("extra")->maximum)) {
                value_set(ret->attributes, "extra", g_steal_pointer(&extra));
        }
        return 0;
}
