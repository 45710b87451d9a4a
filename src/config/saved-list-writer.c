/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One line for each environment and app: a diff of two lists is readable, and a message that names a line
 * names the app. */

#include "config/saved-list.h"

#include "basic/utf8.h"
#include "config/json-text.h"

#include <inttypes.h>
#include <string.h>

enum {
        INTEGER_DIGITS_MAX = 18, /* of a number that the reader takes */
};

struct SavedListWriter {
        GHashTable *indexes; /* Environment -> its index + 1 */
        GPtrArray *kept;     /* of Environment */
        GString *environments;
        GString *apps;
};

static guint hash_environment(const void *environment) {
        return environment_hash(environment);
}

static gboolean equal_environments(const void *a, const void *b) {
        return environment_equal(a, b);
}

static void free_environment(void *environment) {
        environment_unref(environment);
}

SavedListWriter *saved_list_writer_new(void) {
        SavedListWriter *writer = g_new0(SavedListWriter, 1);

        writer->indexes = g_hash_table_new(hash_environment, equal_environments);
        writer->kept = g_ptr_array_new_with_free_func(free_environment);
        writer->environments = g_string_new(NULL);
        writer->apps = g_string_new(NULL);
        return writer;
}

static void append_string(GString *text, const char *string) {
        size_t length = strlen(string);

        if (utf8_is_valid(string, length)) {
                json_text_append_string(text, string);
        } else {
                g_autofree char *encoded = g_base64_encode((const guchar *) string, length);
                g_string_append_printf(text, "{\"$bytes\": \"%s\"}", encoded);
        }
}

static void append_value(GString *text, const Value *value);

/* As a JSON object its keys would be lost, or be taken for marks of ours. */
static bool needs_pairs(const Value *map) {
        for (guint i = 0; i < map->entries->len; i++) {
                const char *key = g_array_index(map->entries, ValueEntry, i).key;
                if (key[0] == '$' || !utf8_is_valid(key, strlen(key))) {
                        return true;
                }
        }
        return false;
}

static void append_map(GString *text, const Value *map) {
        bool pairs = needs_pairs(map);

        g_string_append(text, pairs ? "{\"$map\": [" : "{");
        for (guint i = 0; i < map->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(map->entries, ValueEntry, i);
                g_string_append(text, i == 0 ? "" : ", ");
                g_string_append(text, pairs ? "[" : "");
                append_string(text, entry->key);
                g_string_append(text, pairs ? ", " : ": ");
                append_value(text, entry->value);
                g_string_append(text, pairs ? "]" : "");
        }
        g_string_append(text, pairs ? "]}" : "}");
}

static void append_int(GString *text, int64_t number) {
        g_autofree char *digits = g_strdup_printf("%" PRId64, number);

        if (strlen(digits) - (number < 0) > INTEGER_DIGITS_MAX) {
                json_text_append_string(text, digits);
        } else {
                g_string_append(text, digits);
        }
}

static void append_value(GString *text, const Value *value) {
        char number[G_ASCII_DTOSTR_BUF_SIZE];

        switch (value->kind) {
        case VALUE_BOOL:
                g_string_append(text, value->boolean ? "true" : "false");
                break;
        case VALUE_INT:
                append_int(text, value->integer);
                break;
        case VALUE_DOUBLE:
                g_string_append(text, g_ascii_dtostr(number, sizeof(number), value->real));
                break;
        case VALUE_STRING:
                append_string(text, value->string);
                break;
        case VALUE_ARRAY:
                g_string_append_c(text, '[');
                for (guint i = 0; i < value->items->len; i++) {
                        g_string_append(text, i == 0 ? "" : ", ");
                        append_value(text, value->items->pdata[i]);
                }
                g_string_append_c(text, ']');
                break;
        case VALUE_MAP:
                append_map(text, value);
                break;
        case VALUE_NULL:
        default:
                g_string_append(text, "null");
                break;
        }
}

static void append_environment(GString *text, const Environment *environment) {
        g_autoptr(Value) map = environment_to_value(environment);

        append_map(text, map);
}

static guint index_of(SavedListWriter *writer, const Environment *environment) {
        gpointer found = g_hash_table_lookup(writer->indexes, environment);

        if (!found) {
                Environment *kept = environment_ref((Environment *) environment);
                g_ptr_array_add(writer->kept, kept);
                found = GUINT_TO_POINTER(writer->kept->len);
                (void) g_hash_table_insert(writer->indexes, kept, found);
                g_string_append(writer->environments, writer->kept->len > 1 ? ",\n    " : "\n    ");
                append_environment(writer->environments, environment);
        }
        return GPOINTER_TO_UINT(found) - 1;
}

const char *saved_status_to_name(SavedStatus status) {
        static const char *const names[_SAVED_STATUS_MAX] = {
                [SAVED_ONLINE] = "online",
                [SAVED_STOPPED] = "stopped",
                [SAVED_ENDED] = "ended",
        };
        return names[status];
}

void saved_list_writer_add(
                SavedListWriter *writer,
                const AppConfig *config,
                const Environment *environment,
                SavedStatus status) {
        g_autoptr(Value) given = value_new_map();

        for (size_t i = 0; i < n_attributes; i++) {
                if (app_config_is_given(config, attributes[i].name)) {
                        value_set(given, attributes[i].name, app_config_get(config, &attributes[i]));
                }
        }
        g_string_append_printf(
                        writer->apps,
                        "%s\n    {\"status\": \"%s\", \"environment\": %u, \"config\": ",
                        writer->apps->len > 0 ? "," : "",
                        saved_status_to_name(status),
                        index_of(writer, environment));
        append_map(writer->apps, given);
        g_string_append_c(writer->apps, '}');
}

char *saved_list_writer_finish(SavedListWriter *writer, size_t *ret_length) {
        GString *text = g_string_new("{\n  \"pm2d_saved_list\": 1,\n  \"environments\": [");

        g_string_append_len(text, writer->environments->str, (gssize) writer->environments->len);
        g_string_append(text, writer->environments->len > 0 ? "\n  ],\n" : "],\n");
        g_string_append(text, "  \"apps\": [");
        g_string_append_len(text, writer->apps->str, (gssize) writer->apps->len);
        g_string_append(text, writer->apps->len > 0 ? "\n  ]\n}\n" : "]\n}\n");
        g_hash_table_unref(writer->indexes);
        g_ptr_array_unref(writer->kept);
        (void) g_string_free(writer->environments, TRUE);
        (void) g_string_free(writer->apps, TRUE);
        g_free(writer);
        *ret_length = text->len;
        return g_string_free(text, FALSE);
}
