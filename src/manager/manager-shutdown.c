/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of the supervisor: everything is stopped in order, who asked is answered, then the loop ends. */

#include "basic/log.h"
#include "manager/cluster-worker.h"
#include "manager/manager-internal.h"
#include "manager/manager-state.h"
#include "manager/observers.h"
#include "manager/stop-order.h"

#include <unistd.h>

int shutdown_refuse(const Manager *manager, Error *error) {
        return manager->shutting_down ? error_set(error,
                                                  ERROR_SHUTTING_DOWN,
                                                  "the supervisor is ending; nothing is started")
                                      : 0;
}

static bool any_alive(const Manager *manager) {
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *process = registry_at(manager->registry, i);
                if (process_state_is_alive(process->state) || process->handle->twin) {
                        return true;
                }
        }
        return false;
}

/* Whoever waits is told so, and the rest is left as it is. */
static void leave(Manager *manager) {
        observers_tell_leaving(manager);
        if (manager->reexec) {
                manager_reexec_answer(manager);
        }
        observers_tell_restarting(manager);
        manager_state_hand_over(manager);
        isolation_leave(manager->isolation);
        cluster_save(manager);
        manager->detached = true;
        if (manager->reexec) {
                manager->handover = manager_reexec_hand_over(manager);
        } else {
                cluster_hand_over(manager, NULL);
        }
}

static int on_exit_source(sd_event_source *source, void *userdata) {
        Manager *manager = userdata;

        if (manager->leaving) {
                leave(manager);
        }
        return sd_event_exit(manager->event, manager->exit_code);
}

/* Not from within a call. At the priority of everything else, or a busy loop would never end; what is not
 * sent by then, the bus sends while it is taken down. */
static void end_loop(Manager *manager) {
        if (sd_event_add_defer(manager->event, &manager->exit_source, on_exit_source, manager) < 0) {
                (void) sd_event_exit(manager->event, manager->exit_code);
        }
}

void shutdown_check(Manager *manager) {
        if (!manager->shutting_down || manager->exit_source || any_alive(manager)) {
                stop_order_on_rest(manager);
                return;
        }
        observers_tell_killed(manager, manager->exit_reason);
        for (guint i = 0; i < manager->kill_operations->len; i++) {
                operation_finish(manager->kill_operations->pdata[i], 0, NULL);
        }
        g_ptr_array_set_size(manager->kill_operations, 0);
        manager_reexec_give_up(manager);
        end_loop(manager);
}

void manager_shut_down(Manager *manager, const char *reason, int exit_code) {
        if (manager->shutting_down) {
                return;
        }
        log_info("ending (%s): stopping %zu processes", reason, registry_count(manager->registry));
        manager->shutting_down = true;
        manager->exit_code = exit_code;
        manager->exit_reason = reason;
        observers_tell_shutting_down(manager);
        stop_order_end(manager);
        shutdown_check(manager);
}

bool manager_is_leaving(const Manager *manager) {
        return manager->leaving;
}

bool manager_can_detach(const Manager *manager) {
        return manager_state_is_kept(manager->state);
}

void manager_detach(Manager *manager) {
        log_info("ending; %zu processes stay for the next supervisor", registry_count(manager->registry));
        manager->leaving = true;
        manager->exit_code = 0;
        end_loop(manager);
}

Handover *manager_take_handover(Manager *manager) {
        return g_steal_pointer(&manager->handover);
}

int manager_kill(Manager *manager, const ManagerCall *call, int exit_code, Operation **ret, Error *error) {
        g_auto(Request) request = { 0 };

        int r = request_parse(&request, call->options, 0, error);
        if (r < 0) {
                return r;
        }
        if (!caller_may_control(&call->caller, geteuid())) {
                return error_set(
                                error,
                                ERROR_ACCESS_DENIED,
                                "only root may end the supervisor of the system");
        }
        Operation *operation = operation_new(manager->event, call->handler, call->userdata);
        operation_expect(operation, 0);
        g_ptr_array_add(manager->kill_operations, operation);
        if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, &request);
        manager_shut_down(manager, "kill", exit_code);
        return 0;
}
