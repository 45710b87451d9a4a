/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an app gets of its caller's environment, as PM2's filter_env says it. */

#include "core/app-config.h"

#include "fixture.h"
#include "value-fixture.h"

static char *filtered(const char *notation) {
        const char *const all[] = { "DB_SECRET=1", "HOME=/root",   "PATH=/bin",
                                    "SECRET=2",    "SECRET_KEY=3", NULL };
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Environment) environment = environment_new(all);
        g_autoptr(Value) value = test_value(notation);
        GString *names = g_string_new(NULL);

        g_assert_cmpint(app_config_set_by_name(config, "filter_env", value, NULL), ==, 0);
        g_autoptr(Environment) passed = environment_filter(environment, &config->filter_env);
        for (size_t i = 0; i < environment_count(passed); i++) {
                g_auto(GStrv) parts = g_strsplit(environment_at(passed, i), "=", 2);
                g_string_append_printf(names, "%s%s", i > 0 ? " " : "", parts[0]);
        }
        return g_string_free(names, FALSE);
}

static void test_filters(void) {
        static const struct {
                const char *filter, *passed;
        } samples[] = {
                { "null", "DB_SECRET HOME PATH SECRET SECRET_KEY" },
                { "false", "DB_SECRET HOME PATH SECRET SECRET_KEY" },
                { "[]", "DB_SECRET HOME PATH SECRET SECRET_KEY" },
                { "true", "" },
                { "s:SECRET", "DB_SECRET HOME PATH SECRET_KEY" },
                { "s:NOBODY", "DB_SECRET HOME PATH SECRET SECRET_KEY" },
                { "a:SECRET", "HOME PATH" },
                { "a:KEY|HO", "DB_SECRET PATH SECRET" },
                { "a:secret", "DB_SECRET HOME PATH SECRET SECRET_KEY" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *passed = filtered(samples[i].filter);
                g_test_message("%s", samples[i].filter);
                g_assert_cmpstr(passed, ==, samples[i].passed);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/environment-filter/filters", test_filters);
        return g_test_run();
}
