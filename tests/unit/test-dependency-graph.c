/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Circles and orders, by hand and over graphs at random: a circle that is told is one, and where none is
 * told everything has its place behind what it depends on. */

#include "core/dependency-graph.h"

#include <string.h>

enum {
        NODES_MAX = 12,
        GRAPHS = 4000,
        CHAIN = 50000,
};

static GArray *dependencies_of(const char *names) {
        g_autoptr(Value) value = value_new_string(names);
        GArray *dependencies = NULL;

        g_assert_cmpint(dependencies_from_value("depends_on", value, &dependencies, NULL), ==, 0);
        return dependencies;
}

static void add(DependencyGraph *graph, const char *name, const char *names) {
        GArray *dependencies = dependencies_of(names);

        dependency_graph_add(graph, name, dependencies);
        g_clear_pointer(&dependencies, g_array_unref);
}

static char *order_of(DependencyGraph *graph) {
        g_autoptr(GPtrArray) order = dependency_graph_sort(graph);

        g_ptr_array_add(order, NULL);
        return g_strjoinv(" ", (char **) order->pdata);
}

static void test_order(void) {
        g_autoptr(DependencyGraph) graph = dependency_graph_new();

        add(graph, "web", "api cache");
        add(graph, "api", "db");
        add(graph, "other", "");
        add(graph, "db", "");
        add(graph, "cache", "db elsewhere");
        g_autofree char *order = order_of(graph);
        g_assert_cmpstr(order, ==, "db api cache web other");
        g_assert_true(dependency_graph_has(graph, "db"));
        g_assert_false(dependency_graph_has(graph, "elsewhere"));
        g_assert_cmpint(dependency_graph_check(graph, NULL, NULL), ==, 0);
        g_assert_cmpint(dependency_graph_check(graph, "nobody", NULL), ==, 0);
}

