/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What changes while a process runs: its limits and all else that needs no new start, and whether it stands
 * still. */

#include "basic/log.h"
#include "core/target.h"
#include "manager/awaiting.h"
#include "manager/cron-restart.h"
#include "manager/depends-check.h"
#include "manager/log-files.h"
#include "manager/manager-internal.h"
#include "manager/manager-state.h"
#include "manager/notify.h"

#include <inttypes.h>
#include <string.h>

IsolationLimits limits_of(const AppConfig *config) {
        return (IsolationLimits){
                .memory_max_bytes = config->memory_max_bytes,
                .memory_high_bytes = config->memory_high_bytes,
                .cpu_quota_usec = config->cpu_quota_usec,
                .cpu_weight = config->cpu_weight,
                .io_weight = config->io_weight,
                .tasks_max = config->tasks_max,
        };
}

int limits_check(const Manager *manager, const AppConfig *config, Error *error) {
        IsolationLimits limits = limits_of(config);
        const LimitRow *row = isolation_find_unsupported(manager->isolation, &limits);

        return !row ? 0
                    : error_set(error,
                                ERROR_NOT_SUPPORTED,
                                "%s: needs the cgroup controller \"%s\", which isolation \"%s\" has not got "
                                "here",
                                row->attribute,
                                row->controller,
                                isolation_name(manager->isolation));
}

static int set_attributes(AppConfig *config, const Request *request, Error *error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < request->attributes->len; i++) {
                const ValueEntry *entry = request->attributes->pdata[i];
                r = app_config_set_by_name(config, entry->key, entry->value, error);
        }
        return r;
}

/* Names first: who asks for what cannot be set is not told of its value. */
static int check_attributes(const Request *request, Error *error) {
        for (guint i = 0; i < request->attributes->len; i++) {
                const ValueEntry *entry = request->attributes->pdata[i];
                const Attribute *attribute = attribute_find(entry->key);
                if (attribute && !attribute->live) {
                        return error_set(
                                        error,
                                        ERROR_NOT_SUPPORTED,
                                        "%s: takes effect at a start alone: use %s",
                                        attribute->name,
                                        strcmp(attribute->name, "instances") == 0 ? "Scale"
                                                                                  : "Restart with it");
                }
        }
        return request->attributes->len > 0 ? 0
                                            : error_set(error, ERROR_INVALID_ARGS, "no attribute is given");
}

static void unref_config(void *config) {
        app_config_unref(config);
}

static int check_configs(
                const Manager *manager,
                const GPtrArray *processes,
                const Request *request,
                GPtrArray *configs,
                Error *error) {
        int r = check_attributes(request, error);
        g_autoptr(DependsCheck) check = depends_check_new(manager);

        for (guint i = 0; r >= 0 && i < processes->len; i++) {
                const Process *process = processes->pdata[i];
                AppConfig *config = app_config_copy(process->config);
                g_ptr_array_add(configs, config);
                r = set_attributes(config, request, error);
                if (r >= 0) {
                        r = app_config_check(config, error);
                }
                if (r >= 0) {
                        r = limits_check(manager, config, error);
                }
                if (r >= 0) {
                        r = cron_restart_check(config, error);
                }
                depends_check_leave_out(check, process);
                depends_check_add(check, process->owner, config);
        }
        for (guint i = 0; r >= 0 && i < processes->len; i++) {
                const Process *process = processes->pdata[i];
                r = depends_check(check, process->owner, configs->pdata[i], false, error);
        }
        return r;
}

/* A restart that waits was made of the config as it was, and so was what a reload launches. */
static void change_waiting_commands(const ProcessHandle *handle, const Request *request) {
        for (const GList *item = handle->commands.head; item; item = item->next) {
                Command *command = item->data;
                if (command->config) {
                        AppConfig *config = app_config_copy(command->config);
                        (void) set_attributes(config, request, NULL);
                        app_config_unref(command->config);
                        command->config = config;
                }
        }
        if (reload_has_candidate(handle)) {
                g_autoptr(AppConfig) config = app_config_copy(handle->twin->config);
                (void) set_attributes(config, request, NULL);
                process_set_config(handle->twin, config);
        }
}

/* The limits of one process on their way. */
typedef struct LimitChange {
        Operation *operation; /* NULL: nobody waits for this one */
        uint32_t id;
} LimitChange;

