/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A list may be large, and be what somebody hands us: it is read piece by piece, twice. First all of it is
 * checked, so that a broken list is refused before the first app of it has started; then app by app is
 * taken. At no time is more than the text and one app in memory, beside the environments. */

#include "config/saved-list.h"

#include "config/json-cursor.h"
#include "config/pm2-app.h"

#include <string.h>

enum {
        FORMAT_VERSION = 1,
};

#define MARK_BYTES "$bytes"
#define MARK_MAP   "$map"

struct SavedListReader {
        bool pm2;
        JsonCursor environments_at, apps_at; /* where the arrays are; text NULL: there is none */
        JsonCursor environments_cursor, cursor;
        bool environments_entered, environments_first, environments_done;
        bool entered, first;
        bool checked;
        GPtrArray *environments; /* of Environment */
        unsigned count;          /* of apps */
};

void saved_entry_done(SavedEntry *entry) {
        value_free(entry->attributes);
        environment_unref(entry->environment);
        *entry = (SavedEntry){ 0 };
}

static void free_environment(void *environment) {
        environment_unref(environment);
}

void saved_list_reader_free(SavedListReader *reader) {
        if (reader) {
                g_ptr_array_unref(reader->environments);
                g_free(reader);
        }
}

static int refuse_value(const Value *value, Error *error, const char *key, const char *expected) {
        return error_set(
                        error,
                        ERROR_INVALID_DATA,
                        "line %u: %s: expected %s, got %s",
                        value->line,
                        key,
                        expected,
                        value_kind_to_text(value->kind));
}

/* The bytes of {"$bytes": "base64"} instead of it. */
static int restore_bytes(Value **place, const Value *encoded, Error *error) {
        gsize size = 0;

        if (encoded->kind != VALUE_STRING) {
                return refuse_value(encoded, error, MARK_BYTES, "a string");
        }
        g_autofree guchar *bytes = g_base64_decode(encoded->string, &size);
        g_autofree char *string = g_strndup((const char *) bytes, size);
        if (size == 0 || strlen(string) != size) {
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "line %u: " MARK_BYTES ": is not the base64 of a string",
                                encoded->line);
        }
        Value *restored = value_new_string(string);
        restored->line = encoded->line;
        value_free(*place);
        *place = restored;
        return 0;
}

static int restore(Value **place, Error *error);

/* The map of {"$map": [[key, value], ...]} instead of it. */
static int restore_map(Value **place, Value *pairs, Error *error) {
        g_autoptr(Value) map = value_new_map();
        g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);

        map->line = pairs->line;
        if (pairs->kind != VALUE_ARRAY) {
                return refuse_value(pairs, error, MARK_MAP, "an array");
        }
        for (guint i = 0; i < pairs->items->len; i++) {
                Value *pair = pairs->items->pdata[i];
                if (pair->kind != VALUE_ARRAY || pair->items->len != 2) {
                        return refuse_value(pair, error, MARK_MAP, "pairs");
                }
                for (guint side = 0; side < 2; side++) {
                        int r = restore((Value **) &pair->items->pdata[side], error);
                        if (r < 0) {
                                return r;
                        }
                }
                const Value *key = pair->items->pdata[0];
                if (key->kind != VALUE_STRING || !g_hash_table_add(keys, key->string)) {
                        return refuse_value(key, error, MARK_MAP, "keys, each once");
                }
                value_set(map, key->string, g_steal_pointer(&pair->items->pdata[1]));
        }
        g_hash_table_remove_all(keys); /* they belong to what is freed now */
        value_free(*place);
        *place = g_steal_pointer(&map);
        return 0;
}

/* What the writer encoded, all the way down. The decoder has bounded the depth. */
static int restore(Value **place, Error *error) {
        Value *value = place ? *place : NULL;
        int r = 0;

        if (!value) {
                return 0;
        }
        if (value->kind == VALUE_ARRAY) {
                for (guint i = 0; r >= 0 && i < value->items->len; i++) {
                        r = restore((Value **) &value->items->pdata[i], error);
                }
        } else if (value->kind == VALUE_MAP) {
                ValueEntry *only = value->entries->len == 1 ? &g_array_index(value->entries, ValueEntry, 0)
                                                            : NULL;
                if (only && strcmp(only->key, MARK_BYTES) == 0) {
                        return restore_bytes(place, only->value, error);
                }
                if (only && strcmp(only->key, MARK_MAP) == 0) {
                        return restore_map(place, only->value, error);
                }
                for (guint i = 0; r >= 0 && i < value->entries->len; i++) {
                        r = restore(&g_array_index(value->entries, ValueEntry, i).value, error);
                }
        }
        return r;
}

static int read_version(JsonCursor *cursor, Error *error) {
        g_autoptr(Value) version = NULL;

        int r = json_cursor_value(cursor, &version, error);
        if (r >= 0 && (version->kind != VALUE_INT || version->integer != FORMAT_VERSION)) {
                return json_cursor_refuse(cursor, version->line, error, "a list of another version of pm2d");
        }
        return r;
}

