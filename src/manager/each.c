/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that concern several processes: all are expected before the first is done with, for an operation
 * that has nobody left to wait for is answered. */

#include "core/target.h"
#include "manager/manager-internal.h"

#include <inttypes.h>

int manager_refuse_state(const Process *process, ErrorCode code, const char *why, Error *error) {
        return error_set(
                        error,
                        code,
                        "process %" PRIu32 " '%s' is %s: %s",
                        process->id,
                        process->config->name,
                        process_state_to_status(process->state),
                        why);
}

int manager_take_target(
                const Manager *manager,
                const ManagerCall *call,
                unsigned keys,
                const char *target,
                Request *request,
                GPtrArray **ret_processes,
                Error *error) {
        int r = request_parse(request, call->options, keys, error);

        return r < 0 ? r : target_resolve(manager->registry, &call->caller, target, ret_processes, error);
}

Operation *manager_expect_all(Manager *manager, const ManagerCall *call, const GPtrArray *processes) {
        Operation *operation = operation_new(manager->event, call->handler, call->userdata);

        for (guint i = 0; i < processes->len; i++) {
                operation_expect(operation, ((const Process *) processes->pdata[i])->id);
        }
        return operation;
}

int manager_each(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                EachProcess each,
                const void *what,
                Operation **ret,
                Error *error) {
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) processes = NULL;

        int r = manager_take_target(manager, call, 0, target, &request, &processes, error);
        if (r < 0) {
                return r;
        }
        Operation *operation = manager_expect_all(manager, call, processes);
        for (guint i = 0; i < processes->len; i++) {
                Process *process = processes->pdata[i];
                g_auto(Error) failure = { 0 };
                each(process, call, what, &failure);
                operation_finish(operation, process->id, &failure);
        }
        if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, &request);
        return 0;
}
