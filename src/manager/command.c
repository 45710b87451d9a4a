/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The commands of one process, one at a time. What a command waits for is read off the state of the process
 * after every step: nothing here looks at children or timers. */

#include "manager/awaiting.h"
#include "manager/cron-restart.h"
#include "manager/listeners.h"
#include "manager/manager-state.h"
#include "manager/rollback.h"
#include "manager/rolling.h"
#include "manager/stop-order.h"
#include "manager/watch-restart.h"

#include <inttypes.h>
#include <string.h>

Command *command_new(CommandVerb verb, Operation *operation) {
        Command *command = g_new0(Command, 1);
        command->verb = verb;
        command->operation = operation;
        command->asked = operation && operation_get_caller(operation, &command->uid);
        return command;
}

static const char *verb_name(CommandVerb verb) {
        static const char *const names[] = {
                [COMMAND_START] = "start", [COMMAND_RESTART] = "restart", [COMMAND_RELOAD] = "reload",
                [COMMAND_STOP] = "stop",   [COMMAND_DELETE] = "delete",
        };
        return names[verb];
}

const char *command_reason(const Command *command) {
        return command->why                        ? command->why
               : command->cause == CAUSE_CRON      ? "restarted by cron_restart"
               : command->cause == CAUSE_MEMORY    ? "restarted by max_memory_restart"
               : command->cause == CAUSE_WATCH     ? "restarted by watch"
               : command->cause == CAUSE_DEPENDENT ? "started as a dependency"
               : command->verb == COMMAND_RESTART  ? "restarted by command"
                                                   : "started by command";
}

static void remember_command(Process *process, const Command *command) {
        static const HistoryKind kinds[_COMMAND_CAUSE_MAX] = {
                [CAUSE_CALLER] = HISTORY_COMMAND,
                [CAUSE_CRON] = HISTORY_CRON,
                [CAUSE_MEMORY] = HISTORY_MEMORY,
                [CAUSE_DEPENDENT] = HISTORY_COMMAND,
        };

        if (command->cause == CAUSE_WATCH) {
                return;
        }
        manager_remember(
                        process,
                        (HistoryEntry){
                                        .kind = kinds[command->cause],
                                        .asked = command->asked,
                                        .uid = command->uid,
                                        .verb = (char *) verb_name(command->verb),
                                        .text = command->why,
                        });
}

static void command_free(Command *command) {
        app_config_unref(command->config);
        environment_unref(command->caller_env);
        process_plan_done(&command->plan);
        if (command->joined) {
                g_ptr_array_unref(command->joined);
        }
        rolling_unref(command->rolling);
        g_free(command->why);
        g_free(command);
}

void command_set_config(Command *command, AppConfig *config, Environment *caller_env, ProcessPlan *plan) {
        command->config = app_config_ref(config);
        command->caller_env = caller_env ? environment_ref(caller_env) : NULL;
        command->plan = *plan;
        *plan = (ProcessPlan){ 0 };
}

static bool is_start(const Command *command) {
        return command->verb == COMMAND_START || command->verb == COMMAND_RESTART ||
               command->verb == COMMAND_RELOAD;
}

bool command_has_stop(const ProcessHandle *handle) {
        for (const GList *item = handle->commands.head; item; item = item->next) {
                const Command *command = item->data;
                if (command_is_stop(command)) {
                        return true;
                }
        }
        return false;
}

bool command_is_under_way(const ProcessHandle *handle) {
        ProcessState state = handle->process->state;

        return handle->commands.length > 0 || (process_state_is_alive(state) && state != PROCESS_ONLINE);
}

bool command_is_stop(const Command *command) {
        return command->verb == COMMAND_STOP || command->verb == COMMAND_DELETE;
}

Command *command_active(const ProcessHandle *handle) {
        Command *head = handle->commands.head ? handle->commands.head->data : NULL;
        return head && head->begun ? head : NULL;
}

Command *command_deciding(const ProcessHandle *handle) {
        Command *command = command_active(handle);

        return command && command->verb == COMMAND_RELOAD ? NULL : command;
}

/* It is off the queue already; who waits may wait for others too. */
static void answer_and_free(Command *command, uint32_t id, Error *error) {
        for (guint i = 0; command->joined && i < command->joined->len; i++) {
                g_auto(Error) same = { 0 };
                if (error && error->code != ERROR_NONE) {
                        (void) error_set(&same, error->code, "%s", error->message);
                }
                operation_finish(command->joined->pdata[i], id, &same);
        }
        if (command->operation) {
                operation_finish(command->operation, id, error);
        }
        command_free(command);
}

