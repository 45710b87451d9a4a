/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What each state of a process is to who waits for it, of all conditions. */

#include "core/dependency-verdict.h"
#include "process-fixture.h"

typedef struct Fixture {
        Registry *registry;
        Process *process;
} Fixture;

static void set_up(Fixture *fixture, const void *data) {
        fixture->registry = registry_new(8);
        fixture->process = test_process_add(fixture->registry, "db", "default", 0);
}

static void tear_down(Fixture *fixture, const void *data) {
        registry_free(fixture->registry);
}

static void set(Process *process, const char *attribute, Value *taken) {
        g_autoptr(Value) value = taken;

        g_assert_cmpint(app_config_set_by_name(process->config, attribute, value, NULL), ==, 0);
}

static void check(
                Process *process,
                DependencyVerdict started,
                DependencyVerdict ready,
                DependencyVerdict healthy,
                DependencyVerdict completed) {
        const DependencyVerdict expected[] = { started, ready, healthy, completed };

        for (int i = 0; i < _DEPENDENCY_CONDITION_MAX; i++) {
                g_assert_cmpint(dependency_judge(process, (DependencyCondition) i, false), ==, expected[i]);
        }
}

static void test_states(Fixture *fixture, const void *data) {
        static const struct {
                ProcessState state;
                DependencyVerdict started, ready;
        } cases[] = {
                { PROCESS_STOPPED, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST },
                { PROCESS_ERRORED, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST },
                { PROCESS_WAITING_RESTART, DEPENDENCY_PENDING, DEPENDENCY_PENDING },
                { PROCESS_AWAITING, DEPENDENCY_PENDING, DEPENDENCY_PENDING },
                { PROCESS_PREPARING, DEPENDENCY_PENDING, DEPENDENCY_PENDING },
                { PROCESS_PLACING, DEPENDENCY_PENDING, DEPENDENCY_PENDING },
                { PROCESS_EXECUTING, DEPENDENCY_PENDING, DEPENDENCY_PENDING },
                { PROCESS_STARTING, DEPENDENCY_MET, DEPENDENCY_PENDING },
                { PROCESS_ONLINE, DEPENDENCY_MET, DEPENDENCY_MET },
                { PROCESS_STOPPING, DEPENDENCY_PENDING, DEPENDENCY_PENDING },
                { PROCESS_KILLING, DEPENDENCY_PENDING, DEPENDENCY_PENDING },
        };
        Process *process = fixture->process;

        set(process, "autorestart", value_new_bool(false));
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                process->state = cases[i].state;
                bool rests = cases[i].ready == DEPENDENCY_AT_REST;
                check(process,
                      cases[i].started,
                      cases[i].ready,
                      cases[i].ready,
                      rests ? DEPENDENCY_AT_REST : DEPENDENCY_PENDING);
                g_assert_cmpint(dependency_judge(process, DEPENDENCY_READY, true), ==, DEPENDENCY_PENDING);
        }
}

static void test_ended(Fixture *fixture, const void *data) {
        Process *process = fixture->process;

        set(process, "autorestart", value_new_bool(false));
        process->state = PROCESS_STOPPED;
        process_set_exit_status(process, (ExitStatus){ .code = 0 });
        process_set_started(process, 1, 1);
        check(process, DEPENDENCY_MET, DEPENDENCY_MET, DEPENDENCY_AT_REST, DEPENDENCY_MET);
        process_set_held(process, true); /* a stop may end with 0 */
        check(process, DEPENDENCY_HELD, DEPENDENCY_HELD, DEPENDENCY_HELD, DEPENDENCY_HELD);
        process_set_held(process, false);
        process_set_exit_status(process, (ExitStatus){ .code = 3 });
        check(process, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST);
        process_set_exit_status(process, EXIT_STATUS_NONE);
        check(process, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST, DEPENDENCY_AT_REST);
}

static Value *probe(bool restart) {
        Value *check = value_new_map();

        value_set(check, "tcp", value_new_string("80"));
        value_set(check, "restart", value_new_bool(restart));
        return check;
}

static void test_healthy(Fixture *fixture, const void *data) {
        Process *process = fixture->process;

        process->state = PROCESS_ONLINE;
        set(process, "health", probe(false));
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_READY, false), ==, DEPENDENCY_MET);
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_HEALTHY, false), ==, DEPENDENCY_PENDING);
        process_set_health(process, HEALTH_STARTING);
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_HEALTHY, false), ==, DEPENDENCY_PENDING);
        process_set_health(process, HEALTH_HEALTHY);
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_HEALTHY, false), ==, DEPENDENCY_MET);
        process_set_health(process, HEALTH_UNHEALTHY);
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_HEALTHY, false), ==, DEPENDENCY_FAILED);
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_READY, false), ==, DEPENDENCY_MET);
        set(process, "health", probe(true)); /* a restart may help */
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_HEALTHY, false), ==, DEPENDENCY_PENDING);
}

static void test_never_completed(Fixture *fixture, const void *data) {
        Process *process = fixture->process;

        process->state = PROCESS_ONLINE;
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_COMPLETED, false), ==, DEPENDENCY_FAILED);
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_COMPLETED, true), ==, DEPENDENCY_FAILED);
        g_autofree char *why = dependency_describe_failure(process, DEPENDENCY_COMPLETED);
        g_assert_cmpstr(why, ==, "dependency 'db' never completes: autorestart starts it again");
        set(process, "stop_exit_codes", value_new_int(0));
        g_assert_cmpint(dependency_judge(process, DEPENDENCY_COMPLETED, false), ==, DEPENDENCY_PENDING);
}

static void check_text(const Process *process, const char *expected) {
        g_autofree char *text = dependency_describe_failure(process, DEPENDENCY_READY);
        g_assert_cmpstr(text, ==, expected);
}

static void test_texts(Fixture *fixture, const void *data) {
        Process *process = fixture->process;

        process->state = PROCESS_ERRORED;
        process_take_reason(process, g_strdup("exited with code 3"));
        check_text(process, "dependency 'db' failed: exited with code 3");
        process_take_reason(process, g_strdup("dependency 'disk' failed: gone"));
        check_text(process, "dependency 'disk' failed: gone");
        process->state = PROCESS_STOPPED;
        process_set_held(process, true);
        check_text(process, "dependency 'db' was stopped by hand: start it first");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name, test) g_test_add("/core/dependency-verdict/" name, Fixture, NULL, set_up, test, tear_down)
        ADD("states", test_states);
        ADD("ended", test_ended);
        ADD("healthy", test_healthy);
        ADD("never-completed", test_never_completed);
        ADD("texts", test_texts);
        return g_test_run();
}
