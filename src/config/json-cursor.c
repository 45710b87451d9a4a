/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Only brackets and strings are understood here, to find where a value ends; json_text_decode() then reads
 * each piece, so that there is one judge of what JSON is. A piece that is too large for it is walked into.
 */

#include "config/json-cursor.h"

#include "config/json-text.h"

#include <stdio.h>
#include <string.h>

enum {
        WALK_DEPTH_MAX = 8, /* of pieces that are too large: no list of ours has that many levels */
        FOUND_BYTES = 24,
};

/* A piece of the text. */
typedef struct Extent {
        size_t start, length;
        unsigned line;
} Extent;

JsonCursor json_cursor_begin(const char *text, size_t length) {
        return (JsonCursor){ .text = text, .length = length, .line = 1 };
}

int json_cursor_refuse(const JsonCursor *cursor, unsigned line, Error *error, const char *what) {
        return error_set(error, ERROR_INVALID_DATA, "line %u: %s", line > 0 ? line : cursor->line, what);
}

char json_cursor_peek(JsonCursor *cursor) {
        for (; cursor->position < cursor->length; cursor->position++) {
                char c = cursor->text[cursor->position];
                if (c == '\n') {
                        cursor->line++;
                } else if (c != ' ' && c != '\t' && c != '\r') {
                        return c;
                }
        }
        return '\0';
}

static int refuse_here(JsonCursor *cursor, const char *expected, Error *error) {
        char found[FOUND_BYTES] = "the end of the text";
        char c = json_cursor_peek(cursor);

        if (cursor->position < cursor->length) {
                (void) snprintf(found,
                                sizeof(found),
                                g_ascii_isprint(c) ? "'%c'" : "byte 0x%02x",
                                (unsigned char) c);
        }
        return error_set(
                        error,
                        ERROR_INVALID_DATA,
                        "line %u: expected %s, found %s",
                        cursor->line,
                        expected,
                        found);
}

int json_cursor_enter(JsonCursor *cursor, char bracket, Error *error) {
        if (json_cursor_peek(cursor) != bracket) {
                return refuse_here(cursor, bracket == '[' ? "an array" : "an object", error);
        }
        cursor->position++;
        return 0;
}

int json_cursor_next(JsonCursor *cursor, char bracket, bool *first, Error *error) {
        char closing = bracket == '[' ? ']' : '}';
        bool was_first = *first;

        *first = false;
        if (json_cursor_peek(cursor) == closing) {
                cursor->position++;
                return 0;
        }
        if (was_first) {
                return 1;
        }
        if (json_cursor_peek(cursor) != ',') {
                return refuse_here(cursor, bracket == '[' ? "',' or ']'" : "',' or '}'", error);
        }
        cursor->position++;
        return json_cursor_peek(cursor) == closing ? refuse_here(cursor, "a value behind the comma", error)
                                                   : 1;
}

/* Behind the closing quote of a string whose opening one is here. */
static bool skip_string(JsonCursor *cursor) {
        for (cursor->position++; cursor->position < cursor->length; cursor->position++) {
                char c = cursor->text[cursor->position];
                if (c == '"') {
                        cursor->position++;
                        return true;
                }
                if (c == '\n') {
                        return false;
                }
                cursor->position += c == '\\';
        }
        cursor->position = cursor->length;
        return false;
}

static void skip_word(JsonCursor *cursor) {
        while (cursor->position < cursor->length && cursor->text[cursor->position] &&
               !strchr(" \t\r\n,:[]{}\"", cursor->text[cursor->position])) {
                cursor->position++;
        }
}

/* Behind the value that begins here. Brackets are only counted: whoever decodes it looks closer. */
static int find_extent(JsonCursor *cursor, Extent *ret, Error *error) {
        unsigned depth = 0;

        (void) json_cursor_peek(cursor);
        *ret = (Extent){ .start = cursor->position, .line = cursor->line };
        do {
                char c = json_cursor_peek(cursor);
                if (c == '"') {
                        if (!skip_string(cursor)) {
                                return json_cursor_refuse(
                                                cursor, 0, error, "a string is not closed on its line");
                        }
                } else if (c == '[' || c == '{') {
                        depth++;
                        cursor->position++;
                } else if (depth > 0 && (c == ']' || c == '}')) {
                        depth--;
                        cursor->position++;
                } else if (depth > 0 && (c == ',' || c == ':')) {
                        cursor->position++;
                } else {
                        size_t before = cursor->position;
                        skip_word(cursor);
                        if (cursor->position == before) {
                                return refuse_here(cursor, "a value", error);
                        }
                }
        } while (depth > 0);
        ret->length = cursor->position - ret->start;
        return 0;
}

