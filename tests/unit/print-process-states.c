/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Prints the graph of docs/process-states.dot from the transition table:
 *   print-process-states                 print it
 *   print-process-states --check FILE    compare it with a file; exit status 1 if that is another */

#include "core/process-state.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        ProcessAction action;
        const char *name;
} actions[] = {
        { ACTION_SPAWN, "spawn" },
        { ACTION_OPEN_GATE, "open gate" },
        { ACTION_SIGNAL, "signal" },
        { ACTION_KILL, "kill" },
        { ACTION_ARM_KILL_TIMER, "arm kill timer" },
        { ACTION_ARM_RESTART_TIMER, "arm restart timer" },
        { ACTION_ARM_LAUNCH_TIMER, "arm launch timer" },
        { ACTION_ARM_HOOK_TIMER, "arm hook timer" },
        { ACTION_ARM_READY_TIMER, "arm ready timer" },
        { ACTION_DRAIN, "drain" },
        { ACTION_ARM_DRAIN_TIMER, "arm drain timer" },
        { ACTION_DISARM_TIMER, "disarm timer" },
};

static void append_edge(
                GString *graph, ProcessState state, ProcessInput input, const Transition *transition) {
        const char *separator = "\\n";

        g_string_append_printf(
                        graph,
                        "        \"%s\" -> \"%s\" [label=\"%s",
                        process_state_to_name(state),
                        process_state_to_name(transition->next),
                        process_input_to_name(input));
        for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
                if (transition->actions & actions[i].action) {
                        g_string_append_printf(graph, "%s%s", separator, actions[i].name);
                        separator = ", ";
                }
        }
        g_string_append(graph, "\"];\n");
}

static char *make_graph(void) {
        GString *graph = g_string_new("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
                                      "/* The life of a process. Made by tests/unit/print-process-states.c "
                                      "from the table in\n"
                                      " * src/core/process-state.c; a test compares them. */\n"
                                      "digraph \"process states\" {\n"
                                      "        node [shape=box, style=rounded];\n");

        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                g_string_append_printf(
                                graph,
                                "        \"%s\" [label=\"%s\\n%s\"];\n",
                                process_state_to_name((ProcessState) state),
                                process_state_to_name((ProcessState) state),
                                process_state_to_status((ProcessState) state));
        }
        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                for (int input = 0; input < _PROCESS_INPUT_MAX; input++) {
                        const Transition *transition =
                                        process_transition((ProcessState) state, (ProcessInput) input);
                        if (transition->valid) {
                                append_edge(graph, (ProcessState) state, (ProcessInput) input, transition);
                        }
                }
        }
        g_string_append(graph, "}\n");
        return g_string_free(graph, FALSE);
}

int main(int argc, char **argv) {
        g_autofree char *graph = make_graph();

        if (argc == 1) {
                return fputs(graph, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        if (argc != 3 || strcmp(argv[1], "--check") != 0) {
                (void) fprintf(stderr, "usage: print-process-states [--check FILE]\n");
                return EXIT_FAILURE;
        }
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;
        if (!g_file_get_contents(argv[2], &text, NULL, &error)) {
                (void) fprintf(stderr, "%s\n", error->message);
                return EXIT_FAILURE;
        }
        if (strcmp(text, graph) != 0) {
                (void) fprintf(stderr,
                               "%s is not what the transition table says: write it anew with %s > %s\n",
                               argv[2],
                               argv[0],
                               argv[2]);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
