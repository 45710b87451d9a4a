/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/process.h"

#include <errno.h>
#include <string.h>

void process_plan_done(ProcessPlan *plan) {
        g_free(plan->exec_path);
        g_free(plan->interpreter);
        g_free(plan->program);
        g_free(plan->cwd);
        g_free(plan->out_log_path);
        g_free(plan->error_log_path);
        g_free(plan->log_path);
        g_free(plan->pid_path);
        g_free(plan->version);
        *plan = (ProcessPlan){ 0 };
}

Process *process_new(
                uint32_t id, const char unique_id[33], uid_t owner, uint32_t instance, uint64_t now_usec) {
        Process *process = g_new0(Process, 1);

        process->id = id;
        memcpy(process->unique_id, unique_id, sizeof(process->unique_id));
        memcpy(process->launch_id, unique_id, sizeof(process->launch_id));
        process->owner = owner;
        process->instance = instance;
        process->instances = 1;
        process->created_realtime_usec = now_usec;
        process->exit_status = EXIT_STATUS_NONE;
        process->reason = g_strdup("");
        process->history = history_new();
        self_report_init(&process->report);
        process->unit = g_strdup("");
        process->control_group = g_strdup("");
        return process;
}

static void forget_plan(Process *process) {
        ProcessPlan plan = {
                .exec_path = process->exec_path,
                .interpreter = process->interpreter,
                .program = process->program,
                .cwd = process->cwd,
                .out_log_path = process->out_log_path,
                .error_log_path = process->error_log_path,
                .log_path = process->log_path,
                .pid_path = process->pid_path,
                .version = process->version,
        };
        process_plan_done(&plan);
}

void process_free(Process *process) {
        if (!process) {
                return;
        }
        forget_plan(process);
        app_config_unref(process->config);
        environment_unref(process->caller_env);
        g_free(process->reason);
        history_free(process->history);
        value_free(process->crash);
        self_report_done(&process->report);
        g_free(process->trouble);
        g_free(process->unit);
        g_free(process->control_group);
        g_free(process);
}

void process_configure(Process *process, AppConfig *config, Environment *caller_env, ProcessPlan *plan) {
        AppConfig *old_config = process->config;
        process->config = app_config_ref(config);
        app_config_unref(old_config);
        if (caller_env) {
                Environment *old_env = process->caller_env;
                process->caller_env = environment_ref(caller_env);
                environment_unref(old_env);
        }
        forget_plan(process);
        process->exec_path = plan->exec_path;
        process->interpreter = plan->interpreter;
        process->program = plan->program;
        process->shell_command = plan->shell_command;
        process->is_node = plan->is_node;
        process->cwd = plan->cwd;
        process->out_log_path = plan->out_log_path;
        process->error_log_path = plan->error_log_path;
        process->log_path = plan->log_path;
        process->pid_path = plan->pid_path;
        process->version = plan->version;
        *plan = (ProcessPlan){ 0 };
        process->changes |= CHANGE_CONFIG;
}

void process_set_config(Process *process, AppConfig *config) {
        AppConfig *old_config = process->config;

        process->config = app_config_ref(config);
        app_config_unref(old_config);
        process->changes |= CHANGE_CONFIG;
}

/* What an exchange leaves where it is, taken from the other. */
static void keep_identity(Process *process, const Process *from) {
        memcpy(process->unique_id, from->unique_id, sizeof(process->unique_id));
        process->id = from->id;
        process->owner = from->owner;
        process->instance = from->instance;
        process->instances = from->instances;
        process->restart_count = from->restart_count;
        process->unstable_restarts = from->unstable_restarts;
        process->created_realtime_usec = from->created_realtime_usec;
        process->next_restart_realtime_usec = from->next_restart_realtime_usec;
        process->next_cron_realtime_usec = from->next_cron_realtime_usec;
        process->memory_excess_bytes = from->memory_excess_bytes;
        process->exit_status = from->exit_status;
        process->exited_pid = from->exited_pid;
        process->backoff_usec = from->backoff_usec;
        process->reason = from->reason;
        process->history = from->history;
        process->crash = from->crash;
        process->crash_version = from->crash_version;
        process->changes = from->changes;
        process->held = from->held;
        process->watching = from->watching;
        process->handle = from->handle;
}

void process_exchange_launch(Process *process, Process *other) {
        const unsigned launch_changes = CHANGE_STATUS | CHANGE_PID | CHANGE_START_TIMESTAMP | CHANGE_GROUP |
                                        CHANGE_CONFIG | CHANGE_FROZEN | CHANGE_STATUS_TEXT | CHANGE_HEALTH;
        Process first = *process, second = *other;

        *process = second;
        keep_identity(process, &first);
        *other = first;
        keep_identity(other, &second);
        process->changes |= launch_changes;
        other->changes |= launch_changes;
}

int process_step(Process *process, ProcessInput input) {
        const Transition *transition = process_transition(process->state, input);

        if (!transition->valid) {
                return -EINVAL;
        }
        if (process_state_to_status(process->state) != process_state_to_status(transition->next)) {
                process->changes |= CHANGE_STATUS;
        }
        process->state = transition->next;
        return (int) transition->actions;
}

