/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Start: from what a caller declares to commands. Everything is checked before anything is registered or
 * touched. */

#include "basic/parse-util.h"
#include "core/file-names.h"
#include "core/instances.h"
#include "core/target.h"
#include "manager/depends-check.h"
#include "manager/listeners.h"
#include "manager/manager-state.h"
#include "manager/start-internal.h"
#include "platform/host-figures.h"

#include <inttypes.h>
#include <string.h>

enum {
        DERIVED_NAME_BYTES_MAX = 200,
};

void checked_app_done(CheckedApp *app) {
        app_config_unref(app->config);
        environment_unref(app->caller_env);
        process_plan_done(&app->plan);
        g_clear_pointer(&app->existing, g_ptr_array_unref);
        g_clear_pointer(&app->surplus, g_ptr_array_unref);
}

static int apply_attributes(AppConfig *config, const Request *request, Error *error) {
        for (guint i = 0; i < request->attributes->len; i++) {
                const ValueEntry *entry = request->attributes->pdata[i];
                int r = app_config_set_by_name(config, entry->key, entry->value, error);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

/* A shell command is its own name; a script is known by its file name. */
int checked_app_name(CheckedApp *app, Error *error) {
        AppConfig *config = app->config;

        if (config->name || !config->script) {
                return app_config_apply_prefix(config, error);
        }
        bool command = strchr(config->script, ' ') != NULL;
        g_autofree char *stem = command ? g_strdup(config->script) : file_name_stem(config->script);
        size_t length = MIN(strlen(stem), DERIVED_NAME_BYTES_MAX);
        while (length > 0 && stem[length] && ((unsigned char) stem[length] & 0xc0) == 0x80) {
                length--; /* not within a character */
        }
        stem[length] = '\0';
        for (char *c = stem; *c; c++) {
                *c = g_ascii_iscntrl(*c) ? ' ' : *c;
        }
        g_autoptr(Value) value = value_new_string(stem);
        int r = app_config_set_by_name(config, "name", value, error);
        return r < 0 ? r : app_config_apply_prefix(config, error);
}

GPtrArray *processes_of_app(const Manager *manager, uid_t owner, const char *name) {
        GPtrArray *found = g_ptr_array_new();

        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                Process *process = registry_at(manager->registry, i);
                if (process->owner == owner && strcmp(process->config->name, name) == 0) {
                        g_ptr_array_add(found, process);
                }
        }
        return found;
}

/* PM2's rule (7.0.4): several of a Node program are a cluster where it is not said what they are. What has
 * sockets of ours shares those. */
static int choose_exec_mode(CheckedApp *app, Error *error) {
        const AppConfig *config = app->config;
        g_autoptr(Value) cluster = value_new_string("cluster");

        if (app_config_is_given(config, "exec_mode") || !app_config_is_given(config, "instances") ||
            config->listen[0] || !app_plan_has_cluster(&app->plan)) {
                return 0;
        }
        return app_config_set_by_name(app->config, "exec_mode", cluster, error);
}

int checked_app_check(Manager *manager, uid_t owner, CheckedApp *app, Error *error) {
        int r = checked_app_name(app, error);
        if (r >= 0) {
                r = app_config_check(app->config, error);
        }
        if (r >= 0) {
                r = app_plan_make(manager, owner, app->config, app->caller_env, &app->plan, error);
        }
        if (r >= 0) {
                r = choose_exec_mode(app, error);
        }
        if (r >= 0) {
                app->existing = processes_of_app(manager, owner, app->config->name);
        }
        return r;
}

void checked_app_count(CheckedApp *app, bool force) {
        uint32_t declared = instances_count(app->config->instances, host_cpu_count());
        size_t existing = force ? 0 : app->existing->len;
        size_t wanted = app_config_is_given(app->config, "instances") ? declared : MAX(existing, 1);

        app->missing = (uint32_t) (wanted > existing ? wanted - existing : 0);
        g_clear_pointer(&app->surplus, g_ptr_array_unref);
        app->surplus = force ? g_ptr_array_new() : instances_take_surplus(app->existing, wanted);
}

int start_check_room(const Manager *manager, size_t count, Error *error) {
        size_t wanted = registry_count(manager->registry) + count;

        if (wanted > manager->settings->processes_max) {
                return error_set(
                                error,
                                ERROR_LIMIT_EXCEEDED,
                                "there would be up to %zu processes (setting processes_max)",
                                wanted);
        }
        return 0;
}

/* The plan of the same app for one more of its processes. */
static void plan_copy(const ProcessPlan *plan, ProcessPlan *ret) {
        *ret = (ProcessPlan){
                .exec_path = g_strdup(plan->exec_path),
                .interpreter = g_strdup(plan->interpreter),
                .program = g_strdup(plan->program),
                .shell_command = plan->shell_command,
                .is_node = plan->is_node,
                .cwd = g_strdup(plan->cwd),
                .out_log_path = g_strdup(plan->out_log_path),
                .error_log_path = g_strdup(plan->error_log_path),
                .log_path = g_strdup(plan->log_path),
                .pid_path = g_strdup(plan->pid_path),
                .version = g_strdup(plan->version),
        };
}

/* The config of the app for one of its processes, which keeps the number that it has. */
static AppConfig *config_for(const CheckedApp *app, const Process *process) {
        const char *name = app->config->increment_var;
        const char *kept = name ? environment_get(process->config->env, name) : NULL;
        int64_t value;

        return kept && parse_int64(kept, &value) >= 0 ? instances_with_increment(app->config, value)
                                                      : app_config_ref(app->config);
}

int checked_app_prepare(Manager *manager, uid_t owner, const CheckedApp *app, Error *error) {
        bool alive = false;

        for (guint i = 0; app->existing && i < app->existing->len; i++) {
                const Process *process = app->existing->pdata[i];
                alive = alive || process_state_is_alive(process->state);
        }
        int r = listeners_prepare(manager, owner, app->config, NULL, alive, error);
        if (r < 0) {
                listeners_review(manager, owner, app->config->name);
        }
        return r;
}

void checked_app_submit(const CheckedApp *app, CommandVerb verb, bool update_env, Operation *operation) {
        for (guint i = 0; i < app->existing->len; i++) {
                Process *process = app->existing->pdata[i];
                g_autoptr(AppConfig) config = config_for(app, process);
                g_auto(ProcessPlan) plan = { 0 };
                Command *command = command_new(verb, operation);
                plan_copy(&app->plan, &plan);
                app_plan_set_id(&plan, config, process->id);
                command_set_config(command, config, update_env ? app->caller_env : NULL, &plan);
                operation_expect(operation, process->id);
                command_submit_and_invalidate(process->handle, command);
        }
}

void checked_app_delete_surplus(const CheckedApp *app, Operation *operation) {
        for (guint i = 0; i < app->surplus->len; i++) {
                Process *process = app->surplus->pdata[i];
                Command *command = command_new(COMMAND_DELETE, operation);
                command->drain = true;
                operation_expect_removal(operation);
                command_submit_and_invalidate(process->handle, command);
        }
}

void checked_app_reconfigure(Manager *manager, const CheckedApp *app, Operation *operation) {
        for (guint i = 0; i < app->existing->len; i++) {
                Process *process = app->existing->pdata[i];
                g_autoptr(AppConfig) config = config_for(app, process);
                g_auto(ProcessPlan) plan = { 0 };
                plan_copy(&app->plan, &plan);
                app_plan_set_id(&plan, config, process->id);
                process_configure(process, config, app->caller_env, &plan);
                manager_notify_changes(manager, process);
                operation_expect(operation, process->id);
                operation_finish(operation, process->id, NULL);
        }
}

static int register_one(Manager *manager, uid_t owner, const CheckedApp *app, Process **ret, Error *error) {
        g_autoptr(AppConfig) config = NULL;
        g_auto(ProcessPlan) plan = { 0 };

        if (app->config->increment_var) {
                int64_t value = instances_next_increment(
                                manager->registry, app->config, owner, app->caller_env);
                config = instances_with_increment(app->config, value);
        } else {
                config = app_config_ref(app->config);
        }
        plan_copy(&app->plan, &plan);
        return manager_add_process(manager, owner, config, app->caller_env, &plan, ret, error);
}

static void remove_all(Manager *manager, const GPtrArray *processes) {
        for (guint i = 0; i < processes->len; i++) {
                manager_remove_process_and_invalidate(manager, processes->pdata[i]);
        }
}

int checked_app_register(
                Manager *manager,
                uid_t owner,
                const CheckedApp *app,
                bool start,
                bool fresh,
                Operation *operation,
                Error *error) {
        g_autoptr(GPtrArray) added = g_ptr_array_new();

        /* All of them before the first is started, which may end at once and be gone. */
        for (uint32_t i = 0; i < app->missing; i++) {
                Process *process;
                int r = register_one(manager, owner, app, &process, error);
                if (r < 0) {
                        remove_all(manager, added);
                        listeners_review(manager, owner, app->config->name);
                        return r;
                }
                g_ptr_array_add(added, process);
        }
        if (manager->instances_due) {
                instances_settle(manager);
        }
        for (guint i = 0; i < added->len; i++) {
                Process *process = added->pdata[i];
                operation_expect(operation, process->id);
                if (start) {
                        Command *command = command_new(COMMAND_START, operation);
                        command->fresh = fresh; /* who does not wait finds it errored */
                        command_submit_and_invalidate(process->handle, command);
                } else {
                        process_take_reason(process, g_strdup("registered, not started"));
                        manager_state_save(process->handle);
                        manager_notify_changes(manager, process);
                        operation_finish(operation, process->id, NULL);
                }
        }
        return 0;
}

bool process_is_running(const Process *process) {
        return process->state == PROCESS_PLACING || process->state == PROCESS_EXECUTING ||
               process->state == PROCESS_PREPARING || process->state == PROCESS_STARTING ||
               process->state == PROCESS_AWAITING || process->state == PROCESS_ONLINE;
}

static const Process *first_running(const GPtrArray *processes) {
        for (guint i = 0; i < processes->len; i++) {
                const Process *process = processes->pdata[i];
                if (process_is_running(process)) {
                        return process;
                }
        }
        return NULL;
}

static int refuse_running(const Process *process, Error *error) {
        return error_set(
                        error,
                        ERROR_ALREADY_EXISTS,
                        "name: '%s' is process %" PRIu32 ", which is %s",
                        process->config->name,
                        process->id,
                        process_state_to_status(process->state));
}

static int check_dependencies(
                const Manager *manager, uid_t owner, const CheckedApp *app, bool start, Error *error) {
        g_autoptr(DependsCheck) check = depends_check_new(manager);

        for (guint i = 0; i < app->existing->len; i++) {
                depends_check_leave_out(check, app->existing->pdata[i]);
        }
        depends_check_add(check, owner, app->config);
        return depends_check(check, owner, app->config, start, error);
}

static int start_declared(
                Manager *manager,
                const ManagerCall *call,
                const char *script,
                const Request *request,
                Operation **ret,
                Error *error) {
        g_auto(CheckedApp) app = {
                .config = app_config_new(),
                .caller_env = app_environment_base(manager, call->caller.uid, request->caller_env),
        };

        g_autoptr(Value) script_value = value_new_string(script);
        int r = app_config_set_by_name(app.config, "script", script_value, error);
        if (r >= 0) {
                r = apply_attributes(app.config, request, error);
        }
        if (r >= 0) {
                r = checked_app_check(manager, call->caller.uid, &app, error);
        }
        if (r >= 0) {
                r = check_dependencies(manager, call->caller.uid, &app, request->start, error);
        }
        if (r < 0) {
                return r;
        }
        const Process *running = first_running(app.existing);
        if (running && !request->force) {
                return refuse_running(running, error);
        }
        checked_app_count(&app, request->force);
        r = start_check_room(manager, app.missing, error);
        bool start = request->start && app.config->autostart;
        bool starts_existing = app.existing->len > 0 && !request->force && request->start;
        if (r >= 0 && (starts_existing || (start && app.missing > 0))) {
                r = checked_app_prepare(manager, call->caller.uid, &app, error);
        }
        if (r < 0) {
                return r;
        }
        Operation *operation = operation_new(manager->event, call->handler, call->userdata);
        operation_set_caller(operation, call->caller.uid);
        if (app.existing->len > 0 && !request->force && !request->start) {
                checked_app_reconfigure(manager, &app, operation);
        } else if (starts_existing) {
                checked_app_submit(&app, COMMAND_START, true, operation);
        }
        checked_app_delete_surplus(&app, operation);
        r = checked_app_register(manager, call->caller.uid, &app, start, request->wait, operation, error);
        if (r < 0) {
                operation_forget(operation);
        }
        if (ret && r >= 0) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, request);
        return r;
}

