/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* json-glib 1.6 with a guard in front: by itself it overflows its stack on deep nesting, takes single
 * quotes, comments and duplicate keys, turns large integers into -1 and 1e400 into infinity, and "succeeds"
 * on empty input. The guard reads the text once and lets only plain JSON characters and bounded numbers
 * through. */

#include "config/json-text.h"

#include "basic/utf8.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

enum {
        INTEGER_DIGITS_MAX = 18,
};

typedef struct Guard {
        const char *text;
        size_t length;
        size_t position;
        unsigned line;
        unsigned depth;
        bool complete; /* the one value outside of all brackets has begun */
} Guard;

static int refuse(const Guard *guard, Error *error, const char *what) {
        return error_set(error, ERROR_INVALID_DATA, "JSON, line %u: %s", guard->line, what);
}

/* The code unit of four hexadecimal digits, or -1. */
static int code_unit(const Guard *guard, size_t position) {
        int code = 0;

        for (size_t i = 0; i < 4; i++) {
                int digit = position + i < guard->length ? g_ascii_xdigit_value(guard->text[position + i])
                                                         : -1;
                if (digit < 0) {
                        return -1;
                }
                code = code * 16 + digit;
        }
        return code;
}

/* At the character behind a backslash; afterwards at the last one of the escape. json-glib takes escapes of
 * C, among them bytes and NUL, and leaks the string at a broken pair. */
static int skip_escape(Guard *guard, Error *error) {
        int c = guard->position < guard->length ? guard->text[guard->position] : '\0';

        if (c && strchr("\"\\/bfnrt", c)) {
                return 0;
        }
        int code = c == 'u' ? code_unit(guard, guard->position + 1) : -1;
        if (code < 0) {
                return refuse(guard, error, "an escape that JSON has not");
        }
        if (code == 0) {
                return refuse(guard, error, "a NUL character in a string");
        }
        guard->position += 4;
        if (code < 0xd800 || code > 0xdfff) {
                return 0;
        }
        const char *next = guard->text + guard->position + 1;
        int low = guard->length - guard->position > 2 && next[0] == '\\' && next[1] == 'u'
                                  ? code_unit(guard, guard->position + 3)
                                  : -1;
        if (code > 0xdbff || low < 0xdc00 || low > 0xdfff) {
                return refuse(guard, error, "half of a surrogate pair");
        }
        guard->position += 6;
        return 0;
}

static int skip_string(Guard *guard, Error *error) {
        for (guard->position++; guard->position < guard->length; guard->position++) {
                unsigned char c = (unsigned char) guard->text[guard->position];
                if (c == '"') {
                        guard->position++;
                        return 0;
                }
                if (c < ' ') {
                        return refuse(guard, error, "a control character in a string");
                }
                if (c == '\\') {
                        guard->position++;
                        int r = skip_escape(guard, error);
                        if (r < 0) {
                                return r;
                        }
                }
        }
        return refuse(guard, error, "a string is not closed");
}

static bool take(Guard *guard, const char *characters) {
        bool found = guard->position < guard->length && guard->text[guard->position] &&
                     strchr(characters, guard->text[guard->position]);

        guard->position += found;
        return found;
}

static unsigned skip_digits(Guard *guard) {
        unsigned digits = 0;

        while (take(guard, "0123456789")) {
                digits++;
        }
        return digits;
}

/* [-] 0 | 1-9... [. digits] [e [+-] digits] */
static int skip_number(Guard *guard, Error *error) {
        (void) take(guard, "-");
        bool zero = take(guard, "0");
        unsigned digits = skip_digits(guard);
        bool good = zero ? digits == 0 : digits > 0;
        bool fraction = take(guard, ".");
        good = good && (!fraction || skip_digits(guard) > 0);
        bool exponent = take(guard, "eE");
        if (exponent) {
                (void) take(guard, "+-");
                good = good && skip_digits(guard) > 0;
        }
        if (!good) {
                return refuse(guard, error, "a number that JSON has not");
        }
        if (!fraction && !exponent && digits > INTEGER_DIGITS_MAX) {
                return refuse(guard, error, "a number is out of range");
        }
        return 0;
}

/* There is one value outside of all brackets: json-glib would take more, and leak the first. */
static int begin_value(Guard *guard, Error *error) {
        if (guard->depth == 0 && guard->complete) {
                return refuse(guard, error, "there is more behind the end");
        }
        guard->complete = guard->complete || guard->depth == 0;
        return 0;
}

static int skip_word(Guard *guard) {
        while (take(guard, "truefalsn")) {
        }
        return 0;
}

static int check_value(Guard *guard, char c, Error *error) {
        int r = begin_value(guard, error);

        if (r < 0) {
                return r;
        }
        if (c == '"') {
                return skip_string(guard, error);
        }
        if (c == '-' || g_ascii_isdigit(c)) {
                return skip_number(guard, error);
        }
        if (c != '{' && c != '[') {
                return skip_word(guard);
        }
        guard->depth++;
        guard->position++;
        return guard->depth > VALUE_DEPTH_MAX ? refuse(guard, error, "nested too deeply") : 0;
}