/* The message of the decoder, which counts lines from the beginning of the piece. */
static int move_message(const Extent *extent, const Error *cause, Error *error) {
        unsigned line = 1;
        int skipped = 0;
        const char *text = cause->message;

        if (sscanf(text, "JSON, line %u%n", &line, &skipped) == 1 && line > 0) {
                text += skipped;
                text += strspn(text, ":, ");
        }
        return error_set(error, cause->code, "line %u: %s", extent->line + line - 1, text);
}

static void move_lines(Value *value, unsigned offset) {
        value->line += offset;
        if (value->kind == VALUE_ARRAY) {
                for (guint i = 0; i < value->items->len; i++) {
                        move_lines(value->items->pdata[i], offset);
                }
        } else if (value->kind == VALUE_MAP) {
                for (guint i = 0; i < value->entries->len; i++) {
                        move_lines(g_array_index(value->entries, ValueEntry, i).value, offset);
                }
        }
}

static int decode_extent(const JsonCursor *cursor, const Extent *extent, Value **ret, Error *error) {
        g_auto(Error) cause = { 0 };

        int r = json_text_decode(cursor->text + extent->start, extent->length, ret, &cause);
        if (r < 0) {
                return move_message(extent, &cause, error);
        }
        move_lines(*ret, extent->line - 1);
        return 0;
}

static int value_at_depth(JsonCursor *cursor, unsigned depth, Value **ret, Error *error);

static int walk_into(JsonCursor *cursor, char bracket, unsigned depth, Value *container, Error *error) {
        g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        bool first = true;

        int r = json_cursor_enter(cursor, bracket, error);
        while (r >= 0) {
                g_autofree char *key = NULL;
                Value *item = NULL;
                r = json_cursor_next(cursor, bracket, &first, error);
                if (r <= 0) {
                        return r;
                }
                unsigned line = cursor->line;
                if (++cursor->walked > VALUE_COUNT_MAX) {
                        return json_cursor_refuse(cursor, line, error, "too many values");
                }
                r = bracket == '{' ? json_cursor_key(cursor, &key, error) : 0;
                if (r >= 0) {
                        r = value_at_depth(cursor, depth + 1, &item, error);
                }
                if (r < 0) {
                        return r;
                }
                if (!key) {
                        value_append(container, item);
                } else if (g_hash_table_add(keys, g_strdup(key))) {
                        value_set(container, key, item);
                } else {
                        value_free(item);
                        return json_cursor_refuse(cursor, line, error, "a key stands twice in one object");
                }
        }
        return r;
}

static int value_at_depth(JsonCursor *cursor, unsigned depth, Value **ret, Error *error) {
        JsonCursor before = *cursor;
        Extent extent;

        int r = find_extent(cursor, &extent, error);
        if (r < 0) {
                return r;
        }
        char c = cursor->text[extent.start];
        if (extent.length <= JSON_BYTES_MAX || (c != '[' && c != '{') || depth >= WALK_DEPTH_MAX) {
                return decode_extent(cursor, &extent, ret, error);
        }
        g_autoptr(Value) container = c == '[' ? value_new_array() : value_new_map();
        container->line = extent.line;
        before.walked = cursor->walked;
        *cursor = before;
        r = walk_into(cursor, c, depth, container, error);
        if (r >= 0) {
                *ret = g_steal_pointer(&container);
        }
        return r;
}

int json_cursor_value(JsonCursor *cursor, Value **ret, Error *error) {
        cursor->walked = 0;
        return value_at_depth(cursor, 0, ret, error);
}

int json_cursor_skip(JsonCursor *cursor, Error *error) {
        Extent extent;

        return find_extent(cursor, &extent, error);
}

int json_cursor_key(JsonCursor *cursor, char **ret, Error *error) {
        g_autoptr(Value) key = NULL;

        if (json_cursor_peek(cursor) != '"') {
                return refuse_here(cursor, "a key", error);
        }
        int r = value_at_depth(cursor, WALK_DEPTH_MAX, &key, error);
        if (r < 0) {
                return r;
        }
        if (json_cursor_peek(cursor) != ':') {
                return refuse_here(cursor, "':'", error);
        }
        cursor->position++;
        *ret = g_strdup(key->string);
        return 0;
}

int json_cursor_end(JsonCursor *cursor, Error *error) {
        return json_cursor_peek(cursor) == '\0' && cursor->position == cursor->length
                               ? 0
                               : refuse_here(cursor, "the end", error);
}
