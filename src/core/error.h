/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/macro.h"

#include <glib.h>

/* What can go wrong, as callers see it: org.pm2.Error.<name>. */
typedef enum ErrorCode {
        ERROR_NONE,
        ERROR_NO_SUCH_PROCESS,
        ERROR_ALREADY_EXISTS,
        ERROR_ALREADY_RUNNING,
        ERROR_INVALID_CONFIG,
        ERROR_SPAWN_FAILED,
        ERROR_NOT_ONLINE,
        ERROR_TIMEOUT,
        ERROR_CANCELLED,
        ERROR_PARTIAL_FAILURE,
        ERROR_LIMIT_EXCEEDED,
        ERROR_RESTARTING,
        ERROR_SHUTTING_DOWN,
        ERROR_INVALID_DATA,
        ERROR_NOT_SUPPORTED,
        ERROR_BUSY,
        ERROR_NO_CHANNEL,
        ERROR_NO_SUCH_ACTION,
        ERROR_ACCESS_DENIED, /* this and the next have standard names on D-Bus */
        ERROR_INVALID_ARGS,
        _ERROR_CODE_MAX,
} ErrorCode;

/* A named error with a text for a person: what was wrong, and with which value. Starts as {0}. */
typedef struct Error {
        ErrorCode code;
        char *message;
} Error;

/* Set the error (an earlier one is replaced) and return -ECANCELED, which stands for "see the Error".
 * error may be NULL. A macro, so that whoever reads the code sees the value. */
#define error_set(error, code, ...) (error_set_message(error, code, __VA_ARGS__), -ECANCELED)

void error_set_message(Error *error, ErrorCode code, const char *format, ...) PRINTF_LIKE(3, 4);

void error_clear(Error *error);

/* dst takes over what src holds. */
void error_move(Error *dst, Error *src);

/* "NoSuchProcess": the last part of the D-Bus name. */
const char *error_code_to_name(ErrorCode code);

/* A value of a caller, shortened and printable, to be put into a message; freed by the caller. */
char *error_quote(const char *text);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Error, error_clear)
