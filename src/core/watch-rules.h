/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What of a watched tree is not looked at: the patterns of ignore_watch. Of each kind:
 *
 *   tmp  *.log  src/{a,b}    a path as a glob, below the working directory unless it is absolute. What it
 *                            matches is ignored with all that is below it. * and ? match no slash, two stars
 *                            between slashes any number of folders.
 *   /\.tmp$/  /cache/i       a regular expression, looked for anywhere in the absolute path. What it finds
 *                            within the path of the watched folder alone does not count.
 *   !keep.log                either of them behind a '!': what it matches is not ignored. */
typedef struct WatchRules WatchRules;

enum {
        WATCH_PATTERNS_MAX = 64,
        WATCH_EXPRESSIONS_MAX = 8, /* of these, regular expressions */
        WATCH_PATTERN_BYTES_MAX = 1024,
};

/* Compile them. patterns: NULL for PM2's default, which is what begins with a dot, and node_modules.
 * InvalidConfig with the place in the array and the reason. */
int watch_rules_new(const char *cwd, char *const *patterns, WatchRules **ret, Error *error);
void watch_rules_free(WatchRules *rules);

/* Whether a path is ignored: absolute, normalised, any bytes. Its first root_bytes bytes are the watched
 * folder. */
bool watch_rules_ignore(const WatchRules *rules, const char *path, size_t root_bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WatchRules, watch_rules_free)