static void finish_limits(Operation *operation, uint32_t id, int result) {
        g_auto(Error) error = { 0 };

        if (!operation) {
                if (result < 0 && result != -ESRCH) {
                        (void) log_warning_errno(
                                        result,
                                        "process %" PRIu32 ": the limits of what takes its place: %m",
                                        id);
                }
                return;
        }
        if (result < 0 && result != -ESRCH) { /* what has ended gets them at its next start */
                (void) error_set(
                                &error,
                                ERROR_SPAWN_FAILED,
                                "process %" PRIu32
                                ": its limits are kept for its next start, but cannot be changed now: %s",
                                id,
                                g_strerror(-result));
        }
        operation_finish(operation, id, &error);
}

static void on_limits(void *userdata, int result) {
        g_autofree LimitChange *change = userdata;

        finish_limits(change->operation, change->id, result);
}

static void set_limits(ProcessHandle *handle, const IsolationLimits *before, Operation *operation) {
        IsolationLimits limits = limits_of(handle->process->config);
        uint32_t id = handle->process->id;

        if (!handle->group || memcmp(&limits, before, sizeof(limits)) == 0) {
                finish_limits(operation, id, 0);
                return;
        }
        LimitChange *change = g_new(LimitChange, 1);
        *change = (LimitChange){ .operation = operation, .id = id };
        int r = isolation_group_set_limits(handle->group, &limits, on_limits, change);
        if (r != 0) {
                on_limits(change, r);
        }
}

void manager_remember_verb(Process *process, const ManagerCall *call, const char *verb) {
        manager_remember(
                        process,
                        (HistoryEntry){
                                        .kind = HISTORY_COMMAND,
                                        .asked = true,
                                        .uid = call->caller.uid,
                                        .verb = (char *) verb,
                        });
        manager_state_save(process->handle);
        manager_notify_changes(process->handle->manager, process);
}

int manager_set_properties(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) processes = NULL;
        g_autoptr(GPtrArray) configs = g_ptr_array_new_with_free_func(unref_config);

        int r = manager_take_target(manager, call, REQUEST_ATTRIBUTES, target, &request, &processes, error);
        if (r >= 0) {
                r = check_configs(manager, processes, &request, configs, error);
        }
        if (r < 0) {
                return r;
        }
        Operation *operation = manager_expect_all(manager, call, processes);
        if (ret) {
                *ret = operation;
        }
        for (guint i = 0; i < processes->len; i++) {
                Process *process = processes->pdata[i];
                const Process *twin = process->handle->twin;
                IsolationLimits before = limits_of(process->config);
                IsolationLimits of_twin = limits_of(twin ? twin->config : process->config);
                process_set_config(process, configs->pdata[i]);
                log_files_review(process->handle);
                awaiting_reconsider(process->handle);
                change_waiting_commands(process->handle, &request);
                manager_remember_verb(process, call, "set");
                if (twin) {
                        set_limits(twin->handle, &of_twin, NULL);
                }
                set_limits(process->handle, &before, operation);
        }
        operation_seal_and_invalidate(operation, &request);
        return 0;
}

static void freeze_one(Process *process, const ManagerCall *call, const void *what, Error *error) {
        bool freeze = *(const bool *) what;
        const ProcessHandle *handle = process->handle;

        if (process->state != PROCESS_ONLINE) {
                (void) manager_refuse_state(
                                process, ERROR_NOT_ONLINE, "there is nothing to freeze or thaw", error);
                return;
        }
        int r = handle->group ? isolation_group_freeze(handle->group, freeze) : -EOPNOTSUPP;
        if (r < 0) {
                (void) error_set(
                                error,
                                r == -EACCES || r == -EPERM ? ERROR_ACCESS_DENIED : ERROR_NOT_SUPPORTED,
                                "process %" PRIu32 " '%s' in isolation \"%s\" cannot be frozen: %s",
                                process->id,
                                process->config->name,
                                isolation_name(handle->manager->isolation),
                                g_strerror(-r));
                return;
        }
        process_set_frozen(process, freeze);
        notify_on_frozen(process->handle);
        manager_remember_verb(process, call, freeze ? "freeze" : "thaw");
}

int manager_freeze(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        static const bool freeze = true;

        return manager_each(manager, call, target, freeze_one, &freeze, ret, error);
}

int manager_thaw(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        static const bool freeze = false;

        return manager_each(manager, call, target, freeze_one, &freeze, ret, error);
}
