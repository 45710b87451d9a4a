/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Nothing of a launch is left: what follows is chosen here, by the hooks, by the command that waits, or else
 * by the restart policy. */

#include "basic/log.h"
#include "basic/time-util.h"
#include "core/restart-policy.h"
#include "core/value-text.h"
#include "manager/awaiting.h"
#include "manager/cluster-worker.h"
#include "manager/readiness.h"
#include "manager/rollback.h"
#include "manager/rolling.h"

#include <inttypes.h>

void manager_remember(Process *process, HistoryEntry entry) {
        entry.at_realtime_usec = now_realtime_usec();
        process_remember(process, &entry);
}

static void give_reason(Process *process, HistoryEntry entry, char *reason) {
        entry.text = reason;
        manager_remember(process, entry);
        process_take_reason(process, reason);
}

static const char *launch_failure(const ProcessHandle *handle) {
        return handle->launch_error.message ? handle->launch_error.message : "could not be launched";
}

ProcessInput gone_start_input(const Process *process) {
        bool resting = !process_state_is_alive(process->state);

        if (process->config->pre_start) {
                return resting ? INPUT_PREPARE : INPUT_GONE_PREPARE;
        }
        return resting ? INPUT_START : INPUT_GONE_AGAIN;
}

static ProcessInput restart_now(ProcessHandle *handle, const char *what, const RestartDecision *decision) {
        Process *process = handle->process;

        give_reason(process,
                    (HistoryEntry){ .kind = HISTORY_RESTART },
                    decision->unstable_restarts > 0
                                    ? g_strdup_printf("%s; restarted (unstable exit %" PRIu32 " in a row)",
                                                      what,
                                                      decision->unstable_restarts)
                                    : g_strdup_printf("%s; restarted", what));
        process_count_restart(process);
        manager_emit(handle->manager, process, EVENT_RESTART, false);
        return gone_start_input(process);
}

static ProcessInput restart_later(Process *process, const char *what, const RestartDecision *decision) {
        g_autofree char *delay = duration_to_text(decision->delay_usec);

        give_reason(process,
                    (HistoryEntry){ .kind = HISTORY_RESTART, .delay_usec = decision->delay_usec },
                    decision->unstable_restarts > 0
                                    ? g_strdup_printf("%s; restarted after %s (unstable exit %" PRIu32
                                                      " in a row)",
                                                      what,
                                                      delay,
                                                      decision->unstable_restarts)
                                    : g_strdup_printf("%s; restarted after %s", what, delay));
        process_set_next_restart(process, now_realtime_usec() + decision->delay_usec);
        return INPUT_GONE_DELAY;
}

/* The one that came by a reload has ended so soon that the reload is taken back. */
static ProcessInput roll_back(ProcessHandle *handle, const char *what) {
        Process *process = handle->process;
        g_autofree char *why = g_strdup_printf("%s within reload_watch", what);

        give_reason(process,
                    (HistoryEntry){ .kind = HISTORY_RESTART },
                    g_strdup_printf("%s; the configuration before the reload is back", why));
        log_warning("process %" PRIu32 " '%s': %s", process->id, process->config->name, process->reason);
        process_reset_unstable(process);
        process_count_restart(process);
        manager_emit(handle->manager, process, EVENT_ROLLBACK, false);
        rolling_fail(handle->manager, process);
        return gone_start_input(process);
}

static ProcessInput follow_policy(ProcessHandle *handle, bool launched) {
        Process *process = handle->process;
        RestartFacts facts = {
                .launched = launched,
                .ready = handle->got_ready && (!handle->ended_unhealthy || handle->was_healthy),
                .intended = cluster_worker_means_to_end(handle),
                /* What it ends with when it is made to is no wish of its own. */
                .exit_status = handle->ended_unhealthy ? EXIT_STATUS_NONE : process->exit_status,
                .uptime_usec = handle->exited_boottime_usec - process->start_boottime_usec,
                .unstable_restarts = process->unstable_restarts,
                .backoff_usec = process->backoff_usec,
        };
        RestartDecision decision = restart_policy_decide(process->config, &facts);
        g_autofree char *what =
                        launched ? readiness_describe_exit(handle) : g_strdup(launch_failure(handle));

        if (rollback_take(handle)) {
                return roll_back(handle, what);
        }
        process_set_unstable_restarts(process, decision.unstable_restarts);
        process_set_backoff(process, decision.backoff_usec);
        switch (decision.verdict) {
        case RESTART_NEVER:
                give_reason(process,
                            (HistoryEntry){ .kind = launched ? HISTORY_STOPPED : HISTORY_ERRORED },
                            g_strdup_printf("%s; autorestart is off", what));
                return launched ? INPUT_GONE_STOPPED : INPUT_GONE_ERRORED;
        case RESTART_STOP_CODE:
                give_reason(process,
                            (HistoryEntry){ .kind = HISTORY_STOPPED },
                            g_strdup_printf("%s, one of stop_exit_codes", what));
                return INPUT_GONE_STOPPED;
        case RESTART_GIVE_UP:
                handle->given_up = true;
                give_reason(process,
                            (HistoryEntry){ .kind = HISTORY_ERRORED },
                            g_strdup_printf("%s; given up after %" PRIu32 " unstable exits in a row",
                                            what,
                                            decision.unstable_restarts));
                return INPUT_GONE_ERRORED;
        case RESTART_LATER:
                return restart_later(process, what, &decision);
        case RESTART_NOW:
        default:
                return restart_now(handle, what, &decision);
        }
}

