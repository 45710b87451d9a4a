/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* PM2's dump (7.0.4) has for each process all that its daemon knew of it: the attributes in the names of its
 * inside, facts of the run, and every variable of the environment once more at the top. */

#include "config/saved-list-pm2.h"

#include "core/value-text.h"

#include <string.h>

/* What is an attribute under another name. */
static const struct {
        const char *fact, *attribute;
} renamed[] = {
        { "pm_exec_path", "script" },      { "pm_cwd", "cwd" },
        { "pm_out_log_path", "out_file" }, { "pm_err_log_path", "error_file" },
        { "pm_pid_path", "pid_file" },
};

/* Names that the table knows, but that are facts here, or are said by another key. */
static const char *const facts[] = { "env", "instances", "username", "exec_mode", "pid", "status" };

static int refuse(const SavedEntry *entry, Error *error, const char *key, const char *expected) {
        return error_set(error, ERROR_INVALID_DATA, "line %u: %s: expected %s", entry->line, key, expected);
}

static const char *text_of(const Value *object, const char *key) {
        const Value *value = value_get(object, key);
        return value && value->kind == VALUE_STRING ? value->string : NULL;
}

static bool is_fact(const char *key) {
        for (size_t i = 0; i < G_N_ELEMENTS(facts); i++) {
                if (strcmp(facts[i], key) == 0) {
                        return true;
                }
        }
        return false;
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

static void take_renamed(const Value *object, const Value *environment, Value *given) {
        for (size_t i = 0; i < G_N_ELEMENTS(renamed); i++) {
                const char *attribute = renamed[i].attribute;
                const char *text = text_of(object, renamed[i].fact);
                if (!text) {
                        continue;
                }
                if (!g_str_has_suffix(attribute, "_file")) {
                        value_set(given, attribute, value_new_string(text));
                } else if (!is_below_pm2_home(environment, text)) {
                        value_set(given, attribute, file_of(object, attribute, text));
                }
        }
}

/* One key of the table may come under its name and its alias: the first counts, as the facts do that were
 * renamed. */
static void take_attributes(Value *object, const Value *environment, Value *given) {
        for (guint i = 0; i < object->entries->len; i++) {
                ValueEntry *entry = &g_array_index(object->entries, ValueEntry, i);
                const Attribute *attribute = is_fact(entry->key) || is_variable(environment, entry)
                                                             ? NULL
                                                             : attribute_find(entry->key);
                if (attribute && !value_get(given, attribute->name) && entry->value->kind != VALUE_NULL) {
                        value_set(given, attribute->name, entry->value);
                        entry->value = value_new_null();
                }
        }
}

/* "cluster_mode": for the table to say what it thinks of it. */
static void take_mode(const Value *object, Value *given) {
        const char *mode = text_of(object, "exec_mode");

        if (mode && strcmp(mode, "fork_mode") != 0 && strcmp(mode, "fork") != 0) {
                g_autofree char *word = g_str_has_suffix(mode, "_mode")
                                                        ? g_strndup(mode, strlen(mode) - strlen("_mode"))
                                                        : g_strdup(mode);
                value_set(given, "exec_mode", value_new_string(word));
        }
}

/* Objects in it are settings of PM2's modules, which no process gets. */
static Environment *environment_of(const Value *map) {
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

int saved_list_read_pm2(Value *object, SavedEntry *ret, Error *error) {
        const Value *environment = value_get(object, "env");
        const char *status = text_of(object, "status");

        if (environment && environment->kind != VALUE_MAP) {
                return refuse(ret, error, "env", "an object");
        }
        if (!text_of(object, "pm_exec_path")) {
                return refuse(ret, error, "pm_exec_path", "a path: is this a dump of PM2?");
        }
        ret->stopped = g_strcmp0(status, "stopped") == 0 || g_strcmp0(status, "stopping") == 0;
        ret->attributes = value_new_map();
        ret->attributes->line = ret->line;
        ret->environment = environment ? environment_of(environment) : NULL;
        take_renamed(object, environment, ret->attributes);
        take_mode(object, ret->attributes);
        take_attributes(object, environment, ret->attributes);
        return 0;
}
