/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/parse-util.h"

#include "basic/macro.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

/* A thousandth of a unit is exact enough, and times the largest unit it still fits. */
#define SIZE_FRACTION_MAX 1000

int parse_int64(const char *text, int64_t *ret) {
        if (!isdigit((unsigned char) text[0]) && !(text[0] == '-' && isdigit((unsigned char) text[1]))) {
                return -EINVAL;
        }
        char *end = NULL;
        errno = 0;
        long long value = strtoll(text, &end, 10);
        if (errno == ERANGE) {
                return -ERANGE;
        }
        if (*end) {
                return -EINVAL;
        }
        *ret = value;
        return 0;
}

int parse_uint32(const char *text, uint32_t *ret) {
        int64_t value;
        int r = parse_int64(text, &value);
        if (r < 0) {
                return r;
        }
        if (value < 0 || value > UINT32_MAX) {
                return -ERANGE;
        }
        *ret = (uint32_t) value;
        return 0;
}

/* The exponent of 1024 that a unit stands for, -1: there is no such unit. */
static int size_exponent(const char *unit) {
        static const char *const units[][3] = { { "", "B", "" },
                                                { "K", "KB", "KiB" },
                                                { "M", "MB", "MiB" },
                                                { "G", "GB", "GiB" },
                                                { "T", "TB", "TiB" } };

        for (size_t exponent = 0; exponent < ELEMENTS(units); exponent++) {
                for (size_t i = 0; i < ELEMENTS(units[exponent]); i++) {
                        if (strcasecmp(unit, units[exponent][i]) == 0) {
                                return (int) exponent;
                        }
                }
        }
        return -1;
}

int parse_size(const char *text, uint64_t *ret) {
        uint64_t whole = 0, fraction = 0, scale = 1;
        bool too_large = false;

        while (*text == ' ') {
                text++;
        }
        if (!isdigit((unsigned char) *text)) {
                return -EINVAL;
        }
        for (; isdigit((unsigned char) *text); text++) {
                uint64_t digit = (uint64_t) (*text - '0');
                too_large = too_large || whole > ((uint64_t) INT64_MAX - digit) / 10;
                whole = too_large ? whole : whole * 10 + digit;
        }
        if (*text == '.' && isdigit((unsigned char) text[1])) {
                for (text++; isdigit((unsigned char) *text); text++) {
                        if (scale < SIZE_FRACTION_MAX) {
                                fraction = fraction * 10 + (uint64_t) (*text - '0');
                                scale *= 10;
                        }
                }
        }
        while (*text == ' ') {
                text++;
        }
        int exponent = size_exponent(text);
        if (exponent < 0) {
                return -EINVAL;
        }
        uint64_t unit = UINT64_C(1) << (10 * exponent);
        if (too_large || whole > (uint64_t) INT64_MAX / unit - 1) {
                return -ERANGE;
        }
        *ret = whole * unit + fraction * unit / scale;
        return 0;
}

int parse_bool(const char *text, bool *ret) {
        static const char *const words[2][4] = { { "false", "no", "off", "0" },
                                                 { "true", "yes", "on", "1" } };

        for (int value = 0; value < 2; value++) {
                for (size_t i = 0; i < ELEMENTS(words[value]); i++) {
                        if (strcasecmp(text, words[value][i]) == 0) {
                                *ret = value;
                                return 0;
                        }
                }
        }
        return -EINVAL;
}
