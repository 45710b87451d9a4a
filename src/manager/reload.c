/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A process is replaced while it serves. The one that takes its place, the candidate, is a Process of its
 * own with its own handle, slot and state machine, which nobody but the manager sees. When it is ready the
 * two exchange what they run: the Process that everybody knows goes on with the handle of the new one, and
 * the hidden one, with the handle of the old, drains and ends. A candidate that does not get ready ends, and
 * nothing has happened to the old one.
 *
 * There are never more than two of a process. At a kill each is in its slot, with its role; between the two
 * writes of an exchange both say that they are visible, and the one with more reloads is. */

#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/listeners.h"
#include "manager/main-process.h"
#include "manager/manager-state.h"
#include "manager/readiness.h"
#include "manager/rollback.h"
#include "manager/rolling.h"
#include "manager/start-internal.h"

#include <inttypes.h>
#include <string.h>

bool reload_is_possible(const Process *process, const AppConfig *config) {
        return app_config_is_replaceable(process->config) && app_config_is_replaceable(config) &&
               process->config->exec_mode == config->exec_mode;
}

bool reload_must_wait(const ProcessHandle *handle) {
        const Process *process = handle->process;
        g_autoptr(GPtrArray) processes =
                        processes_of_app(handle->manager, process->owner, process->config->name);
        uint64_t busy = 0;

        for (guint i = 0; i < processes->len; i++) {
                const Process *other = processes->pdata[i];
                busy += other->handle->twin != NULL;
        }
        uint64_t limit = process->config->reload_parallel;
        return handle->twin || (limit > 0 && busy >= limit);
}

bool reload_has_candidate(const ProcessHandle *handle) {
        return handle->role == ROLE_VISIBLE && handle->twin && handle->twin->handle->role == ROLE_CANDIDATE;
}

bool reload_is_wanted(const ProcessHandle *hidden) {
        const Command *command = command_active(hidden->twin->handle);

        return command && command->verb == COMMAND_RELOAD;
}

bool reload_shares_pid_file(const ProcessHandle *handle) {
        return handle->role != ROLE_VISIBLE &&
               g_strcmp0(handle->process->pid_path, handle->twin->pid_path) == 0;
}

Process *reload_visible(const ProcessHandle *handle) {
        return handle->role == ROLE_VISIBLE ? handle->process : handle->twin;
}

Process *reload_make_hidden(Process *visible, HandleRole role) {
        Process *hidden =
                        process_new(visible->id,
                                    visible->unique_id,
                                    visible->owner,
                                    visible->instance,
                                    visible->created_realtime_usec);

        process_set_instances(hidden, visible->instances);
        hidden->restart_count = visible->restart_count + 1; /* as it will be: its environment says so */
        hidden->handle = process_handle_new(visible->handle->manager, hidden);
        hidden->handle->role = role;
        hidden->handle->twin = visible;
        visible->handle->twin = hidden;
        return hidden;
}

void reload_free_twin(ProcessHandle *handle) {
        Process *hidden = handle->role == ROLE_VISIBLE ? g_steal_pointer(&handle->twin) : NULL;

        if (hidden) {
                process_handle_free(hidden->handle);
                process_free(hidden);
        }
}

void reload_begin_and_invalidate(ProcessHandle *handle, Command *command) {
        Process *visible = handle->process;
        Process *candidate = reload_make_hidden(visible, ROLE_CANDIDATE);
        Environment *environment = command->caller_env ? command->caller_env : visible->caller_env;

        int r = manager_make_id(candidate->launch_id);
        if (r < 0) {
                g_auto(Error) error = { 0 };
                (void) error_set(&error, ERROR_SPAWN_FAILED, "no random numbers: %s", g_strerror(-r));
                reload_free_twin(handle);
                command_end_reload_and_invalidate(handle, &error);
                return;
        }
        handle->soft = command->soft;
        manager_state_save(handle);
        process_configure(candidate, command->config, environment, &command->plan);
        process_take_reason(candidate, g_strdup("launched by a reload"));
        lifecycle_input_and_invalidate(candidate->handle, gone_start_input(candidate));
}

