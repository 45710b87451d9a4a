/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/value-text.h"

#include "basic/time-util.h"
#include "core/error.h"

#include <inttypes.h>
#include <math.h>

/* The shortest that reads as the same number: 0.1, not 0.10000000000000001. */
static char *double_to_text(double number) {
        static const char *const formats[] = { "%.15g", "%.16g", "%.17g" };
        char buffer[G_ASCII_DTOSTR_BUF_SIZE];

        if (trunc(number) == number && fabs(number) < 1e15) {
                return g_strdup_printf("%.0f", number);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
                (void) g_ascii_formatd(buffer, sizeof(buffer), formats[i], number);
                if (g_ascii_strtod(buffer, NULL) == number) {
                        break;
                }
        }
        return g_strdup(buffer);
}

char *value_to_text(const Value *value) {
        switch (value->kind) {
        case VALUE_STRING:
                return g_strdup(value->string);
        case VALUE_BOOL:
                return g_strdup(value->boolean ? "true" : "false");
        case VALUE_INT:
                return g_strdup_printf("%" PRId64, value->integer);
        case VALUE_DOUBLE:
                return double_to_text(value->real);
        case VALUE_NULL:
        case VALUE_ARRAY:
        case VALUE_MAP:
        default:
                return NULL;
        }
}

char *duration_to_text(uint64_t usec) {
        if (usec < USEC_PER_MSEC) {
                return g_strdup_printf("%" PRIu64 " us", usec);
        }
        if (usec < 10 * USEC_PER_SEC) {
                return g_strdup_printf("%" PRIu64 " ms", usec / USEC_PER_MSEC);
        }
        return g_strdup_printf("%" PRIu64 " s", usec / USEC_PER_SEC);
}

char *value_describe(const Value *value) {
        g_autofree char *text = value_to_text(value);

        return text ? error_quote(text) : g_strdup(value_kind_to_text(value->kind));
}
