/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/dependency-verdict.h"

/* Its last run is over, and was good. */
static bool has_completed(const Process *process) {
        return process->state == PROCESS_STOPPED && !process->held && process->start_realtime_usec > 0 &&
               process->exit_status.code == 0 && process->exit_status.signal == 0;
}

/* Nothing will be done about it, though it may recover: who waits is told now. */
static bool is_given_up(const Process *process) {
        const HealthCheck *check = process->config->health;

        return process->state == PROCESS_ONLINE && check && !check->restart &&
               process->health == HEALTH_UNHEALTHY;
}

/* Whether every end of it is followed by a restart. */
static bool never_completes(const Process *process) {
        return process->config->autorestart && !app_config_is_stop_code(process->config, 0);
}

static bool is_met(const Process *process, DependencyCondition condition) {
        switch (condition) {
        case DEPENDENCY_STARTED:
                return process_state_is_running(process->state) || has_completed(process);
        case DEPENDENCY_READY:
                return process->state == PROCESS_ONLINE || has_completed(process);
        case DEPENDENCY_HEALTHY:
                return process_is_healthy(process);
        case DEPENDENCY_COMPLETED:
                return has_completed(process);
        case _DEPENDENCY_CONDITION_MAX:
        default:
                return false;
        }
}

DependencyVerdict dependency_judge(const Process *process, DependencyCondition condition, bool starting) {
        if (condition == DEPENDENCY_COMPLETED && never_completes(process) && !has_completed(process)) {
                return DEPENDENCY_FAILED;
        }
        if (starting) {
                return DEPENDENCY_PENDING;
        }
        if (is_met(process, condition)) {
                return DEPENDENCY_MET;
        }
        if (process->state == PROCESS_STOPPED && process->held) {
                return DEPENDENCY_HELD;
        }
        if (condition == DEPENDENCY_HEALTHY && is_given_up(process)) {
                return DEPENDENCY_FAILED;
        }
        return process->state == PROCESS_STOPPED || process->state == PROCESS_ERRORED ? DEPENDENCY_AT_REST
                                                                                      : DEPENDENCY_PENDING;
}

char *dependency_describe_failure(const Process *process, DependencyCondition condition) {
        const char *name = process->config->name;

        if (condition == DEPENDENCY_COMPLETED && never_completes(process)) {
                return g_strdup_printf(
                                DEPENDENCY_REASON "%s' never completes: autorestart starts it again", name);
        }
        if (process->state == PROCESS_STOPPED && process->held) {
                return g_strdup_printf(DEPENDENCY_REASON "%s' was stopped by hand: start it first", name);
        }
        if (g_str_has_prefix(process->reason, DEPENDENCY_REASON)) {
                return g_strdup(process->reason);
        }
        return g_strdup_printf(DEPENDENCY_REASON "%s' failed: %s", name, process->reason);
}
