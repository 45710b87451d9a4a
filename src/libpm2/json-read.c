/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* JSON text (RFC 8259) as a value. It comes from children of the supervisor, so from anybody. */

#include "value.h"

#include "basic/utf8.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader {
        const char *next, *end;
        locale_t plain; /* numbers have points */
        unsigned depth;
} Reader;

static int read_value(Reader *reader, pm2_value **ret);

static void skip_blanks(Reader *reader) {
        while (reader->next < reader->end && strchr(" \t\r\n", *reader->next) && *reader->next) {
                reader->next++;
        }
}

static bool take(Reader *reader, const char *word) {
        size_t length = strlen(word);

        if ((size_t) (reader->end - reader->next) < length || memcmp(reader->next, word, length) != 0) {
                return false;
        }
        reader->next += length;
        return true;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9') {
                return c - '0';
        }
        char lower = (char) (c | 0x20);
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* What stands behind "\u". */
static int read_unit(Reader *reader, uint32_t *ret) {
        uint32_t unit = 0;

        if (reader->end - reader->next < 4) {
                return -EBADMSG;
        }
        for (unsigned i = 0; i < 4; i++) {
                int digit = hex_digit(*reader->next++);
                if (digit < 0) {
                        return -EBADMSG;
                }
                unit = unit << 4 | (uint32_t) digit;
        }
        *ret = unit;
        return 0;
}

static bool is_surrogate(uint32_t unit, uint32_t first) {
        return unit >= first && unit < first + 0x400;
}

/* Half a pair, and NUL, which no string here can hold, become U+FFFD. */
static int read_code(Reader *reader, uint32_t *ret) {
        uint32_t unit, second;

        int r = read_unit(reader, &unit);
        if (r < 0) {
                return r;
        }
        if (is_surrogate(unit, 0xd800)) {
                const char *behind = reader->next;
                if (take(reader, "\\u") && read_unit(reader, &second) >= 0 && is_surrogate(second, 0xdc00)) {
                        *ret = 0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
                        return 0;
                }
                reader->next = behind;
        }
        bool cannot = unit == 0 || is_surrogate(unit, 0xd800) || is_surrogate(unit, 0xdc00);
        *ret = cannot ? 0xfffd : unit;
        return 0;
}

static char *write_code(char *out, uint32_t code) {
        if (code < 0x80) {
                *out++ = (char) code;
                return out;
        }
        unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        *out++ = (char) (0xff00U >> (more + 1) | code >> (6 * more));
        while (more-- > 0) {
                *out++ = (char) (0x80 | (code >> (6 * more) & 0x3f));
        }
        return out;
}

static int read_escape(Reader *reader, char **out) {
        static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
        uint32_t code;

        if (reader->next == reader->end) {
                return -EBADMSG;
        }
        char letter = *reader->next++;
        if (letter == 'u') {
                int r = read_code(reader, &code);
                if (r >= 0) {
                        *out = write_code(*out, code);
                }
                return r;
        }
        for (const char *escape = escapes; *escape; escape += 2) {
                if (*escape == letter) {
                        *(*out)++ = escape[1];
                        return 0;
                }
        }
        return -EBADMSG;
}

/* Behind the opening quote. No escape is shorter than what it stands for. */
static int read_string(Reader *reader, char **ret) {
        size_t length = 0;
        const char *text = reader->next;

        while (text + length < reader->end && text[length] != '"') {
                length += text[length] == '\\' ? 2 : 1;
        }
        if (text + length >= reader->end) {
                return -EBADMSG;
        }
        _cleanup_free_ char *string = malloc(length + 1);
        if (!string) {
                return -ENOMEM;
        }
        char *out = string;
        while (*reader->next != '"') {
                char c = *reader->next++;
                if ((unsigned char) c < ' ') {
                        return -EBADMSG;
                }
                if (c != '\\') {
                        *out++ = c;
                        continue;
                }
                int r = read_escape(reader, &out);
                if (r < 0) {
                        return r;
                }
        }
        reader->next++;
        *out = '\0';
        *ret = string;
        string = NULL;
        return 0;
}

static size_t count_digits(const char *text) {
        return strspn(text, "0123456789");
}

/* The length of the number that a text begins with, 0: it is none. */
static size_t number_length(const char *text, bool *ret_whole) {
        size_t length = text[0] == '-';
        size_t digits = count_digits(text + length);

        *ret_whole = true;
        if (digits == 0 || (digits > 1 && text[length] == '0')) {
                return 0;
        }
        length += digits;
        if (text[length] == '.') {
                digits = count_digits(text + length + 1);
                if (digits == 0) {
                        return 0;
                }
                length += digits + 1;
                *ret_whole = false;
        }
        if (text[length] == 'e' || text[length] == 'E') {
                size_t sign = text[length + 1] == '+' || text[length + 1] == '-';
                digits = count_digits(text + length + 1 + sign);
                if (digits == 0) {
                        return 0;
                }
                length += digits + 1 + sign;
                *ret_whole = false;
        }
        return length;
}

