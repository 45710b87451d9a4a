/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/health-checks.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "core/value-text.h"
#include "manager/awaiting.h"
#include "manager/health-probe.h"
#include "manager/manager-state.h"
#include "manager/readiness.h"
#include "manager/rollback.h"

#include <inttypes.h>
#include <string.h>

#define ACCURACY_MAX_USEC (50 * USEC_PER_MSEC)

struct HealthChecks {
        ProcessHandle *handle; /* weak */
        HealthCheck *check;    /* that they were made of */
        Health health;
        sd_event_source *timer; /* of the next probe, or of the timeout of this one */
        HealthProbe *probe;     /* under way; NULL: none */
        char *failure;          /* of the last probe; NULL: there was none */
};

static void end_probe(struct HealthChecks *checks) {
        health_probe_cancel(g_steal_pointer(&checks->probe));
}

void health_checks_free(ProcessHandle *handle) {
        struct HealthChecks *checks = g_steal_pointer(&handle->health);

        if (checks) {
                end_probe(checks);
                (void) sd_event_source_disable_unref(checks->timer);
                health_check_free(checks->check);
                g_free(checks->failure);
                g_free(checks);
        }
}

const char *health_checks_failure(const ProcessHandle *handle) {
        const struct HealthChecks *checks = handle->health;

        return checks && checks->failure ? checks->failure : "nothing was asked yet";
}

bool health_checks_must_wait(const ProcessHandle *handle) {
        return handle->role == ROLE_CANDIDATE && handle->process->config->health &&
               handle->process->health != HEALTH_HEALTHY;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static void arm(struct HealthChecks *checks) {
        uint64_t due_usec = health_due(&checks->health);

        checks->timer = sd_event_source_disable_unref(checks->timer);
        if (due_usec == HEALTH_NEVER) {
                return;
        }
        int r = sd_event_add_time(
                        checks->handle->manager->event,
                        &checks->timer,
                        CLOCK_MONOTONIC,
                        due_usec,
                        MIN(checks->check->rules.interval_usec / 10, ACCURACY_MAX_USEC),
                        on_timer,
                        checks);
        if (r < 0) {
                (void) log_error_errno(r, "process %" PRIu32 ": no health: %m", checks->handle->process->id);
        }
}

static void tell_healthy(ProcessHandle *handle, ProcessHealth before) {
        Process *process = handle->process;

        log_info("process %" PRIu32 " '%s' is healthy", process->id, process->config->name);
        handle->was_healthy = true;
        if (before == HEALTH_UNHEALTHY) {
                process_take_reason(process, g_strdup("healthy again"));
        }
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_HEALTHY });
        manager_state_save(handle);
        manager_emit(handle->manager, process, EVENT_HEALTHY, false);
}

static void tell_unhealthy(ProcessHandle *handle) {
        Process *process = handle->process;
        g_autofree char *what = g_strdup_printf("unhealthy: %s", health_checks_failure(handle));

        log_warning("process %" PRIu32 " '%s' is %s", process->id, process->config->name, what);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_UNHEALTHY, .text = what });
        process_take_reason(process, g_steal_pointer(&what));
        manager_state_save(handle);
        manager_emit(handle->manager, process, EVENT_UNHEALTHY, false);
}

/* It is unhealthy still, perhaps for another reason. */
static void renew_reason(ProcessHandle *handle) {
        g_autofree char *what = g_strdup_printf("unhealthy: %s", health_checks_failure(handle));

        if (strcmp(handle->process->reason, what) != 0) {
                process_take_reason(handle->process, g_steal_pointer(&what));
                manager_notify_changes(handle->manager, handle->process);
        }
}

/* Where that is wanted what is unhealthy is ended, as what hangs is; what follows is the restart policy's,
 * or the configuration before a reload. What is being replaced anyway is left to that. */
static void end_unhealthy_and_invalidate(ProcessHandle *handle) {
        const Process *process = handle->process;

        if (process->state != PROCESS_ONLINE || handle->manager->shutting_down ||
            reload_has_candidate(handle) || !(process->config->health->restart || rollback_is_due(handle))) {
                return;
        }
        (void) error_set(
                        &handle->launch_error,
                        ERROR_TIMEOUT,
                        "unhealthy: %s",
                        health_checks_failure(handle));
        handle->ended_unhealthy = true;
        lifecycle_input_and_invalidate(handle, INPUT_HUNG);
}

