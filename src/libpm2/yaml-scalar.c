/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Scalars of the core schema of YAML 1.2: "yes", "on" and "1:30" are texts. */

#include "yaml-internal.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <inttypes.h>
#include <string.h>

#define INTEGER_DIGITS_MAX 18

static bool is_one_of(const char *text, const char *const *words) {
        for (; *words; words++) {
                if (strcmp(text, *words) == 0) {
                        return true;
                }
        }
        return false;
}

static bool resolve_word(const char *text, YamlScalar *ret, const char **ret_json) {
        static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
        static const char *const trues[] = { "true", "True", "TRUE", NULL };
        static const char *const falses[] = { "false", "False", "FALSE", NULL };
        static const char *const odd[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL };

        if (is_one_of(text, nulls)) {
                *ret = YAML_SCALAR_NULL;
                *ret_json = "null";
        } else if (is_one_of(text, trues)) {
                *ret = YAML_SCALAR_BOOL;
                *ret_json = "true";
        } else if (is_one_of(text, falses)) {
                *ret = YAML_SCALAR_BOOL;
                *ret_json = "false";
        } else if (is_one_of(text + (*text == '-' || *text == '+'), odd)) {
                *ret = YAML_SCALAR_RANGE;
                *ret_json = NULL;
        } else {
                return false;
        }
        return true;
}

/* 0o17 and 0x1f. Returns 0 if it is neither, else 1. */
static int resolve_based(const char *text, YamlScalar *ret, char **ret_json) {
        bool octal = strncmp(text, "0o", 2) == 0;

        if (!octal && strncmp(text, "0x", 2) != 0) {
                return 0;
        }
        const char *digits = text + 2;
        size_t length = strspn(digits, octal ? "01234567" : "0123456789abcdefABCDEF");
        if (length == 0 || digits[length] != '\0') {
                return 0;
        }
        errno = 0;
        unsigned long long number = strtoull(digits, NULL, octal ? 8 : 16);
        if (errno != 0 || number >= 1000000000000000000ULL) {
                *ret = YAML_SCALAR_RANGE;
                return 1;
        }
        *ret = YAML_SCALAR_INT;
        return asprintf(ret_json, "%llu", number) < 0 ? -ENOMEM : 1;
}

/* The parts of a decimal number. */
typedef struct Decimal {
        bool negative;
        const char *whole, *fraction, *exponent;
        size_t whole_length, fraction_length;
        bool has_point;
} Decimal;

static bool split_decimal(const char *text, Decimal *ret) {
        static const char digits[] = "0123456789";

        ret->negative = *text == '-';
        text += *text == '-' || *text == '+';
        ret->whole = text;
        ret->whole_length = strspn(text, digits);
        text += ret->whole_length;
        ret->has_point = *text == '.';
        text += ret->has_point;
        ret->fraction = text;
        ret->fraction_length = ret->has_point ? strspn(text, digits) : 0;
        text += ret->fraction_length;
        if (ret->whole_length + ret->fraction_length == 0) {
                return false;
        }
        ret->exponent = text;
        if (*text == 'e' || *text == 'E') {
                text++;
                text += *text == '-' || *text == '+';
                size_t length = strspn(text, digits);
                return length > 0 && text[length] == '\0';
        }
        return *text == '\0';
}

static int resolve_decimal(const char *text, YamlScalar *ret, char **ret_json) {
        Decimal number = { 0 };

        if (!split_decimal(text, &number)) {
                *ret = YAML_SCALAR_STRING;
                return 0;
        }
        bool whole = !number.has_point && *number.exponent == '\0';
        while (number.whole_length > 1 && number.whole[0] == '0') {
                number.whole++;
                number.whole_length--;
        }
        if (whole && number.whole_length > INTEGER_DIGITS_MAX) {
                *ret = YAML_SCALAR_RANGE;
                return 0;
        }
        *ret = whole ? YAML_SCALAR_INT : YAML_SCALAR_FLOAT;
        int r =
                        asprintf(ret_json,
                                 "%s%.*s%s%.*s%s",
                                 number.negative ? "-" : "",
                                 number.whole_length > 0 ? (int) number.whole_length : 1,
                                 number.whole_length > 0 ? number.whole : "0",
                                 number.fraction_length > 0 ? "." : "",
                                 (int) number.fraction_length,
                                 number.fraction,
                                 number.exponent);
        return r < 0 ? -ENOMEM : 0;
}

int yaml_scalar_resolve(const char *text, YamlScalar *ret, char **ret_json) {
        const char *word;

        *ret_json = NULL;
        if (resolve_word(text, ret, &word)) {
                *ret_json = word ? strdup(word) : NULL;
                return word && !*ret_json ? -ENOMEM : 0;
        }
        int r = resolve_based(text, ret, ret_json);
        if (r == 0) {
                r = resolve_decimal(text, ret, ret_json);
        }
        return r < 0 ? r : 0;
}

char *yaml_string_to_json(const char *text, size_t length) {
        char *json = NULL;
        size_t size = 0;

        FILE *out = open_memstream(&json, &size);
        if (!out) {
                return NULL;
        }
        (void) putc_unlocked('"', out);
        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char) text[i];
                if (c == '"' || c == '\\') {
                        (void) fprintf(out, "\\%c", c);
                } else if (c < ' ') {
                        (void) fprintf(out, "\\u%04x", c);
                } else {
                        (void) putc_unlocked(c, out);
                }
        }
        (void) putc_unlocked('"', out);
        bool failed = ferror(out);
        if (fclose(out) != 0 || failed) {
                free(json);
                return NULL;
        }
        return json;
}
