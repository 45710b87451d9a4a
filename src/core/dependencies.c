/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/dependencies.h"

#include "basic/macro.h"
#include "core/value-text.h"

#include <string.h>

static const char *const condition_names[_DEPENDENCY_CONDITION_MAX] = {
        [DEPENDENCY_STARTED] = "started",
        [DEPENDENCY_READY] = "ready",
        [DEPENDENCY_HEALTHY] = "healthy",
        [DEPENDENCY_COMPLETED] = "completed",
};

/* Docker Compose has three of them (docs.docker.com/reference/compose-file/services/#depends_on). */
static const char *const compose_names[_DEPENDENCY_CONDITION_MAX] = {
        [DEPENDENCY_STARTED] = "service_started",
        [DEPENDENCY_HEALTHY] = "service_healthy",
        [DEPENDENCY_COMPLETED] = "service_completed_successfully",
};

const char *dependency_condition_to_name(DependencyCondition condition) {
        return condition_names[condition];
}

static int condition_from_name(const char *name) {
        for (int i = 0; i < _DEPENDENCY_CONDITION_MAX; i++) {
                if (strcmp(condition_names[i], name) == 0 ||
                    (compose_names[i] && strcmp(compose_names[i], name) == 0)) {
                        return i;
                }
        }
        return -1;
}

static void clear_dependency(void *item) {
        g_free(((Dependency *) item)->name);
}

static int refuse_condition(const char *attribute, const char *name, const Value *value, Error *error) {
        g_autofree char *quoted = error_quote(name);
        g_autofree char *got = value_describe(value);

        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s.%s: expected started, ready, healthy or completed, got %s",
                        attribute,
                        quoted,
                        got);
}

/* A word, or {"condition": word}; nothing is ready. */
static int read_condition(
                const char *attribute,
                const char *name,
                const Value *value,
                DependencyCondition *ret,
                Error *error) {
        const Value *word = value;

        if (value->kind == VALUE_MAP) {
                word = value_get(value, "condition");
                if (!word || value->entries->len > 1) {
                        g_autofree char *quoted = error_quote(name);
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s.%s: expected an object with \"condition\" and nothing else",
                                        attribute,
                                        quoted);
                }
        }
        int condition = word->kind == VALUE_STRING ? condition_from_name(word->string) : -1;
        if (condition < 0) {
                return refuse_condition(attribute, name, word, error);
        }
        *ret = (DependencyCondition) condition;
        return 0;
}

static int add(GArray *dependencies,
               const char *attribute,
               const char *name,
               DependencyCondition condition,
               Error *error) {
        g_autofree char *quoted = error_quote(name);
        size_t length = strlen(name);

        if (length == 0 || length > DEPENDENCY_NAME_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: the name of an app has 1 to %d bytes, got %s",
                                attribute,
                                DEPENDENCY_NAME_BYTES_MAX,
                                quoted);
        }
        if (dependencies_find(dependencies, name)) {
                return error_set(
                                error, ERROR_INVALID_CONFIG, "%s: %s stands there twice", attribute, quoted);
        }
        if (dependencies->len >= DEPENDENCIES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: over %d apps",
                                attribute,
                                DEPENDENCIES_MAX);
        }
        Dependency dependency = { .name = g_strdup(name), .condition = condition };
        g_array_append_val(dependencies, dependency);
        return 0;
}

static int read_array(GArray *dependencies, const char *attribute, const Value *array, Error *error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < array->items->len; i++) {
                const Value *item = array->items->pdata[i];
                if (item->kind != VALUE_STRING) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s[%u]: expected the name of an app, got %s",
                                        attribute,
                                        i,
                                        value_kind_to_text(item->kind));
                }
                r = add(dependencies, attribute, item->string, DEPENDENCY_READY, error);
        }
        return r;
}

static int read_map(GArray *dependencies, const char *attribute, const Value *map, Error *error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < map->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(map->entries, ValueEntry, i);
                DependencyCondition condition = DEPENDENCY_READY;
                r = read_condition(attribute, entry->key, entry->value, &condition, error);
                if (r >= 0) {
                        r = add(dependencies, attribute, entry->key, condition, error);
                }
        }
        return r;
}

static int read_text(GArray *dependencies, const char *attribute, const char *text, Error *error) {
        g_auto(GStrv) words = g_strsplit_set(text, " ,", -1);
        int r = 0;

        for (char **word = words; r >= 0 && *word; word++) {
                DependencyCondition condition = DEPENDENCY_READY;
                char *equals = strrchr(*word, '=');
                if (equals) {
                        g_autoptr(Value) value = value_new_string(equals + 1);
                        *equals = '\0';
                        r = read_condition(attribute, *word, value, &condition, error);
                }
                if (r >= 0 && (**word || equals)) {
                        r = add(dependencies, attribute, *word, condition, error);
                }
        }
        return r;
}

int dependencies_from_value(const char *attribute, const Value *value, GArray **ret, Error *error) {
        g_autoptr(GArray) dependencies = g_array_new(FALSE, FALSE, sizeof(Dependency));
        int r;

        g_array_set_clear_func(dependencies, clear_dependency);
        if (value->kind == VALUE_ARRAY) {
                r = read_array(dependencies, attribute, value, error);
        } else if (value->kind == VALUE_MAP) {
                r = read_map(dependencies, attribute, value, error);
        } else if (value->kind == VALUE_STRING) {
                r = read_text(dependencies, attribute, value->string, error);
        } else {
                g_autofree char *got = value_describe(value);
                r = error_set(error,
                              ERROR_INVALID_CONFIG,
                              "%s: expected an array of names, or an object of names and conditions, got "
                              "%s",
                              attribute,
                              got);
        }
        if (r >= 0) {
                *ret = dependencies->len > 0 ? g_steal_pointer(&dependencies) : NULL;
        }
        return r;
}

Value *dependencies_to_value(const GArray *dependencies) {
        Value *map = value_new_map();

        for (size_t i = 0; i < dependencies_count(dependencies); i++) {
                const Dependency *dependency = dependencies_at(dependencies, i);
                value_set(map, dependency->name, value_new_string(condition_names[dependency->condition]));
        }
        return map;
}

size_t dependencies_count(const GArray *dependencies) {
        return dependencies ? dependencies->len : 0;
}

const Dependency *dependencies_at(const GArray *dependencies, size_t i) {
        return &g_array_index(dependencies, Dependency, i);
}

const Dependency *dependencies_find(const GArray *dependencies, const char *name) {
        for (size_t i = 0; i < dependencies_count(dependencies); i++) {
                const Dependency *dependency = dependencies_at(dependencies, i);
                if (strcmp(dependency->name, name) == 0) {
                        return dependency;
                }
        }
        return NULL;
}
