/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Split a text into words as a shell does, without expansions: blanks separate; '...' and "..." hold words
 * together; a backslash takes the next character as it is (inside "..." only before " and \). NULL if a
 * quote is not closed; otherwise a NULL-ended array for g_strfreev(). */
char **command_line_split(const char *text);

/* A command of a shell in the form in which the shell becomes the program instead of waiting for it: with
 * "exec" before the program. NULL: it is more than one command, one of the shell itself, or nobody can tell;
 * else freed by the caller. */
char *command_line_with_exec(const char *text);
