/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Two lists of assignments against a hash table: the last of a name counts, sorted, each name once. */

#include "fuzz.h"

#include "core/environment.h"

#include <string.h>

static GPtrArray *take_assignments(FuzzReader *reader) {
        GPtrArray *assignments = g_ptr_array_new_with_free_func(g_free);

        for (unsigned n = fuzz_byte(reader) % 64; n > 0; n--) {
                g_ptr_array_add(assignments, fuzz_string(reader));
        }
        g_ptr_array_add(assignments, NULL);
        return assignments;
}

static void add_to_model(GHashTable *model, const GPtrArray *assignments) {
        for (guint i = 0; i + 1 < assignments->len; i++) {
                const char *assignment = assignments->pdata[i];
                const char *equals = strchr(assignment, '=');
                if (equals && equals > assignment) {
                        (void) g_hash_table_insert(
                                        model,
                                        g_strndup(assignment, (size_t) (equals - assignment)),
                                        g_strdup(equals + 1));
                }
        }
}

static void compare(const Environment *environment, GHashTable *model) {
        GHashTableIter iterator;
        void *name, *value;

        g_assert_cmpuint(environment_count(environment), ==, g_hash_table_size(model));
        g_hash_table_iter_init(&iterator, model);
        while (g_hash_table_iter_next(&iterator, &name, &value)) {
                g_assert_cmpstr(environment_get(environment, name), ==, value);
        }
        for (size_t i = 1; i < environment_count(environment); i++) {
                g_auto(GStrv) before = g_strsplit(environment_at(environment, i - 1), "=", 2);
                g_auto(GStrv) after = g_strsplit(environment_at(environment, i), "=", 2);
                g_assert_cmpint(strcmp(before[0], after[0]), <, 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader reader = { data, size };
        g_autoptr(GPtrArray) first = take_assignments(&reader), second = take_assignments(&reader);
        g_autoptr(GHashTable) model = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autoptr(Environment) base = environment_new((const char *const *) first->pdata);
        g_autoptr(Environment) over = environment_new((const char *const *) second->pdata);
        g_autoptr(Environment) merged = environment_merge(base, over);
        g_autofree char *name = fuzz_string(&reader);

        add_to_model(model, first);
        compare(base, model);
        add_to_model(model, second);
        compare(merged, model);
        g_assert_cmpstr(environment_get(merged, name), ==, g_hash_table_lookup(model, name));
        return 0;
}
