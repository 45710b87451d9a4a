/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Between execve() and online: an app with wait_ready says itself when it is ready, and has listen_timeout
 * for that. */

#include "manager/readiness.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "core/value-text.h"
#include "manager/awaiting.h"
#include "manager/cluster-worker.h"
#include "manager/health-checks.h"
#include "manager/manager-state.h"
#include "manager/notify.h"

#include <inttypes.h>

#define LISTEN_TIMEOUT_USEC (3 * USEC_PER_SEC) /* PM2's, also for 0 */

uint64_t readiness_timeout_usec(const ProcessHandle *handle) {
        const AppConfig *config = handle->process->config;
        uint64_t usec = config->listen_timeout_usec > 0 ? config->listen_timeout_usec : LISTEN_TIMEOUT_USEC;
        bool probed = handle->role == ROLE_CANDIDATE && config->health;

        return probed ? usec + config->health->rules.start_period_usec : usec;
}

/* Whether it is to say something before it counts as ready. A worker of a cluster says that it listens. */
static bool has_to_say(const ProcessHandle *handle) {
        const AppConfig *config = handle->process->config;

        return config->wait_ready || config->exec_mode == EXEC_MODE_CLUSTER;
}

ProcessInput readiness_executed_input(const ProcessHandle *handle) {
        bool waits = handle->process->config->wait_ready || handle->role == ROLE_CANDIDATE;

        return waits && (!handle->said_ready || health_checks_must_wait(handle)) ? INPUT_RUNNING
                                                                                 : INPUT_EXECUTED;
}

void readiness_went_online(ProcessHandle *handle) {
        Process *process = handle->process;

        handle->got_ready = true;
        notify_start_watchdog(handle);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_ONLINE });
        manager_state_save(handle);
        cluster_review(handle->manager, process->owner, process->config->name);
        manager_emit(handle->manager, process, EVENT_ONLINE, false);
}

void readiness_on_ready_and_invalidate(ProcessHandle *handle) {
        handle->said_ready = true;
        if (handle->process->state != PROCESS_STARTING) {
                return;
        }
        if (health_checks_must_wait(handle)) {
                health_checks_sync(handle); /* it is asked from now on */
        } else {
                lifecycle_input_and_invalidate(handle, INPUT_READY);
        }
}

/* With wait_ready it is the app's to say. */
void readiness_on_listening_and_invalidate(ProcessHandle *handle) {
        if (!handle->process->config->wait_ready) {
                readiness_on_ready_and_invalidate(handle);
        }
}

/* The command that started it hears of it at once; what becomes of the process is the restart policy's. */
static void fail_launching(ProcessHandle *handle, ErrorCode code, const char *what) {
        Process *process = handle->process;
        g_auto(Error) error = { 0 };

        (void) error_set(
                        &error,
                        code,
                        "process %" PRIu32 " '%s': %s",
                        process->id,
                        process->config->name,
                        what);
        awaiting_on_failed_launch(process, what);
        command_fail_launching(handle, &error);
}

/* It has not become ready, or not healthy: it is ended. */
static void give_up_and_invalidate(ProcessHandle *handle, const char *what) {
        (void) error_set(&handle->launch_error, ERROR_TIMEOUT, "%s", what);
        process_take_reason(handle->process, g_strdup(what));
        fail_launching(handle, ERROR_TIMEOUT, what);
        lifecycle_input_and_invalidate(handle, INPUT_TIMEOUT);
}

void readiness_on_health_and_invalidate(ProcessHandle *handle) {
        if (handle->process->state != PROCESS_STARTING) {
                return;
        }
        if (handle->process->health == HEALTH_UNHEALTHY) {
                g_autofree char *what = g_strdup_printf("unhealthy: %s", health_checks_failure(handle));
                give_up_and_invalidate(handle, what);
        } else if (handle->said_ready || !has_to_say(handle)) {
                lifecycle_input_and_invalidate(handle, INPUT_READY);
        }
}

static char *describe_timeout(const ProcessHandle *handle) {
        g_autofree char *time = duration_to_text(readiness_timeout_usec(handle));
        bool healthy = !health_checks_must_wait(handle);

        return healthy || !handle->health ? g_strdup_printf("was not ready within %s (listen_timeout)", time)
                                          : g_strdup_printf("was not healthy within %s (listen_timeout and "
                                                            "health.start_period): %s",
                                                            time,
                                                            health_checks_failure(handle));
}

void readiness_on_timeout_and_invalidate(ProcessHandle *handle) {
        Process *process = handle->process;
        bool unhealthy = health_checks_must_wait(handle);

        if (!unhealthy && handle->role == ROLE_CANDIDATE && !process->config->wait_ready) {
                readiness_on_ready_and_invalidate(handle); /* it need not say anything, and it lives */
                return;
        }
        g_autofree char *what = describe_timeout(handle);

        log_warning("process %" PRIu32 " '%s' %s", process->id, process->config->name, what);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_READY_TIMEOUT, .text = what });
        manager_emit(handle->manager, process, EVENT_READY_TIMEOUT, false);
        if (!unhealthy && process->config->ready_timeout_action == READY_TIMEOUT_ONLINE) {
                readiness_on_ready_and_invalidate(handle);
                return;
        }
        give_up_and_invalidate(handle, what);
}

char *readiness_describe_exit(const ProcessHandle *handle) {
        g_autofree char *how = exit_status_describe(handle->process->exit_status);

        if (handle->launch_error.message) {
                return g_strdup(handle->launch_error.message);
        }
        return handle->got_ready ? g_steal_pointer(&how) : g_strdup_printf("%s before it was ready", how);
}

void readiness_on_exit(ProcessHandle *handle) {
        if (handle->process->state == PROCESS_STARTING) {
                g_autofree char *what = readiness_describe_exit(handle);
                fail_launching(handle, ERROR_SPAWN_FAILED, what);
        }
}
