/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/environment.h"

#include <string.h>

static char *to_text(const Environment *environment) {
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < environment_count(environment); i++) {
                g_string_append_printf(text, "%s%s", i > 0 ? " " : "", environment_at(environment, i));
        }
        return g_string_free(text, FALSE);
}

static void assert_text(const Environment *environment, const char *expected) {
        g_autofree char *text = to_text(environment);
        g_assert_cmpstr(text, ==, expected);
}

/* From words separated by blanks. */
static Environment *environment_of(const char *words) {
        g_auto(GStrv) assignments = g_strsplit(words, " ", -1);
        return environment_new((const char *const *) assignments);
}

static void test_sorting(void) {
        static const struct {
                const char *words, *expected;
        } samples[] = {
                { "B=2 A=1 C=3", "A=1 B=2 C=3" },
                /* the last of a name counts */
                { "A=1 A=2 A=3", "A=3" },
                { "B=1 A=1 B=2 A=2 B=3", "A=2 B=3" },
                { "A=2 B=x A=1", "A=1 B=x" },
                /* by name alone: what stands behind it does not matter */
                { "AB=1 A=zz A-B=1 A_=1", "A=zz A-B=1 AB=1 A_=1" },
                { "A==x A=", "A=" },
                { "A= A==x", "A==x" },
                { "a=1 A=2", "A=2 a=1" },
                /* what is no assignment is skipped */
                { "=x A=1 B = =", "A=1" },
                { "", "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Environment) environment = environment_of(samples[i].words);
                g_test_message("'%s'", samples[i].words);
                assert_text(environment, samples[i].expected);
        }
        g_autoptr(Environment) none = environment_new(NULL);
        g_assert_cmpuint(environment_count(none), ==, 0);
        environment_unref(NULL);
}

static void test_get(void) {
        g_autoptr(Environment) environment = environment_of("PATH=/bin PATHS= HOME=/h A=b=c X=1 Y=2 Z=3");

        g_assert_cmpstr(environment_get(environment, "PATH"), ==, "/bin");
        g_assert_cmpstr(environment_get(environment, "PATHS"), ==, "");
        g_assert_cmpstr(environment_get(environment, "A"), ==, "b=c");
        g_assert_cmpstr(environment_get(environment, "X"), ==, "1");
        g_assert_cmpstr(environment_get(environment, "Z"), ==, "3");
        g_assert_null(environment_get(environment, "PAT"));
        g_assert_null(environment_get(environment, "PATHX"));
        g_assert_null(environment_get(environment, ""));
        g_assert_null(environment_get(environment, "z"));
        /* No name has an equals sign: nothing is found by one. */
        g_assert_null(environment_get(environment, "A=b"));
        g_assert_null(environment_get(environment, "X=a-rather-long-text"));
        g_autoptr(Environment) empty = environment_new_empty();
        g_assert_null(environment_get(empty, "PATH"));
}

/* Every name of a large one is found, and no other. */
static void test_get_many(void) {
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);

        for (unsigned i = 0; i < 1000; i++) {
                g_ptr_array_add(assignments, g_strdup_printf("V%u=%u", i * 7919 % 1000, i * 7919 % 1000));
        }
        g_ptr_array_add(assignments, NULL);
        g_autoptr(Environment) environment = environment_new((const char *const *) assignments->pdata);
        g_assert_cmpuint(environment_count(environment), ==, 1000);
        for (unsigned i = 0; i < 1001; i++) {
                g_autofree char *name = g_strdup_printf("V%u", i);
                g_assert_cmpstr(environment_get(environment, name), ==, i < 1000 ? name + 1 : NULL);
        }
}

static void test_merge(void) {
        static const struct {
                const char *base, *over, *expected;
        } samples[] = {
                { "A=1 B=1", "B=2 C=2", "A=1 B=2 C=2" },
                { "B=1", "A=2", "A=2 B=1" },
                { "A=1 C=1 E=1", "B=2 D=2 F=2", "A=1 B=2 C=1 D=2 E=1 F=2" },
                { "A=1", "A=", "A=" },
                { "A=1", "", "A=1" },
                { "", "A=1", "A=1" },
                { "", "", "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Environment) base = environment_of(samples[i].base);
                g_autoptr(Environment) over = environment_of(samples[i].over);
                g_autoptr(Environment) merged = environment_merge(base, over);
                assert_text(merged, samples[i].expected);
                g_autoptr(Environment) base_alone = environment_merge(base, NULL);
                g_autoptr(Environment) over_alone = environment_merge(NULL, over);
                g_assert_true(environment_equal(base_alone, base));
                g_assert_true(environment_equal(over_alone, over));
        }
        g_autoptr(Environment) nothing = environment_merge(NULL, NULL);
        g_assert_cmpuint(environment_count(nothing), ==, 0);
}

static void test_equal(void) {
        g_autoptr(Environment) a = environment_of("A=1 B=2");
        g_autoptr(Environment) b = environment_of("B=2 A=0 A=1");
        g_autoptr(Environment) c = environment_of("A=1 B=3");
        g_autoptr(Environment) d = environment_of("A=1");

        g_assert_true(environment_equal(a, a));
        g_assert_true(environment_equal(a, b));
        g_assert_false(environment_equal(a, c));
        g_assert_false(environment_equal(a, d));
        g_assert_false(environment_equal(d, a));
        g_assert_cmpuint(environment_hash(a), ==, environment_hash(b));
        g_assert_cmpuint(environment_hash(a), !=, environment_hash(c));
}

/* The same assignment is one string, however many have it, and it goes with the last of them. */
static void test_interning(void) {
        Environment *a = environment_of("SHARED=1 OWN=a");
        Environment *b = environment_of("SHARED=1 OWN=b");
        Environment *merged = environment_merge(a, b);

        g_assert_true(environment_at(a, 1) == environment_at(b, 1));
        g_assert_true(environment_at(a, 1) == environment_at(merged, 1));
        g_assert_true(environment_at(a, 0) != environment_at(b, 0));
        environment_unref(a);
        environment_unref(b);
        g_assert_cmpstr(environment_get(merged, "SHARED"), ==, "1");
        g_assert_cmpstr(environment_get(merged, "OWN"), ==, "b");
        environment_unref(merged);
}

static void test_references(void) {
        Environment *environment = environment_of("A=1");

        g_assert_true(environment_ref(environment) == environment);
        environment_unref(environment);
        assert_text(environment, "A=1");
        environment_unref(environment);
}

static void test_names(void) {
        g_assert_true(environment_name_is_valid("A"));
        g_assert_true(environment_name_is_valid("with blank"));
        g_assert_false(environment_name_is_valid(""));
        g_assert_false(environment_name_is_valid("="));
        g_assert_false(environment_name_is_valid("A="));
        g_assert_false(environment_name_is_valid("A=B"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/environment/sorting", test_sorting);
        g_test_add_func("/core/environment/get", test_get);
        g_test_add_func("/core/environment/get-many", test_get_many);
        g_test_add_func("/core/environment/merge", test_merge);
        g_test_add_func("/core/environment/equal", test_equal);
        g_test_add_func("/core/environment/interning", test_interning);
        g_test_add_func("/core/environment/references", test_references);
        g_test_add_func("/core/environment/names", test_names);
        return g_test_run();
}