static void finish_and_invalidate(struct HealthChecks *checks, bool success, const char *why) {
        ProcessHandle *handle = checks->handle;
        ProcessHealth before = checks->health.state;
        bool changed = health_end(&checks->health, success, now_monotonic_usec());
        ProcessHealth state = checks->health.state;
        bool candidate = handle->role == ROLE_CANDIDATE;

        if (!success) {
                g_free(checks->failure);
                checks->failure = g_strdup_printf("%s: %s", health_kind_to_name(checks->check->kind), why);
                log_debug("process %" PRIu32 ": %s", handle->process->id, checks->failure);
        }
        arm(checks);
        process_set_health(handle->process, state);
        if (changed) {
                awaiting_touch(handle->process);
        }
        if (changed && state == HEALTH_HEALTHY) {
                tell_healthy(handle, before);
        } else if (changed) {
                tell_unhealthy(handle);
        } else if (state == HEALTH_UNHEALTHY) {
                renew_reason(handle);
        }
        if (candidate && changed) {
                readiness_on_health_and_invalidate(handle);
        } else if (state == HEALTH_UNHEALTHY) {
                end_unhealthy_and_invalidate(handle);
        }
}

static void on_outcome(void *userdata, bool success, const char *why) {
        struct HealthChecks *checks = userdata;

        checks->probe = NULL;
        finish_and_invalidate(checks, success, why);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct HealthChecks *checks = userdata;
        g_auto(Error) error = { 0 };

        if (checks->health.probing) {
                g_autofree char *time = duration_to_text(checks->check->rules.timeout_usec);
                g_autofree char *why = g_strdup_printf("no answer within %s", time);
                end_probe(checks);
                finish_and_invalidate(checks, false, why);
                return 0;
        }
        health_begin(&checks->health, now_monotonic_usec());
        int r = health_probe_start(
                        checks->handle, checks->check, on_outcome, checks, &checks->probe, &error);
        if (r < 0) {
                finish_and_invalidate(checks, false, error.message);
        } else {
                arm(checks);
        }
        return 0;
}

/* What takes another's place is asked as soon as it has said that it is ready, if it is to say so. */
static bool is_wanted(const ProcessHandle *handle) {
        const Process *process = handle->process;
        bool tried = process->state == PROCESS_STARTING && handle->role == ROLE_CANDIDATE &&
                     (!process->config->wait_ready || handle->said_ready);

        return process->config->health && handle->main_alive && handle->role != ROLE_RETIRED &&
               !handle->manager->detached && (tried || process->state == PROCESS_ONLINE);
}

/* Supervisors that take over many ask them one after the other. */
static uint64_t spread_usec(const ProcessHandle *handle, uint64_t interval_usec) {
        return handle->process->id * UINT64_C(2654435761) % interval_usec;
}

static void begin(ProcessHandle *handle) {
        struct HealthChecks *checks = g_new0(struct HealthChecks, 1);
        const HealthRules *rules = &handle->process->config->health->rules;
        ProcessHealth known = handle->process->health;

        checks->handle = handle;
        checks->check = health_check_copy(handle->process->config->health);
        handle->health = checks;
        if (known == HEALTH_NONE) {
                health_start(&checks->health, rules, now_monotonic_usec());
        } else { /* an earlier supervisor asked it */
                health_probe_end_leftovers(handle);
                health_resume_as(
                                &checks->health,
                                rules,
                                known,
                                spread_usec(handle, rules->interval_usec),
                                now_monotonic_usec());
        }
}

/* Other rules for what runs. */
static void renew(struct HealthChecks *checks) {
        const HealthCheck *check = checks->handle->process->config->health;

        end_probe(checks);
        health_check_free(checks->check);
        checks->check = health_check_copy(check);
        health_resume_as(&checks->health, &check->rules, checks->health.state, 0, now_monotonic_usec());
}

void health_checks_sync(ProcessHandle *handle) {
        Process *process = handle->process;

        if (!is_wanted(handle)) {
                health_checks_free(handle);
                process_set_health(process, HEALTH_NONE);
                return;
        }
        if (!handle->health) {
                begin(handle);
        } else if (!health_check_equal(handle->health->check, process->config->health)) {
                renew(handle->health);
        }
        if (process->frozen) {
                end_probe(handle->health);
                health_pause(&handle->health->health, now_monotonic_usec());
        } else {
                health_go_on(&handle->health->health, now_monotonic_usec());
        }
        process_set_health(process, handle->health->health.state);
        arm(handle->health);
}