static void check_circle(DependencyGraph *graph, const char *from, const char *path) {
        g_auto(Error) error = { 0 };

        g_assert_cmpint(dependency_graph_check(graph, from, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        g_autofree char *expected = g_strdup_printf("depends_on: goes in a circle: %s", path);
        g_assert_cmpstr(error.message, ==, expected);
}

static void test_circles(void) {
        g_autoptr(DependencyGraph) graph = dependency_graph_new();

        add(graph, "self", "self");
        check_circle(graph, "self", "self -> self");
        add(graph, "a", "x b");
        add(graph, "b", "c");
        add(graph, "c", "a");
        check_circle(graph, "a", "a -> b -> c -> a");
        check_circle(graph, "c", "c -> a -> b -> c");
        add(graph, "before", "b");
        check_circle(graph, "before", "b -> c -> a -> b");
        add(graph, "free", "x");
        g_assert_cmpint(dependency_graph_check(graph, "free", NULL), ==, 0);
        g_assert_cmpint(dependency_graph_check(graph, NULL, NULL), <, 0);
        g_autoptr(GPtrArray) order = dependency_graph_sort(graph);
        g_assert_cmpuint(order->len, ==, 6); /* nobody is left out */
}

static void test_processes_of_one_name(void) {
        g_autoptr(DependencyGraph) graph = dependency_graph_new();

        add(graph, "a", "");
        add(graph, "a", "b");
        add(graph, "b", "a");
        check_circle(graph, "b", "b -> a -> b");
}

/* As deep as there are processes: nothing recurses; the message stays short. */
static void test_depth(void) {
        g_autoptr(DependencyGraph) graph = dependency_graph_new();

        for (int i = 0; i < CHAIN; i++) {
                g_autofree char *name = g_strdup_printf("n%d", i), *next = g_strdup_printf("n%d", i + 1);
                add(graph, name, next);
        }
        g_assert_cmpint(dependency_graph_check(graph, "n0", NULL), ==, 0);
        g_autofree char *last = g_strdup_printf("n%d", CHAIN);
        add(graph, last, "n0");
        g_auto(Error) error = { 0 };
        g_assert_cmpint(dependency_graph_check(graph, "n0", &error), <, 0);
        g_assert_true(g_str_has_suffix(error.message, " -> n31 -> ... -> n0"));
        g_autoptr(GPtrArray) order = dependency_graph_sort(graph);
        g_assert_cmpuint(order->len, ==, CHAIN + 1);
}

typedef struct Model {
        guint count;
        bool edge[NODES_MAX][NODES_MAX];
        bool reach[NODES_MAX][NODES_MAX];
} Model;

static Model random_model(GRand *random) {
        Model model = { .count = (guint) g_rand_int_range(random, 1, NODES_MAX + 1) };
        double density = g_rand_double_range(random, 0, 0.3);

        for (guint i = 0; i < model.count; i++) {
                for (guint k = 0; k < model.count; k++) {
                        model.edge[i][k] = model.reach[i][k] = g_rand_double(random) < density;
                }
        }
        for (guint via = 0; via < model.count; via++) {
                for (guint i = 0; i < model.count; i++) {
                        for (guint k = 0; k < model.count; k++) {
                                model.reach[i][k] |= model.reach[i][via] && model.reach[via][k];
                        }
                }
        }
        return model;
}

static DependencyGraph *graph_of(const Model *model) {
        DependencyGraph *graph = dependency_graph_new();

        for (guint i = 0; i < model->count; i++) {
                const char name[] = { (char) ('a' + i), '\0' };
                g_autoptr(GString) names = g_string_new(NULL);
                for (guint k = 0; k < model->count; k++) {
                        if (model->edge[i][k]) {
                                g_string_append_printf(names, "%c ", (char) ('a' + k));
                        }
                }
                add(graph, name, names->str);
        }
        return graph;
}

/* Every step of the path is an edge, and it comes back to its beginning. */
static void check_path(const Model *model, const char *message) {
        const char *colon = strrchr(message, ':');
        g_auto(GStrv) names = g_strsplit(colon + 2, " -> ", -1);
        guint length = g_strv_length(names);

        g_assert_cmpuint(length, >=, 2);
        g_assert_cmpstr(names[0], ==, names[length - 1]);
        for (guint i = 0; i + 1 < length; i++) {
                g_assert_true(model->edge[names[i][0] - 'a'][names[i + 1][0] - 'a']);
        }
}

static void check_order(const Model *model, DependencyGraph *graph) {
        g_autoptr(GPtrArray) order = dependency_graph_sort(graph);
        bool seen[NODES_MAX] = { false };

        g_assert_cmpuint(order->len, ==, model->count);
        for (guint i = 0; i < order->len; i++) {
                int node = *(const char *) order->pdata[i] - 'a';
                for (guint k = 0; k < model->count; k++) {
                        g_assert_true(!model->edge[node][k] || seen[k]);
                }
                g_assert_false(seen[node]);
                seen[node] = true;
        }
}

static void test_at_random(void) {
        g_autoptr(GRand) random = g_rand_new_with_seed(11);
        unsigned circles = 0;

        for (int i = 0; i < GRAPHS; i++) {
                Model model = random_model(random);
                g_autoptr(DependencyGraph) graph = graph_of(&model);
                bool any = false;
                for (guint node = 0; node < model.count; node++) {
                        const char name[] = { (char) ('a' + node), '\0' };
                        g_auto(Error) error = { 0 };
                        bool expected = false;
                        for (guint k = 0; k < model.count; k++) {
                                bool reached = k == node || model.reach[node][k];
                                expected = expected || (reached && model.reach[k][k]);
                        }
                        g_assert_true((dependency_graph_check(graph, name, &error) < 0) == expected);
                        if (expected) {
                                check_path(&model, error.message);
                        }
                        any = any || expected;
                }
                g_assert_true((dependency_graph_check(graph, NULL, NULL) < 0) == any);
                if (!any) {
                        check_order(&model, graph);
                }
                circles += any;
        }
        g_assert_cmpuint(circles, >, GRAPHS / 10);
        g_assert_cmpuint(circles, <, GRAPHS - GRAPHS / 10);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/dependency-graph/order", test_order);
        g_test_add_func("/core/dependency-graph/circles", test_circles);
        g_test_add_func("/core/dependency-graph/processes-of-one-name", test_processes_of_one_name);
        g_test_add_func("/core/dependency-graph/depth", test_depth);
        g_test_add_func("/core/dependency-graph/at-random", test_at_random);
        return g_test_run();
}
