/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "core/value.h"

#include <stdbool.h>

struct AppConfig;

enum {
        WATCH_PATHS_MAX = 64,
};

/* What an app declares with watch. */
typedef struct AppWatch {
        bool on;
        bool paused;  /* it is on again at the next start by a person, with the same paths */
        char **paths; /* below the working directory unless they are absolute; NULL or empty: that itself */
} AppWatch;

/* true, false, a path or several with blanks between, an array of paths, or {"paths": [...], "paused":
 * true}. InvalidConfig with the name of the attribute. */
int app_watch_parse(const char *attribute, const Value *value, AppWatch *ret, Error *error);
Value *app_watch_to_value(const AppWatch *watch);
void app_watch_done(AppWatch *watch);

/* What is to be watched, absolute and normalised; freed by the caller. */
char **app_watch_paths(const AppWatch *watch, const char *cwd);

/* Whether ignore_watch and watch_options of a config can be had. */
int app_watch_check(const struct AppConfig *config, Error *error);
/* NULL: the default. */
char *const *app_watch_patterns(const struct AppConfig *config);
bool app_watch_follows_symlinks(const struct AppConfig *config);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AppWatch, app_watch_done)
