/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/stop-order.h"

#include "basic/log.h"
#include "manager/manager-state.h"

#include <string.h>

GHashTable *stop_order_names(const GPtrArray *processes) {
        GHashTable *names = NULL;

        for (guint i = 0; i < processes->len; i++) {
                const GArray *dependencies = ((const Process *) processes->pdata[i])->config->depends_on;
                for (size_t k = 0; k < dependencies_count(dependencies); k++) {
                        if (!names) {
                                names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
                        }
                        (void) g_hash_table_add(names, g_strdup(dependencies_at(dependencies, k)->name));
                }
        }
        return names;
}

static int on_review(sd_event_source *source, void *userdata);

static void review_later(Manager *manager) {
        int r = manager->stop_order_source ? 0
                                           : sd_event_add_defer(
                                                             manager->event,
                                                             &manager->stop_order_source,
                                                             on_review,
                                                             manager);

        if (r >= 0) {
                r = sd_event_source_set_enabled(manager->stop_order_source, SD_EVENT_ONESHOT);
        }
        if (r < 0) {
                (void) log_error_errno(r, "stops that wait cannot be looked at: %m");
        }
}

void stop_order_free(Manager *manager) {
        manager->stop_order_source = sd_event_source_disable_unref(manager->stop_order_source);
}

void stop_order_wait(ProcessHandle *handle, Command *command) {
        command->waits = true;
        manager_state_save(handle); /* a successor is to stop it, too */
        review_later(handle->manager);
}

void stop_order_hurry(ProcessHandle *handle, Command *command) {
        command->ordered = false;
        if (command->waits) {
                review_later(handle->manager);
        }
}

void stop_order_on_end(const Process *process) {
        if (process->config->depends_on) {
                review_later(process->handle->manager);
        }
}

void stop_order_on_rest(Manager *manager) {
        if (manager->stops_wait) {
                review_later(manager);
        }
}

void stop_order_adopt(ProcessHandle *handle) {
        Command *command = command_active(handle);
        ProcessState state = handle->process->state;

        if (command && command_is_stop(command) &&
            (process_state_is_running(state) || state == PROCESS_PREPARING || state == PROCESS_AWAITING)) {
                command->waits = true;
                review_later(handle->manager);
        }
}

static bool has_waiting_stop(const Process *process) {
        const Command *command = command_active(process->handle);
        return command && command->waits;
}

/* Whether one that the same call stops depends on it. */
static bool must_wait(const Process *process, const Command *command) {
        const Manager *manager = process->handle->manager;

        for (size_t i = 0; command->ordered && i < registry_count(manager->registry); i++) {
                const Process *other = registry_at(manager->registry, i);
                const Command *its = command_active(other->handle);
                if (other != process && other->owner == process->owner && its && command_is_stop(its) &&
                    its->operation == command->operation &&
                    dependencies_find(other->config->depends_on, process->config->name)) {
                        return true;
                }
        }
        return false;
}

static GHashTable *needed_names(const Manager *manager) {
        g_autoptr(GPtrArray) alive = g_ptr_array_new();

        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                Process *process = registry_at(manager->registry, i);
                if (process_state_is_alive(process->state) || process->handle->twin) {
                        g_ptr_array_add(alive, process);
                }
        }
        return stop_order_names(alive);
}

static bool is_ending(const Process *process) {
        return process_state_is_alive(process->state) &&
               strcmp(process_state_to_status(process->state), "stopping") == 0 &&
               process->state != PROCESS_DRAINING;
}

static void stop_with_us_and_invalidate(Process *process) {
        reload_stop_twin(process->handle);
        if (process->state != PROCESS_STOPPED && process->state != PROCESS_ERRORED) {
                process_take_reason(process, g_strdup("stopped with the supervisor"));
                lifecycle_input_and_invalidate(process->handle, INPUT_STOP);
        }
}

/* Those that the names have not, or all. Returns how many were left out; ret_ending: whether any is on its
 * way to its end. A pending Delete may remove its process: go by what is there, from the end. */
static size_t stop_all_but(Manager *manager, GHashTable *names, bool *ret_ending) {
        size_t left_out = 0;

        *ret_ending = false;
        for (size_t i = registry_count(manager->registry); i > 0; i--) {
                Process *process = i <= registry_count(manager->registry)
                                                   ? registry_at(manager->registry, i - 1)
                                                   : NULL;
                if (!process) {
                        continue;
                }
                command_cancel_starts(process->handle, ERROR_SHUTTING_DOWN, "the supervisor is ending");
                bool alive = process_state_is_alive(process->state);
                if (alive && names && !is_ending(process) &&
                    g_hash_table_contains(names, process->config->name)) {
                        left_out++;
                        continue;
                }
                *ret_ending = *ret_ending || alive || process->handle->twin;
                if (!manager->stops_wait || !is_ending(process)) { /* what is on its way was told */
                        stop_with_us_and_invalidate(process);
                }
        }
        return left_out;
}

void stop_order_end(Manager *manager) {
        g_autoptr(GHashTable) names = needed_names(manager);
        bool ending;

        manager->stops_wait = stop_all_but(manager, names, &ending) > 0;
        if (manager->stops_wait && !ending) {
                (void) stop_all_but(manager, NULL, &ending); /* each waits for another: it cannot be */
        }
}

static void go_on_and_invalidate(Manager *manager, uint32_t id) {
        Process *process = registry_get(manager->registry, id);
        Command *command = process ? command_active(process->handle) : NULL;

        if (command && command->waits && !must_wait(process, command)) {
                command->waits = command->ordered = false;
                command_go_on_and_invalidate(process->handle);
        }
}

static int on_review(sd_event_source *source, void *userdata) {
        Manager *manager = userdata;
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));

        if (manager->detached) {
                return 0;
        }
        if (manager->shutting_down) {
                stop_order_end(manager);
                return 0;
        }
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *process = registry_at(manager->registry, i);
                if (has_waiting_stop(process)) {
                        g_array_append_val(ids, process->id);
                }
        }
        for (guint i = 0; i < ids->len; i++) {
                go_on_and_invalidate(manager, g_array_index(ids, uint32_t, i));
        }
        return 0;
}
