/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every combination of small numbers against the rule in words, and rows of exits under a clock that the
 * test turns. */

#include "core/restart-policy.h"

#define MSEC UINT64_C(1000)
#define SEC  UINT64_C(1000000)

static AppConfig *config_of(bool autorestart, uint64_t max_restarts, uint64_t min_uptime_usec) {
        AppConfig *config = app_config_new();

        config->autorestart = autorestart;
        config->max_restarts = max_restarts;
        config->min_uptime_usec = min_uptime_usec;
        return config;
}

static AppConfig *config_set(const char *const settings[][2]) {
        AppConfig *config = app_config_new();

        for (; (*settings)[0]; settings++) {
                g_autoptr(Value) value = value_new_string((*settings)[1]);
                g_assert_cmpint(app_config_set_by_name(config, (*settings)[0], value, NULL), ==, 0);
        }
        return config;
}

/* An exit of the one or other kind. */
static RestartFacts facts_of(uint32_t before, bool launched, bool ready, uint64_t uptime_usec) {
        return (RestartFacts){
                .launched = launched,
                .ready = ready,
                .exit_status = { .code = launched ? 1 : -1 },
                .uptime_usec = uptime_usec,
                .unstable_restarts = before,
        };
}

static void check(
                const AppConfig *config, uint32_t before, bool launched, bool ready, uint64_t uptime_usec) {
        const RestartFacts facts = facts_of(before, launched, ready, uptime_usec);
        RestartDecision decision = restart_policy_decide(config, &facts);
        bool stable = launched && ready && uptime_usec >= config->min_uptime_usec;

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

/* However soon: it is none of the row, and does not end it either; but there is one a second at most. */
static void test_intended(void) {
        static const char *const settings[][2] = { { "max_restarts", "3" },
                                                   { "exp_backoff_restart_delay", "100" },
                                                   { NULL, NULL } };
        g_autoptr(AppConfig) config = config_set(settings);

        for (uint32_t before = 0; before < 6; before++) {
                for (uint64_t uptime_usec = 0; uptime_usec <= 2 * SEC; uptime_usec += 2 * SEC) {
                        RestartFacts facts = facts_of(before, true, true, uptime_usec);
                        facts.intended = true;
                        RestartDecision decision = restart_policy_decide(config, &facts);
                        g_assert_cmpint(decision.verdict, ==, uptime_usec > 0 ? RESTART_NOW : RESTART_LATER);
                        g_assert_cmpuint(decision.delay_usec, ==, uptime_usec > 0 ? 0 : 1 * SEC);
                        g_assert_cmpuint(decision.unstable_restarts, ==, uptime_usec > 0 ? 0 : before);
                        g_assert_cmpuint(decision.backoff_usec, ==, 0);
                }
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
                                                check(config, before, false, false, uptime);
                                                check(config, before, true, false, uptime);
                                                check(config, before, true, true, uptime);
                                        }
                                }
                        }
                }
        }
}

/* A process under a clock of its own: each start runs for some time, ends, and is decided on. */
typedef struct Life {
        const AppConfig *config;
        uint64_t now_usec;
        uint32_t unstable_restarts;
        uint64_t backoff_usec;
        RestartDecision last;
} Life;

/* One run and what follows. Returns whether it is started again. */
static bool live(Life *life, uint64_t uptime_usec, ExitStatus status) {
        const RestartFacts facts = {
                .launched = true,
                .ready = true,
                .exit_status = status,
                .uptime_usec = uptime_usec,
                .unstable_restarts = life->unstable_restarts,
                .backoff_usec = life->backoff_usec,
        };

        life->now_usec += uptime_usec;
        life->last = restart_policy_decide(life->config, &facts);
        life->unstable_restarts = life->last.unstable_restarts;
        life->backoff_usec = life->last.backoff_usec;
        life->now_usec += life->last.delay_usec;
        return life->last.verdict == RESTART_NOW || life->last.verdict == RESTART_LATER;
}

static bool crash_after(Life *life, uint64_t uptime_usec) {
        return live(life, uptime_usec, (ExitStatus){ .code = 1 });
}

/* How often a program that ends at once is started until it is given up. */
static unsigned starts_until_given_up(const AppConfig *config) {
        Life life = { .config = config };
        unsigned starts = 1;

        while (starts < 1000 && crash_after(&life, 0)) {
                starts++;
        }
        return starts;
}

static void test_crash_loop(void) {
        static const unsigned limits[][2] = { { 0, 1 }, { 1, 1 }, { 2, 2 }, { 16, 16 }, { 500, 500 } };

        for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
                g_autoptr(AppConfig) config = config_of(true, limits[i][0], 1000);
                g_assert_cmpuint(starts_until_given_up(config), ==, limits[i][1]);
        }
}

/* A crash now and then is no loop, however many there were. */
static void test_stable_exit_ends_the_row(void) {
        g_autoptr(AppConfig) config = config_of(true, 3, 1000);
        Life life = { .config = config };

        for (int i = 0; i < 100; i++) {
                g_assert_true(crash_after(&life, i % 3 == 2 ? 1000 : 999));
        }
}

