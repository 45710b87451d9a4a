/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Split a text into words as a shell does, without expansions: blanks separate; '...' and "..." hold words
 * together; a backslash takes the next character as it is (inside "..." only before " and \). NULL if a
 * quote is not closed; otherwise a NULL-ended array for g_strfreev(). */
char **command_line_split(const char *text);