static void command_pop(ProcessHandle *handle, Command *command) {
        (void) g_queue_remove(&handle->commands, command);
        if (command_is_stop(command)) {
                stop_order_on_end(handle->process);
        }
}

/* What it would have brought is not needed any more: sockets were made for it. */
static void command_finish(ProcessHandle *handle, Command *command, Error *error) {
        const Process *process = handle->process;

        command_pop(handle, command);
        if (command->config) {
                listeners_review(handle->manager, process->owner, command->config->name);
        }
        answer_and_free(command, process->id, error);
}

void command_fail_gone(ProcessHandle *handle, Command *command) {
        g_auto(Error) error = { 0 };

        (void) error_set(
                        &error,
                        ERROR_NO_SUCH_PROCESS,
                        "process %" PRIu32 " '%s' was deleted",
                        handle->process->id,
                        handle->process->config->name);
        command_finish(handle, command, &error);
}

void command_fail_launching(ProcessHandle *handle, Error *error) {
        Command *command = command_active(handle);

        if (command && command->launching) {
                command_finish(handle, command, error);
        }
}

void command_cancel_starts(ProcessHandle *handle, ErrorCode code, const char *message) {
        GList *item = handle->commands.head;

        while (item) {
                Command *command = item->data;
                item = item->next;
                if (is_start(command)) {
                        g_auto(Error) error = { 0 };
                        (void) error_set(
                                        &error,
                                        code,
                                        "process %" PRIu32 " '%s': %s",
                                        handle->process->id,
                                        handle->process->config->name,
                                        message);
                        command_finish(handle, command, &error);
                }
        }
}

void command_take_over(ProcessHandle *handle, Command *command) {
        command->launching = true;
        process_set_held(handle->process, false);
        process_reset_unstable(handle->process);
        rollback_forget(handle);
        if (command->config) {
                manager_configure(
                                handle->manager,
                                handle->process,
                                command->config,
                                command->caller_env,
                                &command->plan);
                g_clear_pointer(&command->config, app_config_unref);
        }
        if (command->cause == CAUSE_CALLER) {
                watch_restart_resume(handle->process);
        }
}

/* True: it is done with, and the process is still there for the next one. */
static bool begin_start_and_invalidate(ProcessHandle *handle, Command *command) {
        Process *process = handle->process;

        switch (process->state) {
        case PROCESS_ONLINE: {
                g_auto(Error) error = { 0 };
                (void) error_set(
                                &error,
                                ERROR_ALREADY_RUNNING,
                                "process %" PRIu32 " '%s' is online already",
                                process->id,
                                process->config->name);
                command_finish(handle, command, &error);
                return true;
        }
        case PROCESS_STOPPED:
        case PROCESS_ERRORED:
        case PROCESS_WAITING_RESTART:
                command_take_over(handle, command);
                process_take_reason(process, g_strdup(command_reason(command)));
                lifecycle_input_and_invalidate(handle, awaiting_start_input(handle, command));
                return false;
        case PROCESS_AWAITING:
        case PROCESS_PLACING:
        case PROCESS_EXECUTING:
        case PROCESS_PREPARING:
        case PROCESS_STARTING:
                command->launching = true; /* an automatic restart is on its way to what is wanted */
                return false;
        case PROCESS_DRAINING:
        case PROCESS_STOPPING:
        case PROCESS_CLEANING:
        case PROCESS_KILLING:
        case PROCESS_FINISHING:
        case _PROCESS_STATE_MAX:
        default:
                return false; /* when the last one has gone, gone.c launches for us */
        }
}

static void begin_restart_and_invalidate(ProcessHandle *handle, Command *command) {
        if (process_state_is_alive(handle->process->state)) {
                lifecycle_input_and_invalidate(handle, INPUT_STOP);
                return;
        }
        command_take_over(handle, command);
        process_take_reason(handle->process, g_strdup(command_reason(command)));
        lifecycle_input_and_invalidate(handle, awaiting_start_input(handle, command));
}

static void begin_reload_and_invalidate(ProcessHandle *handle, Command *command) {
        if (handle->process->state == PROCESS_ONLINE &&
            reload_is_possible(handle->process, command->config)) {
                reload_begin_and_invalidate(handle, command);
                return;
        }
        command->verb = COMMAND_RESTART; /* there is nothing to be replaced while it serves */
        command->let_go = true;
        begin_restart_and_invalidate(handle, command);
}

