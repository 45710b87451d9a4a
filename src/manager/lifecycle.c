/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Drives the state machine of a process: facts of the platform go in as inputs, the actions that the table
 * names come out and are performed here. */

#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/awaiting.h"
#include "manager/cluster-worker.h"
#include "manager/crash-bundle.h"
#include "manager/health-checks.h"
#include "manager/listeners.h"
#include "manager/log-files.h"
#include "manager/log-pumps.h"
#include "manager/manager-state.h"
#include "manager/messages.h"
#include "manager/notify.h"
#include "manager/process-record.h"
#include "manager/readiness.h"
#include "manager/rollback.h"
#include "manager/stop-order.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define KILL_RETRY_USEC (1 * USEC_PER_SEC)
#define DRAINED_USEC    (100 * USEC_PER_MSEC)

static const uint64_t timer_accuracy_usec = USEC_PER_MSEC;

ProcessHandle *process_handle_new(Manager *manager, Process *process) {
        ProcessHandle *handle = g_new0(ProcessHandle, 1);

        handle->manager = manager;
        handle->process = process;
        handle->child = GATED_CHILD_NONE;
        g_queue_init(&handle->commands);
        g_queue_init(&handle->actions);
        return handle;
}

void process_handle_free(ProcessHandle *handle) {
        if (!handle) {
                return;
        }
        if (handle->manager->detached || !handle->manager->shutting_down) {
                (void) close_fd(messages_leave(handle)); /* they are kept, or lost with us */
                (void) close_fd(notify_leave(handle));
        }
        health_checks_free(handle);
        awaiting_forget(handle);
        launch_end_child(handle);
        log_pumps_detach(handle);
        cluster_worker_free(handle);
        isolation_group_release(handle->group);
        (void) sd_event_source_disable_unref(handle->timer);
        error_clear(&handle->launch_error);
        error_clear(&handle->main_error);
        rollback_forget(handle);
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

/* What stands still hears no signal. */
static void thaw(ProcessHandle *handle) {
        if (handle->process->frozen && handle->group) {
                (void) isolation_group_freeze(handle->group, false);
        }
        process_set_frozen(handle->process, false);
        notify_on_frozen(handle);
}

/* The kill signal goes to everything, or without treekill to the main process alone. */
static void signal_group(ProcessHandle *handle, int number, bool kill) {
        thaw(handle);
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
        thaw(handle);
        /* A child at its gate ends when that closes; SIGKILL is for what may have passed it. */
        handle->child.gate_fd = close_fd(handle->child.gate_fd);
        if (handle->main_alive) {
                (void) CHANGE("main-kill", pidfd_send_signal(handle->child.pidfd, SIGKILL, NULL, 0));
        }
        if (handle->group) {
                signal_group(handle, SIGKILL, true);
        }
}

/* What the state that was entered launches. */
static void set_phase(ProcessHandle *handle) {
        switch (handle->process->state) {
        case PROCESS_PREPARING:
                handle->phase = PHASE_PRE_START;
                handle->ran = false;
                break;
        case PROCESS_FINISHING:
                handle->phase = PHASE_POST_STOP;
                break;
        case PROCESS_STOPPED:
        case PROCESS_ERRORED:
        case PROCESS_WAITING_RESTART:
        case PROCESS_AWAITING:
        case PROCESS_PLACING:
        case PROCESS_EXECUTING:
        case PROCESS_STARTING:
        case PROCESS_ONLINE:
        case PROCESS_DRAINING:
        case PROCESS_STOPPING:
        case PROCESS_CLEANING:
        case PROCESS_KILLING:
        case _PROCESS_STATE_MAX:
        default:
                handle->phase = PHASE_MAIN;
                break;
        }
}

/* It takes nothing new from now on. */
static void ask_to_drain(ProcessHandle *handle) {
        bool by_message = handle->process->config->shutdown_with_message || handle->soft;
        /* It hears nothing after the next. */
        bool told = by_message && handle->main_alive && messages_ask_to_end(handle);
        bool disconnects = handle->main_alive && cluster_worker_ask_to_disconnect(handle);

        thaw(handle);
        if (!told && !disconnects) {
                signal_group(handle, handle->process->config->kill_signal, false);
        }
}

static void ask_to_end(ProcessHandle *handle) {
        int number = handle->hung ? SIGABRT : handle->process->config->kill_signal;
        bool asked = handle->process->config->shutdown_with_message && handle->phase == PHASE_MAIN &&
                     handle->main_alive && !handle->hung && messages_ask_to_end(handle);

        if (asked) {
                thaw(handle); /* what stands still reads nothing */
        } else {
                signal_group(handle, number, false);
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
                set_phase(handle);
                handle->given_up = handle->given_up && handle->phase == PHASE_POST_STOP;
                handle->cut_short = handle->cut_short && handle->phase == PHASE_POST_STOP;
        }
        if (actions & ACTION_ARM_HOOK_TIMER) {
                arm_timer(handle, hook_timeout_usec(handle));
        }
        if (actions & ACTION_ARM_READY_TIMER) {
                arm_timer(handle, readiness_timeout_usec(handle));
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
                manager_state_save(handle); /* from now on it may run */
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
                /* Without any of the two there is nothing to end. */
                arm_timer(handle, handle->group || handle->main_alive ? wait_usec : 0);
        }
        if (actions & ACTION_ARM_DRAIN_TIMER) {
                arm_timer(handle, process->config->reload_timeout_usec);
        }
        if (actions & (ACTION_SIGNAL | ACTION_KILL | ACTION_DRAIN)) {
                manager_state_save(handle); /* the intent: to a successor the exit would look like a crash */
        }
        if (actions & ACTION_SIGNAL) {
                handle->child.gate_fd = close_fd(handle->child.gate_fd); /* of a hook that still waits */
                ask_to_end(handle);
        }
        if (actions & ACTION_KILL) {
                kill_now(handle);
        }
        if (actions & ACTION_DRAIN) {
                ask_to_drain(handle);
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
                if (process->state == PROCESS_ONLINE && before != PROCESS_ONLINE) {
                        readiness_went_online(handle);
                }
        }
        Manager *manager = handle->manager;
        health_checks_sync(handle);
        manager_state_save(handle);
        awaiting_on_state(handle);
        if (handle->role != ROLE_VISIBLE) {
                reload_settle_hidden_and_invalidate(handle);
                return;
        }
        manager_notify_changes(manager, process);
        if (handle->given_up && process->state == PROCESS_ERRORED) {
                handle->given_up = false;
                manager_emit(manager, process, EVENT_OVERLIMIT, false);
        }
        if (process_state_is_alive(process->state)) {
                command_settle_and_invalidate(handle);
        } else {
                uid_t owner = process->owner;
                g_autofree char *name = g_strdup(process->config->name);
                command_settle_and_invalidate(handle);
                listeners_review(manager, owner, name);
        }
        shutdown_check(manager);
}

static void on_gone_and_invalidate(ProcessHandle *handle) {
        thaw(handle); /* what it leaves running, if that is meant */
        isolation_group_release(g_steal_pointer(&handle->group));
        process_set_group(handle->process, "", "");
        credentials_remove(handle->manager, handle->process);
        lifecycle_input_and_invalidate(handle, gone_choose_input(handle));
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
                lifecycle_input_and_invalidate(handle, gone_start_input(process));
        } else if (process->state == PROCESS_STARTING) {
                readiness_on_timeout_and_invalidate(handle);
        } else if (is_gone(handle)) {
                on_gone_and_invalidate(handle); /* it could not be spawned */
        } else {
                if (process->state == PROCESS_PLACING || process->state == PROCESS_EXECUTING) {
                        (void) error_set(
                                        &handle->launch_error,
                                        ERROR_SPAWN_FAILED,
                                        "not executed within launch_timeout");
                } else if (process_state_is_hook(process->state)) {
                        (void) error_set(
                                        &handle->launch_error,
                                        ERROR_SPAWN_FAILED,
                                        "did not end within %s_timeout",
                                        hook_name(handle->phase));
                }
                lifecycle_input_and_invalidate(handle, INPUT_TIMEOUT);
        }
        return 0;
}

