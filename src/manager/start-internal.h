/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between Start (manager-start.c) and StartJson (manager-document.c). */

#include "manager/manager-internal.h"

/* An app that is being checked, or has passed. Starts as {0}. */
typedef struct CheckedApp {
        AppConfig *config;
        Environment *caller_env; /* for what is made new */
        ProcessPlan plan;
        GPtrArray *existing; /* of Process: those of its name */
} CheckedApp;

void checked_app_done(CheckedApp *app);

/* Name it by its script if it has no name. */
int checked_app_name(CheckedApp *app, Error *error);

/* Look at the whole of it and at all files that it names, and find what exists of its name. */
int checked_app_check(Manager *manager, uid_t owner, CheckedApp *app, Error *error);

/* A command with the new configuration for all that exist. */
void checked_app_submit(const CheckedApp *app, CommandVerb verb, bool update_env, Operation *operation);

/* They only take the new configuration. */
void checked_app_reconfigure(Manager *manager, const CheckedApp *app, Operation *operation);

/* Register a new one, and start it unless the request or the app says not to. */
int checked_app_register(
                Manager *manager,
                uid_t owner,
                CheckedApp *app,
                const Request *request,
                Operation *operation,
                Error *error);

/* app-diff.c: an array of maps {attribute, old, new}; what is not set is left out. Of variables each is told
 * by itself ("env.PORT"). */
Value *app_config_diff(const AppConfig *before, const AppConfig *after);

/* Whether a process is online, or on its way there; what is ending can be started: the start waits for the
 * end. */
bool process_is_running(const Process *process);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CheckedApp, checked_app_done)
