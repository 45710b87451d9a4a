/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/command-line.h"

#include <stdbool.h>
#include <string.h>

/* Append what stands between quotes; returns the position after the closing one, NULL if there is none. */
static const char *take_quoted(const char *p, GString *word) {
        char quote = *p++;

        for (; *p && *p != quote; p++) {
                if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\')) {
                        p++;
                }
                g_string_append_c(word, *p);
        }
        return *p ? p + 1 : NULL;
}

/* One word from p on, which is no blank. */
static const char *take_word(const char *p, GString *word) {
        while (p && *p && !strchr(" \t\r\n", *p)) {
                if (*p == '\'' || *p == '"') {
                        p = take_quoted(p, word);
                } else if (*p == '\\' && p[1]) {
                        g_string_append_c(word, p[1]);
                        p += 2;
                } else {
                        g_string_append_c(word, *p++);
                }
        }
        return p;
}

char **command_line_split(const char *text) {
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
        const char *p = text + strspn(text, " \t\r\n");

        while (*p) {
                GString *word = g_string_new(NULL);
                p = take_word(p, word);
                g_ptr_array_add(words, g_string_free(word, FALSE));
                if (!p) {
                        return NULL;
                }
                p += strspn(p, " \t\r\n");
        }
        g_ptr_array_add(words, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&words), FALSE);
}
