/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An app of several processes: how many there are to be, and in what they differ. */

#include "core/instances.h"

#include "basic/parse-util.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

uint32_t instances_count(int64_t declared, unsigned cpus) {
        int64_t count = declared > 0 ? declared : (int64_t) cpus + declared;

        return (uint32_t) CLAMP(count, 1, INSTANCES_MAX);
}

int instances_scale(const char *text, uint32_t now, uint32_t *ret, Error *error) {
        bool relative = text[0] == '+' || text[0] == '-';
        g_autofree char *quoted = error_quote(text);
        uint32_t number = 0;

        int r = parse_uint32(text + relative, &number);
        if (r == -EINVAL) {
                return error_set(
                                error,
                                ERROR_INVALID_ARGS,
                                "count: expected a number, or one to add or to take away (\"4\", \"+2\", "
                                "\"-1\"), got %s",
                                quoted);
        }
        int64_t wanted = !relative        ? number
                         : text[0] == '+' ? (int64_t) now + number
                                          : (int64_t) now - number;
        if (r < 0 || wanted < 1 || wanted > INSTANCES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_ARGS,
                                "count: %s: there are %" PRIu32 ", and there may be 1 to %d of an app",
                                quoted,
                                now,
                                INSTANCES_MAX);
        }
        *ret = (uint32_t) wanted;
        return 0;
}

static guint highest_instance(const GPtrArray *processes) {
        guint highest = 0;

        for (guint i = 1; i < processes->len; i++) {
                const Process *process = processes->pdata[i], *other = processes->pdata[highest];
                highest = process->instance >= other->instance ? i : highest;
        }
        return highest;
}

static int compare_ids(const void *a, const void *b) {
        const Process *first = *(Process *const *) a, *second = *(Process *const *) b;

        return first->id < second->id ? -1 : first->id > second->id;
}

GPtrArray *instances_take_surplus(GPtrArray *processes, size_t wanted) {
        GPtrArray *surplus = g_ptr_array_new();

        while (processes->len > wanted) {
                g_ptr_array_add(surplus, g_ptr_array_remove_index(processes, highest_instance(processes)));
        }
        g_ptr_array_sort(surplus, compare_ids);
        return surplus;
}

static bool number_of(const Environment *environment, const char *name, int64_t *ret) {
        const char *text = environment ? environment_get(environment, name) : NULL;

        return text && parse_int64(text, ret) >= 0;
}

int64_t instances_next_increment(
                const Registry *registry,
                const AppConfig *config,
                uid_t owner,
                const Environment *caller_env) {
        const char *name = config->increment_var;
        int64_t highest = INT64_MIN, value = 0;

        for (size_t i = 0; i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                if (process->owner == owner && process->config &&
                    strcmp(process->config->name, config->name) == 0 &&
                    number_of(process->config->env, name, &value)) {
                        highest = MAX(highest, value);
                }
        }
        if (highest != INT64_MIN) {
                return highest < INT64_MAX ? highest + 1 : highest;
        }
        return number_of(config->env, name, &value) || number_of(caller_env, name, &value) ? value : 0;
}

AppConfig *instances_with_increment(const AppConfig *config, int64_t value) {
        const Attribute *attribute = attribute_find("env");
        AppConfig *copy = app_config_copy(config);
        g_autoptr(Value) map = app_config_get(copy, attribute);

        value_remove(map, config->increment_var);
        value_set(map, config->increment_var, value_new_int(value));
        /* It was good, and is one variable more at most; where that is one too many it goes without. */
        (void) app_config_set(copy, attribute, map, NULL);
        return copy;
}
