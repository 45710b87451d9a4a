/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/health.h"

#include <glib.h>

static const HealthRules rules = { .interval_usec = 1000000, .timeout_usec = 400000, .retries = 3 };

/* Ask once when it is due; it takes so long. True: the state has changed. */
static bool ask(Health *health, bool success, uint64_t takes_usec) {
        uint64_t due_usec = health_due(health);

        health_begin(health, due_usec);
        g_assert_cmpuint(health_due(health), ==, due_usec + health->rules.timeout_usec);
        return health_end(health, success, due_usec + takes_usec);
}

static void test_life(void) {
        Health health;

        health_start(&health, &rules, 5000000);
        g_assert_cmpint(health.state, ==, HEALTH_STARTING);
        g_assert_cmpuint(health_due(&health), ==, 5000000); /* at once */
        g_assert_true(ask(&health, true, 100));
        g_assert_cmpint(health.state, ==, HEALTH_HEALTHY);
        g_assert_cmpuint(health_due(&health), ==, 6000000);
        g_assert_false(ask(&health, true, 300000)); /* slow, and well */
        g_assert_cmpuint(health_due(&health), ==, 7000000);
        g_assert_false(ask(&health, false, 400000));
        g_assert_false(ask(&health, false, 400000));
        g_assert_false(ask(&health, true, 100)); /* in a row: it begins anew */
        g_assert_false(ask(&health, false, 1));
        g_assert_false(ask(&health, false, 1));
        g_assert_true(ask(&health, false, 1));
        g_assert_cmpint(health.state, ==, HEALTH_UNHEALTHY);
        g_assert_false(ask(&health, false, 1));
        g_assert_true(ask(&health, true, 1));
        g_assert_cmpint(health.state, ==, HEALTH_HEALTHY);
        g_assert_cmpuint(health.failures, ==, 0);
}

/* What starts is asked often, and its failures do not count until its time is over. */
static void test_start_period(void) {
        HealthRules patient = rules;
        Health health;
        unsigned asked = 0;

        patient.start_period_usec = 10000000;
        health_start(&health, &patient, 0);
        while (health_due(&health) < 10000000) {
                g_assert_false(ask(&health, false, 0));
                g_assert_cmpuint(health.failures, ==, 0);
                asked++;
        }
        g_assert_cmpuint(asked, ==, 20);
        g_assert_cmpuint(health_due(&health), ==, 10000000);
        g_assert_false(ask(&health, false, 0));
        g_assert_cmpuint(health_due(&health), ==, 11000000);
        g_assert_false(ask(&health, false, 0));
        g_assert_true(ask(&health, false, 0));
        g_assert_cmpint(health.state, ==, HEALTH_UNHEALTHY);
        /* What was healthy once has no start period any more. */
        health_start(&health, &patient, 0);
        g_assert_true(ask(&health, true, 0));
        g_assert_false(ask(&health, false, 0));
        g_assert_cmpuint(health.failures, ==, 1);
}

static void test_pause(void) {
        Health health;

        health_start(&health, &rules, 0);
        g_assert_true(ask(&health, true, 0));
        health_begin(&health, 1000000);
        health_pause(&health, 1100000);
        g_assert_cmpuint(health_due(&health), ==, HEALTH_NEVER);
        health_pause(&health, 2000000);
        g_assert_false(health.probing);
        health_go_on(&health, 9000000);
        g_assert_cmpuint(health_due(&health), ==, 10000000);
        health_go_on(&health, 9500000);
        g_assert_cmpuint(health_due(&health), ==, 10000000);
        g_assert_cmpint(health.state, ==, HEALTH_HEALTHY);
        /* The rest of the start period is there afterwards. */
        health_start(&health, &rules, 0);
        health_pause(&health, 500000);
        health_go_on(&health, 100000000);
        g_assert_cmpuint(health.counted_usec, ==, 1000000 + 99500000);
}

static void test_resume(void) {
        static const ProcessHealth states[] = { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
        Health health;

        for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
                health_resume_as(&health, &rules, states[i], 30, 100);
                g_assert_cmpint(health.state, ==, states[i]);
                g_assert_cmpuint(health_due(&health), ==, 130);
                health_resume_as(&health, &rules, states[i], 99000000, 100);
                g_assert_cmpuint(health_due(&health), ==, 1000100); /* within an interval */
        }
        health_resume_as(&health, &rules, HEALTH_NONE, 0, 100);
        g_assert_cmpint(health.state, ==, HEALTH_STARTING);
        HealthRules patient = rules;
        patient.start_period_usec = 1000000000;
        health_resume_as(&health, &patient, HEALTH_STARTING, 0, 100);
        g_assert_cmpuint(health.counted_usec, ==, 1000100); /* it has had its start period */
}

