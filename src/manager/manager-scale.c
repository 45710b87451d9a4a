/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* More or fewer processes of an app that exists. */

#include "core/instances.h"
#include "core/target.h"
#include "manager/start-internal.h"

#include <string.h>

static bool is_being_deleted(const Process *process) {
        const Command *last = g_queue_peek_tail(&process->handle->commands);

        return last && last->verb == COMMAND_DELETE;
}

/* The processes of an app that stay. */
static GPtrArray *staying_of(Manager *manager, uid_t owner, const char *name) {
        GPtrArray *processes = processes_of_app(manager, owner, name);

        for (guint i = processes->len; i > 0; i--) {
                if (is_being_deleted(processes->pdata[i - 1])) {
                        (void) g_ptr_array_remove_index(processes, i - 1);
                }
        }
        return processes;
}

/* The one app that a target means. */
static int find_app(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                GPtrArray **ret_staying,
                Error *error) {
        g_autoptr(GPtrArray) meant = NULL;

        int r = target_resolve(manager->registry, &call->caller, target, &meant, error);
        if (r < 0) {
                return r;
        }
        const Process *first = meant->len > 0 ? meant->pdata[0] : NULL;
        for (guint i = 1; i < meant->len; i++) {
                const Process *other = meant->pdata[i];
                if (other->owner != first->owner || strcmp(other->config->name, first->config->name) != 0) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_ARGS,
                                        "target: '%s' and '%s' (process %u) are two apps, and one is scaled "
                                        "at a time",
                                        first->config->name,
                                        other->config->name,
                                        other->id);
                }
        }
        g_autoptr(GPtrArray) staying =
                        first ? staying_of(manager, first->owner, first->config->name) : g_ptr_array_new();
        if (staying->len == 0) {
                g_autofree char *quoted = error_quote(target);
                return error_set(error, ERROR_NO_SUCH_PROCESS, "no process matches %s that stays", quoted);
        }
        *ret_staying = g_steal_pointer(&staying);
        return 0;
}

/* So many more as this one is: its files are looked at as at any start. */
static int check_more(
                Manager *manager, const Process *model, uint32_t count, CheckedApp *ret, Error *error) {
        ret->config = app_config_ref(model->config);
        ret->caller_env = environment_ref(model->caller_env);
        ret->missing = count;
        int r = start_check_room(manager, count, error);

        if (r >= 0) {
                r = app_plan_make(manager, model->owner, ret->config, ret->caller_env, &ret->plan, error);
        }
        return r < 0 ? r : checked_app_prepare(manager, model->owner, ret, error);
}

static int add_more(
                Manager *manager,
                const CheckedApp *app,
                uid_t owner,
                const Request *request,
                Operation *operation,
                Operation **ret,
                Error *error) {
        int r = checked_app_register(manager, owner, app, true, request->wait, operation, error);

        if (r < 0) {
                operation_forget(operation);
        } else if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, request);
        return r;
}

static Operation *new_operation(Manager *manager, const ManagerCall *call) {
        Operation *operation = operation_new(manager->event, call->handler, call->userdata);

        operation_set_caller(operation, call->caller.uid);
        return operation;
}

int manager_scale(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *count,
                Operation **ret,
                Error *error) {
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) processes = NULL;
        g_auto(CheckedApp) app = { 0 };
        uint32_t wanted = 0;

        int r = shutdown_refuse(manager, error);
        if (r >= 0) {
                r = request_parse(&request, call->options, 0, error);
        }
        if (r >= 0) {
                r = find_app(manager, call, target, &processes, error);
        }
        if (r >= 0) {
                r = instances_scale(count, processes->len, &wanted, error);
        }
        if (r >= 0 && wanted > processes->len) {
                r = check_more(manager, processes->pdata[0], wanted - processes->len, &app, error);
        }
        if (r < 0) {
                return r;
        }
        Operation *operation = new_operation(manager, call);
        uid_t owner = ((const Process *) processes->pdata[0])->owner;
        app.surplus = instances_take_surplus(processes, wanted);
        for (guint i = 0; i < processes->len; i++) {
                uint32_t id = ((const Process *) processes->pdata[i])->id;
                operation_expect(operation, id);
                operation_finish(operation, id, NULL);
        }
        checked_app_delete_surplus(&app, operation);
        return add_more(manager, &app, owner, &request, operation, ret, error);
}

int manager_duplicate(
                Manager *manager, const ManagerCall *call, uint32_t id, Operation **ret, Error *error) {
        g_auto(Request) request = { 0 };
        g_auto(CheckedApp) app = { 0 };
        Process *model = NULL;

        int r = shutdown_refuse(manager, error);
        if (r >= 0) {
                r = request_parse(&request, call->options, 0, error);
        }
        if (r >= 0) {
                r = manager_find_id(manager, &call->caller, id, &model, error);
        }
        if (r >= 0) {
                r = check_more(manager, model, 1, &app, error);
        }
        return r < 0 ? r
                     : add_more(manager,
                                &app,
                                model->owner,
                                &request,
                                new_operation(manager, call),
                                ret,
                                error);
}
