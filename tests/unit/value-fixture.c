/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "value-fixture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static Value *make_array(const char *items, bool strings) {
        Value *array = value_new_array();
        g_auto(GStrv) words = g_strsplit(items, "|", -1);

        for (char **word = words; *word; word++) {
                value_append(array, strings ? value_new_string(*word) : test_value(*word));
        }
        return array;
}

static Value *make_map(const char *entries, bool strings) {
        Value *map = value_new_map();
        g_auto(GStrv) words = g_strsplit(entries, "|", -1);

        for (char **word = words; *word; word++) {
                char *equals = strchr(*word, '=');
                g_assert_nonnull(equals);
                *equals = '\0';
                value_set(map, *word, strings ? value_new_string(equals + 1) : test_value(equals + 1));
        }
        return map;
}

Value *test_value(const char *notation) {
        if (strcmp(notation, "null") == 0) {
                return value_new_null();
        }
        if (strcmp(notation, "true") == 0 || strcmp(notation, "false") == 0) {
                return value_new_bool(notation[0] == 't');
        }
        if (strcmp(notation, "[]") == 0) {
                return value_new_array();
        }
        if (strcmp(notation, "{}") == 0) {
                return value_new_map();
        }
        g_assert_cmpint(notation[1], ==, ':');
        switch (notation[0]) {
        case 'i':
                return value_new_int(strtoll(notation + 2, NULL, 10));
        case 'd':
                return value_new_double(g_ascii_strtod(notation + 2, NULL));
        case 's':
                return value_new_string(notation + 2);
        case 'a':
        case 'l':
                return make_array(notation + 2, notation[0] == 'a');
        case 'm':
        case 'M':
                return make_map(notation + 2, notation[0] == 'm');
        default:
                g_error("no such notation: %s", notation);
        }
}

Value *test_value_nested(unsigned depth, bool maps) {
        Value *value = maps ? value_new_map() : value_new_array();

        for (unsigned i = 1; i < depth; i++) {
                Value *outer = maps ? value_new_map() : value_new_array();
                if (maps) {
                        value_set(outer, "k", value);
                } else {
                        value_append(outer, value);
                }
                value = outer;
        }
        return value;
}

static void append_text(GString *text, const Value *value) {
        switch (value->kind) {
        case VALUE_NULL:
                g_string_append(text, "null");
                break;
        case VALUE_BOOL:
                g_string_append(text, value->boolean ? "true" : "false");
                break;
        case VALUE_INT:
                g_string_append_printf(text, "i:%" PRId64, value->integer);
                break;
        case VALUE_DOUBLE:
                g_string_append_printf(text, "d:%.15g", value->real);
                break;
        case VALUE_STRING:
                g_string_append_printf(text, "s:%s", value->string);
                break;
        case VALUE_ARRAY:
                g_string_append_c(text, '[');
                for (guint i = 0; i < value->items->len; i++) {
                        g_string_append(text, i > 0 ? ", " : "");
                        append_text(text, value->items->pdata[i]);
                }
                g_string_append_c(text, ']');
                break;
        case VALUE_MAP:
        default:
                g_string_append_c(text, '{');
                for (guint i = 0; i < value->entries->len; i++) {
                        const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                        g_string_append_printf(text, "%s%s: ", i > 0 ? ", " : "", entry->key);
                        append_text(text, entry->value);
                }
                g_string_append_c(text, '}');
                break;
        }
}

char *test_value_to_text(const Value *value) {
        GString *text = g_string_new(NULL);

        append_text(text, value);
        return g_string_free(text, FALSE);
}
