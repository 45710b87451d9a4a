/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/error.h"

#include "basic/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum {
        QUOTE_BYTES_MAX = 120,
};

static const char *const error_names[] = {
        [ERROR_NONE] = "",
        [ERROR_NO_SUCH_PROCESS] = "NoSuchProcess",
        [ERROR_ALREADY_EXISTS] = "AlreadyExists",
        [ERROR_ALREADY_RUNNING] = "AlreadyRunning",
        [ERROR_INVALID_CONFIG] = "InvalidConfig",
        [ERROR_SPAWN_FAILED] = "SpawnFailed",
        [ERROR_NOT_ONLINE] = "NotOnline",
        [ERROR_TIMEOUT] = "Timeout",
        [ERROR_CANCELLED] = "Cancelled",
        [ERROR_PARTIAL_FAILURE] = "PartialFailure",
        [ERROR_LIMIT_EXCEEDED] = "LimitExceeded",
        [ERROR_RESTARTING] = "Restarting",
        [ERROR_SHUTTING_DOWN] = "ShuttingDown",
        [ERROR_INVALID_DATA] = "InvalidData",
        [ERROR_NOT_SUPPORTED] = "NotSupported",
        [ERROR_BUSY] = "Busy",
        [ERROR_NO_CHANNEL] = "NoChannel",
        [ERROR_NO_SUCH_ACTION] = "NoSuchAction",
        [ERROR_ACCESS_DENIED] = "AccessDenied",
        [ERROR_INVALID_ARGS] = "InvalidArgs",
};
static_assert(ELEMENTS(error_names) == _ERROR_CODE_MAX, "a name for every error");

void error_set_message(Error *error, ErrorCode code, const char *format, ...) {
        if (error) {
                va_list arguments;
                va_start(arguments, format);
                char *message = g_strdup_vprintf(format, arguments);
                va_end(arguments);
                if (!utf8_is_valid(message, strlen(message))) { /* it quotes others, and goes to the bus */
                        char *valid = g_utf8_make_valid(message, -1);
                        g_free(message);
                        message = valid;
                }
                g_free(error->message);
                error->code = code;
                error->message = message;
        }
}

void error_clear(Error *error) {
        g_free(error->message);
        *error = (Error){ 0 };
}

void error_move(Error *dst, Error *src) {
        error_clear(dst);
        *dst = *src;
        *src = (Error){ 0 };
}

const char *error_code_to_name(ErrorCode code) {
        return error_names[code];
}

char *error_quote(const char *text) {
        size_t length = strlen(text);
        bool cut = length > QUOTE_BYTES_MAX;
        GString *quoted = g_string_new("'");

        for (size_t i = 0; i < (cut ? QUOTE_BYTES_MAX : length); i++) {
                unsigned char c = (unsigned char) text[i];
                if (c < ' ' || c == 0x7f) {
                        g_string_append_printf(quoted, "\\x%02x", c);
                } else {
                        g_string_append_c(quoted, (char) c);
                }
        }
        g_string_append(quoted, cut ? "...'" : "'");
        if (!utf8_is_valid(quoted->str, quoted->len)) {
                char *valid = g_utf8_make_valid(quoted->str, (gssize) quoted->len);
                g_string_free(quoted, TRUE);
                return valid;
        }
        return g_string_free(quoted, FALSE);
}
