/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a caller may write for depends_on. Which texts are taken at all is in the table of test-app-config.
 */

#include "core/dependencies.h"
#include "value-fixture.h"

static void test_order_and_default(void) {
        g_autoptr(Value) value = test_value("a:z|b|a");
        g_autoptr(GArray) dependencies = NULL;

        g_assert_cmpint(dependencies_from_value("depends_on", value, &dependencies, NULL), ==, 0);
        g_assert_cmpuint(dependencies_count(dependencies), ==, 3);
        g_assert_cmpstr(dependencies_at(dependencies, 0)->name, ==, "z");
        g_assert_cmpint(dependencies_at(dependencies, 2)->condition, ==, DEPENDENCY_READY);
        g_assert_true(dependencies_find(dependencies, "b") == dependencies_at(dependencies, 1));
        g_assert_null(dependencies_find(dependencies, "c"));
        g_assert_null(dependencies_find(NULL, "c"));
        g_assert_cmpuint(dependencies_count(NULL), ==, 0);
}

static void test_compose(void) {
        g_autoptr(Value) value = value_new_map(), word = value_new_map();
        g_autoptr(GArray) dependencies = NULL;

        value_set(word, "condition", value_new_string("service_healthy"));
        value_set(value, "db", value_copy(word));
        g_assert_cmpint(dependencies_from_value("depends_on", value, &dependencies, NULL), ==, 0);
        g_assert_cmpint(dependencies_at(dependencies, 0)->condition, ==, DEPENDENCY_HEALTHY);
        value_set(word, "restart", value_new_bool(true));
        value_set(value, "cache", value_copy(word));
        g_auto(Error) error = { 0 };
        GArray *none = NULL;
        g_assert_cmpint(dependencies_from_value("depends_on", value, &none, &error), <, 0);
        g_assert_cmpstr(error.message,
                        ==,
                        "depends_on.'cache': expected an object with \"condition\" and "
                        "nothing else");
        g_assert_null(none);
}

static void test_messages(void) {
        static const struct {
                const char *value, *message;
        } cases[] = {
                { "m:db=up", "depends_on.'db': expected started, ready, healthy or completed, got 'up'" },
                { "a:db|db", "depends_on: 'db' stands there twice" },
                { "l:i:5", "depends_on[0]: expected the name of an app, got a number" },
                { "a:x|", "depends_on: the name of an app has 1 to 255 bytes, got ''" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Value) value = test_value(cases[i].value);
                g_auto(Error) error = { 0 };
                GArray *none = NULL;
                g_assert_cmpint(dependencies_from_value("depends_on", value, &none, &error), <, 0);
                g_assert_cmpstr(error.message, ==, cases[i].message);
        }
}

static void test_caps(void) {
        g_autoptr(Value) value = value_new_array();
        g_autoptr(GArray) dependencies = NULL;

        for (int i = 0; i < DEPENDENCIES_MAX; i++) {
                g_autofree char *name = g_strdup_printf("%d", i);
                value_append(value, value_new_string(name));
        }
        g_assert_cmpint(dependencies_from_value("depends_on", value, &dependencies, NULL), ==, 0);
        value_append(value, value_new_string("one more"));
        GArray *none = NULL;
        g_assert_cmpint(dependencies_from_value("depends_on", value, &none, NULL), <, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/dependencies/order-and-default", test_order_and_default);
        g_test_add_func("/core/dependencies/compose", test_compose);
        g_test_add_func("/core/dependencies/messages", test_messages);
        g_test_add_func("/core/dependencies/caps", test_caps);
        return g_test_run();
}
