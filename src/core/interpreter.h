/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The interpreter for a script by its extension ("python3" for ".py"), NULL if the extension says nothing.
 * The map is PM2's (7.0.4), with .mjs and .cjs beside .js. */
const char *interpreter_for_extension(const char *extension);

/* The one to take where that one is missing ("python" for "python3"), NULL: none. */
const char *interpreter_instead_of(const char *interpreter);

/* The version that "node@18" asks for, NULL: the name asks for none. Points into the name. */
const char *interpreter_wanted_version(const char *interpreter);

/* Whether a version ("v18.20.4") is one of those that are wanted ("18", "v18.20"). */
bool interpreter_version_matches(const char *version, const char *wanted);

/* Whether a program is Node by its name, with or without folders before it. */
bool interpreter_is_node(const char *program);

/* The same for Deno; and for those whose programs can be workers of Node's cluster: Node, Bun, Deno. */
bool interpreter_is_deno(const char *program);
bool interpreter_has_cluster(const char *program);

/* Compare versions by their numbers, as strcmp() does texts. */
int interpreter_version_compare(const char *a, const char *b);

/* What the first line of a script names: the program, looked up in PATH where "env" stands before it; alone
 * is whether nothing is given to it but the script. NULL: it names none. Freed by the caller. */
char *interpreter_of_first_line(const char *text, bool *ret_alone);