/* Where the caller stands is no change to what was declared. */
static void drop_attribute(Request *request, const char *name) {
        for (guint i = request->attributes->len; i > 0; i--) {
                const ValueEntry *entry = request->attributes->pdata[i - 1];
                if (strcmp(entry->key, name) == 0) {
                        (void) g_ptr_array_remove_index(request->attributes, i - 1);
                }
        }
}

/* Start what exists: all that match and do not run. */
static int start_existing(
                Manager *manager,
                const ManagerCall *call,
                GPtrArray *processes,
                Request *request,
                Operation **ret,
                Error *error) {
        g_autoptr(GPtrArray) idle = g_ptr_array_new();

        for (guint i = 0; i < processes->len; i++) {
                Process *process = processes->pdata[i];
                if (!process_is_running(process)) {
                        g_ptr_array_add(idle, process);
                }
        }
        if (idle->len == 0 && processes->len > 0) {
                return refuse_running(processes->pdata[0], error);
        }
        drop_attribute(request, "cwd");
        return manager_submit(manager, call, idle, COMMAND_START, request, ret, error);
}

int manager_start(
                Manager *manager,
                const ManagerCall *call,
                const char *script,
                Operation **ret,
                Error *error) {
        const unsigned keys = REQUEST_FORCE | REQUEST_START | REQUEST_ENVIRONMENT | REQUEST_UPDATE_ENV |
                              REQUEST_ATTRIBUTES;
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) existing = NULL;
        g_auto(Error) no_target = { 0 };

        int r = shutdown_refuse(manager, error);
        if (r >= 0) {
                r = request_parse(&request, call->options, keys, error);
        }
        if (r < 0) {
                return r;
        }
        if (script[0] == '\0') {
                return error_set(error, ERROR_INVALID_CONFIG, "script: must not be empty");
        }
        /* Without a name of its own, and unless one more is forced, it may name what is there. */
        if (!request.force && request.start && !request_attribute(&request, "name") &&
            target_resolve(manager->registry, &call->caller, script, &existing, &no_target) >= 0) {
                return start_existing(manager, call, existing, &request, ret, error);
        }
        return start_declared(manager, call, script, &request, ret, error);
}

int manager_start_target(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) processes = NULL;

        int r = shutdown_refuse(manager, error);
        if (r >= 0) {
                const unsigned keys = REQUEST_ENVIRONMENT | REQUEST_UPDATE_ENV | REQUEST_ATTRIBUTES;
                r = request_parse(&request, call->options, keys, error);
        }
        if (r >= 0) {
                r = target_resolve(manager->registry, &call->caller, target, &processes, error);
        }
        return r < 0 ? r : manager_submit(manager, call, processes, COMMAND_START, &request, ret, error);
}