void process_set_pid(Process *process, pid_t pid) {
        if (process->pid != pid) {
                process->pid = pid;
                process->changes |= CHANGE_PID;
        }
}

void process_set_frozen(Process *process, bool frozen) {
        if (process->frozen != frozen) {
                process->frozen = frozen;
                process->changes |= CHANGE_FROZEN;
        }
}

void process_set_started(Process *process, uint64_t realtime_usec, uint64_t boottime_usec) {
        process->start_realtime_usec = realtime_usec;
        process->start_boottime_usec = boottime_usec;
        process->changes |= CHANGE_START_TIMESTAMP;
}

void process_set_exit_status(Process *process, ExitStatus status) {
        process->exit_status = status;
        process->exited_pid = process->pid;
        process->changes |= CHANGE_EXIT_STATUS;
}

static void replace_text(char **text, const char *value) {
        g_free(*text);
        *text = g_strdup(value);
}

void process_set_group(Process *process, const char *unit, const char *control_group) {
        if (strcmp(process->unit, unit) != 0 || strcmp(process->control_group, control_group) != 0) {
                replace_text(&process->unit, unit);
                replace_text(&process->control_group, control_group);
                process->changes |= CHANGE_GROUP;
        }
}

void process_set_health(Process *process, ProcessHealth health) {
        if (process->health != health) {
                process->health = health;
                process->changes |= CHANGE_HEALTH;
        }
}

bool process_is_healthy(const Process *process) {
        return process->state == PROCESS_ONLINE &&
               (!process->config->health || process->health == HEALTH_HEALTHY);
}

void process_set_next_restart(Process *process, uint64_t realtime_usec) {
        if (process->next_restart_realtime_usec != realtime_usec) {
                process->next_restart_realtime_usec = realtime_usec;
                process->changes |= CHANGE_NEXT_RESTART;
        }
}

void process_set_next_cron(Process *process, uint64_t realtime_usec) {
        process->next_cron_realtime_usec = realtime_usec;
}

void process_set_held(Process *process, bool held) {
        process->held = held;
}

void process_set_watching(Process *process, bool watching) {
        if (process->watching != watching) {
                process->watching = watching;
                process->changes |= CHANGE_WATCHING;
        }
}

void process_set_unstable_restarts(Process *process, uint32_t count) {
        if (process->unstable_restarts != count) {
                process->unstable_restarts = count;
                process->changes |= CHANGE_UNSTABLE_RESTARTS;
        }
}

void process_count_restart(Process *process) {
        process->restart_count++;
        process->changes |= CHANGE_RESTART_COUNT;
}

void process_set_instances(Process *process, uint32_t count) {
        if (process->instances != count) {
                process->instances = count;
                process->changes |= CHANGE_INSTANCES;
        }
}

void process_reset_counters(Process *process, uint64_t now_usec) {
        process_set_unstable_restarts(process, 0);
        if (process->restart_count != 0) {
                process->restart_count = 0;
                process->changes |= CHANGE_RESTART_COUNT;
        }
        process->created_realtime_usec = now_usec;
        process->changes |= CHANGE_CREATED;
}

void process_take_reason(Process *process, char *reason) {
        g_free(process->reason);
        process->reason = reason;
        process->changes |= CHANGE_REASON;
}

void process_set_status_text(Process *process, const char *text) {
        if (self_report_set_status(&process->report, text)) {
                process->changes |= CHANGE_STATUS_TEXT;
        }
}

void process_set_phase(Process *process, SelfReportPhase phase) {
        if (self_report_set_phase(&process->report, phase)) {
                process->changes |= CHANGE_STATUS_TEXT;
        }
}

void process_take_trouble(Process *process, char *text) {
        g_free(process->trouble);
        process->trouble = text;
        process->changes |= CHANGE_STATUS_TEXT;
}

void process_forget_report(Process *process) {
        if (self_report_text(&process->report)[0] || process->trouble) {
                process->changes |= CHANGE_STATUS_TEXT;
        }
        self_report_clear(&process->report);
        g_clear_pointer(&process->trouble, g_free);
}

void process_remember(Process *process, const HistoryEntry *entry) {
        history_add(process->history, entry);
}

void process_take_crash(Process *process, Value *crash) {
        value_free(process->crash);
        process->crash = crash;
        process->crash_version++;
}

void process_set_backoff(Process *process, uint64_t usec) {
        process->backoff_usec = usec;
}

void process_reset_unstable(Process *process) {
        process_set_unstable_restarts(process, 0);
        process_set_backoff(process, 0);
        process_set_next_restart(process, 0);
}

unsigned process_take_changes(Process *process) {
        unsigned changes = process->changes;
        process->changes = 0;
        return changes;
}

void process_restore(Process *process, const ProcessFacts *facts) {
        process->state = facts->state;
        process->held = facts->held;
        process->pid = facts->pid;
        process->restart_count = facts->restart_count;
        process->unstable_restarts = facts->unstable_restarts;
        process->created_realtime_usec = facts->created_realtime_usec;
        process->start_realtime_usec = facts->start_realtime_usec;
        process->start_boottime_usec = facts->start_boottime_usec;
        process->next_restart_realtime_usec = facts->next_restart_realtime_usec;
        process->backoff_usec = facts->backoff_usec;
        process->exit_status = facts->exit_status;
}
