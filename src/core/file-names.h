/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Names that PM2 gives to files of a process (PM2 7.0.4). Pure text; all results are freed by the caller. */

/* The name of an app as part of a file name: what is not in [A-Za-z0-9.\-] becomes '-'. A name of dots alone
 * is kept from being a folder, and a name that is too long for a file ends in a digest of the whole. */
char *file_name_of_app(const char *name);

/* The path with the id before its suffix: the tail "-<digits><suffix>" or "<suffix>" becomes
 * "-<id><suffix>"; a path that does not end in the suffix stays. */
char *file_name_with_id(const char *path, const char *suffix, uint32_t id);

/* The last part of a path without its last extension: the default name of an app. */
char *file_name_stem(const char *path);

/* ".js" of "/srv/api.js", "" if there is none. Points into path. */
const char *file_name_extension(const char *path);

/* A path from the user made absolute: "~" is home, relative ones start at cwd; "." and ".." and double
 * slashes are resolved by text. */
char *file_name_resolve(const char *path, const char *cwd, const char *home);

/* Whether a log path means "nowhere": "NULL" or "/dev/null", as PM2 has it. */
bool file_name_is_null(const char *path);
