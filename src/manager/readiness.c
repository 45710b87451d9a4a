/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Between execve() and online: an app with wait_ready says itself when it is ready, and has listen_timeout
 * for that. */

#include "manager/readiness.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "core/value-text.h"
#include "manager/manager-state.h"
#include "manager/notify.h"

#include <inttypes.h>

#define LISTEN_TIMEOUT_USEC (3 * USEC_PER_SEC) /* PM2's, also for 0 */

uint64_t readiness_timeout_usec(const AppConfig *config) {
        return config->listen_timeout_usec > 0 ? config->listen_timeout_usec : LISTEN_TIMEOUT_USEC;
}

ProcessInput readiness_executed_input(const ProcessHandle *handle) {
        return handle->process->config->wait_ready && !handle->said_ready ? INPUT_RUNNING : INPUT_EXECUTED;
}

void readiness_went_online(ProcessHandle *handle) {
        Process *process = handle->process;

        handle->got_ready = true;
        notify_start_watchdog(handle);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_ONLINE });
        manager_state_save(handle);
        manager_emit(handle->manager, process, EVENT_ONLINE, false);
}

void readiness_on_ready_and_invalidate(ProcessHandle *handle) {
        handle->said_ready = true;
        if (handle->process->state == PROCESS_STARTING) {
                lifecycle_input_and_invalidate(handle, INPUT_READY);
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
        command_fail_launching(handle, &error);
}

void readiness_on_timeout_and_invalidate(ProcessHandle *handle) {
        Process *process = handle->process;
        g_autofree char *time = duration_to_text(readiness_timeout_usec(process->config));
        g_autofree char *what = g_strdup_printf("was not ready within %s (listen_timeout)", time);

        log_warning("process %" PRIu32 " '%s' %s", process->id, process->config->name, what);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_READY_TIMEOUT, .text = what });
        manager_emit(handle->manager, process, EVENT_READY_TIMEOUT, false);
        if (process->config->ready_timeout_action == READY_TIMEOUT_ONLINE) {
                readiness_on_ready_and_invalidate(handle);
                return;
        }
        (void) error_set(&handle->launch_error, ERROR_TIMEOUT, "%s", what);
        process_take_reason(process, g_strdup(what));
        fail_launching(handle, ERROR_TIMEOUT, what);
        lifecycle_input_and_invalidate(handle, INPUT_TIMEOUT);
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
