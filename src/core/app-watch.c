/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/app-watch.h"

#include "basic/parse-util.h"
#include "core/app-config.h"
#include "core/command-line.h"
#include "core/value-text.h"
#include "core/watch-rules.h"

#include <limits.h>
#include <string.h>

static int refuse(const char *attribute, const Value *value, Error *error) {
        g_autofree char *got = value_describe(value);

        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s: expected true, false, a path or an array of paths, got %s",
                        attribute,
                        got);
}

static int check_path(const char *attribute, const char *path, Error *error) {
        if (path[0] && strlen(path) < PATH_MAX) {
                return 0;
        }
        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s: a path must have 1 to %d bytes",
                        attribute,
                        PATH_MAX - 1);
}

static int take_array(const char *attribute, const Value *value, AppWatch *watch, Error *error) {
        if (value->items->len > WATCH_PATHS_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: over %d paths",
                                attribute,
                                WATCH_PATHS_MAX);
        }
        watch->on = true;
        watch->paths = g_new0(char *, value->items->len + 1);
        for (guint i = 0; i < value->items->len; i++) {
                const Value *item = value->items->pdata[i];
                if (item->kind != VALUE_STRING) {
                        return refuse(attribute, item, error);
                }
                int r = check_path(attribute, item->string, error);
                if (r < 0) {
                        return r;
                }
                watch->paths[i] = g_strdup(item->string);
        }
        return 0;
}

static int take_string(const char *attribute, const Value *value, AppWatch *watch, Error *error) {
        if (!value->string[0]) {
                return 0;
        }
        if (parse_bool(value->string, &watch->on) >= 0) { /* as command lines have it */
                return 0;
        }
        g_auto(GStrv) words = command_line_split(value->string);
        if (!words) {
                return error_set(error, ERROR_INVALID_CONFIG, "%s: a quote is not closed", attribute);
        }
        g_autoptr(Value) array = value_new_array();
        for (char **word = words; *word; word++) {
                value_append(array, value_new_string(*word));
        }
        return take_array(attribute, array, watch, error);
}

static int take_map(const char *attribute, const Value *value, AppWatch *watch, Error *error) {
        const Value *paths = value_get(value, "paths"), *paused = value_get(value, "paused");

        if (!paths || paths->kind != VALUE_ARRAY || !paused || paused->kind != VALUE_BOOL ||
            value_count(value) != 2) {
                return refuse(attribute, value, error);
        }
        int r = take_array(attribute, paths, watch, error);
        watch->paused = paused->boolean;
        watch->on = !watch->paused;
        return r;
}

int app_watch_parse(const char *attribute, const Value *value, AppWatch *ret, Error *error) {
        g_auto(AppWatch) watch = { 0 };
        int r = 0;

        switch (value->kind) {
        case VALUE_BOOL:
                watch.on = value->boolean;
                break;
        case VALUE_STRING:
                r = take_string(attribute, value, &watch, error);
                break;
        case VALUE_ARRAY:
                r = take_array(attribute, value, &watch, error);
                break;
        case VALUE_MAP:
                r = take_map(attribute, value, &watch, error);
                break;
        case VALUE_NULL:
        case VALUE_INT:
        case VALUE_DOUBLE:
        default:
                r = refuse(attribute, value, error);
                break;
        }
        if (r >= 0) {
                *ret = watch;
                watch = (AppWatch){ 0 };
        }
        return r;
}

static Value *paths_to_value(const AppWatch *watch) {
        Value *array = value_new_array();

        for (char *const *path = watch->paths; path && *path; path++) {
                value_append(array, value_new_string(*path));
        }
        return array;
}

Value *app_watch_to_value(const AppWatch *watch) {
        if (watch->paused) {
                Value *map = value_new_map();
                value_set(map, "paths", paths_to_value(watch));
                value_set(map, "paused", value_new_bool(true));
                return map;
        }
        return watch->on && watch->paths && watch->paths[0] ? paths_to_value(watch)
                                                            : value_new_bool(watch->on);
}

void app_watch_done(AppWatch *watch) {
        g_strfreev(watch->paths);
        *watch = (AppWatch){ 0 };
}

char **app_watch_paths(const AppWatch *watch, const char *cwd) {
        g_autoptr(GPtrArray) paths = g_ptr_array_new();

        for (char *const *path = watch->paths; path && *path; path++) {
                g_ptr_array_add(paths, g_canonicalize_filename(*path, cwd));
        }
        if (paths->len == 0) {
                g_ptr_array_add(paths, g_canonicalize_filename(cwd, "/"));
        }
        g_ptr_array_add(paths, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&paths), FALSE);
}

char *const *app_watch_patterns(const AppConfig *config) {
        return app_config_is_given(config, "ignore_watch") ? config->ignore_watch : NULL;
}

static const Value *follow_symlinks(const AppConfig *config) {
        return config->watch_options ? value_get(config->watch_options, "followSymlinks") : NULL;
}

bool app_watch_follows_symlinks(const AppConfig *config) {
        const Value *said = follow_symlinks(config);
        return !said || said->boolean;
}

int app_watch_check(const AppConfig *config, Error *error) {
        const Value *said = follow_symlinks(config);
        g_autoptr(WatchRules) rules = NULL;

        if (said && said->kind != VALUE_BOOL) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "watch_options.followSymlinks: expected true or false, got %s",
                                value_kind_to_text(said->kind));
        }
        return app_watch_patterns(config) ? watch_rules_new("/", config->ignore_watch, &rules, error) : 0;
}
