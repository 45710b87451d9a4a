/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How large a log may become, and when it is looked at. */

#include "core/log-bounds.h"

#include "fixture.h"
#include "value-fixture.h"

#define MB UINT64_C(1000000)

static void test_bound(void) {
        static const struct {
                const char *value;
                uint64_t bound;
        } samples[] = {
                { NULL, 6 * UINT64_C(10) * 1024 * 1024 },
                { "s:0", 0 },
                { "s:64K", UINT64_C(6) * 65536 },
                { "s:1024T", UINT64_C(6) << 50 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                if (samples[i].value) {
                        g_autoptr(Value) value = test_value(samples[i].value);
                        g_assert_cmpint(app_config_set_by_name(config, "log_max_size", value, NULL), ==, 0);
                }
                LogLimits limits = log_limits_of(config);
                g_assert_cmpuint(limits.bound_bytes, ==, samples[i].bound);
                g_assert_cmpuint(limits.part_bytes * 6, ==, samples[i].bound);
                g_assert_false(limits.separate);
        }
}

static LogLimits limits_of(const char *const settings[][2]) {
        g_autoptr(AppConfig) config = app_config_new();

        for (; (*settings)[0]; settings++) {
                g_autoptr(Value) value = test_value((*settings)[1]);
                g_assert_cmpint(app_config_set_by_name(config, (*settings)[0], value, NULL), ==, 0);
        }
        return log_limits_of(config);
}

static void test_separate(void) {
        static const char *const retain[][2] = { { "log_retain", "i:7" }, { NULL, NULL } };
        static const char *const compress[][2] = { { "log_compress", "s:zstd" }, { NULL, NULL } };
        static const char *const plain[][2] = { { "log_compress", "s:none" },
                                                { "log_max_size", "s:1M" },
                                                { NULL, NULL } };
        static const char *const unbounded[][2] = { { "log_retain", "i:7" },
                                                    { "log_max_size", "i:0" },
                                                    { NULL, NULL } };

        LogLimits limits = limits_of(retain);
        g_assert_true(limits.separate);
        g_assert_cmpuint(limits.bound_bytes, ==, 10 << 20);
        g_assert_cmpuint(limits.retain, ==, 7);
        g_assert_cmpint(limits.compression, ==, LOG_COMPRESSION_NONE);
        limits = limits_of(compress);
        g_assert_true(limits.separate);
        g_assert_cmpuint(limits.retain, ==, 5);
        g_assert_cmpint(limits.compression, ==, LOG_COMPRESSION_ZSTD);
        limits = limits_of(plain);
        g_assert_true(limits.separate);
        g_assert_cmpuint(limits.bound_bytes, ==, 1 << 20);
        limits = limits_of(unbounded);
        g_assert_false(limits.separate);
        g_assert_cmpuint(limits.bound_bytes, ==, 0);
}

/* Nobody loses what he wants to keep. */
static void test_join(void) {
        const LogLimits none = { 0 };
        const LogLimits small = { .bound_bytes = 6, .part_bytes = 1 };
        const LogLimits large = { .bound_bytes = 600, .part_bytes = 100 };
        const LogLimits few = { .bound_bytes = 9, .part_bytes = 9, .separate = true, .retain = 2 };
        const LogLimits many = { .bound_bytes = 3, .part_bytes = 3, .separate = true, .retain = 8 };
        const struct {
                const LogLimits *one, *other;
                LogLimits expected;
        } samples[] = {
                { &none, &large, none },
                { &small, &large, large },
                { &large, &few, few },
                { &few, &none, none },
                { &few, &many, { .bound_bytes = 9, .part_bytes = 9, .separate = true, .retain = 8 } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                for (int turned = 0; turned < 2; turned++) {
                        LogLimits limits =
                                        log_limits_join(*(turned ? samples[i].other : samples[i].one),
                                                        *(turned ? samples[i].one : samples[i].other));
                        g_assert_cmpuint(limits.bound_bytes, ==, samples[i].expected.bound_bytes);
                        g_assert_cmpuint(limits.part_bytes, ==, samples[i].expected.part_bytes);
                        g_assert_cmpint(limits.separate, ==, samples[i].expected.separate);
                        g_assert_cmpuint(limits.retain, ==, samples[i].expected.retain);
                }
        }
}

static void test_refused(void) {
        static const char *const values[] = { "s:63K", "s:1025T", "i:1" };

        for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) value = test_value(values[i]);
                g_auto(Error) error = { 0 };
                g_assert_cmpint(app_config_set_by_name(config, "log_max_size", value, &error), <, 0);
                g_assert_nonnull(strstr(error.message, "log_max_size"));
        }
}

