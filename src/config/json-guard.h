/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

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
