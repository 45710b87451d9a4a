/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/last-lines.h"

#include <glib.h>
#include <string.h>

/* Where the last so many lines begin. */
static const char *find_start(const char *text, size_t length, unsigned lines_max) {
        unsigned newlines = 0;

        for (const char *p = text + length; p > text; p--) {
                if (p[-1] == '\n' && ++newlines == lines_max) {
                        return p;
                }
        }
        return text;
}

static const char *skip_part_of_line(const char *text) {
        const char *newline = strchr(text, '\n');

        return newline && newline[1] ? newline + 1 : text;
}

char *last_lines(const char *bytes, size_t length, bool whole, unsigned lines_max, size_t bytes_max) {
        size_t used = length > 0 && bytes[length - 1] == '\n' ? length - 1 : length;
        g_autofree char *text = g_utf8_make_valid(bytes, (gssize) used);
        size_t text_length = strlen(text);
        const char *start = text;

        if (text_length > bytes_max) {
                start = text + text_length - bytes_max;
                whole = whole && start[-1] == '\n';
                while (((unsigned char) *start & 0xc0) == 0x80) { /* the middle of a character */
                        start++;
                }
        }
        start = whole ? start : skip_part_of_line(start);
        return g_strdup(find_start(start, strlen(start), lines_max));
}
