/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/instances.h"

#include "fixture.h"
#include "process-fixture.h"

#include <errno.h>

static void test_count(void) {
        static const struct {
                int64_t declared;
                unsigned cpus;
                uint32_t count;
        } cases[] = {
                { 1, 4, 1 },
                { 7, 4, 7 },
                { INSTANCES_MAX, 1, INSTANCES_MAX },
                { 0, 4, 4 },
                { 0, 1, 1 },
                { -1, 4, 3 },
                { -3, 4, 1 },
                { -4, 4, 1 },
                { -INSTANCES_MAX, 4, 1 },
                { 0, 4096, INSTANCES_MAX },
                { INT64_MIN, 4, 1 },
                { INT64_MAX, 4, INSTANCES_MAX },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_test_message("%" G_GINT64_FORMAT " of %u", cases[i].declared, cases[i].cpus);
                g_assert_cmpuint(instances_count(cases[i].declared, cases[i].cpus), ==, cases[i].count);
        }
}

static void test_scale(void) {
        static const struct {
                const char *text;
                uint32_t now, wanted; /* 0: refused */
        } cases[] = {
                { "4", 2, 4 },
                { "4", 9, 4 },
                { "2", 2, 2 },
                { "+2", 2, 4 },
                { "-1", 2, 1 },
                { "+0", 3, 3 },
                { "-0", 3, 3 },
                { "1024", 1, 1024 },
                { "+1023", 1, 1024 },
                { "007", 1, 7 },
                { "0", 2, 0 },
                { "-2", 2, 0 },
                { "-3", 2, 0 },
                { "1025", 2, 0 },
                { "+1024", 1, 0 },
                { "", 2, 0 },
                { "+", 2, 0 },
                { "-", 2, 0 },
                { "++1", 2, 0 },
                { "--1", 2, 0 },
                { "+-1", 2, 0 },
                { "-+1", 2, 0 },
                { "max", 2, 0 },
                { "1.5", 2, 0 },
                { " 1", 2, 0 },
                { "1 ", 2, 0 },
                { "0x2", 2, 0 },
                { "4294967296", 2, 0 },
                { "99999999999999999999", 2, 0 },
                { "+4294967295", 2, 0 },
                { "-4294967295", 2, 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Error) error = { 0 };
                uint32_t wanted = 0;
                int r = instances_scale(cases[i].text, cases[i].now, &wanted, &error);
                g_test_message("'%s' of %u: %s",
                               cases[i].text,
                               cases[i].now,
                               error.message ? error.message : "");
                g_assert_cmpint(r, ==, cases[i].wanted ? 0 : -ECANCELED);
                g_assert_cmpuint(wanted, ==, cases[i].wanted);
                if (r < 0) {
                        g_assert_cmpint(error.code, ==, ERROR_INVALID_ARGS);
                        g_assert_true(g_str_has_prefix(error.message, "count: "));
                        test_assert_contains(error.message, cases[i].text);
                }
        }
}

static GPtrArray *all_of(const Registry *registry) {
        GPtrArray *processes = g_ptr_array_new();

        for (size_t i = 0; i < registry_count(registry); i++) {
                g_ptr_array_add(processes, registry_at(registry, i));
        }
        return processes;
}

static char *ids_of(const GPtrArray *processes) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < processes->len; i++) {
                g_string_append_printf(text, "%u ", ((const Process *) processes->pdata[i])->id);
        }
        return g_string_free(text, FALSE);
}

/* Those with the highest instance numbers, whatever their ids are. */
static void test_surplus(void) {
        g_autoptr(Registry) registry = registry_new(100);

        for (int i = 0; i < 4; i++) {
                (void) test_process_add(registry, "app", "default", 0);
        }
        registry_remove_and_free(registry, registry_at(registry, 1));
        (void) test_process_add(registry, "app", "default", 0); /* id 4, instance 1 */
        g_autoptr(GPtrArray) processes = all_of(registry);
        g_autoptr(GPtrArray) none = instances_take_surplus(processes, 4);
        g_assert_cmpuint(none->len, ==, 0);
        g_autoptr(GPtrArray) none_of_few = instances_take_surplus(processes, 9);
        g_assert_cmpuint(none_of_few->len, ==, 0);
        g_autoptr(GPtrArray) two = instances_take_surplus(processes, 2);
        g_autofree char *taken = ids_of(two), *left = ids_of(processes);
        g_assert_cmpstr(taken, ==, "2 3 ");
        g_assert_cmpstr(left, ==, "0 4 ");
        g_autoptr(GPtrArray) rest = instances_take_surplus(processes, 0);
        g_assert_cmpuint(rest->len, ==, 2);
        g_assert_cmpuint(processes->len, ==, 0);
}

static void set(AppConfig *config, const char *name, Value *value) {
        g_autoptr(Value) taken = value;
        g_auto(Error) error = { 0 };

        if (app_config_set_by_name(config, name, taken, &error) < 0) {
                g_error("%s", error.message);
        }
}

static AppConfig *config_new(const char *number) {
        AppConfig *config = app_config_new();
        Value *map = value_new_map();

        if (number) {
                value_set(map, "V", value_new_string(number));
        }
        value_set(map, "OTHER", value_new_string("kept"));
        set(config, "script", value_new_string("/srv/app"));
        set(config, "name", value_new_string("app"));
        set(config, "increment_var", value_new_string("V"));
        set(config, "env", map);
        return config;
}

static void test_increment(void) {
        g_autoptr(Registry) registry = registry_new(100);
        const char *const assignments[] = { "V=70", "W=x", NULL };
        g_autoptr(Environment) caller_env = environment_new(assignments);
        g_autoptr(AppConfig) plain = config_new(NULL), based = config_new("3000"), wrong = config_new("x");

        g_assert_cmpint(instances_next_increment(registry, plain, 0, NULL), ==, 0);
        g_assert_cmpint(instances_next_increment(registry, plain, 0, caller_env), ==, 70);
        g_assert_cmpint(instances_next_increment(registry, based, 0, caller_env), ==, 3000);
        g_assert_cmpint(instances_next_increment(registry, wrong, 0, NULL), ==, 0);
        for (int64_t expected = 3000; expected < 3003; expected++) {
                int64_t value = instances_next_increment(registry, based, 0, NULL);
                g_assert_cmpint(value, ==, expected);
                g_autoptr(AppConfig) config = instances_with_increment(based, value);
                g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
                g_assert_cmpstr(environment_get(config->env, "V"), ==, text);
                g_assert_cmpstr(environment_get(config->env, "OTHER"), ==, "kept");
                g_assert_cmpstr(environment_get(based->env, "V"), ==, "3000");
                process_set_config(test_process_add(registry, "app", "default", 0), config);
        }
        /* The highest counts, of this name and owner alone. */
        registry_remove_and_free(registry, registry_at(registry, 0));
        g_assert_cmpint(instances_next_increment(registry, based, 0, NULL), ==, 3003);
        g_assert_cmpint(instances_next_increment(registry, based, 1000, NULL), ==, 3000);
        g_autoptr(AppConfig) last = instances_with_increment(based, INT64_MAX);
        process_set_config(test_process_add(registry, "app", "default", 0), last);
        g_assert_cmpint(instances_next_increment(registry, based, 0, NULL), ==, INT64_MAX);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/instances/count", test_count);
        g_test_add_func("/core/instances/scale", test_scale);
        g_test_add_func("/core/instances/surplus", test_surplus);
        g_test_add_func("/core/instances/increment", test_increment);
        return g_test_run();
}
