/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Drives the state machine of a process: facts of the platform go in as inputs, the actions that the table
 * names come out and are performed here. */

#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "core/restart-policy.h"
#include "manager/manager-internal.h"
#include "manager/manager-state.h"
#include "manager/process-record.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define KILL_RETRY_USEC (1 * USEC_PER_SEC)

static const uint64_t timer_accuracy_usec = USEC_PER_MSEC;

ProcessHandle *process_handle_new(Manager *manager, Process *process) {
        ProcessHandle *handle = g_new0(ProcessHandle, 1);

        handle->manager = manager;
        handle->process = process;
        handle->child = GATED_CHILD_NONE;
        g_queue_init(&handle->commands);
        return handle;
}

void process_handle_free(ProcessHandle *handle) {
        if (!handle) {
                return;
        }
        launch_end_child(handle);
        isolation_group_release(handle->group);
        (void) sd_event_source_disable_unref(handle->timer);
        error_clear(&handle->launch_error);
        g_free(handle);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static void disarm_timer(ProcessHandle *handle) {
        handle->deadline_boottime_usec = 0;
        if (handle->timer) {
                (void) sd_event_source_set_enabled(handle->timer, SD_EVENT_OFF);
        }
}

static void arm_timer(ProcessHandle *handle, uint64_t usec) {
        int r = 0;

        handle->deadline_boottime_usec = now_boottime_usec() + usec;
        if (!handle->timer) {
                r = sd_event_add_time_relative(
                                handle->manager->event,
                                &handle->timer,
                                CLOCK_BOOTTIME,
                                usec,
                                timer_accuracy_usec,
                                on_timer,
                                handle);
        } else {
                r = sd_event_source_set_time_relative(handle->timer, usec);
                if (r >= 0) {
                        r = sd_event_source_set_enabled(handle->timer, SD_EVENT_ONESHOT);
                }
        }
        if (r < 0) {
                (void) log_error_errno(r, "process %" PRIu32 ": no timer: %m", handle->process->id);
        }
}

/* The kill signal goes to everything, or without treekill to the main process alone. */
static void signal_group(ProcessHandle *handle, int number, bool kill) {
        /* No group: it could not be adopted, the main process is all that is known. */
        if (!handle->process->config->treekill || !handle->group) {
                if (handle->main_alive) {
                        (void) CHANGE("main-signal",
                                      pidfd_send_signal(handle->child.pidfd, number, NULL, 0));
                }
        } else if (kill) {
                isolation_group_kill(handle->group);
        } else {
                isolation_group_signal(handle->group, number);
        }
}

static void kill_now(ProcessHandle *handle) {
        /* A child at its gate ends when that closes; SIGKILL is for what may have passed it. */
        handle->child.gate_fd = close_fd(handle->child.gate_fd);
        if (handle->main_alive) {
                (void) CHANGE("main-kill", pidfd_send_signal(handle->child.pidfd, SIGKILL, NULL, 0));
        }
        if (handle->group) {
                signal_group(handle, SIGKILL, true);
        }
}

/* Perform what the table says. Returns the input that follows at once, or -1. */
static int perform(ProcessHandle *handle, unsigned actions) {
        Process *process = handle->process;
        int next = -1;

        if (actions & ACTION_DISARM_TIMER) {
                disarm_timer(handle);
        }
        if (actions & ACTION_ARM_LAUNCH_TIMER) {
                arm_timer(handle, handle->manager->settings->launch_timeout_usec);
        }
        if (actions & ACTION_SPAWN) {
                int r = launch_spawn(handle);
                if (r < 0) {
                        arm_timer(handle, 0); /* on_timer() goes on: not from within the step */
                } else if (r > 0) {
                        next = INPUT_PLACED;
                }
        }
        if (actions & ACTION_OPEN_GATE) {
                int r = spawn_open_gate(&handle->child);
                if (r < 0) {
                        (void) error_set(
                                        &handle->launch_error,
                                        ERROR_SPAWN_FAILED,
                                        "the child ended at its gate");
                        next = INPUT_LAUNCH_FAILED;
                }
        }
        if (actions & ACTION_ARM_KILL_TIMER) {
                bool killing = process->state == PROCESS_KILLING;
                uint64_t wait_usec = killing ? KILL_RETRY_USEC : process->config->kill_timeout_usec;
                arm_timer(handle, handle->group ? wait_usec : 0); /* without one there is nothing to end */
        }
        if (actions & (ACTION_SIGNAL | ACTION_KILL)) {
                manager_state_save(handle); /* the intent: to a successor the exit would look like a crash */
        }
        if (actions & ACTION_SIGNAL) {
                signal_group(handle, process->config->kill_signal, false);
        }
        if (actions & ACTION_KILL) {
                kill_now(handle);
        }
        if (actions & ACTION_ARM_RESTART_TIMER) {
                uint64_t now_usec = now_realtime_usec();
                uint64_t due_usec = process->next_restart_realtime_usec;
                arm_timer(handle, due_usec > now_usec ? due_usec - now_usec : 0);
        }
        return next;
}

void lifecycle_input_and_invalidate(ProcessHandle *handle, ProcessInput input) {
        Process *process = handle->process;

        for (int next = (int) input; next >= 0;) {
                ProcessState before = process->state;
                int actions = process_step(process, (ProcessInput) next);
                if (actions < 0) {
                        log_error("process %" PRIu32 ": input %s in state %s, ignored",
                                  process->id,
                                  process_input_to_name((ProcessInput) next),
                                  process_state_to_name(before));
                        return;
                }
                log_debug("process %" PRIu32 ": %s: %s -> %s",
                          process->id,
                          process_input_to_name((ProcessInput) next),
                          process_state_to_name(before),
                          process_state_to_name(process->state));
                next = perform(handle, (unsigned) actions);
        }
        Manager *manager = handle->manager;
        manager_state_save(handle);
        manager_notify_changes(manager, process);
        command_settle_and_invalidate(handle);
        shutdown_check(manager);
}

/* Nothing is left: what follows is chosen here, by the command that waits or else by the policy. */
static ProcessInput follow_policy(ProcessHandle *handle, bool launched) {
        Process *process = handle->process;
        uint64_t uptime_usec = now_boottime_usec() - process->start_boottime_usec;
        RestartDecision decision = restart_policy_decide(
                        process->config, process->unstable_restarts, launched, uptime_usec);
        g_autofree char *what =
                        launched ? exit_status_describe(process->exit_status)
                                 : g_strdup(handle->launch_error.message ? handle->launch_error.message
                                                                         : "could not be launched");

        process_set_unstable_restarts(process, decision.unstable_restarts);
        switch (decision.verdict) {
        case RESTART_NEVER:
                process_take_reason(process, g_strdup_printf("%s; autorestart is off", what));
                return launched ? INPUT_GONE_STOPPED : INPUT_GONE_ERRORED;
        case RESTART_GIVE_UP:
                process_take_reason(
                                process,
                                g_strdup_printf("%s; given up after %" PRIu32 " unstable exits in a row",
                                                what,
                                                decision.unstable_restarts));
                return INPUT_GONE_ERRORED;
        case RESTART_NOW:
        default:
                process_take_reason(process, g_strdup_printf("%s; restarted", what));
                process_count_restart(process);
                manager_emit(handle->manager, process, EVENT_RESTART, false);
                return INPUT_GONE_AGAIN;
        }
}

static ProcessInput choose_gone_input(ProcessHandle *handle, bool launched) {
        Process *process = handle->process;
        Command *command = command_active(handle);

        if (handle->manager->shutting_down) {
                return INPUT_GONE_STOPPED;
        }
        if (!command) {
                return follow_policy(handle, launched);
        }
        if (command->verb == COMMAND_STOP || command->verb == COMMAND_DELETE) {
                return INPUT_GONE_STOPPED;
        }
        if (!command->launching) {
                if (command->verb == COMMAND_RESTART) {
                        process_count_restart(process);
                        process_take_reason(process, g_strdup("restarted by command"));
                }
                command_take_over(handle, command);
                return INPUT_GONE_AGAIN;
        }
        process_take_reason(
                        process,
                        g_strdup(handle->launch_error.message ? handle->launch_error.message
                                                              : "could not be launched"));
        return INPUT_GONE_ERRORED;
}

static void on_gone_and_invalidate(ProcessHandle *handle) {
        bool launched = handle->launched;

        isolation_group_release(g_steal_pointer(&handle->group));
        process_set_group(handle->process, "", "");
        handle->launched = false;
        lifecycle_input_and_invalidate(handle, choose_gone_input(handle, launched));
}

static bool is_gone(ProcessHandle *handle) {
        return !handle->main_alive && (!handle->group || !handle->process->config->treekill ||
                                       isolation_group_is_empty(handle->group));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        ProcessHandle *handle = userdata;
        Process *process = handle->process;

        if (process->state == PROCESS_STOPPED || process->state == PROCESS_ERRORED) {
                command_restart_resumed_and_invalidate(handle);
        } else if (process->state == PROCESS_WAITING_RESTART) {
                process_set_next_restart(process, 0);
                process_count_restart(process);
                manager_emit(handle->manager, process, EVENT_RESTART, false);
                lifecycle_input_and_invalidate(handle, INPUT_START);
        } else if (is_gone(handle)) {
                on_gone_and_invalidate(handle); /* it could not be spawned */
        } else {
                if (process->state == PROCESS_PLACING || process->state == PROCESS_EXECUTING) {
                        (void) error_set(
                                        &handle->launch_error,
                                        ERROR_SPAWN_FAILED,
                                        "not executed within launch_timeout");
                }
                lifecycle_input_and_invalidate(handle, INPUT_TIMEOUT);
        }
        return 0;
}

/* What the child reported so far is taken in. True: the process is online now. */
static bool take_report(ProcessHandle *handle, int *ret_result) {
        Process *process = handle->process;
        int r = launch_read_report(handle);

        *ret_result = r;
        if (r <= 0) {
                return false;
        }
        handle->launched = true;
        process_set_started(process, now_realtime_usec(), now_boottime_usec());
        return true;
}

static void go_online_and_invalidate(ProcessHandle *handle) {
        Process *process = handle->process;

        /* The event belongs before what settles on the new state, so the step is taken here. */
        int actions = process_step(process, INPUT_EXECUTED);
        if (actions < 0) {
                return; /* it is being killed already */
        }
        (void) perform(handle, (unsigned) actions);
        manager_state_save(handle);
        manager_emit(handle->manager, process, EVENT_ONLINE, false);
        command_settle_and_invalidate(handle);
}

void lifecycle_on_placed(ProcessHandle *handle, int result) {
        int r = launch_placed(handle, result);

        if (handle->process->state == PROCESS_PLACING && (r != 0)) {
                lifecycle_input_and_invalidate(handle, r < 0 ? INPUT_LAUNCH_FAILED : INPUT_PLACED);
        } else if (handle->process->state == PROCESS_KILLING) {
                isolation_group_kill(handle->group); /* it came there while it was being given up */
        }
}

void lifecycle_on_stored(ProcessHandle *handle) {
        handle->stored = true;
        if (handle->process->state == PROCESS_PLACING && handle->placed) {
                lifecycle_input_and_invalidate(handle, INPUT_PLACED);
        }
}

void lifecycle_on_report(ProcessHandle *handle) {
        int r;

        if (take_report(handle, &r)) {
                go_online_and_invalidate(handle);
        } else if (r < 0 && handle->process->state == PROCESS_EXECUTING) {
                lifecycle_input_and_invalidate(handle, INPUT_LAUNCH_FAILED);
        }
}

static void after_main_exit_and_invalidate(ProcessHandle *handle) {
        if (is_gone(handle)) {
                on_gone_and_invalidate(handle);
        } else if (handle->process->state == PROCESS_EXECUTING ||
                   handle->process->state == PROCESS_PLACING) {
                lifecycle_input_and_invalidate(handle, INPUT_LAUNCH_FAILED);
        } else {
                lifecycle_input_and_invalidate(handle, INPUT_EXITED);
        }
}

void lifecycle_on_main_exit(ProcessHandle *handle, int code, int status) {
        Process *process = handle->process;
        int r = 0;

        /* It may have been executed and have ended before we read its report: then it was online. */
        if (handle->result_source && take_report(handle, &r) && process->state == PROCESS_EXECUTING) {
                (void) process_step(process, INPUT_EXECUTED);
                disarm_timer(handle);
                manager_emit(handle->manager, process, EVENT_ONLINE, false);
                Command *command = command_active(handle);
                if (command && command->launching) {
                        command_settle_and_invalidate(handle); /* online: nothing is removed by that */
                }
        }
        if (handle->launched) {
                process_set_exit_status(process, exit_status_from_wait(code, status));
        }
        launch_end_child(handle);
        if (handle->launched) {
                manager_emit(handle->manager, process, EVENT_EXIT, false);
        }
        after_main_exit_and_invalidate(handle);
}

void lifecycle_on_group_empty(ProcessHandle *handle) {
        if (is_gone(handle) && process_state_is_alive(handle->process->state)) {
                on_gone_and_invalidate(handle);
        }
}

static void resume_goal(ProcessHandle *handle, const ProcessRecord *record) {
        static const CommandVerb verbs[] = {
                [RECORD_GOAL_STOP] = COMMAND_STOP,
                [RECORD_GOAL_DELETE] = COMMAND_DELETE,
                [RECORD_GOAL_START] = COMMAND_START,
                [RECORD_GOAL_RESTART] = COMMAND_RESTART,
        };

        if (record->goal > RECORD_GOAL_NONE && record->goal < ELEMENTS(verbs)) {
                command_resume(handle, verbs[record->goal]);
        }
}

/* What was launched and had not been heard of: executed by now if it lives, for the gate was open; or ended
 * at its gate, and to be launched again. */
static void adopt_launching(ProcessHandle *handle, const ProcessRecord *record) {
        Process *process = handle->process;
        bool executed = record->state == PROCESS_EXECUTING && handle->main_alive;

        if (executed) {
                handle->launched = true;
                process->state = PROCESS_ONLINE;
                process_set_started(process, now_realtime_usec(), now_boottime_usec());
                return;
        }
        if (!command_active(handle)) {
                command_resume(handle, COMMAND_START);
        }
        process->state = PROCESS_KILLING;
        kill_now(handle);
        arm_timer(handle, handle->main_alive ? KILL_RETRY_USEC : 0);
}

static void adopt_alive(ProcessHandle *handle, const ProcessRecord *record) {
        Process *process = handle->process;
        uint64_t now_usec = now_boottime_usec();
        uint64_t deadline_usec = record->deadline_boottime_usec;

        if (process->state == PROCESS_PLACING || process->state == PROCESS_EXECUTING) {
                adopt_launching(handle, record);
        } else if (!handle->main_alive && process->state == PROCESS_ONLINE) {
                /* Nobody has its pidfd: what is left of it, if anything, goes, and it is launched anew. */
                command_resume(handle, COMMAND_START);
                process->state = PROCESS_KILLING;
                kill_now(handle);
                arm_timer(handle, 0);
        } else if (deadline_usec > 0 || process->state != PROCESS_ONLINE) {
                arm_timer(handle, deadline_usec > now_usec ? deadline_usec - now_usec : 0);
        }
        /* A start that got there before the end of its supervisor is done. */
        Command *command = command_active(handle);
        if (command && process->state == PROCESS_ONLINE && command->verb == COMMAND_START) {
                command->launching = true;
                command_settle_and_invalidate(handle);
        }
}

void lifecycle_adopt(ProcessHandle *handle, const ProcessRecord *record, int pidfd) {
        Process *process = handle->process;
        uint64_t now_usec = now_realtime_usec();

        resume_goal(handle, record);
        if (process_state_is_alive(process->state)) {
                launch_adopt(handle, record, pidfd);
                adopt_alive(handle, record);
                return;
        }
        (void) close_fd(pidfd);
        if (process->state == PROCESS_WAITING_RESTART) {
                uint64_t due_usec = process->next_restart_realtime_usec;
                arm_timer(handle, due_usec > now_usec ? due_usec - now_usec : 0);
        } else if (command_active(handle)) {
                arm_timer(handle, 0); /* the command was at its end, or at its beginning */
        }
}
