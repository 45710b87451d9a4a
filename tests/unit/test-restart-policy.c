/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every combination of small numbers, against the rule in words. */

#include "core/restart-policy.h"

static AppConfig *config_of(bool autorestart, uint64_t max_restarts, uint64_t min_uptime_usec) {
        AppConfig *config = app_config_new();

        config->autorestart = autorestart;
        config->max_restarts = max_restarts;
        config->min_uptime_usec = min_uptime_usec;
        return config;
}

static void check(const AppConfig *config, uint32_t before, bool launched, uint64_t uptime_usec) {
        RestartDecision decision = restart_policy_decide(config, before, launched, uptime_usec);
        bool stable = launched && uptime_usec >= config->min_uptime_usec;

        /* An exit after min_uptime ends the row; another makes it one longer. */
        g_assert_cmpuint(decision.unstable_restarts, ==, stable ? 0 : before + 1);
        if (!config->autorestart) {
                g_assert_cmpint(decision.verdict, ==, RESTART_NEVER);
        } else if (stable) {
                g_assert_cmpint(decision.verdict, ==, RESTART_NOW);
        } else {
                bool enough = (uint64_t) before + 1 >= config->max_restarts;
                g_assert_cmpint(decision.verdict, ==, enough ? RESTART_GIVE_UP : RESTART_NOW);
        }
}

static void test_exhaustive(void) {
        for (int autorestart = 0; autorestart < 2; autorestart++) {
                for (uint64_t max_restarts = 0; max_restarts < 6; max_restarts++) {
                        for (uint64_t min_uptime = 0; min_uptime < 4; min_uptime++) {
                                g_autoptr(AppConfig) config =
                                                config_of(autorestart, max_restarts, min_uptime);
                                for (uint32_t before = 0; before < 8; before++) {
                                        for (uint64_t uptime = 0; uptime < 5; uptime++) {
                                                check(config, before, false, uptime);
                                                check(config, before, true, uptime);
                                        }
                                }
                        }
                }
        }
}

/* How often a program that ends at once is started until it is given up. */
static unsigned starts_until_given_up(const AppConfig *config, bool launched) {
        uint32_t unstable = 0;
        unsigned starts = 1;

        while (starts < 1000) {
                RestartDecision decision = restart_policy_decide(config, unstable, launched, 0);
                if (decision.verdict != RESTART_NOW) {
                        return starts;
                }
                unstable = decision.unstable_restarts;
                starts++;
        }
        return starts;
}

static void test_crash_loop(void) {
        static const unsigned limits[][2] = { { 0, 1 }, { 1, 1 }, { 2, 2 }, { 16, 16 }, { 500, 500 } };

        for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
                g_autoptr(AppConfig) config = config_of(true, limits[i][0], 1000);
                g_assert_cmpuint(starts_until_given_up(config, true), ==, limits[i][1]);
                g_assert_cmpuint(starts_until_given_up(config, false), ==, limits[i][1]);
        }
}

/* A crash now and then is no loop, however many there were. */
static void test_stable_exit_ends_the_row(void) {
        g_autoptr(AppConfig) config = config_of(true, 3, 1000);
        uint32_t unstable = 0;

        for (int i = 0; i < 100; i++) {
                uint64_t uptime = i % 3 == 2 ? 1000 : 999;
                RestartDecision decision = restart_policy_decide(config, unstable, true, uptime);
                g_assert_cmpint(decision.verdict, ==, RESTART_NOW);
                unstable = decision.unstable_restarts;
        }
}

/* The defaults are PM2's: 16 unstable exits, each within a second. */
static void test_defaults(void) {
        g_autoptr(AppConfig) config = app_config_new();

        g_assert_cmpuint(starts_until_given_up(config, true), ==, 16);
        g_assert_cmpuint(restart_policy_decide(config, 0, true, 999999).unstable_restarts, ==, 1);
        g_assert_cmpuint(restart_policy_decide(config, 7, true, 1000000).unstable_restarts, ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/restart-policy/exhaustive", test_exhaustive);
        g_test_add_func("/core/restart-policy/crash-loop", test_crash_loop);
        g_test_add_func("/core/restart-policy/stable-exit-ends-the-row", test_stable_exit_ends_the_row);
        g_test_add_func("/core/restart-policy/defaults", test_defaults);
        return g_test_run();
}