static void test_interval(void) {
        static const struct {
                uint64_t size, bound, grown, elapsed_usec, expected_usec;
        } samples[] = {
                { 0, 60 * MB, 30 * MB, 1000000, 1000000 }, /* two seconds' worth is left: half of that */
                { 54 * MB, 60 * MB, 10 * MB, 1000000, 300000 },
                { 59 * MB, 60 * MB, 500 * MB, 1000000, LOG_INTERVAL_MIN_USEC },
                { 0, 60 * MB, 1, 1000000, LOG_INTERVAL_MAX_USEC },
                { 60 * MB, 60 * MB, 1, 1000000, LOG_INTERVAL_MIN_USEC },
                { 90 * MB, 60 * MB, 0, 0, LOG_INTERVAL_MIN_USEC },
                { 0, 60 * MB, 1, 0, LOG_INTERVAL_MAX_USEC },
                { 0, UINT64_MAX, UINT64_MAX, 1, LOG_INTERVAL_MIN_USEC },
                { 0, UINT64_MAX, 0, 0, LOG_INTERVAL_MAX_USEC },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_assert_cmpuint(
                                log_interval_usec(
                                                samples[i].size,
                                                samples[i].bound,
                                                samples[i].grown,
                                                samples[i].elapsed_usec),
                                ==,
                                samples[i].expected_usec);
        }
}

/* What is freed for the sake of all logs. */
static void test_squeeze(void) {
        const LogLimits one = { .bound_bytes = 60 * MB, .part_bytes = 10 * MB };
        const LogLimits several = {
                .bound_bytes = 10 * MB, .part_bytes = 10 * MB, .separate = true, .retain = 100
        };
        LogLimits limits = one;
        LogUse use = { .size_bytes = 20 * MB };

        g_assert_true(log_limits_squeeze(&limits, &use, 5 * MB));
        g_assert_cmpuint(limits.bound_bytes, ==, 20 * MB - 1);
        g_assert_cmpuint(limits.part_bytes, ==, 5 * MB);
        g_assert_true(log_limits_squeeze(&limits, &use, UINT64_MAX));
        g_assert_cmpuint(limits.bound_bytes - limits.part_bytes, ==, 65536);
        use.size_bytes = 2 * 65536 - 1;
        g_assert_false(log_limits_squeeze(&limits, &use, 1));
        use.size_bytes++;
        g_assert_true(log_limits_squeeze(&limits, &use, MB));
        g_assert_cmpuint(limits.part_bytes, <, use.size_bytes - 65536);

        limits = several;
        use = (LogUse){ .size_bytes = 5 * MB, .kept_bytes = 100 * MB, .kept_files = 10 };
        g_assert_true(log_limits_squeeze(&limits, &use, 25 * MB));
        g_assert_cmpuint(limits.retain, ==, 7);
        g_assert_cmpuint(limits.bound_bytes, ==, several.bound_bytes);
        g_assert_true(log_limits_squeeze(&limits, &use, UINT64_MAX));
        g_assert_cmpuint(limits.retain, ==, 1);
        use.kept_bytes = 0;
        g_assert_true(log_limits_squeeze(&limits, &use, 3));
        g_assert_cmpuint(limits.retain, ==, 6);
        use.kept_files = 1;
        g_assert_false(log_limits_squeeze(&limits, &use, 1));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/log-bounds/bound", test_bound);
        g_test_add_func("/core/log-bounds/separate", test_separate);
        g_test_add_func("/core/log-bounds/join", test_join);
        g_test_add_func("/core/log-bounds/refused", test_refused);
        g_test_add_func("/core/log-bounds/interval", test_interval);
        g_test_add_func("/core/log-bounds/squeeze", test_squeeze);
        return g_test_run();
}
