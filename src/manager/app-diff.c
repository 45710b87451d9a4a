/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a new configuration of an app changes, attribute by attribute. */

#include "manager/start-internal.h"

#include <string.h>

static bool values_equal(const Value *a, const Value *b) {
        if (a->kind != b->kind || value_count(a) != value_count(b)) {
                return false;
        }
        switch (a->kind) {
        case VALUE_BOOL:
                return a->boolean == b->boolean;
        case VALUE_INT:
                return a->integer == b->integer;
        case VALUE_DOUBLE:
                return !(a->real < b->real) && !(a->real > b->real);
        case VALUE_STRING:
                return strcmp(a->string, b->string) == 0;
        case VALUE_ARRAY:
                for (guint i = 0; i < a->items->len; i++) {
                        if (!values_equal(a->items->pdata[i], b->items->pdata[i])) {
                                return false;
                        }
                }
                return true;
        case VALUE_MAP:
                for (guint i = 0; i < a->entries->len; i++) {
                        const ValueEntry *entry = &g_array_index(a->entries, ValueEntry, i);
                        const Value *other = value_get(b, entry->key);
                        if (!other || !values_equal(entry->value, other)) {
                                return false;
                        }
                }
                return true;
        case VALUE_NULL:
        default:
                return true;
        }
}

static void add_change(Value *changes, const char *name, const Value *before, const Value *after) {
        Value *change = value_new_map();

        value_set(change, "attribute", value_new_string(name));
        if (before && before->kind != VALUE_NULL) {
                value_set(change, "old", value_copy(before));
        }
        if (after && after->kind != VALUE_NULL) {
                value_set(change, "new", value_copy(after));
        }
        value_append(changes, change);
}

/* Of maps each key by itself: what changes of an environment is one variable. */
static void compare(Value *changes, const char *name, const Value *before, const Value *after) {
        if (before->kind != VALUE_MAP || after->kind != VALUE_MAP) {
                if (!values_equal(before, after)) {
                        add_change(changes, name, before, after);
                }
                return;
        }
        for (guint i = 0; i < before->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(before->entries, ValueEntry, i);
                const Value *other = value_get(after, entry->key);
                if (!other || !values_equal(entry->value, other)) {
                        g_autofree char *path = g_strconcat(name, ".", entry->key, NULL);
                        add_change(changes, path, entry->value, other);
                }
        }
        for (guint i = 0; i < after->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(after->entries, ValueEntry, i);
                if (!value_get(before, entry->key)) {
                        g_autofree char *path = g_strconcat(name, ".", entry->key, NULL);
                        add_change(changes, path, NULL, entry->value);
                }
        }
}

Value *app_config_diff(const AppConfig *before, const AppConfig *after) {
        Value *changes = value_new_array();

        for (size_t i = 0; i < n_attributes; i++) {
                g_autoptr(Value) old_value = app_config_get(before, &attributes[i]);
                g_autoptr(Value) new_value = app_config_get(after, &attributes[i]);
                compare(changes, attributes[i].name, old_value, new_value);
        }
        return changes;
}