void reload_stop_twin(ProcessHandle *handle) {
        Process *hidden = handle->role == ROLE_VISIBLE ? handle->twin : NULL;

        if (hidden && process_state_is_alive(hidden->state)) {
                lifecycle_input_and_invalidate(hidden->handle, INPUT_STOP); /* it ends later */
        }
}

/* What belongs to the Process and not to what it runs goes back to it. */
static void exchange_handles(ProcessHandle *fresh, ProcessHandle *old) {
        Process *visible = old->process, *hidden = fresh->process;
        GQueue commands = old->commands;

        process_exchange_launch(visible, hidden);
        old->commands = fresh->commands;
        fresh->commands = commands;
        fresh->process = visible;
        fresh->role = ROLE_VISIBLE;
        fresh->twin = hidden;
        fresh->reloads = old->reloads + 1;
        visible->handle = fresh;
        old->process = hidden;
        old->role = ROLE_RETIRED;
        old->twin = visible;
        hidden->handle = old;
        /* The histories have stayed: their blobs are to be made anew, so that none is of two slots. */
        fresh->saved.varying[VARYING_HISTORY].version = old->saved.varying[VARYING_HISTORY].version =
                        UINT64_MAX;
        fresh->saved.varying[VARYING_CRASH].version = old->saved.varying[VARYING_CRASH].version = UINT64_MAX;
}

static void retire_and_invalidate(ProcessHandle *old) {
        if (old->process->state == PROCESS_ONLINE) {
                lifecycle_input_and_invalidate(old, INPUT_RETIRE);
        } else if (process_state_is_alive(old->process->state)) {
                lifecycle_input_and_invalidate(old, INPUT_STOP);
        } else {
                reload_settle_hidden_and_invalidate(old);
        }
}

static void change_places_and_invalidate(ProcessHandle *fresh) {
        Manager *manager = fresh->manager;
        Process *visible = fresh->twin;
        ProcessHandle *old = visible->handle;
        g_autofree char *name = g_strdup(visible->config->name);
        g_autofree char *what =
                        g_strdup_printf("process %d in place of %d", fresh->process->pid, visible->pid);

        exchange_handles(fresh, old);
        process_count_restart(visible);
        process_reset_unstable(visible);
        const Command *command = command_active(fresh);
        process_take_reason(
                        visible, g_strdup(command && command->why ? command->why : "reloaded by command"));
        manager_remember(visible, (HistoryEntry){ .kind = HISTORY_RELOAD, .text = what });
        rollback_prepare(fresh, old->process);
        manager_state_save(fresh);
        manager_state_save(old);
        main_process_renew_pid_file(fresh);
        manager_tell_new_name(manager, visible, name);
        manager_emit(manager, visible, EVENT_ONLINE, false);
        retire_and_invalidate(old);
}

static void free_hidden(ProcessHandle *hidden) {
        Manager *manager = hidden->manager;
        const Process *visible = hidden->twin;
        g_autofree char *name = g_strdup(hidden->process->config->name);

        manager_state_forget(hidden);
        reload_free_twin(visible->handle);
        listeners_review(manager, visible->owner, name);
}

/* The others of its app may have waited for it. */
static void let_others_begin_and_invalidate(Manager *manager, uid_t owner, const char *name) {
        g_autoptr(GPtrArray) processes = processes_of_app(manager, owner, name);

        for (guint i = 0; i < processes->len; i++) {
                command_begin_next_and_invalidate(((Process *) processes->pdata[i])->handle);
        }
}

static Rolling *rolling_of(const Process *visible) {
        const Command *command = command_active(visible->handle);

        return command ? command->rolling : NULL;
}