/* The defaults are PM2's: 16 unstable exits, each within a second. */
static void test_defaults(void) {
        g_autoptr(AppConfig) config = app_config_new();
        RestartFacts facts = facts_of(0, true, true, SEC - 1);

        g_assert_cmpuint(starts_until_given_up(config), ==, 16);
        g_assert_cmpuint(restart_policy_decide(config, &facts).unstable_restarts, ==, 1);
        facts = facts_of(7, true, true, SEC);
        g_assert_cmpuint(restart_policy_decide(config, &facts).unstable_restarts, ==, 0);
}

/* PM2 counts in a window after the creation alone: what begins to crash later is restarted without end. */
static void test_late_crash_loop(void) {
        g_autoptr(AppConfig) config = app_config_new();
        Life life = { .config = config };
        unsigned starts = 1;

        g_assert_true(crash_after(&life, 30 * 86400 * SEC));
        while (starts < 1000 && crash_after(&life, 100 * MSEC)) {
                starts++;
        }
        g_assert_cmpuint(starts, ==, 16);
        g_assert_cmpint(life.last.verdict, ==, RESTART_GIVE_UP);
}

static void test_restart_delay(void) {
        static const char *const settings[][2] = { { "restart_delay", "100ms" }, { NULL, NULL } };
        g_autoptr(AppConfig) config = config_set(settings);
        Life life = { .config = config };

        for (unsigned i = 1; i < 16; i++) {
                g_assert_true(crash_after(&life, 10 * MSEC));
                g_assert_cmpint(life.last.verdict, ==, RESTART_LATER);
                g_assert_cmpuint(life.last.delay_usec, ==, 100 * MSEC);
                g_assert_cmpuint(life.now_usec, ==, i * 110 * MSEC);
        }
        g_assert_false(crash_after(&life, 10 * MSEC));
        g_assert_cmpuint(life.last.delay_usec, ==, 0);
}

/* What was measured of PM2 with a base of 100 ms, and on to its cap. */
static void test_backoff_formula(void) {
        static const unsigned delays[] = { 100,  150,  225,  337,  505,   757,   1135,  1702,
                                           2553, 3829, 5743, 8614, 12921, 15000, 15000, 15000 };
        static const char *const settings[][2] = { { "exp_backoff_restart_delay", "100" }, { NULL, NULL } };
        g_autoptr(AppConfig) config = config_set(settings);
        Life life = { .config = config };
        uint64_t total = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(delays); i++) {
                g_assert_true(crash_after(&life, 0));
                g_assert_cmpuint(life.last.delay_usec, ==, delays[i] * MSEC);
                total += delays[i] * MSEC;
                g_assert_cmpuint(life.now_usec, ==, total);
        }
}

static void test_backoff_is_used_in_place_of_the_delay(void) {
        static const char *const settings[][2] = { { "exp_backoff_restart_delay", "100" },
                                                   { "restart_delay", "5s" },
                                                   { NULL, NULL } };
        g_autoptr(AppConfig) config = config_set(settings);
        Life life = { .config = config };

        g_assert_true(crash_after(&life, 0));
        g_assert_cmpuint(life.last.delay_usec, ==, 100 * MSEC);
}

/* A run of more than 30 s ends the row; a shorter one, even a stable one, does not. */
static void test_backoff_reset(void) {
        static const char *const settings[][2] = { { "exp_backoff_restart_delay", "100" }, { NULL, NULL } };
        g_autoptr(AppConfig) config = config_set(settings);
        Life life = { .config = config };

        g_assert_true(crash_after(&life, 0));
        g_assert_true(crash_after(&life, 0));
        g_assert_true(crash_after(&life, 30 * SEC));
        g_assert_cmpuint(life.last.delay_usec, ==, 225 * MSEC);
        g_assert_true(crash_after(&life, 30 * SEC + 1));
        g_assert_cmpuint(life.last.delay_usec, ==, 100 * MSEC);
}

/* Whatever the base: the first delay is the base, none is shorter than the one before, and the row reaches
 * its end. */
static void test_backoff_any_base(void) {
        for (uint64_t base = 1; base < 100 * SEC; base = base * 3 / 2 + 1) {
                g_autoptr(AppConfig) config = app_config_new();
                Life life = { .config = config };
                uint64_t last = 0, end = MAX(base, 15 * SEC);

                config->exp_backoff_usec = base;
                config->max_restarts = 1000;
                for (int i = 0; i < 100; i++) {
                        g_assert_true(crash_after(&life, 0));
                        g_assert_true(i > 0 || life.last.delay_usec == base);
                        g_assert_cmpuint(life.last.delay_usec, >=, last);
                        g_assert_cmpuint(life.last.delay_usec, <=, end);
                        g_assert_true(life.last.delay_usec > last || last == end);
                        last = life.last.delay_usec;
                }
                g_assert_cmpuint(last, ==, end);
        }
}