static int check_character(Guard *guard, Error *error) {
        char c = guard->text[guard->position];

        if (c && strchr("\"-0123456789{[truefalsn", c)) {
                return check_value(guard, c, error);
        }
        if (c == '}' || c == ']') {
                guard->depth -= guard->depth > 0;
        } else if (c == '\n') {
                guard->line++;
        } else if (!c || !strchr(" \t\r:,", c)) {
                g_autofree char *what = g_strdup_printf("unexpected character 0x%02x", (unsigned char) c);
                return refuse(guard, error, what);
        }
        guard->position++;
        return 0;
}

static int guard_text(const char *text, size_t length, Error *error) {
        Guard guard = { .text = text, .length = length, .line = 1 };

        if (length > JSON_BYTES_MAX) {
                return error_set(error, ERROR_INVALID_DATA, "JSON: over %d bytes", JSON_BYTES_MAX);
        }
        if (!utf8_is_valid(text, length)) {
                return error_set(error, ERROR_INVALID_DATA, "JSON: is not valid UTF-8");
        }
        while (guard.position < length) {
                int r = check_character(&guard, error);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

/* Members as they are parsed against members that are kept: fewer were kept if a key came twice. */
typedef struct DuplicateCheck {
        GArray *counts; /* of unsigned, one for each open object */
        bool found;
} DuplicateCheck;

static void on_object_start(JsonParser *parser, void *userdata) {
        DuplicateCheck *check = userdata;
        unsigned zero = 0;
        g_array_append_val(check->counts, zero);
}

static void on_object_member(JsonParser *parser, JsonObject *object, const char *name, void *userdata) {
        DuplicateCheck *check = userdata;
        if (check->counts->len > 0) {
                g_array_index(check->counts, unsigned, check->counts->len - 1)++;
        }
}

static void on_object_end(JsonParser *parser, JsonObject *object, void *userdata) {
        DuplicateCheck *check = userdata;
        if (check->counts->len > 0) {
                unsigned count = g_array_index(check->counts, unsigned, check->counts->len - 1);
                check->found = check->found || count != json_object_get_size(object);
                g_array_set_size(check->counts, check->counts->len - 1);
        }
}

static Value *node_to_value(JsonNode *node, unsigned *count, Error *error);

static Value *object_to_value(JsonObject *object, unsigned *count, Error *error) {
        g_autoptr(Value) map = value_new_map();
        JsonObjectIter iterator;
        const char *name;
        JsonNode *member;

        json_object_iter_init_ordered(&iterator, object);
        while (json_object_iter_next_ordered(&iterator, &name, &member)) {
                Value *value = node_to_value(member, count, error);
                if (!value) {
                        return NULL;
                }
                value_set(map, name, value);
        }
        return g_steal_pointer(&map);
}

static Value *array_to_value(JsonArray *array, unsigned *count, Error *error) {
        g_autoptr(Value) items = value_new_array();

        for (guint i = 0; i < json_array_get_length(array); i++) {
                Value *item = node_to_value(json_array_get_element(array, i), count, error);
                if (!item) {
                        return NULL;
                }
                value_append(items, item);
        }
        return g_steal_pointer(&items);
}

static Value *scalar_to_value(JsonNode *node, Error *error) {
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
        double number = json_node_get_double(node);
        if (!isfinite(number)) {
                (void) error_set(error, ERROR_INVALID_DATA, "JSON: a number is out of range");
                return NULL;
        }
        return value_new_double(number);
}

static Value *node_to_value(JsonNode *node, unsigned *count, Error *error) {
        if (++*count > VALUE_COUNT_MAX) {
                (void) error_set(error, ERROR_INVALID_DATA, "JSON: over %d values", VALUE_COUNT_MAX);
                return NULL;
        }
        switch (json_node_get_node_type(node)) {
        case JSON_NODE_OBJECT:
                return object_to_value(json_node_get_object(node), count, error);
        case JSON_NODE_ARRAY:
                return array_to_value(json_node_get_array(node), count, error);
        case JSON_NODE_VALUE:
                return scalar_to_value(node, error);
        case JSON_NODE_NULL:
        default:
                return value_new_null();
        }
}

int json_text_decode(const char *text, size_t length, Value **ret, Error *error) {
        int r = guard_text(text, length, error);
        if (r < 0) {
                return r;
        }
        g_autoptr(JsonParser) parser = json_parser_new();
        g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(unsigned));
        g_autoptr(GError) cause = NULL;
        DuplicateCheck check = { .counts = counts };
        (void) g_signal_connect(parser, "object-start", G_CALLBACK(on_object_start), &check);
        (void) g_signal_connect(parser, "object-member", G_CALLBACK(on_object_member), &check);
        (void) g_signal_connect(parser, "object-end", G_CALLBACK(on_object_end), &check);
        if (!json_parser_load_from_data(parser, text, (gssize) length, &cause)) {
                g_autofree char *quoted = error_quote(cause->message); /* it has strings of the text in it */
                return error_set(error, ERROR_INVALID_DATA, "JSON: %s", quoted);
        }
        JsonNode *root = json_parser_get_root(parser);
        if (!root) {
                return error_set(error, ERROR_INVALID_DATA, "JSON: the text is empty");
        }
        if (check.found) {
                return error_set(error, ERROR_INVALID_DATA, "JSON: a key stands twice in one object");
        }
        unsigned count = 0;
        Value *value = node_to_value(root, &count, error);
        if (!value) {
                return -ECANCELED;
        }
        *ret = value;
        return 0;
}