/* It rests by itself already: from now on nothing but a person starts it. */
static void hold_resting(ProcessHandle *handle) {
        manager_state_save(handle);
        cron_restart_sync(handle->process);
        watch_restart_sync(handle->process);
        manager_notify_changes(handle->manager, handle->process);
}

/* True: as above. */
static bool begin_stop_and_invalidate(ProcessHandle *handle, Command *command) {
        Process *process = handle->process;
        bool drain = command->drain && process->state == PROCESS_ONLINE &&
                     reload_is_possible(process, process->config);

        if (command->verb == COMMAND_STOP) {
                process_set_held(process, true);
        }
        command->had_effect = process->state != PROCESS_STOPPED || handle->twin;
        if (command->ordered && process_state_is_alive(process->state)) {
                stop_order_wait(handle, command);
                return false;
        }
        if (!drain || reload_has_candidate(handle)) {
                reload_stop_twin(handle); /* else it drains as well */
        }
        if (process->state != PROCESS_STOPPED) {
                process_take_reason(
                                process,
                                g_strdup(command->verb == COMMAND_STOP ? "stopped by command"
                                                                       : "deleted by command"));
                lifecycle_input_and_invalidate(handle, drain ? INPUT_RETIRE : INPUT_STOP);
                return false;
        }
        if (command->had_effect) {
                return false; /* its twin is ending */
        }
        if (command->verb == COMMAND_STOP) {
                hold_resting(handle);
                command_finish(handle, command, NULL);
                return true;
        }
        command_settle_and_invalidate(handle);
        return false;
}

static bool begin_and_invalidate(ProcessHandle *handle, Command *command) {
        command->begun = true;
        switch (command->verb) {
        case COMMAND_START:
                return begin_start_and_invalidate(handle, command);
        case COMMAND_RESTART:
                begin_restart_and_invalidate(handle, command);
                return false;
        case COMMAND_RELOAD:
                begin_reload_and_invalidate(handle, command);
                return false;
        case COMMAND_STOP:
        case COMMAND_DELETE:
        default:
                return begin_stop_and_invalidate(handle, command);
        }
}

static bool must_wait(const ProcessHandle *handle, const Command *command) {
        return command->verb == COMMAND_RELOAD && reload_must_wait(handle);
}

/* A loop: thousands may wait for one stop and have nothing to do after it. */
void command_begin_next_and_invalidate(ProcessHandle *handle) {
        Command *command;

        do {
                command = handle->commands.head ? handle->commands.head->data : NULL;
        } while (command && !command->begun && !must_wait(handle, command) &&
                 begin_and_invalidate(handle, command));
}

/* What a scale down lets drain is to end now. */
static void hurry(ProcessHandle *handle, const Command *command) {
        Command *active = command_active(handle);

        if (active && !command->ordered) {
                stop_order_hurry(handle, active);
        }
        if (active && active->drain) {
                reload_stop_twin(handle);
                if (handle->process->state == PROCESS_DRAINING) {
                        lifecycle_input_and_invalidate(handle, INPUT_STOP); /* it ends later */
                }
        }
}

void command_go_on_and_invalidate(ProcessHandle *handle) {
        if (begin_stop_and_invalidate(handle, command_active(handle))) {
                command_begin_next_and_invalidate(handle);
        }
}

void command_submit_and_invalidate(ProcessHandle *handle, Command *command) {
        if (!is_start(command)) {
                command_cancel_starts(handle, ERROR_CANCELLED, "a stop came before it was started");
        }
        if (command->verb == COMMAND_RESTART && handle->process->state == PROCESS_AWAITING) {
                command_cancel_starts(handle, ERROR_CANCELLED, "a restart came before it was started");
        }
        remember_command(handle->process, command);
        g_queue_push_tail(&handle->commands, command);
        if (!is_start(command) && !command->drain) {
                hurry(handle, command);
        }
        command_begin_next_and_invalidate(handle);
}

void command_resume(ProcessHandle *handle, CommandVerb verb) {
        Command *command = command_new(verb, NULL);

        command->begun = true;
        command->had_effect = true;
        command->let_go = verb == COMMAND_START; /* it was on its way */
        g_queue_push_head(&handle->commands, command);
}

