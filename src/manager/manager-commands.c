/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Commands for processes that exist. */

#include "basic/log.h"
#include "basic/time-util.h"
#include "core/target.h"
#include "manager/depends-check.h"
#include "manager/listeners.h"
#include "manager/manager-state.h"
#include "manager/memory-restart.h"
#include "manager/rolling.h"
#include "manager/stop-order.h"

#include <inttypes.h>

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

/* With all of them changed. */
static int check_dependencies(
                const Manager *manager,
                const GPtrArray *processes,
                bool starts,
                const GArray *changes,
                Error *error) {
        g_autoptr(DependsCheck) check = depends_check_new(manager);
        int r = 0;

        for (guint i = 0; i < processes->len; i++) {
                const Process *process = processes->pdata[i];
                depends_check_leave_out(check, process);
                depends_check_add(check, process->owner, g_array_index(changes, Change, i).config);
        }
        for (guint i = 0; i < processes->len && r >= 0; i++) {
                const Process *process = processes->pdata[i];
                r =
                                depends_check(check,
                                              process->owner,
                                              g_array_index(changes, Change, i).config,
                                              starts,
                                              error);
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

/* The sockets of all that are to be started, before any of them is touched. */
static int prepare_sockets(
                Manager *manager,
                const GPtrArray *processes,
                CommandVerb verb,
                const GArray *changes,
                Error *error) {
        int r = 0;

        for (guint i = 0; i < processes->len && r >= 0; i++) {
                const Process *process = processes->pdata[i];
                const AppConfig *config = g_array_index(changes, Change, i).config;
                bool serves_on = verb == COMMAND_RELOAD && reload_is_possible(process, config);
                bool ends = process_state_is_alive(process->state) && !serves_on;
                r = listeners_prepare(manager, process->owner, config, process->config->name, ends, error);
        }
        for (guint i = 0; i < processes->len && r < 0; i++) {
                const Process *process = processes->pdata[i];
                listeners_review(manager, process->owner, g_array_index(changes, Change, i).config->name);
        }
        return r;
}

/* It changes nothing. */
static bool is_plain(const Request *request) {
        return request->attributes->len == 0 && !request->update_env;
}

/* What cannot be replaced while it serves is restarted, as PM2 does in fork mode. */
static void choose_way_of_reload(const Process *process, Command *command, Rolling *rolling) {
        if (reload_is_possible(process, command->config)) {
                command->rolling = rolling_ref(rolling);
        } else {
                command->verb = COMMAND_RESTART;
                command->let_go = true;
        }
}

int manager_submit(
                Manager *manager,
                const ManagerCall *call,
                const GPtrArray *processes,
                CommandVerb verb,
                const Request *request,
                Operation **ret,
                Error *error) {
        bool launches = verb == COMMAND_START || verb == COMMAND_RESTART || verb == COMMAND_RELOAD;
        g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(Change));

        Rolling *rolling = verb == COMMAND_RELOAD ? rolling_new() : NULL;
        g_array_set_clear_func(changes, clear_change);
        int r = launches ? check_changes(manager, processes, request, changes, error) : 0;
        /* What replaces what runs depends on nothing that this did not have. */
        if (r >= 0 && launches && !(verb == COMMAND_RELOAD && is_plain(request))) {
                r = check_dependencies(manager, processes, verb != COMMAND_RELOAD, changes, error);
        }
        if (r >= 0 && launches) {
                r = prepare_sockets(manager, processes, verb, changes, error);
        }
        if (r < 0) {
                rolling_unref(rolling);
                return r;
        }
        Operation *operation = manager_expect_all(manager, call, processes);
        g_autoptr(GHashTable) needed = launches ? NULL : stop_order_names(processes);
        operation_set_caller(operation, call->caller.uid);
        for (guint i = 0; i < processes->len; i++) {
                Process *process = processes->pdata[i];
                if (verb == COMMAND_RELOAD && is_plain(request) &&
                    rolling_join(manager, process, rolling, operation)) {
                        continue;
                }
                Command *command = command_new(verb, operation);
                command->ordered = needed && g_hash_table_contains(needed, process->config->name);
                if (launches) {
                        Change *change = &g_array_index(changes, Change, i);
                        command_set_config(
                                        command,
                                        change->config,
                                        request->update_env ? change->caller_env : NULL,
                                        &change->plan);
                }
                if (verb == COMMAND_RELOAD) {
                        command->soft = call->soft;
                        choose_way_of_reload(process, command, rolling);
                }
                command_submit_and_invalidate(process->handle, command);
        }
        rolling_unref(rolling);
        if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, request);
        return 0;
}

int manager_start_by_itself_and_invalidate(Process *process, CommandCause cause, Error *error) {
        Manager *manager = process->handle->manager;
        g_autoptr(GPtrArray) nothing = g_ptr_array_new();
        const Request request = { .attributes = nothing };
        Change change = { 0 };

        int r = check_change(manager, process, &request, &change, error);
        if (r >= 0) {
                r = listeners_prepare(
                                manager, process->owner, change.config, process->config->name, false, error);
        }
        if (r >= 0) {
                Command *command = command_new(COMMAND_START, NULL);
                command->cause = cause;
                command_set_config(command, change.config, NULL, &change.plan);
                command_submit_and_invalidate(process->handle, command);
        }
        clear_change(&change);
        return r;
}

void manager_restart_by_itself_and_invalidate(Process *process, CommandCause cause) {
        g_autoptr(GPtrArray) nothing = g_ptr_array_new();
        const Request request = { .attributes = nothing };
        Change change = { 0 };
        g_auto(Error) error = { 0 };

        if (check_change(process->handle->manager, process, &request, &change, &error) < 0) {
                log_warning("process %" PRIu32 " '%s' is not restarted: %s",
                            process->id,
                            process->config->name,
                            error.message);
                manager_remember(process, (HistoryEntry){ .kind = HISTORY_FAILED, .text = error.message });
                manager_state_save(process->handle);
        } else {
                bool gently = cause == CAUSE_MEMORY && reload_is_possible(process, change.config);
                Command *command = command_new(gently ? COMMAND_RELOAD : COMMAND_RESTART, NULL);
                command->cause = cause;
                command->why = cause == CAUSE_MEMORY ? memory_restart_describe(process, gently) : NULL;
                command_set_config(command, change.config, NULL, &change.plan);
                command_submit_and_invalidate(process->handle, command);
        }
        clear_change(&change);
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

        int r = manager_take_target(manager, call, keys, target, &request, &processes, error);
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

static int launch_target(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                CommandVerb verb,
                Operation **ret,
                Error *error) {
        const unsigned keys = REQUEST_ENVIRONMENT | REQUEST_UPDATE_ENV | REQUEST_ATTRIBUTES;
        int r = shutdown_refuse(manager, error);

        return r < 0 ? r : command_target(manager, call, target, verb, keys, ret, error);
}

int manager_restart(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        return launch_target(manager, call, target, COMMAND_RESTART, ret, error);
}

int manager_reload(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        return launch_target(manager, call, target, COMMAND_RELOAD, ret, error);
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
