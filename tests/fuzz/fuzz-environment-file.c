/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as a file of variables, in memory of just their size. What came out, quoted, comes out again. */

#include "fuzz.h"

#include "basic/environment-file.h"

#include <string.h>

static void append_quoted(GString *text, const char *variable) {
        const char *value = strchr(variable, '=') + 1;

        g_string_append_printf(text, "export %.*s= \"", (int) (value - 1 - variable), variable);
        for (; *value; value++) {
                g_string_append_printf(text, "%s%c", strchr("\\\"$", *value) ? "\\" : "", *value);
        }
        g_string_append(text, "\" # as it was\n");
}

static EnvironmentFileResult read_all(char *text, size_t size, GPtrArray *variables) {
        EnvironmentFileResult result;
        EnvironmentFile file;
        char *variable = NULL;
        unsigned line = 1;

        environment_file_init(&file, text, size);
        while ((result = environment_file_next(&file, &variable)) == ENVIRONMENT_FILE_VARIABLE) {
                g_assert_true(variable >= text && variable + strlen(variable) <= text + size);
                g_assert_nonnull(strchr(variable, '='));
                g_assert_cmpuint(file.line, >=, line);
                line = file.line;
                g_ptr_array_add(variables, variable);
        }
        g_assert_true(result == ENVIRONMENT_FILE_END || environment_file_error_to_text(result));
        return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = g_malloc(size + 1);
        g_autoptr(GPtrArray) variables = g_ptr_array_new(), again = g_ptr_array_new();
        g_autoptr(GString) quoted = g_string_new(NULL);

        if (size > 0) {
                memcpy(text, data, size);
        }
        (void) read_all(text, size, variables);
        for (guint i = 0; i < variables->len; i++) {
                append_quoted(quoted, variables->pdata[i]);
        }
        g_assert_cmpint(read_all(quoted->str, quoted->len, again), ==, ENVIRONMENT_FILE_END);
        g_assert_cmpuint(again->len, ==, variables->len);
        for (guint i = 0; i < variables->len; i++) {
                g_assert_cmpstr(again->pdata[i], ==, variables->pdata[i]);
        }
        return 0;
}
