/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/depends-check.h"

#include "core/dependency-graph.h"

#include <inttypes.h>
#include <string.h>

typedef struct Added {
        uid_t owner;
        const AppConfig *config;
} Added;

struct DependsCheck {
        const Manager *manager;
        GHashTable *left_out; /* of const Process */
        GArray *added;        /* of Added */
        DependencyGraph *graph;
        uid_t graph_owner;
};

DependsCheck *depends_check_new(const Manager *manager) {
        DependsCheck *check = g_new0(DependsCheck, 1);

        check->manager = manager;
        check->left_out = g_hash_table_new(NULL, NULL);
        check->added = g_array_new(FALSE, FALSE, sizeof(Added));
        return check;
}

void depends_check_free(DependsCheck *check) {
        if (check) {
                g_hash_table_unref(check->left_out);
                g_array_unref(check->added);
                dependency_graph_free(check->graph);
                g_free(check);
        }
}

void depends_check_leave_out(DependsCheck *check, const Process *process) {
        (void) g_hash_table_add(check->left_out, (void *) process);
}

void depends_check_add(DependsCheck *check, uid_t owner, const AppConfig *config) {
        Added added = { .owner = owner, .config = config };
        g_array_append_val(check->added, added);
}

static void make_graph(DependsCheck *check, uid_t owner) {
        const Registry *registry = check->manager->registry;

        dependency_graph_free(check->graph);
        check->graph = dependency_graph_new();
        check->graph_owner = owner;
        for (size_t i = 0; i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                if (process->owner == owner && !g_hash_table_contains(check->left_out, process)) {
                        dependency_graph_add(
                                        check->graph, process->config->name, process->config->depends_on);
                }
        }
        for (guint i = 0; i < check->added->len; i++) {
                const Added *added = &g_array_index(check->added, Added, i);
                if (added->owner == owner && added->config->name) {
                        dependency_graph_add(check->graph, added->config->name, added->config->depends_on);
                }
        }
}

static int refuse_missing(const char *name, Error *error) {
        g_autofree char *quoted = error_quote(name);

        return error_set(error, ERROR_INVALID_CONFIG, "depends_on: there is no app named %s", quoted);
}

/* One that a person has stopped is a person's to start. */
static int check_held(const DependsCheck *check, uid_t owner, const AppConfig *config, Error *error) {
        const Registry *registry = check->manager->registry;

        for (size_t i = 0; i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                const char *name = process->config->name;
                if (process->owner == owner && process->state == PROCESS_STOPPED && process->held &&
                    g_queue_is_empty(&process->handle->commands) &&
                    !g_hash_table_contains(check->left_out, process) &&
                    dependencies_find(config->depends_on, name)) {
                        return error_set(
                                        error,
                                        ERROR_NOT_ONLINE,
                                        "depends_on: process %" PRIu32
                                        " '%s' was stopped by hand: start it first",
                                        process->id,
                                        name);
                }
        }
        return 0;
}

int depends_check(DependsCheck *check, uid_t owner, const AppConfig *config, bool starts, Error *error) {
        const GArray *dependencies = config->depends_on;

        if (!dependencies) {
                return 0; /* whatever depends on it, there is no way on from here */
        }
        if (!check->graph || check->graph_owner != owner) {
                make_graph(check, owner);
        }
        int r = dependency_graph_check(check->graph, config->name, error);
        for (size_t i = 0; r >= 0 && i < dependencies_count(dependencies); i++) {
                const char *name = dependencies_at(dependencies, i)->name;
                if (!dependency_graph_has(check->graph, name)) {
                        r = refuse_missing(name, error);
                }
        }
        return r >= 0 && starts ? check_held(check, owner, config, error) : r;
}

int depends_check_circle(const Manager *manager, const Process *process, Error *error) {
        g_autoptr(DependsCheck) check = depends_check_new(manager);

        make_graph(check, process->owner);
        return dependency_graph_check(check->graph, process->config->name, error);
}

int depends_check_new_app(const Manager *manager, uid_t owner, const AppConfig *config, Error *error) {
        g_autoptr(DependsCheck) check = NULL;

        if (!config->depends_on) {
                return 0;
        }
        check = depends_check_new(manager);
        depends_check_add(check, owner, config);
        make_graph(check, owner);
        return dependency_graph_check(check->graph, config->name, error);
}