void lifecycle_restart_waiting(ProcessHandle *handle) {
        if (handle->process->state == PROCESS_WAITING_RESTART) {
                arm_timer(handle, 0);
        }
}

/* What the child reported so far is taken in. True: the process is online now. */
static bool take_report(ProcessHandle *handle, int *ret_result) {
        Process *process = handle->process;
        int r = launch_read_report(handle);

        *ret_result = r;
        if (r <= 0) {
                return false;
        }
        handle->ran = true;
        log_files_attach(handle);
        if (handle->phase != PHASE_MAIN) {
                handle->hook_executed = true;
                return false;
        }
        handle->launched = true;
        process_set_started(process, now_realtime_usec(), now_boottime_usec());
        return true;
}

static void on_executed_and_invalidate(ProcessHandle *handle) {
        if (handle->process->state == PROCESS_EXECUTING) { /* else it is being killed already */
                lifecycle_input_and_invalidate(handle, readiness_executed_input(handle));
        }
}

static bool is_being_placed(const Process *process) {
        return process->state == PROCESS_PLACING || process_state_is_hook(process->state);
}

void lifecycle_on_placed(ProcessHandle *handle, int result) {
        int r = launch_placed(handle, result);

        if (is_being_placed(handle->process) && r != 0) {
                lifecycle_input_and_invalidate(handle, r < 0 ? INPUT_LAUNCH_FAILED : INPUT_PLACED);
        } else if (handle->process->state == PROCESS_KILLING) {
                isolation_group_kill(handle->group); /* it came there while it was being given up */
        }
}

