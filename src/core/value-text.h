/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/value.h"

/* A scalar as the text that a caller would have written; NULL for null, arrays and maps. Freed by the
 * caller. */
char *value_to_text(const Value *value);

/* "225 ms", "15 s": a time for a person; freed by the caller. */
char *duration_to_text(uint64_t usec);

/* A value for a message: a scalar in quotes and shortened, else its kind ("an array"). Freed by the caller.
 */
char *value_describe(const Value *value);
