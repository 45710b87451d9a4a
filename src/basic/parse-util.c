/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/parse-util.h"

#include "basic/macro.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

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
