/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Texts and figures for a person's eyes. */

#include "text.h"

#include <glib.h>
#include <inttypes.h>
#include <wchar.h>

#define REPLACEMENT 0xfffd

/* The character at text, REPLACEMENT if it is none or not printable; *ret_next is behind it. */
static gunichar next_character(const char *text, const char **ret_next) {
        gunichar character = g_utf8_get_char_validated(text, -1);
        if (character == (gunichar) -1 || character == (gunichar) -2) {
                *ret_next = text + 1;
                return REPLACEMENT;
        }
        *ret_next = g_utf8_next_char(text);
        return wcwidth((wchar_t) character) < 0 ? REPLACEMENT : character;
}

size_t text_width(const char *text, bool utf8) {
        size_t width = 0;

        while (*text) {
                if (!utf8) {
                        text++;
                        width++;
                        continue;
                }
                gunichar character = next_character(text, &text);
                int columns = character == REPLACEMENT ? 1 : wcwidth((wchar_t) character);
                width += columns > 0 ? (size_t) columns : 0;
        }
        return width;
}

char *text_clean(const char *text, bool utf8) {
        GString *clean = g_string_new(NULL);

        while (*text) {
                if (utf8) {
                        g_string_append_unichar(clean, next_character(text, &text));
                        continue;
                }
                unsigned char byte = (unsigned char) *text++;
                if (byte >= ' ' && byte < 0x7f) {
                        g_string_append_c(clean, (char) byte);
                } else if ((byte & 0xc0) != 0x80) {
                        g_string_append_c(clean, '?'); /* once for each character */
                }
        }
        return g_string_free(clean, false);
}

char *format_uptime(uint64_t msec) {
        static const struct {
                uint64_t seconds;
                const char *unit;
        } units[] = {
                { UINT64_C(365) * 86400, "Y" },
                { UINT64_C(30) * 86400, "M" },
                { 86400, "D" },
                { 3600, "h" },
                { 60, "m" },
                { 1, "s" },
        };
        uint64_t seconds = msec / 1000;
        size_t i = 0;

        while (i + 1 < G_N_ELEMENTS(units) && seconds < units[i].seconds) {
                i++;
        }
        return g_strdup_printf("%" PRIu64 "%s", seconds / units[i].seconds, units[i].unit);
}

char *format_bytes(uint64_t bytes) {
        static const char *const units[] = { "b", "kb", "mb", "gb", "tb", "pb", "eb" };
        double number = (double) bytes;
        size_t i = 0;

        while (number >= 1024 && i + 1 < G_N_ELEMENTS(units)) {
                number /= 1024;
                i++;
        }
        return g_strdup_printf(i == 0 ? "%.0f%s" : "%.1f%s", number, units[i]);
}

char *format_time(uint64_t msec) {
        g_autoptr(GDateTime) time = g_date_time_new_from_unix_local((gint64) (msec / 1000));
        char *text = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S %z") : NULL;
        return text ? text : g_strdup("?");
}
