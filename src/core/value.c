/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/value.h"

#include <string.h>

static Value *value_new(ValueKind kind) {
        Value *value = g_new0(Value, 1);
        value->kind = kind;
        return value;
}

Value *value_new_null(void) {
        return value_new(VALUE_NULL);
}

Value *value_new_bool(bool boolean) {
        Value *value = value_new(VALUE_BOOL);
        value->boolean = boolean;
        return value;
}

Value *value_new_int(int64_t integer) {
        Value *value = value_new(VALUE_INT);
        value->integer = integer;
        return value;
}

Value *value_new_double(double real) {
        Value *value = value_new(VALUE_DOUBLE);
        value->real = real;
        return value;
}

Value *value_new_string(const char *string) {
        Value *value = value_new(VALUE_STRING);
        value->string = g_strdup(string);
        return value;
}

static void free_item(void *item) {
        value_free(item);
}

static void clear_entry(void *item) {
        ValueEntry *entry = item;
        g_free(entry->key);
        value_free(entry->value);
}

Value *value_new_array(void) {
        Value *value = value_new(VALUE_ARRAY);
        value->items = g_ptr_array_new_with_free_func(free_item);
        return value;
}

Value *value_new_map(void) {
        Value *value = value_new(VALUE_MAP);
        value->entries = g_array_new(FALSE, FALSE, sizeof(ValueEntry));
        g_array_set_clear_func(value->entries, clear_entry);
        return value;
}

void value_free(Value *value) {
        if (!value) {
                return;
        }
        if (value->kind == VALUE_STRING) {
                g_free(value->string);
        } else if (value->kind == VALUE_ARRAY) {
                g_ptr_array_unref(value->items);
        } else if (value->kind == VALUE_MAP) {
                g_array_unref(value->entries);
        }
        g_free(value);
}

void value_append(Value *array, Value *item) {
        g_ptr_array_add(array->items, item);
}

void value_set(Value *map, const char *key, Value *value) {
        ValueEntry entry = { .key = g_strdup(key), .value = value };
        g_array_append_val(map->entries, entry);
}

const Value *value_get(const Value *map, const char *key) {
        for (guint i = 0; i < map->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(map->entries, ValueEntry, i);
                if (strcmp(entry->key, key) == 0) {
                        return entry->value;
                }
        }
        return NULL;
}

void value_remove(Value *map, const char *key) {
        for (guint i = map->entries->len; i > 0; i--) {
                if (strcmp(g_array_index(map->entries, ValueEntry, i - 1).key, key) == 0) {
                        g_array_remove_index(map->entries, i - 1);
                }
        }
}

Value *value_copy(const Value *value) {
        Value *copy;

        switch (value->kind) {
        case VALUE_BOOL:
                return value_new_bool(value->boolean);
        case VALUE_INT:
                return value_new_int(value->integer);
        case VALUE_DOUBLE:
                return value_new_double(value->real);
        case VALUE_STRING:
                return value_new_string(value->string);
        case VALUE_ARRAY:
                copy = value_new_array();
                for (guint i = 0; i < value->items->len; i++) {
                        value_append(copy, value_copy(value->items->pdata[i]));
                }
                return copy;
        case VALUE_MAP:
                copy = value_new_map();
                for (guint i = 0; i < value->entries->len; i++) {
                        const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                        value_set(copy, entry->key, value_copy(entry->value));
                }
                return copy;
        case VALUE_NULL:
        default:
                return value_new_null();
        }
}

size_t value_bytes(const Value *value) {
        size_t bytes = sizeof(Value) + (value->kind == VALUE_STRING ? strlen(value->string) : 0);

        for (guint i = 0; value->kind == VALUE_ARRAY && i < value->items->len; i++) {
                bytes += value_bytes(value->items->pdata[i]);
        }
        for (guint i = 0; value->kind == VALUE_MAP && i < value->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                bytes += strlen(entry->key) + value_bytes(entry->value);
        }
        return bytes;
}

size_t value_count(const Value *container) {
        if (container->kind == VALUE_ARRAY) {
                return container->items->len;
        }
        return container->kind == VALUE_MAP ? container->entries->len : 0;
}

const char *value_kind_to_text(ValueKind kind) {
        static const char *const texts[] = {
                [VALUE_NULL] = "null",       [VALUE_BOOL] = "a boolean",  [VALUE_INT] = "a number",
                [VALUE_DOUBLE] = "a number", [VALUE_STRING] = "a string", [VALUE_ARRAY] = "an array",
                [VALUE_MAP] = "an object",
        };
        return texts[kind];
}
