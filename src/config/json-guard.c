/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A recogniser of the JSON grammar: it keeps nothing of the text but where each value stands, and knows at
 * each point the path that led there. Its recursion is bounded by VALUE_DEPTH_MAX. What it says of messages
 * has no path, for it does not even look at most of their keys. */

#include "config/json-guard.h"

#include "config/json-text.h"

#include <math.h>
#include <string.h>

enum {
        INTEGER_DIGITS_MAX = 18,
        REPLACEMENT_CHARACTER = 0xfffd,
};

/* An open bracket, up to the outermost. */
typedef struct Frame {
        const struct Frame *parent;
        const char *key; /* of the member that is read, NULL in an array or a message */
        JsonSpan name;   /* the same as it stands there */
        unsigned index;  /* of the item that is read */
        unsigned depth;
} Frame;

typedef struct Guard {
        const char *text;
        char *plain; /* the same, to be made plain JSON; only where that is asked for */
        size_t length;
        size_t position;
        unsigned line;
        size_t line_start;
        bool relaxed;
        bool message; /* whatever JSON.parse() takes */
        JsonMemberFunction on_member;
        void *userdata;
        JsonSpan value; /* the outermost */
        unsigned count;
        GArray *lines;
        Error *error;
} Guard;

static bool is_word(const char *text) {
        for (const char *c = text; *c; c++) {
                if (!g_ascii_isalnum(*c) && *c != '_' && *c != '-') {
                        return false;
                }
        }
        return *text != '\0';
}

static void append_path(GString *path, const Frame *frame) {
        if (!frame) {
                return;
        }
        append_path(path, frame->parent);
        if (!frame->key) {
                g_string_append_printf(path, "[%u]", frame->index);
                return;
        }
        g_autofree char *quoted = is_word(frame->key) ? g_strdup(frame->key) : error_quote(frame->key);
        g_string_append_printf(path, "%s%s", path->len > 0 ? "." : "", quoted);
}

static int refuse(const Guard *guard, const Frame *frame, const char *what) {
        g_autoptr(GString) path = g_string_new(NULL);
        const char *start = guard->text + guard->line_start;
        size_t at = MIN(guard->position, guard->length);
        unsigned column = 1;

        for (const char *c = start; c < guard->text + at; c++) {
                column += ((unsigned char) *c & 0xc0) != 0x80;
        }
        if (!guard->message) {
                append_path(path, frame);
        }
        return error_set(
                        guard->error,
                        ERROR_INVALID_DATA,
                        "JSON, line %u, column %u: %s%s%s",
                        guard->line,
                        column,
                        path->str,
                        path->len > 0 ? ": " : "",
                        what);
}

/* NUL behind the end. */
static char char_at(const Guard *guard, size_t position) {
        if (position >= guard->length) {
                return '\0';
        }
        return guard->text[position];
}

/* The next character. */
static char peek(const Guard *guard) {
        return char_at(guard, guard->position);
}

static bool take(Guard *guard, char wanted) {
        bool found = peek(guard) == wanted;

        guard->position += found;
        return found;
}

static int refuse_next(const Guard *guard, const Frame *frame, const char *expected) {
        char c = peek(guard);
        g_autofree char *what = NULL;

        if (!c) {
                what = g_strdup_printf("expected %s, but the text ends", expected);
        } else if (c == '\'') {
                what = g_strdup("strings and keys stand in double quotes");
        } else if (c == '/' && !guard->relaxed) {
                what = g_strdup("comments are not JSON");
        } else if ((unsigned char) c < ' ' || (unsigned char) c >= 0x7f) {
                what = g_strdup_printf("expected %s, got character 0x%02x", expected, (unsigned char) c);
        } else {
                what = g_strdup_printf("expected %s, got '%c'", expected, c);
        }
        return refuse(guard, frame, what);
}

static void newline(Guard *guard) {
        guard->line++;
        guard->line_start = guard->position;
}

/* Put blanks over a comment. */
static int skip_comment(Guard *guard, const Frame *frame) {
        bool block = char_at(guard, guard->position + 1) == '*';
        size_t start = guard->position;

        guard->plain[start] = guard->plain[start + 1] = ' ';
        for (guard->position += 2; guard->position < guard->length; guard->position++) {
                char *c = guard->plain + guard->position;
                if (*c == '\n') {
                        if (!block) {
                                return 0;
                        }
                        guard->position++;
                        newline(guard);
                        guard->position--;
                        continue;
                }
                bool end = block && *c == '*' && guard->position + 1 < guard->length && c[1] == '/';
                *c = ' ';
                if (end) {
                        c[1] = ' ';
                        guard->position += 2;
                        return 0;
                }
        }
        return block ? refuse(guard, frame, "a comment is not closed") : 0;
}

