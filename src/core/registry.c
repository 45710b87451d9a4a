/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/registry.h"

#include <string.h>

struct Registry {
        GPtrArray *processes; /* by increasing id */
        uint32_t next_id;
        uint32_t processes_max;
};

static void free_process(void *process) {
        process_free(process);
}

Registry *registry_new(uint32_t processes_max) {
        Registry *registry = g_new0(Registry, 1);
        registry->processes = g_ptr_array_new_with_free_func(free_process);
        registry->processes_max = processes_max;
        return registry;
}

void registry_free(Registry *registry) {
        if (registry) {
                g_ptr_array_unref(registry->processes);
                g_free(registry);
        }
}

static bool instance_is_taken(const Registry *registry, const char *name, uid_t owner, uint32_t instance) {
        for (guint i = 0; i < registry->processes->len; i++) {
                const Process *process = registry->processes->pdata[i];
                if (process->instance == instance && process->owner == owner && process->config &&
                    strcmp(process->config->name, name) == 0) {
                        return true;
                }
        }
        return false;
}

int registry_add(
                Registry *registry,
                const char *name,
                const char unique_id[33],
                uid_t owner,
                uint64_t now_usec,
                Process **ret,
                Error *error) {
        if (registry->processes->len >= registry->processes_max) {
                return error_set(
                                error,
                                ERROR_LIMIT_EXCEEDED,
                                "there are %u processes already (setting processes_max)",
                                registry->processes->len);
        }
        uint32_t instance = 0;
        while (instance_is_taken(registry, name, owner, instance)) {
                instance++;
        }
        Process *process = process_new(registry->next_id++, unique_id, owner, instance, now_usec);
        g_ptr_array_add(registry->processes, process);
        *ret = process;
        return 0;
}

Process *registry_add_restored(
                Registry *registry, uint32_t id, const char unique_id[33], uid_t owner, uint32_t instance) {
        Process *process = process_new(id, unique_id, owner, instance, 0);

        g_ptr_array_add(registry->processes, process);
        registry->next_id = MAX(registry->next_id, id + 1);
        return process;
}

void registry_set_next_id(Registry *registry, uint32_t id) {
        registry->next_id = MAX(registry->next_id, id);
}

void registry_remove_and_free(Registry *registry, Process *process) {
        g_ptr_array_remove(registry->processes, process);
        if (registry->processes->len == 0) {
                registry->next_id = 0;
        }
}

uint32_t registry_next_id(const Registry *registry) {
        return registry->next_id;
}

size_t registry_count(const Registry *registry) {
        return registry->processes->len;
}

Process *registry_at(const Registry *registry, size_t i) {
        return registry->processes->pdata[i];
}

Process *registry_get(const Registry *registry, uint32_t id) {
        size_t low = 0, high = registry->processes->len;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                Process *process = registry->processes->pdata[middle];
                if (process->id == id) {
                        return process;
                }
                if (process->id < id) {
                        low = middle + 1;
                } else {
                        high = middle;
                }
        }
        return NULL;
}
