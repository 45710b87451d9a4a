/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* json-glib 1.6 behind the guard. What it makes is walked in the order of the text, so that each value gets
 * the line that the guard saw it on. */

#include "config/json-text.h"

#include "basic/utf8.h"
#include "config/json-guard.h"

#include <inttypes.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

typedef struct Lines {
        const GArray *lines; /* of unsigned */
        guint next;
} Lines;

static Value *node_to_value(JsonNode *node, Lines *lines);

static Value *object_to_value(JsonObject *object, Lines *lines) {
        Value *map = value_new_map();
        JsonObjectIter iterator;
        const char *name;
        JsonNode *member;

        json_object_iter_init_ordered(&iterator, object);
        while (json_object_iter_next_ordered(&iterator, &name, &member)) {
                value_set(map, name, node_to_value(member, lines));
        }
        return map;
}

static Value *array_to_value(JsonArray *array, Lines *lines) {
        Value *items = value_new_array();

        for (guint i = 0; i < json_array_get_length(array); i++) {
                value_append(items, node_to_value(json_array_get_element(array, i), lines));
        }
        return items;
}

static Value *scalar_to_value(JsonNode *node) {
        GType type = json_node_get_value_type(node);

        if (type == G_TYPE_STRING) {
                return value_new_string(json_node_get_string(node));
        }
        if (type == G_TYPE_BOOLEAN) {
                return value_new_bool(json_node_get_boolean(node));
        }
        if (type == G_TYPE_INT64) {
                return value_new_int(json_node_get_int(node));
        }
        return value_new_double(json_node_get_double(node));
}

static Value *node_to_value(JsonNode *node, Lines *lines) {
        unsigned line = lines->next < lines->lines->len ? g_array_index(lines->lines, unsigned, lines->next)
                                                        : 0;
        Value *value;

        lines->next++;
        switch (json_node_get_node_type(node)) {
        case JSON_NODE_OBJECT:
                value = object_to_value(json_node_get_object(node), lines);
                break;
        case JSON_NODE_ARRAY:
                value = array_to_value(json_node_get_array(node), lines);
                break;
        case JSON_NODE_VALUE:
                value = scalar_to_value(node);
                break;
        case JSON_NODE_NULL:
        default:
                value = value_new_null();
                break;
        }
        value->line = line;
        return value;
}

static int decode(const char *text, size_t length, bool relaxed, Value **ret, Error *error) {
        g_autofree char *plain = NULL;
        g_autoptr(GArray) lines = NULL;

        int r = json_guard_check(text, length, relaxed, &plain, &lines, error);
        if (r < 0) {
                return r;
        }
        g_autoptr(JsonParser) parser = json_parser_new();
        g_autoptr(GError) cause = NULL;
        if (!json_parser_load_from_data(parser, plain, (gssize) length, &cause)) {
                g_autofree char *quoted = error_quote(cause->message); /* it has strings of the text in it */
                return error_set(error, ERROR_INVALID_DATA, "JSON: %s", quoted);
        }
        JsonNode *root = json_parser_get_root(parser);
        if (!root) {
                return error_set(error, ERROR_INVALID_DATA, "JSON: the text is empty");
        }
        Lines all = { .lines = lines };
        *ret = node_to_value(root, &all);
        return 0;
}

int json_text_decode(const char *text, size_t length, Value **ret, Error *error) {
        return decode(text, length, false, ret, error);
}

int json_text_decode_relaxed(const char *text, size_t length, Value **ret, Error *error) {
        return decode(text, length, true, ret, error);
}

static bool is_plain(unsigned char c) {
        return c >= ' ' && c != '"' && c != '\\' && c != 0x7f;
}

void json_text_append_string(GString *text, const char *string) {
        g_string_append_c(text, '"');
        while (*string) {
                size_t plain = 0;
                while (is_plain((unsigned char) string[plain])) {
                        plain++;
                }
                g_string_append_len(text, string, (gssize) plain);
                string += plain;
                if (*string == '"' || *string == '\\') {
                        g_string_append_c(text, '\\');
                        g_string_append_c(text, *string++);
                } else if (*string) {
                        g_string_append_printf(text, "\\u%04x", (unsigned char) *string++);
                }
        }
        g_string_append_c(text, '"');
}

void json_text_append_bytes(GString *text, const char *bytes, size_t length) {
        g_autofree char *valid = utf8_is_valid(bytes, length) ? g_strndup(bytes, length)
                                                              : g_utf8_make_valid(bytes, (gssize) length);

        json_text_append_string(text, valid);
}

static void append_bytes(GString *text, const char *bytes) {
        if (utf8_is_valid(bytes, strlen(bytes))) {
                json_text_append_string(text, bytes);
        } else {
                json_text_append_bytes(text, bytes, strlen(bytes));
        }
}

static void append_double(GString *text, double number) {
        char digits[G_ASCII_DTOSTR_BUF_SIZE];

        g_string_append(text, isfinite(number) ? g_ascii_dtostr(digits, sizeof(digits), number) : "null");
}

static void append_array(GString *text, const GPtrArray *items) {
        g_string_append_c(text, '[');
        for (guint i = 0; i < items->len; i++) {
                if (i > 0) {
                        g_string_append_c(text, ',');
                }
                json_text_append_value(text, items->pdata[i]);
        }
        g_string_append_c(text, ']');
}

static void append_map(GString *text, const GArray *entries) {
        g_string_append_c(text, '{');
        for (guint i = 0; i < entries->len; i++) {
                const ValueEntry *entry = &g_array_index(entries, ValueEntry, i);
                if (i > 0) {
                        g_string_append_c(text, ',');
                }
                append_bytes(text, entry->key);
                g_string_append_c(text, ':');
                json_text_append_value(text, entry->value);
        }
        g_string_append_c(text, '}');
}

void json_text_append_value(GString *text, const Value *value) {
        switch (value->kind) {
        case VALUE_BOOL:
                g_string_append(text, value->boolean ? "true" : "false");
                break;
        case VALUE_INT:
                g_string_append_printf(text, "%" PRId64, value->integer);
                break;
        case VALUE_DOUBLE:
                append_double(text, value->real);
                break;
        case VALUE_STRING:
                append_bytes(text, value->string);
                break;
        case VALUE_ARRAY:
                append_array(text, value->items);
                break;
        case VALUE_MAP:
                append_map(text, value->entries);
                break;
        case VALUE_NULL:
        default:
                g_string_append(text, "null");
                break;
        }
}
