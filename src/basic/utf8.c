/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/utf8.h"

#include <stdint.h>
#include <string.h>

/* Length of the sequence that starts at text, 0 if it is malformed. */
static size_t sequence_length(const unsigned char *text, size_t left) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char first = text[0];
        size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

        if (length == 1) {
                return first ? 1 : 0;
        }
        if (first < 0xc2 || first > 0xf4 || length > left) {
                return 0;
        }
        uint32_t code = first & (0xffU >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((text[i] & 0xc0) != 0x80) {
                        return 0;
                }
                code = code << 6 | (text[i] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        return code < smallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

/* Whether the next eight bytes are ASCII and no NUL. */
static bool are_plain(const unsigned char *text) {
        const uint64_t high = UINT64_C(0x8080808080808080), low = UINT64_C(0x0101010101010101);
        uint64_t word;

        memcpy(&word, text, sizeof(word));
        return ((word | (word - low)) & high) == 0;
}

bool utf8_is_valid(const char *text, size_t length) {
        const unsigned char *p = (const unsigned char *) text;

        for (size_t i = 0; i < length;) {
                if (length - i >= sizeof(uint64_t) && are_plain(p + i)) {
                        i += sizeof(uint64_t);
                        continue;
                }
                size_t n = sequence_length(p + i, length - i);
                if (n == 0) {
                        return false;
                }
                i += n;
        }
        return true;
}
