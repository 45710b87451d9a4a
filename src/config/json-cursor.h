/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "core/value.h"

#include <stdbool.h>
#include <stddef.h>

/* Walks through the outer levels of a JSON text and decodes what is inside piece by piece: for documents
 * that are larger than one value may be. The text must outlive it. Messages begin with "line N: ". */
typedef struct JsonCursor {
        const char *text;
        size_t length, position;
        unsigned line;
        unsigned walked; /* items of pieces too large for one decoding, since the last whole value */
} JsonCursor;

JsonCursor json_cursor_begin(const char *text, size_t length);

/* The next character that is no blank, NUL at the end. */
char json_cursor_peek(JsonCursor *cursor);

/* Go into an array or object: bracket is '[' or '{'. */
int json_cursor_enter(JsonCursor *cursor, char bracket, Error *error);

/* Before each item of what was entered. first: true before the first one, and changed by the call. 1: there
 * is one; 0: that was the end, which is left behind. */
int json_cursor_next(JsonCursor *cursor, char bracket, bool *first, Error *error);

/* The key of a member, and the colon behind it. Freed by the caller. */
int json_cursor_key(JsonCursor *cursor, char **ret, Error *error);

/* A whole value with all that is in it. Each string or number of it is within the bounds of
 * json_text_decode(). */
int json_cursor_value(JsonCursor *cursor, Value **ret, Error *error);

/* The same without looking at it more than it takes to find its end. */
int json_cursor_skip(JsonCursor *cursor, Error *error);

/* Nothing but blanks is left. */
int json_cursor_end(JsonCursor *cursor, Error *error);

int json_cursor_refuse(const JsonCursor *cursor, unsigned line, Error *error, const char *what);
