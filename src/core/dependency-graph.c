/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/dependency-graph.h"

#include <string.h>

enum {
        PATH_NAMES_MAX = 32, /* in a message */
};

typedef enum Mark {
        MARK_NEW,
        MARK_ON_PATH, /* it is being looked at, and what it depends on is not done */
        MARK_DONE,    /* nothing from here on comes back */
} Mark;

typedef struct Node {
        char *name;
        bool added;       /* else others name it only */
        GPtrArray *edges; /* of Node: what it depends on */
        Mark mark;
        guint next; /* edge to be followed, on the path */
} Node;

struct DependencyGraph {
        GHashTable *by_name; /* borrowed name -> Node */
        GPtrArray *nodes;    /* of Node, in the order of their names' coming */
        GPtrArray *added;    /* those that were added, in that order; borrowed */
};

static void free_node(void *item) {
        Node *node = item;

        g_ptr_array_unref(node->edges);
        g_free(node->name);
        g_free(node);
}

DependencyGraph *dependency_graph_new(void) {
        DependencyGraph *graph = g_new0(DependencyGraph, 1);

        graph->by_name = g_hash_table_new(g_str_hash, g_str_equal);
        graph->nodes = g_ptr_array_new_with_free_func(free_node);
        graph->added = g_ptr_array_new();
        return graph;
}

void dependency_graph_free(DependencyGraph *graph) {
        if (graph) {
                g_hash_table_unref(graph->by_name);
                g_ptr_array_unref(graph->added);
                g_ptr_array_unref(graph->nodes);
                g_free(graph);
        }
}

static Node *take_node(DependencyGraph *graph, const char *name) {
        Node *node = g_hash_table_lookup(graph->by_name, name);

        if (!node) {
                node = g_new0(Node, 1);
                node->name = g_strdup(name);
                node->edges = g_ptr_array_new();
                g_ptr_array_add(graph->nodes, node);
                (void) g_hash_table_insert(graph->by_name, node->name, node);
        }
        return node;
}

void dependency_graph_add(DependencyGraph *graph, const char *name, const GArray *dependencies) {
        Node *node = take_node(graph, name);

        if (!node->added) {
                node->added = true;
                g_ptr_array_add(graph->added, node);
        }
        for (size_t i = 0; i < dependencies_count(dependencies); i++) {
                Node *other = take_node(graph, dependencies_at(dependencies, i)->name);
                if (!g_ptr_array_find(node->edges, other, NULL)) {
                        g_ptr_array_add(node->edges, other);
                }
        }
}

bool dependency_graph_has(const DependencyGraph *graph, const char *name) {
        const Node *node = g_hash_table_lookup(graph->by_name, name);
        return node && node->added;
}

static void forget_marks(DependencyGraph *graph) {
        for (guint i = 0; i < graph->nodes->len; i++) {
                Node *node = graph->nodes->pdata[i];
                node->mark = MARK_NEW;
                node->next = 0;
        }
}

static int refuse_cycle(const GPtrArray *path, const Node *closing, Error *error) {
        g_autoptr(GString) text = g_string_new(NULL);
        guint first = 0;

        while (path->pdata[first] != closing) {
                first++;
        }
        for (guint i = first; i < path->len && i - first < PATH_NAMES_MAX; i++) {
                g_string_append_printf(text, "%s -> ", ((const Node *) path->pdata[i])->name);
        }
        if (path->len - first > PATH_NAMES_MAX) {
                g_string_append(text, "... -> ");
        }
        g_string_append(text, closing->name);
        return error_set(error, ERROR_INVALID_CONFIG, "depends_on: goes in a circle: %s", text->str);
}

/* Depth first. Those that are done go to the list, if there is one. A circle is refused if there is an error
 * to tell it by, else its last step is not taken. */
static int walk(Node *from, GPtrArray *done, bool refuse, Error *error) {
        g_autoptr(GPtrArray) path = g_ptr_array_new();

        if (from->mark != MARK_NEW) {
                return 0;
        }
        from->mark = MARK_ON_PATH;
        g_ptr_array_add(path, from);
        while (path->len > 0) {
                Node *node = path->pdata[path->len - 1];
                if (node->next == node->edges->len) {
                        node->mark = MARK_DONE;
                        g_ptr_array_set_size(path, (gint) path->len - 1);
                        if (done && node->added) {
                                g_ptr_array_add(done, node->name);
                        }
                        continue;
                }
                Node *other = node->edges->pdata[node->next++];
                if (other->mark == MARK_ON_PATH && refuse) {
                        return refuse_cycle(path, other, error);
                }
                if (other->mark == MARK_NEW) {
                        other->mark = MARK_ON_PATH;
                        g_ptr_array_add(path, other);
                }
        }
        return 0;
}

int dependency_graph_check(DependencyGraph *graph, const char *name, Error *error) {
        Node *node = name ? g_hash_table_lookup(graph->by_name, name) : NULL;
        int r = 0;

        forget_marks(graph);
        if (name) {
                return node ? walk(node, NULL, true, error) : 0;
        }
        for (guint i = 0; r >= 0 && i < graph->added->len; i++) {
                r = walk(graph->added->pdata[i], NULL, true, error);
        }
        return r;
}

GPtrArray *dependency_graph_sort(DependencyGraph *graph) {
        GPtrArray *order = g_ptr_array_new();

        forget_marks(graph);
        for (guint i = 0; i < graph->added->len; i++) {
                (void) walk(graph->added->pdata[i], order, false, NULL);
        }
        return order;
}
