/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Commands for processes that exist. */

#include "basic/time-util.h"
#include "core/target.h"
#include "manager/manager-internal.h"

/* What Restart changes of one process, checked before it is touched. */
typedef struct Change {
        AppConfig *config; /* NULL: nothing */
        Environment *caller_env;
        ProcessPlan plan;
} Change;

static void clear_change(void *item) {
        Change *change = item;
        app_config_unref(change->config);
        environment_unref(change->caller_env);
        process_plan_done(&change->plan);
}

/* Also without any change the files are looked at again: what is missing now is said before anything stops.
 */
static int check_change(
                Manager *manager,
                const Process *process,
                const Request *request,
                Change *change,
                Error *error) {
        change->config = app_config_copy(process->config);
        /* As a whole: a variable that the caller has no more is gone. */
        change->caller_env =
                        request->update_env
                                        ? app_environment_base(manager, process->owner, request->caller_env)
                                        : environment_ref(process->caller_env);
        for (guint i = 0; i < request->attributes->len; i++) {
                const ValueEntry *entry = request->attributes->pdata[i];
                int r = app_config_set_by_name(change->config, entry->key, entry->value, error);
                if (r < 0) {
                        return r;
                }
        }
        if (change->config->instances != process->config->instances) {
                return error_set(
                                error,
                                ERROR_NOT_SUPPORTED,
                                "instances: the number of processes that an app has is changed by Scale, or "
                                "by StartJson");
        }
        int r = app_config_check(change->config, error);
        if (r >= 0) {
                r =
                                app_plan_make(manager,
                                              process->owner,
                                              change->config,
                                              change->caller_env,
                                              &change->plan,
                                              error);
        }
        if (r >= 0) {
                app_plan_set_id(&change->plan, change->config, process->id);
        }
        return r;
}

static int check_changes(
                Manager *manager,
                const GPtrArray *processes,
                const Request *request,
                GArray *changes,
                Error *error) {
        for (guint i = 0; i < processes->len; i++) {
                Change change = { 0 };
                int r = check_change(manager, processes->pdata[i], request, &change, error);
                g_array_append_val(changes, change);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

int manager_submit(
                Manager *manager,
                const ManagerCall *call,
                const GPtrArray *processes,
                CommandVerb verb,
                const Request *request,
                Operation **ret,
                Error *error) {
        bool launches = verb == COMMAND_START || verb == COMMAND_RESTART;
        g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(Change));

        g_array_set_clear_func(changes, clear_change);
        int r = launches ? check_changes(manager, processes, request, changes, error) : 0;
        if (r < 0) {
                return r;
        }
        Operation *operation = manager_expect_all(manager, call, processes);
        operation_set_caller(operation, call->caller.uid);
        for (guint i = 0; i < processes->len; i++) {
                Process *process = processes->pdata[i];
                Command *command = command_new(verb, operation);
                if (launches) {
                        Change *change = &g_array_index(changes, Change, i);
                        command_set_config(
                                        command,
                                        change->config,
                                        request->update_env ? change->caller_env : NULL,
                                        &change->plan);
                }
                command_submit_and_invalidate(process->handle, command);
        }
        if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, request);
        return 0;
}

static int command_target(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                CommandVerb verb,
                unsigned keys,
                Operation **ret,
                Error *error) {
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) processes = NULL;

        int r = request_parse(&request, call->options, keys, error);
        if (r >= 0) {
                r = target_resolve(manager->registry, &call->caller, target, &processes, error);
        }
        return r < 0 ? r : manager_submit(manager, call, processes, verb, &request, ret, error);
}

int manager_stop(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        return command_target(manager, call, target, COMMAND_STOP, 0, ret, error);
}

int manager_delete(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        return command_target(manager, call, target, COMMAND_DELETE, 0, ret, error);
}

int manager_restart(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        const unsigned keys = REQUEST_ENVIRONMENT | REQUEST_UPDATE_ENV | REQUEST_ATTRIBUTES;
        int r = shutdown_refuse(manager, error);

        return r < 0 ? r : command_target(manager, call, target, COMMAND_RESTART, keys, ret, error);
}

/* What runs in fork mode cannot be replaced while it serves: it is restarted, as PM2 does. */
int manager_reload(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        return manager_restart(manager, call, target, ret, error);
}

static void reset_one(Process *process, const ManagerCall *call, const void *what, Error *error) {
        process_reset_counters(process, now_realtime_usec());
        manager_remember_verb(process, call, "reset");
}

int manager_reset(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        return manager_each(manager, call, target, reset_one, NULL, ret, error);
}
