/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The commands of one process, one at a time. What a command waits for is read off the state of the process
 * after every step: nothing here looks at children or timers. */

#include "manager/manager-internal.h"

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
                [COMMAND_START] = "start",
                [COMMAND_RESTART] = "restart",
                [COMMAND_STOP] = "stop",
                [COMMAND_DELETE] = "delete",
        };
        return names[verb];
}

static void remember_command(Process *process, const Command *command) {
        manager_remember(
                        process,
                        (HistoryEntry){
                                        .kind = HISTORY_COMMAND,
                                        .asked = command->asked,
                                        .uid = command->uid,
                                        .verb = (char *) verb_name(command->verb),
                        });
}

static void command_free(Command *command) {
        app_config_unref(command->config);
        environment_unref(command->caller_env);
        process_plan_done(&command->plan);
        g_free(command);
}

void command_set_config(Command *command, AppConfig *config, Environment *caller_env, ProcessPlan *plan) {
        command->config = app_config_ref(config);
        command->caller_env = caller_env ? environment_ref(caller_env) : NULL;
        command->plan = *plan;
        *plan = (ProcessPlan){ 0 };
}

static bool is_start(const Command *command) {
        return command->verb == COMMAND_START || command->verb == COMMAND_RESTART;
}

Command *command_active(const ProcessHandle *handle) {
        Command *head = handle->commands.head ? handle->commands.head->data : NULL;
        return head && head->begun ? head : NULL;
}

static void answer(Operation *operation, uint32_t id, Error *error) {
        if (operation) {
                operation_finish(operation, id, error);
        }
}

/* Take a command off the queue; its operation is to be answered by the caller. */
static Operation *command_pop(ProcessHandle *handle, Command *command) {
        Operation *operation = command->operation;

        (void) g_queue_remove(&handle->commands, command);
        command_free(command);
        return operation;
}

static void command_finish(ProcessHandle *handle, Command *command, Error *error) {
        answer(command_pop(handle, command), handle->process->id, error);
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

static void take_config(Manager *manager, Process *process, Command *command) {
        g_autofree char *name = g_strdup(process->config->name);

        process_configure(process, command->config, command->caller_env, &command->plan);
        if (strcmp(name, process->config->name) != 0) {
                instances_touch(manager, process->owner, name);
                instances_touch(manager, process->owner, process->config->name);
        }
}

void command_take_over(ProcessHandle *handle, Command *command) {
        command->launching = true;
        process_reset_unstable(handle->process);
        if (command->config) {
                take_config(handle->manager, handle->process, command);
                g_clear_pointer(&command->config, app_config_unref);
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
                process_take_reason(process, g_strdup("started by command"));
                lifecycle_input_and_invalidate(handle, gone_start_input(process));
                return false;
        case PROCESS_PLACING:
        case PROCESS_EXECUTING:
        case PROCESS_PREPARING:
        case PROCESS_STARTING:
                command->launching = true; /* an automatic restart is on its way to what is wanted */
                return false;
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
        process_take_reason(handle->process, g_strdup("restarted by command"));
        lifecycle_input_and_invalidate(handle, gone_start_input(handle->process));
}

/* True: as above. */
static bool begin_stop_and_invalidate(ProcessHandle *handle, Command *command) {
        command->had_effect = handle->process->state != PROCESS_STOPPED;
        if (command->had_effect) {
                process_take_reason(
                                handle->process,
                                g_strdup(command->verb == COMMAND_STOP ? "stopped by command"
                                                                       : "deleted by command"));
                lifecycle_input_and_invalidate(handle, INPUT_STOP);
                return false;
        }
        if (command->verb == COMMAND_STOP) {
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
        case COMMAND_STOP:
        case COMMAND_DELETE:
        default:
                return begin_stop_and_invalidate(handle, command);
        }
}

/* A loop: thousands may wait for one stop and have nothing to do after it. */
static void begin_next_and_invalidate(ProcessHandle *handle) {
        Command *command;

        do {
                command = handle->commands.head ? handle->commands.head->data : NULL;
        } while (command && !command->begun && begin_and_invalidate(handle, command));
}

void command_submit_and_invalidate(ProcessHandle *handle, Command *command) {
        if (!is_start(command)) {
                command_cancel_starts(handle, ERROR_CANCELLED, "a stop came before it was started");
        }
        remember_command(handle->process, command);
        g_queue_push_tail(&handle->commands, command);
        begin_next_and_invalidate(handle);
}

void command_resume(ProcessHandle *handle, CommandVerb verb) {
        Command *command = command_new(verb, NULL);

        command->begun = true;
        command->had_effect = true;
        g_queue_push_head(&handle->commands, command);
}

void command_restart_resumed_and_invalidate(ProcessHandle *handle) {
        Command *command = command_active(handle);

        if (command) {
                command->begun = false;
                begin_next_and_invalidate(handle);
        }
}

static void fail_start_and_invalidate(ProcessHandle *handle, Command *command) {
        Process *process = handle->process;
        Manager *manager = handle->manager;
        bool fresh = command->fresh;
        g_auto(Error) error = { 0 };

        if (handle->launch_error.code == ERROR_NONE) {
                (void) error_set(&error, ERROR_SPAWN_FAILED, "it ended before it was started");
        } else {
                error_move(&error, &handle->launch_error);
        }
        uint32_t id = process->id;
        Operation *operation = command_pop(handle, command);
        if (fresh && g_queue_is_empty(&handle->commands)) {
                manager_remove_process_and_invalidate(manager, process);
                answer(operation, id, &error);
        } else {
                answer(operation, id, &error);
                begin_next_and_invalidate(handle);
        }
}

static void complete_and_invalidate(ProcessHandle *handle, Command *command, ProcessEventKind kind) {
        Process *process = handle->process;
        Manager *manager = handle->manager;
        bool delete = command->verb == COMMAND_DELETE;

        if (is_start(command) || command->had_effect || delete) {
                manager_emit(manager, process, kind, true);
        }
        if (delete) {
                command_cancel_starts(handle, ERROR_CANCELLED, "it was deleted");
        }
        uint32_t id = process->id;
        Operation *operation = command_pop(handle, command);
        if (delete) {
                manager_remove_process_and_invalidate(manager, process);
                answer(operation, id, NULL);
        } else {
                answer(operation, id, NULL);
                begin_next_and_invalidate(handle);
        }
}

void command_settle_and_invalidate(ProcessHandle *handle) {
        Command *command = command_active(handle);
        ProcessState state = handle->process->state;
        bool alive = process_state_is_alive(state);

        if (!command) {
                begin_next_and_invalidate(handle);
        } else if (is_start(command) && command->launching && state == PROCESS_ONLINE) {
                bool start = command->verb == COMMAND_START;
                complete_and_invalidate(handle, command, start ? EVENT_START : EVENT_RESTART);
        } else if (is_start(command) && command->launching && !alive) {
                fail_start_and_invalidate(handle, command);
        } else if (command->verb == COMMAND_STOP && state == PROCESS_STOPPED) {
                complete_and_invalidate(handle, command, EVENT_STOP);
        } else if (command->verb == COMMAND_DELETE && !alive) {
                complete_and_invalidate(handle, command, EVENT_DELETE);
        }
}
