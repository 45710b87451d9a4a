/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "core/value.h"

/* Decode JSON text (RFC 8259) into a value. InvalidData says what is wrong, on which line and column, and at
 * which key. Refused beside bad syntax: over JSON_BYTES_MAX bytes, deeper than VALUE_DEPTH_MAX, over
 * VALUE_COUNT_MAX values, duplicate keys, numbers out of range, NUL characters, text that is not UTF-8. */
int json_text_decode(const char *text, size_t length, Value **ret, Error *error);

/* The same with comments as in C, a comma before a closing bracket and a byte order mark: what people write.
 */
int json_text_decode_relaxed(const char *text, size_t length, Value **ret, Error *error);

/* Append a string, which must be UTF-8, with its quotes. Nothing in it ends a line. */
void json_text_append_string(GString *text, const char *string);

/* The same of any bytes: what is not UTF-8 becomes U+FFFD, NUL too. */
void json_text_append_bytes(GString *text, const char *bytes, size_t length);

/* Append a value on one line. Bytes that are not UTF-8 become U+FFFD; a number that JSON does not have (NaN)
 * becomes null. */
void json_text_append_value(GString *text, const Value *value);

enum {
        JSON_BYTES_MAX = 1024 * 1024,
};