static int read_member(SavedListReader *reader, JsonCursor *cursor, bool *versioned, Error *error) {
        g_autofree char *key = NULL;

        int r = json_cursor_key(cursor, &key, error);
        if (r < 0) {
                return r;
        }
        if (strcmp(key, "pm2d_saved_list") == 0) {
                *versioned = true;
                return read_version(cursor, error);
        }
        JsonCursor *place = strcmp(key, "environments") == 0 ? &reader->environments_at
                            : strcmp(key, "apps") == 0       ? &reader->apps_at
                                                             : NULL;
        if (!place || place->text) {
                g_autofree char *quoted = error_quote(key);
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "line %u: key %s: %s",
                                cursor->line,
                                quoted,
                                place ? "stands twice" : "is not one of a saved list");
        }
        *place = *cursor;
        return json_cursor_skip(cursor, error);
}

/* Where the two arrays of our own format are. */
static int find_arrays(SavedListReader *reader, JsonCursor *cursor, Error *error) {
        bool first = true, versioned = false;
        int r = json_cursor_enter(cursor, '{', error);

        while (r >= 0) {
                r = json_cursor_next(cursor, '{', &first, error);
                if (r == 0) {
                        break;
                }
                if (r > 0) {
                        r = read_member(reader, cursor, &versioned, error);
                }
        }
        if (r >= 0 && (!versioned || !reader->apps_at.text)) {
                return json_cursor_refuse(
                                cursor,
                                1,
                                error,
                                "not a saved list: it has no \"pm2d_saved_list\" and \"apps\"");
        }
        return r;
}

int saved_list_reader_new(const char *text, size_t length, SavedListReader **ret, Error *error) {
        JsonCursor cursor = json_cursor_begin(text, length);
        g_autoptr(SavedListReader) reader = g_new0(SavedListReader, 1);
        int r = 0;

        reader->environments = g_ptr_array_new_with_free_func(free_environment);
        if (length > SAVED_LIST_BYTES_MAX) {
                return error_set(error, ERROR_INVALID_DATA, "line 1: over %d bytes", SAVED_LIST_BYTES_MAX);
        }
        reader->pm2 = json_cursor_peek(&cursor) == '[';
        if (reader->pm2) {
                reader->apps_at = cursor;
                r = json_cursor_skip(&cursor, error);
        } else {
                r = find_arrays(reader, &cursor, error);
        }
        if (r >= 0) {
                r = json_cursor_end(&cursor, error);
        }
        if (r < 0) {
                return r;
        }
        reader->environments_cursor = reader->environments_at;
        reader->environments_done = !reader->environments_at.text;
        reader->cursor = reader->apps_at;
        *ret = g_steal_pointer(&reader);
        return 0;
}

/* The next item of an array: 1, or 0 behind the last one. */
static int next_item(JsonCursor *cursor, bool *entered, bool *first, Error *error) {
        if (!*entered) {
                int r = json_cursor_enter(cursor, '[', error);
                if (r < 0) {
                        return r;
                }
                *entered = true;
                *first = true;
        }
        return json_cursor_next(cursor, '[', first, error);
}

/* What scalars and texts there are become assignments; strict: all of them must. */
static int add_assignment(GPtrArray *assignments, const ValueEntry *entry, Error *error) {
        if (entry->value->kind != VALUE_STRING) {
                return refuse_value(entry->value, error, "environments", "strings");
        }
        if (!environment_name_is_valid(entry->key)) {
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "line %u: environments: a name that no variable can have",
                                entry->value->line);
        }
        g_ptr_array_add(assignments, g_strdup_printf("%s=%s", entry->key, entry->value->string));
        return 0;
}

static int check_environment(SavedListReader *reader, Error *error) {
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(Value) map = NULL;

        int r =
                        next_item(&reader->environments_cursor,
                                  &reader->environments_entered,
                                  &reader->environments_first,
                                  error);
        if (r <= 0) {
                reader->environments_done = r == 0;
                return r < 0 ? r : 1;
        }
        if (reader->environments->len >= SAVED_LIST_APPS_MAX) {
                return json_cursor_refuse(&reader->environments_cursor, 0, error, "too many environments");
        }
        r = json_cursor_value(&reader->environments_cursor, &map, error);
        if (r >= 0) {
                r = restore(&map, error);
        }
        if (r < 0) {
                return r;
        }
        if (map->kind != VALUE_MAP) {
                return refuse_value(map, error, "environments", "objects");
        }
        for (guint i = 0; r >= 0 && i < map->entries->len; i++) {
                r = add_assignment(assignments, &g_array_index(map->entries, ValueEntry, i), error);
        }
        if (r < 0) {
                return r;
        }
        g_ptr_array_add(assignments, NULL);
        g_ptr_array_add(reader->environments, environment_new((const char *const *) assignments->pdata));
        return 1;
}

