/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* What stands before json-glib, which by itself overflows its stack on deep nesting, takes single quotes and
 * duplicate keys, turns large integers into -1 and 1e400 into infinity, and "succeeds" on empty input.
 *
 * Check JSON text (RFC 8259): its whole grammar, its size, depth and count, that no key stands twice.
 * Relaxed also takes what people write: comments as in C, a comma before a closing bracket, a byte order
 * mark. InvalidData names line, column and the path of the key. ret_plain gets the text with blanks for all
 * that is not JSON, of the same length; ret_lines an unsigned for each value, in the order of the text: the
 * line on which it, or the key that it belongs to, begins. */
int json_guard_check(
                const char *text,
                size_t length,
                bool relaxed,
                char **ret_plain,
                GArray **ret_lines,
                Error *error);

/* A part of a text. */
typedef struct JsonSpan {
        const char *start;
        size_t length;
} JsonSpan;

/* A member of the outermost object as it stands in the text: the key without its quotes. */
typedef void (*JsonMemberFunction)(void *userdata, const JsonSpan *key, const JsonSpan *value);

/* Check JSON text that is to be handed on as it is, of whoever uses JSON.parse(): the same, but a key may
 * stand twice, numbers may be of any size, escapes may name NUL and halves of surrogate pairs, and there may
 * be any number of values. Nothing is copied. ret_value: the text without blanks about it; on_member is told
 * the members in their order, before it is known whether the rest is good. */
int json_guard_scan(
                const char *text,
                size_t length,
                JsonSpan *ret_value,
                JsonMemberFunction on_member,
                void *userdata,
                Error *error);

/* Append what a checked string means, given without its quotes. Halves of surrogate pairs become U+FFFD; NUL
 * is NUL. */
void json_guard_unescape(const JsonSpan *string, GString *ret);
