/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between Start (manager-start.c) and StartJson (manager-document.c). */

#include "manager/manager-internal.h"

/* An app that is being checked, or has passed. Starts as {0}. */
typedef struct CheckedApp {
        AppConfig *config;
        Environment *caller_env; /* for what is made new */
        ProcessPlan plan;
        GPtrArray *existing; /* of Process: those of its name, without the surplus */
        GPtrArray *surplus;  /* those that are too many, NULL: see checked_app_count() */
        uint32_t missing;    /* to be made new */
} CheckedApp;

void checked_app_done(CheckedApp *app);

/* Name it by its script if it has no name. */
int checked_app_name(CheckedApp *app, Error *error);

/* Look at the whole of it and at all files that it names, and find what exists of its name. */
int checked_app_check(Manager *manager, uid_t owner, CheckedApp *app, Error *error);

/* How many processes there are to be: as its instances say, where that is given, else as there are, and one
 * at least. force: as many more as it says, whatever exists. */
void checked_app_count(CheckedApp *app, bool force);

/* LimitExceeded: there is no room for that many more processes. */
int start_check_room(const Manager *manager, size_t count, Error *error);

/* Have the sockets that it listens on, for what is about to be started; on failure nothing has changed. */
int checked_app_prepare(Manager *manager, uid_t owner, const CheckedApp *app, Error *error);

/* A command with the new configuration for all that exist. */
void checked_app_submit(const CheckedApp *app, CommandVerb verb, bool update_env, Operation *operation);

/* Delete the surplus. */
void checked_app_delete_surplus(const CheckedApp *app, Operation *operation);

/* They only take the new configuration. */
void checked_app_reconfigure(Manager *manager, const CheckedApp *app, Operation *operation);

/* Register what is missing, and start it if start says so; fresh: what cannot be launched is not kept. There
 * must be room. */
int checked_app_register(
                Manager *manager,
                uid_t owner,
                const CheckedApp *app,
                bool start,
                bool fresh,
                Operation *operation,
                Error *error);

/* The processes of an app: all of this name and owner, by increasing id. A new array. */
GPtrArray *processes_of_app(const Manager *manager, uid_t owner, const char *name);

/* app-diff.c: an array of maps {attribute, old, new}; what is not set is left out. Of variables each is told
 * by itself ("env.PORT"). */
Value *app_config_diff(const AppConfig *before, const AppConfig *after);

/* Whether a process is online, or on its way there; what is ending can be started: the start waits for the
 * end. */
bool process_is_running(const Process *process);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CheckedApp, checked_app_done)
