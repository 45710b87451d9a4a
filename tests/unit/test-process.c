/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/process.h"

#include "process-fixture.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static Process *new_process(void) {
        return process_new(7, test_unique_id(1), 1000, 2, 12345);
}

static void test_new(void) {
        Process *process = new_process();

        g_assert_cmpuint(process->id, ==, 7);
        g_assert_cmpstr(process->unique_id, ==, test_unique_id(1));
        g_assert_cmpuint(process->owner, ==, 1000);
        g_assert_cmpuint(process->instance, ==, 2);
        g_assert_cmpuint(process->created_realtime_usec, ==, 12345);
        g_assert_cmpint(process->state, ==, PROCESS_STOPPED);
        g_assert_cmpint(process->exit_status.code, ==, -1);
        g_assert_cmpstr(process->reason, ==, "");
        g_assert_cmpstr(process->unit, ==, "");
        g_assert_cmpstr(process->control_group, ==, "");
        g_assert_cmpuint(process_take_changes(process), ==, 0);
        process_free(process);
        process_free(NULL);
}

/* Every pair: a valid one stores the state and gives the actions, another changes nothing. */
static void test_step(void) {
        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                for (int input = 0; input < _PROCESS_INPUT_MAX; input++) {
                        const Transition *t = process_transition((ProcessState) state, (ProcessInput) input);
                        Process *process = new_process();
                        process->state = (ProcessState) state;
                        int r = process_step(process, (ProcessInput) input);
                        unsigned changes = process_take_changes(process);
                        if (t->valid) {
                                const char *before = process_state_to_status((ProcessState) state);
                                const char *after = process_state_to_status(t->next);
                                bool changed = strcmp(before, after) != 0;
                                g_assert_cmpint(r, ==, (int) t->actions);
                                g_assert_cmpint(process->state, ==, (int) t->next);
                                g_assert_cmpuint(changes, ==, changed ? CHANGE_STATUS : 0);
                        } else {
                                g_assert_cmpint(r, ==, -EINVAL);
                                g_assert_cmpint(process->state, ==, state);
                                g_assert_cmpuint(changes, ==, 0);
                        }
                        process_free(process);
                }
        }
}

/* Each setter marks its change, once; what stays the same is no change. */
static void test_changes(void) {
        Process *process = new_process();

        process_set_pid(process, 42);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_PID);
        process_set_pid(process, 42);
        g_assert_cmpuint(process_take_changes(process), ==, 0);
        process_set_started(process, 5, 6);
        g_assert_cmpuint(process->start_realtime_usec, ==, 5);
        g_assert_cmpuint(process->start_boottime_usec, ==, 6);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_START_TIMESTAMP);
        process_set_exit_status(process, (ExitStatus){ .code = -1, .signal = SIGKILL });
        g_assert_cmpint(process->exit_status.signal, ==, SIGKILL);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_EXIT_STATUS);
        process_set_group(process, "app.scope", "/user.slice/app.scope");
        g_assert_cmpstr(process->unit, ==, "app.scope");
        g_assert_cmpstr(process->control_group, ==, "/user.slice/app.scope");
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_GROUP);
        process_set_group(process, "app.scope", "/user.slice/app.scope");
        g_assert_cmpuint(process_take_changes(process), ==, 0);
        process_set_group(process, "app.scope", "/elsewhere");
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_GROUP);
        process_set_next_restart(process, 99);
        process_set_next_restart(process, 99);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_NEXT_RESTART);
        process_count_restart(process);
        g_assert_cmpuint(process->restart_count, ==, 1);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_RESTART_COUNT);
        process_set_unstable_restarts(process, 3);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_UNSTABLE_RESTARTS);
        process_take_reason(process, g_strdup("because"));
        g_assert_cmpstr(process->reason, ==, "because");
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_REASON);
        process_reset_unstable(process);
        g_assert_cmpuint(process->unstable_restarts, ==, 0);
        g_assert_cmpuint(process->next_restart_realtime_usec, ==, 0);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_UNSTABLE_RESTARTS | CHANGE_NEXT_RESTART);
        g_assert_cmpuint(process_take_changes(process), ==, 0);
        process_free(process);
}

static ProcessPlan plan_of(const char *text) {
        return (ProcessPlan){
                .exec_path = g_strdup(text),
                .interpreter = g_strdup(text),
                .program = g_strdup(text),
                .shell_command = true,
                .cwd = g_strdup(text),
                .out_log_path = g_strdup(text),
                .error_log_path = g_strdup(text),
                .log_path = g_strdup(text),
                .pid_path = g_strdup(text),
                .version = g_strdup(text),
        };
}

static void assert_plan(const Process *process, const char *text) {
        g_assert_cmpstr(process->exec_path, ==, text);
        g_assert_cmpstr(process->interpreter, ==, text);
        g_assert_cmpstr(process->program, ==, text);
        g_assert_cmpstr(process->cwd, ==, text);
        g_assert_cmpstr(process->out_log_path, ==, text);
        g_assert_cmpstr(process->error_log_path, ==, text);
        g_assert_cmpstr(process->pid_path, ==, text);
        g_assert_cmpstr(process->version, ==, text);
        g_assert_true(process->shell_command);
}

static void test_configure(void) {
        static const char *const assignments[] = { "A=1", NULL };
        Process *process = new_process();
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Environment) environment = environment_new(assignments);
        g_auto(ProcessPlan) one = plan_of("one"), two = plan_of("two");

        process_configure(process, config, environment, &one);
        g_assert_null(one.exec_path); /* it has been moved */
        g_assert_null(one.version);
        assert_plan(process, "one");
        g_assert_true(process->config == config);
        g_assert_true(process->caller_env == environment);
        g_assert_cmpuint(process_take_changes(process), ==, CHANGE_CONFIG);
        /* the same config again, and the environment stays when none is given */
        process_configure(process, config, NULL, &two);
        assert_plan(process, "two");
        g_assert_true(process->caller_env == environment);
        /* the same environment again must not be freed on the way */
        g_auto(ProcessPlan) three = plan_of("three");
        process_configure(process, config, environment, &three);
        g_assert_cmpstr(environment_get(process->caller_env, "A"), ==, "1");
        process_free(process);
}

/* What an earlier supervisor knew of it. */
static void test_restore(void) {
        static const ProcessFacts facts = {
                .state = PROCESS_ONLINE,
                .pid = 42,
                .restart_count = 3,
                .unstable_restarts = 2,
                .created_realtime_usec = 11,
                .start_realtime_usec = 12,
                .start_boottime_usec = 13,
                .next_restart_realtime_usec = 14,
                .exit_status = { .code = 7, .signal = 0 },
        };
        Process *process = new_process();

        process_restore(process, &facts);
        g_assert_cmpint(process->state, ==, PROCESS_ONLINE);
        g_assert_cmpint(process->pid, ==, 42);
        g_assert_cmpuint(process->restart_count, ==, 3);
        g_assert_cmpuint(process->unstable_restarts, ==, 2);
        g_assert_cmpuint(process->created_realtime_usec, ==, 11);
        g_assert_cmpuint(process->start_realtime_usec, ==, 12);
        g_assert_cmpuint(process->start_boottime_usec, ==, 13);
        g_assert_cmpuint(process->next_restart_realtime_usec, ==, 14);
        g_assert_cmpint(process->exit_status.code, ==, 7);
        process_free(process);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/process/new", test_new);
        g_test_add_func("/core/process/step", test_step);
        g_test_add_func("/core/process/changes", test_changes);
        g_test_add_func("/core/process/configure", test_configure);
        g_test_add_func("/core/process/restore", test_restore);
        return g_test_run();
}