static int read_status(const Value *value, SavedEntry *entry, Error *error) {
        for (int i = 0; value->kind == VALUE_STRING && i < _SAVED_STATUS_MAX; i++) {
                if (strcmp(value->string, saved_status_to_name((SavedStatus) i)) == 0) {
                        entry->status = (SavedStatus) i;
                        return 0;
                }
        }
        return refuse_value(value, error, "status", "\"online\", \"stopped\" or \"ended\"");
}

static int read_environment_index(
                const SavedListReader *reader, const Value *value, SavedEntry *entry, Error *error) {
        if (value->kind != VALUE_INT || value->integer < 0 ||
            value->integer >= (int64_t) reader->environments->len) {
                return refuse_value(value, error, "environment", "the index of an environment");
        }
        environment_unref(entry->environment);
        entry->environment = environment_ref(reader->environments->pdata[value->integer]);
        return 0;
}

static int read_entry_member(
                const SavedListReader *reader, ValueEntry *member, SavedEntry *entry, Error *error) {
        if (strcmp(member->key, "status") == 0) {
                return read_status(member->value, entry, error);
        }
        if (strcmp(member->key, "environment") == 0) {
                return read_environment_index(reader, member->value, entry, error);
        }
        if (strcmp(member->key, "config") != 0) {
                g_autofree char *quoted = error_quote(member->key);
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "line %u: key %s: is not one of an app of a saved list",
                                member->value->line,
                                quoted);
        }
        if (member->value->kind != VALUE_MAP) {
                return refuse_value(member->value, error, "config", "an object");
        }
        /* The attributes themselves are a plain object; what is in them may be encoded. */
        for (guint i = 0; i < member->value->entries->len; i++) {
                int r = restore(&g_array_index(member->value->entries, ValueEntry, i).value, error);
                if (r < 0) {
                        return r;
                }
        }
        entry->attributes = g_steal_pointer(&member->value);
        member->value = value_new_null();
        return 0;
}

static int read_object(const SavedListReader *reader, Value *object, SavedEntry *entry, Error *error) {
        for (guint i = 0; i < object->entries->len; i++) {
                ValueEntry *member = &g_array_index(object->entries, ValueEntry, i);
                int r = read_entry_member(reader, member, entry, error);
                if (r < 0) {
                        return r;
                }
        }
        if (!entry->attributes) {
                return error_set(error, ERROR_INVALID_DATA, "line %u: config: is missing", entry->line);
        }
        return 0;
}

static int read_object_of_pm2(const Value *object, SavedEntry *ret, Error *error) {
        g_auto(Error) cause = { 0 };
        g_auto(Pm2App) app = { 0 };

        if (pm2_app_read(object, PM2_SOURCE_DUMP, &app, &cause) < 0) {
                return error_set(error, cause.code, "line %u: %s", ret->line, cause.message);
        }
        ret->status = !app.stopped ? SAVED_ONLINE : app.ended ? SAVED_ENDED : SAVED_STOPPED;
        ret->attributes = g_steal_pointer(&app.attributes);
        ret->environment = g_steal_pointer(&app.environment);
        return 0;
}

int saved_list_reader_next(SavedListReader *reader, SavedEntry *ret, Error *error) {
        g_autoptr(Value) object = NULL;
        g_auto(SavedEntry) entry = { 0 };

        int r = next_item(&reader->cursor, &reader->entered, &reader->first, error);
        if (r <= 0) {
                return r;
        }
        r = json_cursor_value(&reader->cursor, &object, error);
        if (r < 0) {
                return r;
        }
        entry.line = object->line;
        if (object->kind != VALUE_MAP) {
                return refuse_value(object, error, "apps", "objects");
        }
        r = reader->pm2 ? read_object_of_pm2(object, &entry, error)
                        : read_object(reader, object, &entry, error);
        if (r < 0) {
                return r;
        }
        *ret = entry;
        entry = (SavedEntry){ 0 };
        return 1;
}

/* Whether an object of PM2 can be used shows when it is taken: one of many that cannot is no broken list. */
static int check_app(SavedListReader *reader, Error *error) {
        g_auto(SavedEntry) entry = { 0 };
        int r;

        if (reader->pm2) {
                r = next_item(&reader->cursor, &reader->entered, &reader->first, error);
                if (r > 0) {
                        g_autoptr(Value) object = NULL;
                        r = json_cursor_value(&reader->cursor, &object, error);
                        r = r < 0 ? r : 1;
                }
        } else {
                r = saved_list_reader_next(reader, &entry, error);
        }
        if (r > 0 && ++reader->count > SAVED_LIST_APPS_MAX) {
                return json_cursor_refuse(&reader->cursor, 0, error, "too many apps");
        }
        return r;
}

int saved_list_reader_check(SavedListReader *reader, Error *error) {
        if (!reader->environments_done) {
                return check_environment(reader, error);
        }
        int r = reader->checked ? 0 : check_app(reader, error);
        if (r == 0 && !reader->checked) {
                reader->checked = true;
                reader->cursor = reader->apps_at;
                reader->entered = false;
        }
        return r;
}