void lifecycle_on_stored(ProcessHandle *handle) {
        handle->stored = true;
        if (is_being_placed(handle->process) && handle->placed) {
                lifecycle_input_and_invalidate(handle, INPUT_PLACED);
        }
}

void lifecycle_extend_timeout(ProcessHandle *handle, uint64_t usec) {
        ProcessState state = handle->process->state;

        if ((state == PROCESS_STARTING || state == PROCESS_STOPPING) &&
            now_boottime_usec() + usec > handle->deadline_boottime_usec) {
                arm_timer(handle, usec);
                manager_state_save(handle);
        }
}

void lifecycle_on_report(ProcessHandle *handle) {
        int r;

        if (take_report(handle, &r)) {
                on_executed_and_invalidate(handle);
        } else if (r < 0 && (handle->process->state == PROCESS_EXECUTING ||
                             process_state_is_hook(handle->process->state))) {
                lifecycle_input_and_invalidate(handle, INPUT_LAUNCH_FAILED);
        } else if (r > 0 && process_state_is_hook(handle->process->state)) {
                lifecycle_input_and_invalidate(handle, INPUT_EXECUTED);
        }
}

static void after_main_exit_and_invalidate(ProcessHandle *handle) {
        if (is_gone(handle)) {
                on_gone_and_invalidate(handle);
        } else if (handle->process->state == PROCESS_EXECUTING ||
                   handle->process->state == PROCESS_PLACING ||
                   (process_state_is_hook(handle->process->state) && !handle->hook_executed)) {
                lifecycle_input_and_invalidate(handle, INPUT_LAUNCH_FAILED);
        } else {
                if (handle->asked_by_message && handle->process->state == PROCESS_STOPPING) {
                        signal_group(handle, handle->process->config->kill_signal, false); /* the others */
                }
                lifecycle_input_and_invalidate(handle, INPUT_EXITED);
        }
}

static void remember_exit(Process *process) {
        g_autofree char *how = exit_status_describe(process->exit_status);

        manager_remember(
                        process,
                        (HistoryEntry){
                                        .kind = HISTORY_EXIT,
                                        .exit_status = process->exit_status,
                                        .text = how,
                        });
}

/* It was at its gate when its supervisor died: there was no run of the program. */
static void begin_again(ProcessHandle *handle) {
        handle->launched = handle->ran = false;
        handle->process->state = PROCESS_KILLING;
        handle->cut_short = handle->role == ROLE_CANDIDATE;
        if (handle->role == ROLE_VISIBLE && !command_active(handle)) {
                command_resume(handle, COMMAND_START);
        }
}

void lifecycle_on_channel_closed(ProcessHandle *handle) {
        if (handle->process->state == PROCESS_DRAINING) {
                arm_timer(handle, DRAINED_USEC); /* it has no connection left, and may end by itself */
        }
}

