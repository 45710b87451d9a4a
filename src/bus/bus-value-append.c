/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values as they go out. */

#include "bus/bus-value.h"

#include "basic/macro.h"
#include "basic/utf8.h"

#include <errno.h>
#include <string.h>

static int append_variant(sd_bus_message *message, const Value *value);

static int append_string(sd_bus_message *message, const char *text) {
        g_autofree char *repaired = utf8_is_valid(text, strlen(text)) ? NULL : g_utf8_make_valid(text, -1);
        return sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, repaired ? repaired : text);
}

static int append_entries(sd_bus_message *message, const Value *map, bool strings) {
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, strings ? "{ss}" : "{sv}");

        for (guint i = 0; r >= 0 && i < map->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(map->entries, ValueEntry, i);
                r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, strings ? "ss" : "sv");
                if (r >= 0) {
                        r = append_string(message, entry->key);
                }
                if (r >= 0) {
                        r = strings ? append_string(message, entry->value->string)
                                    : append_variant(message, entry->value);
                }
                if (r >= 0) {
                        r = sd_bus_message_close_container(message);
                }
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

int bus_value_append_map(sd_bus_message *message, const Value *map) {
        return append_entries(message, map, false);
}

static bool has_strings_only(const Value *map) {
        for (guint i = 0; i < map->entries->len; i++) {
                if (g_array_index(map->entries, ValueEntry, i).value->kind != VALUE_STRING) {
                        return false;
                }
        }
        return true;
}

/* The type of the items of an array that has one, NULL: they differ. */
static const char *signature_of_items(const Value *array) {
        static const char *const signatures[] = {
                [VALUE_STRING] = "s",
                [VALUE_INT] = "x",
                [VALUE_MAP] = "a{sv}",
        };
        ValueKind kind = array->items->len > 0 ? ((const Value *) array->items->pdata[0])->kind
                                               : VALUE_STRING;

        for (guint i = 0; i < array->items->len; i++) {
                if (((const Value *) array->items->pdata[i])->kind != kind) {
                        return NULL;
                }
        }
        return kind < ELEMENTS(signatures) ? signatures[kind] : NULL;
}

static int append_item(sd_bus_message *message, const Value *item, const char *signature) {
        if (!signature) {
                return append_variant(message, item);
        }
        if (item->kind == VALUE_INT) {
                return sd_bus_message_append_basic(message, SD_BUS_TYPE_INT64, &item->integer);
        }
        return item->kind == VALUE_MAP ? append_entries(message, item, false)
                                       : append_string(message, item->string);
}

static int append_array(sd_bus_message *message, const Value *array) {
        const char *signature = signature_of_items(array);

        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, signature ? signature : "v");
        for (guint i = 0; r >= 0 && i < array->items->len; i++) {
                r = append_item(message, array->items->pdata[i], signature);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_contents(sd_bus_message *message, const Value *value) {
        switch (value->kind) {
        case VALUE_ARRAY:
                return append_array(message, value);
        case VALUE_MAP:
                return append_entries(message, value, has_strings_only(value));
        case VALUE_BOOL:
                return sd_bus_message_append(message, "b", (int) value->boolean);
        case VALUE_INT:
                return sd_bus_message_append(message, "x", value->integer);
        case VALUE_DOUBLE:
                return sd_bus_message_append(message, "d", value->real);
        case VALUE_STRING:
                return append_string(message, value->string);
        case VALUE_NULL: /* D-Bus has none */
        default:
                return append_string(message, "");
        }
}

static int append_variant(sd_bus_message *message, const Value *value) {
        static const char *const scalars[] = {
                [VALUE_NULL] = "s",   [VALUE_BOOL] = "b",   [VALUE_INT] = "x",
                [VALUE_DOUBLE] = "d", [VALUE_STRING] = "s",
        };
        g_autofree char *signature = NULL;

        if (value->kind == VALUE_MAP) {
                signature = g_strdup(has_strings_only(value) ? "a{ss}" : "a{sv}");
        } else if (value->kind == VALUE_ARRAY) {
                const char *items = signature_of_items(value);
                signature = g_strconcat("a", items ? items : "v", NULL);
        } else {
                signature = g_strdup(scalars[value->kind]);
        }
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, signature);
        if (r >= 0) {
                r = append_contents(message, value);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

int bus_value_append_entry(sd_bus_message *message, const char *key, const Value *value) {
        if (value->kind == VALUE_NULL) {
                return 0;
        }
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r >= 0) {
                r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, key);
        }
        if (r >= 0) {
                r = append_variant(message, value);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}
