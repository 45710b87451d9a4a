/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dependencies.h"

/* Which app depends on which, by name: whether anything goes in a circle, and an order to take them in. Of
 * any depth: nothing here recurses. */
typedef struct DependencyGraph DependencyGraph;

DependencyGraph *dependency_graph_new(void);
void dependency_graph_free(DependencyGraph *graph);

/* An app that is there, and what it depends on; of one that is added again (another of its processes) both
 * count. The dependencies are borrowed for the call. */
void dependency_graph_add(DependencyGraph *graph, const char *name, const GArray *dependencies);

/* Whether an app of this name was added. */
bool dependency_graph_has(const DependencyGraph *graph, const char *name);

/* InvalidConfig if what can be reached from this app, or from any (NULL), comes back to itself; the message
 * begins with "depends_on: " and has the path, "a -> b -> a". */
int dependency_graph_check(DependencyGraph *graph, const char *name, Error *error);

/* The names of all apps that were added, each behind those that it depends on; in the order in which they
 * were added where that leaves a choice. What goes in a circle stands somewhere. Borrowed names in a new
 * array. */
GPtrArray *dependency_graph_sort(DependencyGraph *graph);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DependencyGraph, dependency_graph_free)
