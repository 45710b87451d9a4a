/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as YAML: what is taken becomes plain JSON, in which nothing stands behind the last line of the
 * YAML; what is not has a message that can be shown. */

#include "fuzz.h"

#include "config/json-text.h"
#include "libpm2/yaml-json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void check_lines(const Value *value, unsigned last) {
        g_assert_cmpuint(value->line, >=, 1);
        g_assert_cmpuint(value->line, <=, last);
        for (size_t i = 0; i < value_count(value); i++) {
                check_lines(value->kind == VALUE_ARRAY ? value->items->pdata[i]
                                                       : g_array_index(value->entries, ValueEntry, i).value,
                            last);
        }
}

/* What YAML calls a line. */
static unsigned count_lines(const uint8_t *data, size_t size) {
        unsigned lines = 1;

        for (size_t i = 0; i < size; i++) {
                bool wide = i + 2 < size && data[i] == 0xe2 && data[i + 1] == 0x80 &&
                            (data[i + 2] == 0xa8 || data[i + 2] == 0xa9);
                bool next = i + 1 < size && data[i] == 0xc2 && data[i + 1] == 0x85;
                lines += data[i] == '\n' || data[i] == '\r' || wide || next;
        }
        return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = size > 0 ? g_memdup2(data, size) : g_strdup("");
        g_autoptr(Value) value = NULL;
        g_auto(Error) error = { 0 };
        char *json = NULL, *message = NULL;

        int r = yaml_to_json(text, size, &json, &message);
        if (r < 0) {
                g_assert_cmpint(r, ==, -EBADMSG);
                g_assert_null(json);
                g_assert_true(g_utf8_validate(message, -1, NULL));
        } else if (json_text_decode(json, strlen(json), &value, &error) < 0) {
                /* 1e400, and what grew over the limit as JSON */
                g_assert_true(strstr(error.message, "out of range") || strstr(error.message, "over "));
        } else {
                fuzz_check_decoded(value);
                check_lines(value, count_lines(data, size));
        }
        free(json);
        free(message);
        return 0;
}
