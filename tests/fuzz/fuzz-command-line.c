/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as a command line. Words that came out, quoted, come out again. */

#include "fuzz.h"

#include "core/command-line.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = fuzz_text(data, size);
        g_auto(GStrv) words = command_line_split(text);
        g_autoptr(GString) quoted = g_string_new(NULL);
        size_t total = 0;

        if (!words) {
                g_assert_true(strpbrk(text, "'\"") != NULL); /* only an open quote is an error */
                return 0;
        }
        for (char **word = words; *word; word++) {
                g_autofree char *part = g_shell_quote(*word);
                g_string_append_printf(quoted, "%s ", part);
                total += strlen(*word);
        }
        g_assert_cmpuint(total, <=, strlen(text));
        g_auto(GStrv) again = command_line_split(quoted->str);
        g_assert_nonnull(again);
        g_assert_true(g_strv_equal((const char *const *) words, (const char *const *) again));
        return 0;
}