/* It ended while the one that takes its place is being launched. */
static ProcessInput wait_for_candidate(ProcessHandle *handle) {
        Process *process = handle->process;
        g_autofree char *what = readiness_describe_exit(handle);

        give_reason(process,
                    (HistoryEntry){ .kind = HISTORY_RESTART },
                    g_strdup_printf("%s while it was being reloaded", what));
        process_set_next_restart(
                        process,
                        now_realtime_usec() + handle->manager->settings->launch_timeout_usec +
                                        readiness_timeout_usec(handle->twin->handle));
        return INPUT_GONE_DELAY;
}

/* launched: the app was online. */
static ProcessInput choose(ProcessHandle *handle, bool launched) {
        Process *process = handle->process;
        Command *command = command_deciding(handle);

        if (handle->role == ROLE_CANDIDATE) {
                g_autofree char *what = launched ? readiness_describe_exit(handle)
                                                 : g_strdup(launch_failure(handle));
                process_take_reason(process, g_steal_pointer(&what));
                return INPUT_GONE_ERRORED;
        }
        if (handle->manager->shutting_down || handle->role == ROLE_RETIRED) {
                return INPUT_GONE_STOPPED;
        }
        if (!command && reload_has_candidate(handle)) {
                return wait_for_candidate(handle);
        }
        if (!command) {
                return follow_policy(handle, launched);
        }
        if (command_is_stop(command)) {
                manager_remember(
                                process, (HistoryEntry){ .kind = HISTORY_STOPPED, .text = process->reason });
                return INPUT_GONE_STOPPED;
        }
        if (!command->launching) {
                if (command->verb == COMMAND_RESTART) {
                        process_count_restart(process);
                }
                process_take_reason(process, g_strdup(command_reason(command)));
                command_take_over(handle, command);
                return awaiting_start_input(handle, command);
        }
        give_reason(process,
                    (HistoryEntry){ .kind = HISTORY_ERRORED },
                    g_strdup(launched ? "it ended before it was started" : launch_failure(handle)));
        return INPUT_GONE_ERRORED;
}

/* Whether what pre_start was run for is wanted no more. */
static bool is_unwanted(const ProcessHandle *handle) {
        const Command *command = command_deciding(handle);

        if (handle->role == ROLE_CANDIDATE && !reload_is_wanted(handle)) {
                return true;
        }
        return handle->manager->shutting_down || (command && !command->launching);
}

static void tell_of_failure(ProcessHandle *handle, HistoryKind kind) {
        Process *process = handle->process;

        log_warning("process %" PRIu32 " '%s': %s",
                    process->id,
                    process->config->name,
                    launch_failure(handle));
        manager_remember(process, (HistoryEntry){ .kind = kind, .text = handle->launch_error.message });
}

static ProcessInput after_post_stop(ProcessHandle *handle) {
        HookResult result = hook_take_result(handle);

        if (result == HOOK_UNKNOWN && !handle->hook_executed) {
                return INPUT_GONE_FINISH;
        }
        if (result == HOOK_FAILED) {
                tell_of_failure(handle, HISTORY_HOOK);
        }
        handle->ran = false;
        error_move(&handle->launch_error, &handle->main_error);
        return choose(handle, handle->main_launched);
}

/* The end of the app, or of a start that failed: post_stop first, if something of that start has run. */
static ProcessInput after_main(ProcessHandle *handle, bool launched) {
        if (!launched && handle->launch_error.code != ERROR_NONE && !is_unwanted(handle)) {
                tell_of_failure(handle, handle->phase == PHASE_MAIN ? HISTORY_FAILED : HISTORY_HOOK);
        }
        if (handle->ran && handle->process->config->post_stop) {
                handle->main_launched = launched;
                error_move(&handle->main_error, &handle->launch_error);
                return INPUT_GONE_FINISH;
        }
        handle->ran = false;
        return choose(handle, launched);
}

static ProcessInput after_pre_start(ProcessHandle *handle) {
        if (!is_unwanted(handle)) {
                switch (hook_take_result(handle)) {
                case HOOK_DONE:
                        return INPUT_GONE_AGAIN;
                case HOOK_UNKNOWN:
                        return INPUT_GONE_PREPARE;
                case HOOK_FAILED:
                default:
                        break;
                }
        }
        return after_main(handle, false);
}

ProcessInput gone_choose_input(ProcessHandle *handle) {
        bool launched = handle->launched;

        handle->launched = false;
        switch (handle->phase) {
        case PHASE_PRE_START:
                return after_pre_start(handle);
        case PHASE_POST_STOP:
                return after_post_stop(handle);
        case PHASE_MAIN:
        case _LAUNCH_PHASE_MAX:
        default:
                return after_main(handle, launched);
        }
}