void lifecycle_on_main_exit(ProcessHandle *handle, int code, int status) {
        int r = 0;

        /* It may have been executed and have ended before we read its report. */
        if (handle->result_source && take_report(handle, &r) &&
            handle->process->state == PROCESS_EXECUTING) {
                on_executed_and_invalidate(handle); /* nothing is removed by that */
        }
        log_pumps_hear_out(handle);
        messages_hear_out(handle);
        handle->main_reaped = true;
        notify_hear_out(handle);
        if (!handle->main_reaped) {
                return; /* it had named another, which goes on */
        }
        if (handle->presumed && code == CLD_EXITED && status == EXEC_GATE_CLOSED_STATUS) {
                begin_again(handle);
        }
        handle->presumed = false;
        Process *process = handle->process; /* what was heard may have changed it */
        ExitStatus exit_status = exit_status_from_wait(code, status);
        bool crashed = false;
        oom_tell(handle);
        exit_status.oom = oom_has_ended(handle, exit_status);
        if (handle->launched) {
                process_set_exit_status(process, exit_status);
                handle->exited_boottime_usec = now_boottime_usec();
                remember_exit(process);
                crashed = crash_bundle_take(handle, code == CLD_DUMPED);
                readiness_on_exit(handle);
        } else {
                handle->hook_status = exit_status;
        }
        launch_end_child(handle);
        if (handle->launched) {
                manager_emit(handle->manager, process, EVENT_EXIT, false);
        }
        if (crashed) {
                crash_bundle_tell(handle);
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

        if (handle->role == ROLE_VISIBLE && record->goal > RECORD_GOAL_NONE &&
            record->goal < ELEMENTS(verbs)) {
                command_resume(handle, verbs[record->goal]);
                command_active(handle)->cause = record->cause < _COMMAND_CAUSE_MAX
                                                                ? (CommandCause) record->cause
                                                                : CAUSE_CALLER;
        }
        bool launching = handle->phase == PHASE_PRE_START || record->state == PROCESS_STARTING;
        if (launching && command_active(handle)) {
                command_active(handle)->launching = record->launching;
        }
}

static void take_launch_over(ProcessHandle *handle, const ProcessRecord *record) {
        handle->phase = record->phase < _LAUNCH_PHASE_MAX ? (LaunchPhase) record->phase : PHASE_MAIN;
        handle->ran = record->ran || record->launched;
        handle->hook_executed = record->hook_executed;
        handle->presumed = record->presumed;
        handle->hook_status = EXIT_STATUS_NONE;
        handle->oom_kills = record->oom_kills;
        handle->notify_generation = record->notify_generation;
        handle->watchdog = (Watchdog){ .timeout_usec = record->watchdog_usec };
        handle->said_ready = record->said_ready;
        handle->soft = record->soft;
        handle->got_ready = record->got_ready || record->state == PROCESS_ONLINE;
        handle->main_launched = record->main_launched;
        handle->was_healthy = record->was_healthy;
        process_set_health(
                        handle->process,
                        record->health < _PROCESS_HEALTH_MAX ? (ProcessHealth) record->health : HEALTH_NONE);
        handle->exited_boottime_usec = record->exited_boottime_usec;
}

/* What was launched and had not been heard of: executed by now if it lives, for the gate was open; or ended
 * at its gate, and to be launched again. */
static void adopt_launching(ProcessHandle *handle, const ProcessRecord *record) {
        Process *process = handle->process;
        bool executed = record->state == PROCESS_EXECUTING && handle->main_alive;

        if (executed) {
                bool waits = readiness_executed_input(handle) == INPUT_RUNNING;
                handle->launched = handle->ran = handle->presumed = true;
                process->state = waits ? PROCESS_STARTING : PROCESS_ONLINE;
                handle->got_ready = !waits;
                process_set_started(process, now_realtime_usec(), now_boottime_usec());
                if (waits) {
                        arm_timer(handle, readiness_timeout_usec(handle));
                }
                return;
        }
        if (handle->role == ROLE_VISIBLE && !command_active(handle)) {
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
        } else if (!handle->main_alive && process_state_is_hook(process->state)) {
                process->state = PROCESS_KILLING;
                kill_now(handle);
                arm_timer(handle, 0);
        } else if (!handle->main_alive && process_state_is_running(process->state)) {
                /* Nobody has its pidfd: what is left of it, if anything, goes, and it is launched anew. */
                if (handle->role == ROLE_VISIBLE) {
                        command_resume(handle, COMMAND_START);
                }
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
        uint64_t now_usec = now_boottime_usec();

        manager_remember(process, (HistoryEntry){ .kind = HISTORY_TAKEN_OVER });
        take_launch_over(handle, record);
        resume_goal(handle, record);
        if (process_state_is_alive(process->state)) {
                launch_adopt(handle, record, pidfd);
                log_pumps_adopt(handle);
                log_files_attach(handle);
                oom_tell(handle); /* nobody was there to be told */
                adopt_alive(handle, record);
                stop_order_adopt(handle);
                return;
        }
        (void) close_fd(pidfd);
        if (process->state == PROCESS_AWAITING) {
                awaiting_adopt(handle);
                stop_order_adopt(handle);
                return;
        }
        if (process->state == PROCESS_WAITING_RESTART) {
                uint64_t due_usec = record->deadline_boottime_usec;
                arm_timer(handle, due_usec > now_usec ? due_usec - now_usec : 0);
        } else if (command_active(handle)) {
                arm_timer(handle, 0); /* the command was at its end, or at its beginning */
        }
}
