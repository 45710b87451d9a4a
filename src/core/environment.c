/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/environment.h"

#include <string.h>

struct Environment {
        unsigned n_ref;
        GPtrArray *assignments; /* of interned GRefString, sorted by name */
};

static size_t name_length(const char *assignment) {
        return strcspn(assignment, "=");
}

static int compare_names(const char *a, const char *b) {
        size_t length_a = name_length(a), length_b = name_length(b);
        int r = memcmp(a, b, MIN(length_a, length_b));
        return r != 0 ? r : (length_a > length_b) - (length_a < length_b);
}

static int compare_pointers(const void *a, const void *b) {
        return compare_names(*(const char *const *) a, *(const char *const *) b);
}

static void release_string(void *string) {
        g_ref_string_release(string);
}

bool environment_name_is_valid(const char *name) {
        return name[0] && !strchr(name, '=');
}

Environment *environment_new_empty(void) {
        Environment *environment = g_new0(Environment, 1);
        environment->n_ref = 1;
        environment->assignments = g_ptr_array_new_with_free_func(release_string);
        return environment;
}

Environment *environment_new(const char *const *assignments) {
        Environment *environment = environment_new_empty();
        GPtrArray *all = environment->assignments;

        for (; assignments && *assignments; assignments++) {
                size_t length = name_length(*assignments);
                if (length > 0 && (*assignments)[length] == '=') {
                        g_ptr_array_add(all, g_ref_string_new_intern(*assignments));
                }
        }
        g_ptr_array_sort(all, compare_pointers); /* stable: g_ptr_array_sort() is a merge sort */
        for (guint i = all->len; i > 1; i--) {
                if (compare_names(all->pdata[i - 2], all->pdata[i - 1]) == 0) {
                        g_ptr_array_remove_index(all, i - 2);
                }
        }
        return environment;
}

Environment *environment_ref(Environment *environment) {
        environment->n_ref++;
        return environment;
}

void environment_unref(Environment *environment) {
        if (environment && --environment->n_ref == 0) {
                g_ptr_array_unref(environment->assignments);
                g_free(environment);
        }
}

Environment *environment_merge(const Environment *base, const Environment *over) {
        Environment *merged = environment_new_empty();
        size_t i = 0, j = 0;
        size_t n_base = base ? environment_count(base) : 0;
        size_t n_over = over ? environment_count(over) : 0;

        while (i < n_base || j < n_over) {
                const char *next;
                if (i == n_base) {
                        next = environment_at(over, j++);
                } else if (j == n_over) {
                        next = environment_at(base, i++);
                } else {
                        int r = compare_names(environment_at(base, i), environment_at(over, j));
                        next = r < 0 ? environment_at(base, i) : environment_at(over, j);
                        i += r <= 0;
                        j += r >= 0;
                }
                g_ptr_array_add(merged->assignments, g_ref_string_acquire((char *) next));
        }
        return merged;
}

const char *environment_get(const Environment *environment, const char *name) {
        size_t low = 0, high = environment_name_is_valid(name) ? environment_count(environment) : 0;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const char *assignment = environment_at(environment, middle);
                int r = compare_names(assignment, name);
                if (r == 0) {
                        return assignment + strlen(name) + 1;
                }
                if (r < 0) {
                        low = middle + 1;
                } else {
                        high = middle;
                }
        }
        return NULL;
}

size_t environment_count(const Environment *environment) {
        return environment->assignments->len;
}

const char *environment_at(const Environment *environment, size_t i) {
        return environment->assignments->pdata[i];
}

guint environment_hash(const Environment *environment) {
        guint hash = 0;

        for (size_t i = 0; i < environment_count(environment); i++) {
                hash = hash * 31 + g_direct_hash(environment_at(environment, i));
        }
        return hash;
}

bool environment_equal(const Environment *a, const Environment *b) {
        if (environment_count(a) != environment_count(b)) {
                return false;
        }
        for (size_t i = 0; i < environment_count(a); i++) {
                if (environment_at(a, i) != environment_at(b, i)) { /* interned: one string, one address */
                        return false;
                }
        }
        return true;
}

Value *environment_to_value(const Environment *environment) {
        Value *map = value_new_map();

        for (size_t i = 0; i < environment_count(environment); i++) {
                const char *assignment = environment_at(environment, i);
                size_t length = strcspn(assignment, "=");
                g_autofree char *name = g_strndup(assignment, length);
                value_set(map, name, value_new_string(assignment + length + 1));
        }
        return map;
}