static void retired_has_ended_and_invalidate(ProcessHandle *hidden) {
        Process *visible = hidden->twin;
        g_autofree char *how = hidden->process->exited_pid > 0
                                               ? exit_status_describe(hidden->process->exit_status)
                                               : g_strdup("ended before");
        g_autofree char *what = g_strdup_printf("the one before it: %s", how);

        manager_remember(
                        visible,
                        (HistoryEntry){ .kind = HISTORY_RETIRED,
                                        .exit_status = hidden->process->exit_status,
                                        .text = what });
        free_hidden(hidden);
        manager_state_save(visible->handle);
        rolling_add_done(rolling_of(visible), visible->id);
        command_end_reload_and_invalidate(visible->handle, NULL);
}

/* What runs stays as it is; what had ended meanwhile is launched again. */
static void candidate_has_failed_and_invalidate(ProcessHandle *hidden) {
        Process *visible = hidden->twin;
        Manager *manager = hidden->manager;
        g_auto(Error) error = { 0 };

        if (hidden->cut_short && reload_is_wanted(hidden)) {
                process_take_reason(hidden->process, g_strdup("launched by a reload"));
                lifecycle_input_and_invalidate(hidden, gone_start_input(hidden->process));
                return;
        }
        (void) error_set(
                        &error,
                        hidden->launch_error.code == ERROR_NONE ? ERROR_SPAWN_FAILED
                                                                : hidden->launch_error.code,
                        "process %" PRIu32 " '%s' was not reloaded: %s",
                        visible->id,
                        visible->config->name,
                        hidden->process->reason);
        free_hidden(hidden);
        visible->handle->soft = false;
        log_warning("%s", error.message);
        manager_remember(visible, (HistoryEntry){ .kind = HISTORY_FAILED, .text = error.message });
        manager_state_save(visible->handle);
        rolling_fail(manager, visible);
        lifecycle_restart_waiting(visible->handle);
        command_end_reload_and_invalidate(visible->handle, &error);
}

void reload_settle_hidden_and_invalidate(ProcessHandle *hidden) {
        Manager *manager = hidden->manager;
        uid_t owner = hidden->process->owner;
        g_autofree char *name = g_strdup(hidden->twin->config->name);
        g_autofree char *hidden_name = g_strdup(hidden->process->config->name);

        if (hidden->role == ROLE_CANDIDATE && hidden->process->state == PROCESS_ONLINE) {
                if (reload_is_wanted(hidden)) {
                        change_places_and_invalidate(hidden);
                } else {
                        lifecycle_input_and_invalidate(hidden, INPUT_STOP);
                }
                return;
        }
        if (process_state_is_alive(hidden->process->state)) {
                return;
        }
        if (hidden->role == ROLE_CANDIDATE) {
                candidate_has_failed_and_invalidate(hidden);
        } else {
                retired_has_ended_and_invalidate(hidden);
        }
        let_others_begin_and_invalidate(manager, owner, name);
        if (strcmp(hidden_name, name) != 0) {
                let_others_begin_and_invalidate(manager, owner, hidden_name); /* the reload renames it */
        }
        shutdown_check(manager);
}

/* Whether the process that everybody sees is to rest: what takes its place is not gone on with. */
static bool is_being_stopped(const Process *visible) {
        const Command *command = command_active(visible->handle);

        return command && command_is_stop(command);
}

void reload_resume_and_invalidate(Process *visible) {
        ProcessHandle *hidden = visible->handle->twin->handle;

        if (is_being_stopped(visible)) {
                if (process_state_is_alive(hidden->process->state)) {
                        reload_stop_twin(visible->handle);
                        return;
                }
        } else if (hidden->role == ROLE_CANDIDATE) {
                hidden->cut_short = hidden->process->state == PROCESS_KILLING;
                command_resume_reload(visible->handle);
                command_active(visible->handle)->soft = visible->handle->soft;
        } else if (hidden->process->state == PROCESS_ONLINE) {
                lifecycle_input_and_invalidate(hidden, INPUT_RETIRE);
                return;
        }
        reload_settle_hidden_and_invalidate(hidden); /* it may have been ready, or at its end */
}