static bool starts_comment(const Guard *guard) {
        char next = char_at(guard, guard->position + 1);

        return peek(guard) == '/' && (next == '/' || next == '*');
}

static int skip_blanks(Guard *guard, const Frame *frame) {
        for (;;) {
                char c = peek(guard);
                if (c == '\n') {
                        guard->position++;
                        newline(guard);
                } else if (c == ' ' || c == '\t' || c == '\r') {
                        guard->position++;
                } else if (guard->relaxed && starts_comment(guard)) {
                        int r = skip_comment(guard, frame);
                        if (r < 0) {
                                return r;
                        }
                } else {
                        return 0;
                }
        }
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

static void append(GString *word, gunichar character) {
        if (word) {
                g_string_append_unichar(word, character);
        }
}

/* Append what the escape behind a backslash means, and move behind it. json-glib takes escapes of C, among
 * them bytes and NUL, and leaks the string at a broken pair. */
static int take_escape(Guard *guard, const Frame *frame, GString *word) {
        static const char short_escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
        char c = peek(guard);

        for (const char *pair = short_escapes; c && *pair; pair += 2) {
                if (*pair == c) {
                        append(word, (gunichar) pair[1]);
                        guard->position++;
                        return 0;
                }
        }
        int code = c == 'u' ? code_unit(guard, guard->position + 1) : -1;
        if (code < 0) {
                return refuse(guard, frame, "an escape that JSON has not");
        }
        if (code == 0 && !guard->message) {
                return refuse(guard, frame, "a NUL character in a string");
        }
        gunichar character = (gunichar) code;
        size_t end = guard->position + 5;
        if (code >= 0xd800 && code <= 0xdfff) {
                bool pair = end + 1 < guard->length && guard->text[end] == '\\' &&
                            guard->text[end + 1] == 'u';
                int low = pair ? code_unit(guard, end + 2) : -1;
                bool whole = code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
                if (!whole && !guard->message) {
                        return refuse(guard, frame, "half of a surrogate pair");
                }
                character = whole ? 0x10000 + (((gunichar) code & 0x3ff) << 10 | ((gunichar) low & 0x3ff))
                                  : REPLACEMENT_CHARACTER;
                end += whole ? 6 : 0;
        }
        append(word, character);
        guard->position = end;
        return 0;
}

/* To what is not plain text in a string. */
static void skip_plain(Guard *guard) {
        const char *c = guard->text + guard->position, *end = guard->text + guard->length;

        while (c < end && *c != '"' && *c != '\\' && (unsigned char) *c >= ' ') {
                c++;
        }
        guard->position = (size_t) (c - guard->text);
}

/* At the opening quote; afterwards behind the closing one. word: what it means is appended; may be NULL. */
static int take_string(Guard *guard, const Frame *frame, GString *word) {
        guard->position++;
        for (;;) {
                size_t start = guard->position;
                skip_plain(guard);
                if (word) {
                        g_string_append_len(word, guard->text + start, (gssize) (guard->position - start));
                }
                if (guard->position == guard->length) {
                        return refuse(guard, frame, "a string is not closed");
                }
                char c = guard->text[guard->position];
                if (c != '"' && c != '\\') {
                        return refuse(guard,
                                      frame,
                                      c == '\n' ? "a string is not closed on its line"
                                                : "a control character in a string");
                }
                guard->position++;
                if (c == '"') {
                        return 0;
                }
                int r = take_escape(guard, frame, word);
                if (r < 0) {
                        return r;
                }
        }
}

static unsigned skip_digits(Guard *guard) {
        unsigned digits = 0;

        while (g_ascii_isdigit(peek(guard))) {
                guard->position++;
                digits++;
        }
        return digits;
}

static bool is_in_range(const Guard *guard, size_t start) {
        g_autofree char *number = g_strndup(guard->text + start, guard->position - start);

        return (strpbrk(number, ".eE") ||
                guard->position - start <= INTEGER_DIGITS_MAX + (*number == '-')) &&
               isfinite(g_ascii_strtod(number, NULL));
}

/* [-] 0 | 1-9... [. digits] [e [+-] digits] */
static int skip_number(Guard *guard, const Frame *frame) {
        size_t start = guard->position;

        (void) take(guard, '-');
        bool zero = take(guard, '0');
        unsigned digits = skip_digits(guard);
        bool good = zero ? digits == 0 : digits > 0;
        good = good && (!take(guard, '.') || skip_digits(guard) > 0);
        if (good && (take(guard, 'e') || take(guard, 'E'))) {
                (void) (take(guard, '+') || take(guard, '-'));
                good = skip_digits(guard) > 0;
        }
        if (!good) {
                return refuse(guard, frame, "a number that JSON has not");
        }
        if (!guard->message && !is_in_range(guard, start)) {
                return refuse(guard, frame, "a number is out of range");
        }
        return 0;
}

static int skip_word(Guard *guard, const Frame *frame) {
        static const char *const words[] = { "true", "false", "null" };

        for (size_t i = 0; i < ELEMENTS(words); i++) {
                size_t length = strlen(words[i]);
                if (guard->length - guard->position >= length &&
                    memcmp(guard->text + guard->position, words[i], length) == 0) {
                        guard->position += length;
                        return 0;
                }
        }
        return g_ascii_isalpha(peek(guard))
                               ? refuse(guard,
                                        frame,
                                        "a word that JSON has not: text stands in double quotes")
                               : refuse_next(guard, frame, "a value");
}

static int check_value(Guard *guard, const Frame *frame, unsigned line);

/* A key that must be another than those before it. */
static int take_new_key(Guard *guard, Frame *frame, GHashTable *keys) {
        g_autoptr(GString) key = g_string_new(NULL);
        size_t start = guard->position;

        int r = take_string(guard, frame->parent, key);
        if (r < 0) {
                return r;
        }
        char *owned = g_strdup(key->str);
        frame->key = owned;
        if (!g_hash_table_add(keys, owned)) {
                guard->position = start;
                frame->key = key->str;
                return refuse(guard, frame, "the key stands twice in this object");
        }
        return 0;
}

/* The key of a member with its colon. keys: those before it; NULL: any will do. */
static int take_key(Guard *guard, Frame *frame, GHashTable *keys) {
        if (peek(guard) != '"') {
                return refuse_next(guard, frame->parent, "a key in double quotes");
        }
        frame->name.start = guard->text + guard->position + 1;
        int r = keys ? take_new_key(guard, frame, keys) : take_string(guard, frame->parent, NULL);
        frame->name.length = (size_t) (guard->text + guard->position - frame->name.start) - 1;
        if (r >= 0) {
                r = skip_blanks(guard, frame);
        }
        if (r < 0) {
                return r;
        }
        return take(guard, ':') ? skip_blanks(guard, frame) : refuse_next(guard, frame, "':'");
}

/* Behind a member or item: at the next one, or behind the closing bracket (1). */
static int take_comma(Guard *guard, const Frame *frame, char closing) {
        int r = skip_blanks(guard, frame);
        if (r < 0) {
                return r;
        }
        size_t comma = guard->position;
        if (take(guard, closing)) {
                return 1;
        }
        if (!take(guard, ',')) {
                return refuse_next(guard, frame->parent, closing == '}' ? "',' or '}'" : "',' or ']'");
        }
        r = skip_blanks(guard, frame);
        if (r < 0) {
                return r;
        }
        if (peek(guard) == closing && guard->relaxed) {
                guard->plain[comma] = ' ';
                guard->position++;
                return 1;
        }
        return 0;
}

static int check_member(Guard *guard, Frame *frame, GHashTable *keys) {
        unsigned line = guard->line;

        int r = take_key(guard, frame, keys);
        if (r < 0) {
                return r;
        }
        const char *value = guard->text + guard->position;
        r = check_value(guard, frame, line);
        if (r >= 0 && guard->on_member && frame->depth == 1) {
                JsonSpan span = { value, (size_t) (guard->text + guard->position - value) };
                guard->on_member(guard->userdata, &frame->name, &span);
        }
        return r;
}

static int check_members(Guard *guard, Frame *frame) {
        g_autoptr(GHashTable) keys =
                        guard->message ? NULL : g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        int r = skip_blanks(guard, frame->parent);
        if (r >= 0 && take(guard, '}')) {
                return 0;
        }
        while (r == 0) {
                r = check_member(guard, frame, keys);
                if (r >= 0) {
                        r = take_comma(guard, frame, '}');
                }
        }
        return MIN(r, 0);
}

static int check_items(Guard *guard, Frame *frame) {
        int r = skip_blanks(guard, frame->parent);

        if (r >= 0 && take(guard, ']')) {
                return 0;
        }
        for (; r == 0; frame->index++) {
                r = check_value(guard, frame, guard->line);
                if (r >= 0) {
                        r = take_comma(guard, frame, ']');
                }
        }
        return MIN(r, 0);
}

static int check_value(Guard *guard, const Frame *frame, unsigned line) {
        char c = peek(guard);

        if (!guard->message) {
                if (++guard->count > VALUE_COUNT_MAX) {
                        g_autofree char *what = g_strdup_printf("over %d values", VALUE_COUNT_MAX);
                        return refuse(guard, frame, what);
                }
                g_array_append_val(guard->lines, line);
        }
        if (c == '"') {
                return take_string(guard, frame, NULL);
        }
        if (c == '-' || g_ascii_isdigit(c)) {
                return skip_number(guard, frame);
        }
        if (c != '{' && c != '[') {
                return skip_word(guard, frame);
        }
        Frame inner = { .parent = frame, .depth = frame ? frame->depth + 1 : 1 };
        if (inner.depth > VALUE_DEPTH_MAX) {
                return refuse(guard, NULL, "nested too deeply");
        }
        guard->position++;
        return c == '{' ? check_members(guard, &inner) : check_items(guard, &inner);
}

static int check_text(Guard *guard) {
        const char *end;

        if (!g_utf8_validate(guard->text, (gssize) guard->length, &end)) {
                for (; guard->text + guard->position < end; guard->position++) {
                        if (guard->text[guard->position] == '\n') {
                                guard->line++;
                                guard->line_start = guard->position + 1;
                        }
                }
                return refuse(guard, NULL, *end == '\0' ? "a NUL character" : "is not valid UTF-8");
        }
        if (guard->relaxed && guard->length >= 3 && memcmp(guard->text, "\xef\xbb\xbf", 3) == 0) {
                memset(guard->plain, ' ', 3);
        }
        int r = skip_blanks(guard, NULL);
        if (r >= 0 && guard->position == guard->length) {
                return error_set(guard->error, ERROR_INVALID_DATA, "JSON: the text is empty");
        }
        guard->value.start = guard->text + guard->position;
        if (r >= 0) {
                r = check_value(guard, NULL, guard->line);
        }
        guard->value.length = (size_t) (guard->text + guard->position - guard->value.start);
        if (r >= 0) {
                r = skip_blanks(guard, NULL);
        }
        if (r >= 0 && guard->position < guard->length) {
                return refuse_next(guard, NULL, "the end");
        }
        return r;
}

int json_guard_check(
                const char *text,
                size_t length,
                bool relaxed,
                char **ret_plain,
                GArray **ret_lines,
                Error *error) {
        g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(unsigned));

        if (length > JSON_BYTES_MAX) {
                return error_set(error, ERROR_INVALID_DATA, "JSON: over %d bytes", JSON_BYTES_MAX);
        }
        g_autofree char *copy = g_malloc(length + 1);
        memcpy(copy, text, length);
        copy[length] = '\0';
        Guard guard = {
                .text = copy,
                .plain = copy,
                .length = length,
                .line = 1,
                .relaxed = relaxed,
                .lines = lines,
                .error = error,
        };
        int r = check_text(&guard);
        if (r < 0) {
                return r;
        }
        *ret_plain = g_steal_pointer(&copy);
        *ret_lines = g_steal_pointer(&lines);
        return 0;
}

int json_guard_scan(
                const char *text,
                size_t length,
                JsonSpan *ret_value,
                JsonMemberFunction on_member,
                void *userdata,
                Error *error) {
        Guard guard = {
                .text = text,
                .length = length,
                .line = 1,
                .message = true,
                .on_member = on_member,
                .userdata = userdata,
                .error = error,
        };

        if (length > JSON_BYTES_MAX) {
                return error_set(error, ERROR_INVALID_DATA, "JSON: over %d bytes", JSON_BYTES_MAX);
        }
        int r = check_text(&guard);
        if (r >= 0) {
                *ret_value = guard.value;
        }
        return r;
}

void json_guard_unescape(const JsonSpan *string, GString *ret) {
        Guard guard = { .text = string->start, .length = string->length, .message = true };

        while (guard.position < guard.length) {
                size_t start = guard.position;
                skip_plain(&guard);
                g_string_append_len(ret, guard.text + start, (gssize) (guard.position - start));
                if (guard.position < guard.length) {
                        guard.position++;
                        (void) take_escape(&guard, NULL, ret);
                }
        }
}
