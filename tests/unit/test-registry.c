/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/registry.h"

#include "fixture.h"
#include "process-fixture.h"

#include <errno.h>
#include <string.h>

static void test_ids(void) {
        g_autoptr(Registry) registry = registry_new(100);
        Process *processes[5];

        g_assert_cmpuint(registry_next_id(registry), ==, 0);
        g_assert_null(registry_get(registry, 0));
        for (uint32_t i = 0; i < 5; i++) {
                processes[i] = test_process_add(registry, "app", "default", 0);
                g_assert_cmpuint(processes[i]->id, ==, i);
                g_assert_true(registry_at(registry, i) == processes[i]);
        }
        g_assert_cmpuint(registry_count(registry), ==, 5);
        /* a hole stays one */
        registry_remove_and_free(registry, processes[1]);
        g_assert_null(registry_get(registry, 1));
        for (uint32_t id = 0; id < 5; id++) {
                g_assert_true(registry_get(registry, id) == (id == 1 ? NULL : processes[id]));
        }
        g_assert_null(registry_get(registry, 5));
        g_assert_null(registry_get(registry, UINT32_MAX));
        /* ids go on although the last one went */
        registry_remove_and_free(registry, processes[4]);
        g_assert_cmpuint(test_process_add(registry, "app", "default", 0)->id, ==, 5);
        /* they restart only when the list is empty */
        while (registry_count(registry) > 1) {
                registry_remove_and_free(registry, registry_at(registry, 0));
        }
        g_assert_cmpuint(registry_next_id(registry), ==, 6);
        registry_remove_and_free(registry, registry_at(registry, 0));
        g_assert_cmpuint(registry_next_id(registry), ==, 0);
        g_assert_cmpuint(test_process_add(registry, "app", "default", 0)->id, ==, 0);
}

/* The lowest that no other process of the name and owner has. */
static void test_instances(void) {
        g_autoptr(Registry) registry = registry_new(100);
        Process *first = test_process_add(registry, "app", "default", 0);
        Process *second = test_process_add(registry, "app", "default", 0);
        Process *other = test_process_add(registry, "other", "default", 0);
        Process *foreign = test_process_add(registry, "app", "default", 1000);
        Process *third = test_process_add(registry, "app", "elsewhere", 0);

        g_assert_cmpuint(first->instance, ==, 0);
        g_assert_cmpuint(second->instance, ==, 1);
        g_assert_cmpuint(other->instance, ==, 0);
        g_assert_cmpuint(foreign->instance, ==, 0);
        g_assert_cmpuint(third->instance, ==, 2);
        registry_remove_and_free(registry, first);
        registry_remove_and_free(registry, second);
        g_assert_cmpuint(test_process_add(registry, "app", "default", 0)->instance, ==, 0);
        g_assert_cmpuint(test_process_add(registry, "app", "default", 0)->instance, ==, 1);
        g_assert_cmpuint(test_process_add(registry, "app", "default", 0)->instance, ==, 3);
}

static void test_limit(void) {
        g_autoptr(Registry) registry = registry_new(3);
        g_auto(Error) error = { 0 };
        Process *process = NULL;

        for (int i = 0; i < 3; i++) {
                (void) test_process_add(registry, "app", "default", 0);
        }
        int r = registry_add(registry, "app", test_unique_id(9), 0, 0, &process, &error);
        g_assert_cmpint(r, ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_LIMIT_EXCEEDED);
        test_assert_contains(error.message, "3 processes");
        g_assert_null(process);
        g_assert_cmpuint(registry_count(registry), ==, 3);
        g_assert_cmpuint(registry_next_id(registry), ==, 3);
        registry_remove_and_free(registry, registry_at(registry, 0));
        g_assert_cmpuint(test_process_add(registry, "app", "default", 0)->id, ==, 3);
}

/* Ids of an earlier supervisor are kept, and none of them is given out again. */
static void test_restored(void) {
        static const uint32_t ids[] = { 2, 3, 7 };
        g_autoptr(Registry) registry = registry_new(100);

        for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
                Process *process = registry_add_restored(registry, ids[i], test_unique_id(ids[i]), 1000, 5);
                g_assert_cmpuint(process->id, ==, ids[i]);
                g_assert_cmpstr(process->unique_id, ==, test_unique_id(ids[i]));
                g_assert_cmpuint(process->owner, ==, 1000);
                g_assert_cmpuint(process->instance, ==, 5);
        }
        for (uint32_t id = 0; id < 9; id++) {
                const Process *process = registry_get(registry, id);
                g_assert_true((process != NULL) == (id == 2 || id == 3 || id == 7));
        }
        g_assert_cmpuint(registry_next_id(registry), ==, 8);
        registry_set_next_id(registry, 20); /* there were later ones, which have gone */
        g_assert_cmpuint(registry_next_id(registry), ==, 20);
        registry_set_next_id(registry, 10);
        g_assert_cmpuint(registry_next_id(registry), ==, 20);
        g_assert_cmpuint(test_process_add(registry, "app", "default", 0)->id, ==, 20);
}

static void test_many(void) {
        g_autoptr(Registry) registry = registry_new(1000);

        for (uint32_t i = 0; i < 1000; i++) {
                g_autofree char *name = g_strdup_printf("app-%u", i);
                (void) test_process_add(registry, name, "default", 0);
        }
        for (size_t i = registry_count(registry); i > 0; i -= 2) {
                registry_remove_and_free(registry, registry_at(registry, i - 1));
        }
        for (uint32_t id = 0; id < 1000; id++) {
                const Process *process = registry_get(registry, id);
                g_assert_true(id % 2 ? !process : process && process->id == id);
        }
        registry_free(NULL);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/registry/ids", test_ids);
        g_test_add_func("/core/registry/instances", test_instances);
        g_test_add_func("/core/registry/limit", test_limit);
        g_test_add_func("/core/registry/restored", test_restored);
        g_test_add_func("/core/registry/many", test_many);
        return g_test_run();
}