void command_resume_reload(ProcessHandle *handle) {
        Command *start = command_active(handle);

        if (start) {
                start->begun = false; /* of the process itself, which was being launched: it comes after */
        }
        command_resume(handle, COMMAND_RELOAD);
}

void command_restart_resumed_and_invalidate(ProcessHandle *handle) {
        Command *command = command_active(handle);

        if (command) {
                command->begun = false;
                command_begin_next_and_invalidate(handle);
        }
}

static void fail_start_and_invalidate(ProcessHandle *handle, Command *command) {
        Process *process = handle->process;
        Manager *manager = handle->manager;
        bool fresh = command->fresh && !awaiting_is_needed(process);
        g_auto(Error) error = { 0 };

        if (handle->launch_error.code == ERROR_NONE) {
                (void) error_set(&error, ERROR_SPAWN_FAILED, "it ended before it was started");
        } else {
                error_move(&error, &handle->launch_error);
        }
        uint32_t id = process->id;
        command_pop(handle, command);
        if (fresh && g_queue_is_empty(&handle->commands)) {
                manager_remove_process_and_invalidate(manager, process);
                answer_and_free(command, id, &error);
        } else {
                answer_and_free(command, id, &error);
                command_begin_next_and_invalidate(handle);
        }
}

static void complete_and_invalidate(ProcessHandle *handle, Command *command, ProcessEventKind kind) {
        Process *process = handle->process;
        Manager *manager = handle->manager;
        bool delete = command->verb == COMMAND_DELETE;

        if (is_start(command) || command->had_effect || delete) {
                manager_emit(manager, process, kind, command->cause == CAUSE_CALLER);
        }
        if (delete) {
                command_cancel_starts(handle, ERROR_CANCELLED, "it was deleted");
        }
        uint32_t id = process->id;
        command_pop(handle, command);
        if (delete) {
                manager_remove_process_and_invalidate(manager, process);
                answer_and_free(command, id, NULL);
        } else {
                answer_and_free(command, id, NULL);
                command_begin_next_and_invalidate(handle);
        }
}

void command_end_reload_and_invalidate(ProcessHandle *handle, Error *error) {
        Command *command = command_active(handle);

        if (!command || command->verb != COMMAND_RELOAD) {
                command_settle_and_invalidate(handle);
        } else if (error) {
                command_finish(handle, command, error);
                command_begin_next_and_invalidate(handle);
        } else {
                complete_and_invalidate(handle, command, EVENT_RELOAD);
        }
}

bool command_join_reload(ProcessHandle *handle, Operation *operation) {
        for (GList *item = handle->commands.head; item; item = item->next) {
                Command *command = item->data;
                if (command->verb == COMMAND_RELOAD) {
                        if (!command->joined) {
                                command->joined = g_ptr_array_new();
                        }
                        g_ptr_array_add(command->joined, operation);
                        return true;
                }
        }
        return false;
}

void command_fail_waiting_reload(ProcessHandle *handle, const char *why) {
        for (GList *item = handle->commands.head; item;) {
                Command *command = item->data;
                item = item->next;
                if (command->verb == COMMAND_RELOAD && !command->begun) {
                        g_auto(Error) error = { 0 };
                        (void) error_set(
                                        &error,
                                        ERROR_CANCELLED,
                                        "process %" PRIu32 " '%s' was not reloaded: %s",
                                        handle->process->id,
                                        handle->process->config->name,
                                        why);
                        command_finish(handle, command, &error);
                }
        }
}

void command_settle_and_invalidate(ProcessHandle *handle) {
        Command *command = command_active(handle);
        ProcessState state = handle->process->state;
        bool alive = process_state_is_alive(state);

        if (command && is_start(command) && state == PROCESS_AWAITING) {
                return; /* neither done nor failed */
        }
        if (!command) {
                command_begin_next_and_invalidate(handle);
        } else if (is_start(command) && command->launching && state == PROCESS_ONLINE) {
                bool start = command->verb == COMMAND_START;
                complete_and_invalidate(handle, command, start ? EVENT_START : EVENT_RESTART);
        } else if (is_start(command) && command->launching && !alive) {
                fail_start_and_invalidate(handle, command);
        } else if (handle->twin) {
                return; /* a stop ends both */
        } else if (command->verb == COMMAND_STOP && state == PROCESS_STOPPED) {
                complete_and_invalidate(handle, command, EVENT_STOP);
        } else if (command->verb == COMMAND_DELETE && !alive) {
                complete_and_invalidate(handle, command, EVENT_DELETE);
        }
}
