/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/environment-filter.h"

#include <string.h>

void environment_filter_done(EnvironmentFilter *filter) {
        g_strfreev(filter->words);
        *filter = (EnvironmentFilter){ 0 };
}

static bool passes(const EnvironmentFilter *filter, const char *name) {
        for (char **word = filter->words; *word; word++) {
                bool hit = filter->kind == FILTER_NAME ? strcmp(name, *word) == 0
                                                       : strstr(name, *word) != NULL;
                if (hit) {
                        return false;
                }
        }
        return true;
}

Environment *environment_filter(Environment *environment, const EnvironmentFilter *filter) {
        g_autoptr(GPtrArray) kept = g_ptr_array_new();

        if (filter->kind == FILTER_NONE) {
                return environment_ref(environment);
        }
        for (size_t i = 0; filter->kind != FILTER_ALL && i < environment_count(environment); i++) {
                const char *assignment = environment_at(environment, i);
                g_autofree char *name = g_strndup(assignment, strcspn(assignment, "="));
                if (passes(filter, name)) {
                        g_ptr_array_add(kept, (void *) assignment);
                }
        }
        g_ptr_array_add(kept, NULL);
        return environment_new((const char *const *) kept->pdata);
}
