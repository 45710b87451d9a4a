/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The last lines of a piece of text, as they can be shown to anybody: what is not UTF-8, and NUL, is
 * replaced. whole: it begins at the beginning of a line; else its first line, if another one follows, is
 * left out for a part of it is missing. At most so many lines, and bytes: the oldest go, of a line that is
 * too long its beginning. A newline at its end is left out. Freed by the caller. */
char *last_lines(const char *bytes, size_t length, bool whole, unsigned lines_max, size_t bytes_max);