/* No sum runs over, and a timer that is very late does not make up for what it missed. */
static void test_edges(void) {
        HealthRules endless = { .interval_usec = UINT64_MAX, .timeout_usec = UINT64_MAX, .retries = 1 };
        Health health;

        health_start(&health, &endless, 100);
        health_begin(&health, 100);
        g_assert_cmpuint(health_due(&health), ==, HEALTH_NEVER);
        g_assert_true(health_end(&health, true, 200));
        g_assert_cmpuint(health_due(&health), ==, HEALTH_NEVER);
        health_start(&health, &rules, 0);
        health_begin(&health, 90000000);
        g_assert_true(health_end(&health, true, 90000000));
        g_assert_cmpuint(health_due(&health), ==, 91000000);
}

typedef struct Server {
        uint64_t hangs_from_usec;
        uint64_t slow_usec; /* what it takes to answer else */
} Server;

/* The clock goes from one event to the next; timers are late by up to 50 ms. When it is found. */
static uint64_t run_until_unhealthy(const HealthRules *of, const Server *server, uint64_t until_usec) {
        Health health;
        uint64_t now_usec = 0;

        health_start(&health, of, 0);
        while (now_usec < until_usec) {
                uint64_t late_usec = (uint64_t) g_test_rand_int_range(0, 50000);
                now_usec = MAX(now_usec, health_due(&health)) + late_usec;
                health_begin(&health, now_usec);
                bool answers = now_usec + server->slow_usec < server->hangs_from_usec &&
                               server->slow_usec < of->timeout_usec;
                now_usec = answers ? now_usec + server->slow_usec : health_due(&health);
                (void) health_end(&health, answers, now_usec);
                if (health.state == HEALTH_UNHEALTHY) {
                        return now_usec;
                }
        }
        return HEALTH_NEVER;
}

/* What hangs, from the start or from any time, is found within interval x retries + timeout + 1 s, and what
 * is slow never: for all rules that can be declared. */
static void test_bound(void) {
        for (int i = 0; i < 20000; i++) {
                HealthRules any = { .interval_usec = (uint64_t) g_test_rand_int_range(100000, 20000000),
                                    .retries = (uint32_t) g_test_rand_int_range(1, 20) };
                any.timeout_usec = (uint64_t) g_test_rand_int_range(10000, (int) any.interval_usec + 1);
                uint64_t slow_usec = (uint64_t) g_test_rand_int_range(0, (int) any.timeout_usec);
                uint64_t from_usec = i % 4 == 0 ? 0 : (uint64_t) g_test_rand_int_range(0, 100000000);
                uint64_t bound_usec = any.interval_usec * any.retries + any.timeout_usec + 1000000;

                Server hung = { .hangs_from_usec = from_usec, .slow_usec = slow_usec };
                uint64_t found_usec = run_until_unhealthy(&any, &hung, from_usec + 2 * bound_usec);
                g_assert_cmpuint(found_usec, >=, from_usec);
                g_assert_cmpuint(found_usec - from_usec, <=, bound_usec);

                Server slow = { .hangs_from_usec = UINT64_MAX, .slow_usec = slow_usec };
                g_assert_cmpuint(run_until_unhealthy(&any, &slow, 3 * bound_usec), ==, HEALTH_NEVER);
        }
}

static void test_names(void) {
        static const char *const names[] = { "none", "starting", "healthy", "unhealthy" };

        for (int i = 0; i < _PROCESS_HEALTH_MAX; i++) {
                g_assert_cmpstr(health_to_name((ProcessHealth) i), ==, names[i]);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/health/life", test_life);
        g_test_add_func("/health/start-period", test_start_period);
        g_test_add_func("/health/pause", test_pause);
        g_test_add_func("/health/resume", test_resume);
        g_test_add_func("/health/edges", test_edges);
        g_test_add_func("/health/bound", test_bound);
        g_test_add_func("/health/names", test_names);
        return g_test_run();
}