/* The default limit is against loops that burn the processor; one that was declared counts in any case. */
static void test_slow_row_ends_at_a_declared_limit_alone(void) {
        static const char *const slow[][2] = { { "restart_delay", "1s" }, { NULL, NULL } };
        static const char *const limited[][2] = { { "restart_delay", "1s" },
                                                  { "max_restarts", "4" },
                                                  { NULL, NULL } };
        static const char *const fast[][2] = { { "restart_delay", "999ms" }, { NULL, NULL } };
        g_autoptr(AppConfig) slow_config = config_set(slow);
        g_autoptr(AppConfig) limited_config = config_set(limited);
        g_autoptr(AppConfig) fast_config = config_set(fast);

        g_assert_cmpuint(starts_until_given_up(slow_config), ==, 1000);
        g_assert_cmpuint(starts_until_given_up(limited_config), ==, 4);
        g_assert_cmpuint(starts_until_given_up(fast_config), ==, 16);
}

static void test_stop_exit_codes(void) {
        static const char *const settings[][2] = { { "stop_exit_codes", "0 143" },
                                                   { "restart_delay", "1s" },
                                                   { NULL, NULL } };
        g_autoptr(AppConfig) config = config_set(settings);

        for (int code = 0; code < 256; code++) {
                Life life = { .config = config };
                bool stops = code == 0 || code == 143;
                g_assert_true(live(&life, 0, (ExitStatus){ .code = code }) == !stops);
                g_assert_cmpint(life.last.verdict, ==, stops ? RESTART_STOP_CODE : RESTART_LATER);
                g_assert_cmpuint(life.last.delay_usec, ==, stops ? 0 : SEC);
        }
}

/* PM2 takes death by a signal for exit code 0. */
static void test_signal_is_no_exit_code(void) {
        static const char *const settings[][2] = { { "stop_exit_codes", "0" }, { NULL, NULL } };
        g_autoptr(AppConfig) config = config_set(settings);

        for (int number = 1; number < 65; number++) {
                Life life = { .config = config };
                g_assert_true(live(&life, 0, (ExitStatus){ .code = -1, .signal = number }));
                g_assert_true(live(&life, 0, (ExitStatus){ .code = 0, .signal = number }));
        }
        Life life = { .config = config };
        g_assert_true(live(&life, 0, EXIT_STATUS_NONE)); /* not seen */
}

/* PM2 leaves what it gives up on "waiting restart" when a delay is set, without a timer. */
static void test_no_delay_without_restart(void) {
        static const char *const delays[] = { "restart_delay", "exp_backoff_restart_delay" };

        for (size_t i = 0; i < G_N_ELEMENTS(delays); i++) {
                const char *const never[][2] = { { delays[i], "5s" },
                                                 { "autorestart", "false" },
                                                 { NULL, NULL } };
                const char *const limited[][2] = { { delays[i], "5s" },
                                                   { "max_restarts", "1" },
                                                   { NULL, NULL } };
                const char *const code[][2] = { { delays[i], "5s" },
                                                { "stop_exit_codes", "1" },
                                                { NULL, NULL } };
                AppConfig *configs[] = { config_set(never), config_set(limited), config_set(code) };
                for (size_t j = 0; j < G_N_ELEMENTS(configs); j++) {
                        Life life = { .config = configs[j] };
                        g_assert_false(crash_after(&life, 0));
                        g_assert_cmpuint(life.last.delay_usec, ==, 0);
                        g_assert_cmpuint(life.last.backoff_usec, ==, 0);
                        app_config_unref(configs[j]);
                }
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/restart-policy/exhaustive", test_exhaustive);
        g_test_add_func("/core/restart-policy/intended", test_intended);
        g_test_add_func("/core/restart-policy/crash-loop", test_crash_loop);
        g_test_add_func("/core/restart-policy/stable-exit-ends-the-row", test_stable_exit_ends_the_row);
        g_test_add_func("/core/restart-policy/defaults", test_defaults);
        g_test_add_func("/core/restart-policy/pm2-11.2.5-late-crash-loop", test_late_crash_loop);
        g_test_add_func("/core/restart-policy/restart-delay", test_restart_delay);
        g_test_add_func("/core/restart-policy/backoff-formula", test_backoff_formula);
        g_test_add_func("/core/restart-policy/backoff-before-delay",
                        test_backoff_is_used_in_place_of_the_delay);
        g_test_add_func("/core/restart-policy/backoff-reset", test_backoff_reset);
        g_test_add_func("/core/restart-policy/backoff-any-base", test_backoff_any_base);
        g_test_add_func("/core/restart-policy/slow-row", test_slow_row_ends_at_a_declared_limit_alone);
        g_test_add_func("/core/restart-policy/stop-exit-codes", test_stop_exit_codes);
        g_test_add_func("/core/restart-policy/pm2-11.2.7-signal-is-no-exit-code",
                        test_signal_is_no_exit_code);
        g_test_add_func("/core/restart-policy/pm2-11.2.3-no-delay-without-restart",
                        test_no_delay_without_restart);
        return g_test_run();
}