/* As JavaScript has it, what is no whole number of 64 bits is a double. */
static int read_number(Reader *reader, pm2_value **ret) {
        _cleanup_value_ pm2_value *value = NULL;
        bool whole;

        size_t length = number_length(reader->next, &whole);
        if (length == 0) {
                return -EBADMSG;
        }
        int r = value_new(PM2_VALUE_DOUBLE, &value);
        if (r < 0) {
                return r;
        }
        errno = 0;
        if (whole && reader->next[0] == '-') {
                value->type = PM2_VALUE_INT64;
                value->int64 = strtoll(reader->next, NULL, 10);
        } else if (whole) {
                value->type = PM2_VALUE_UINT64;
                value->uint64 = strtoull(reader->next, NULL, 10);
        }
        if (!whole || errno == ERANGE) {
                value->type = PM2_VALUE_DOUBLE;
                value->number = strtod_l(reader->next, NULL, reader->plain);
                if (!isfinite(value->number)) {
                        return -EBADMSG;
                }
        }
        reader->next += length;
        *ret = value;
        value = NULL;
        return 0;
}

static int read_member(Reader *reader, pm2_value *container) {
        _cleanup_value_ pm2_value *item = NULL;
        _cleanup_free_ char *key = NULL;
        int r = 0;

        if (container->type == PM2_VALUE_OBJECT) {
                r = take(reader, "\"") ? read_string(reader, &key) : -EBADMSG;
                skip_blanks(reader);
                if (r >= 0 && !take(reader, ":")) {
                        r = -EBADMSG;
                }
        }
        if (r >= 0) {
                r = read_value(reader, &item);
        }
        if (r >= 0) {
                r = value_append(container, key, item);
        }
        if (r >= 0) {
                item = NULL;
        }
        return r;
}

/* Behind the opening bracket. */
static int read_container(Reader *reader, pm2_value_type type, const char *end, pm2_value **ret) {
        _cleanup_value_ pm2_value *container = NULL;

        if (reader->depth >= VALUE_NESTED_MAX) {
                return -ELOOP;
        }
        int r = value_new(type, &container);
        if (r < 0) {
                return r;
        }
        reader->depth++;
        skip_blanks(reader);
        bool done = take(reader, end);
        while (!done) {
                skip_blanks(reader);
                r = read_member(reader, container);
                if (r < 0) {
                        return r;
                }
                skip_blanks(reader);
                done = take(reader, end);
                if (!done && !take(reader, ",")) {
                        return -EBADMSG;
                }
        }
        reader->depth--;
        *ret = container;
        container = NULL;
        return 0;
}

static int read_text(Reader *reader, pm2_value **ret) {
        _cleanup_value_ pm2_value *value = NULL;

        int r = value_new(PM2_VALUE_NULL, &value);
        if (r >= 0) {
                r = read_string(reader, &value->string);
        }
        if (r < 0) {
                return r;
        }
        value->type = PM2_VALUE_STRING;
        *ret = value;
        value = NULL;
        return 0;
}

static int read_value(Reader *reader, pm2_value **ret) {
        skip_blanks(reader);
        if (take(reader, "{")) {
                return read_container(reader, PM2_VALUE_OBJECT, "}", ret);
        }
        if (take(reader, "[")) {
                return read_container(reader, PM2_VALUE_ARRAY, "]", ret);
        }
        if (take(reader, "\"")) {
                return read_text(reader, ret);
        }
        bool yes = take(reader, "true");
        if (yes || take(reader, "false")) {
                int r = value_new(PM2_VALUE_BOOL, ret);
                if (r >= 0) {
                        (*ret)->boolean = yes;
                }
                return r;
        }
        return take(reader, "null") ? value_new(PM2_VALUE_NULL, ret) : read_number(reader, ret);
}

PM2_EXPORT int pm2_value_from_json(const char *text, size_t length, pm2_value **ret) {
        _cleanup_value_ pm2_value *value = NULL;

        if (!utf8_is_valid(text, length)) {
                return -EBADMSG;
        }
        /* Numbers are looked at beyond their end: there must be one. */
        _cleanup_free_ char *copy = malloc(length + 1);
        if (!copy) {
                return -ENOMEM;
        }
        memcpy(copy, text, length); /* NULs and all */
        copy[length] = '\0';
        Reader reader = { .next = copy, .end = copy + length };
        reader.plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t) 0);
        if (reader.plain == (locale_t) 0) {
                return -ENOMEM;
        }
        int r = read_value(&reader, &value);
        freelocale(reader.plain);
        skip_blanks(&reader);
        if (r >= 0 && reader.next != reader.end) {
                r = -EBADMSG;
        }
        if (r < 0) {
                return r;
        }
        *ret = value;
        value = NULL;
        return 0;
}
