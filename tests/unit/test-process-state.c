/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The transition table, all of it: every pair of state and input, and everything that can be reached. */

#include "core/process-state.h"

#include <glib.h>
#include <string.h>

enum {
        ARMS = ACTION_ARM_KILL_TIMER | ACTION_ARM_RESTART_TIMER | ACTION_ARM_LAUNCH_TIMER |
               ACTION_ARM_HOOK_TIMER | ACTION_ARM_READY_TIMER | ACTION_ARM_DRAIN_TIMER,
        ALL_ACTIONS = ACTION_SPAWN | ACTION_OPEN_GATE | ACTION_SIGNAL | ACTION_DRAIN | ACTION_KILL | ARMS |
                      ACTION_DISARM_TIMER,
};

#define FOREACH_PAIR(state, input)                                                                          \
        for (int state = 0; (state) < _PROCESS_STATE_MAX; (state)++)                                        \
                for (int input = 0; (input) < _PROCESS_INPUT_MAX; (input)++)

static const Transition *row(int state, int input) {
        return process_transition((ProcessState) state, (ProcessInput) input);
}

static bool is_gone_input(int input) {
        return input >= INPUT_GONE_STOPPED && input <= INPUT_GONE_FINISH;
}

/* States in which something is waited for that may never come by itself. One that awaits others has their
 * timers. */
static bool is_waiting(int state) {
        return state != PROCESS_STOPPED && state != PROCESS_ERRORED && state != PROCESS_ONLINE &&
               state != PROCESS_AWAITING;
}

/* States in which a child is made and waits at its gate. */
static bool is_launching(int state) {
        return state == PROCESS_PLACING || process_state_is_hook((ProcessState) state);
}

static void test_names(void) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                g_assert_true(g_hash_table_add(seen, (char *) process_state_to_name((ProcessState) state)));
        }
        g_hash_table_remove_all(seen);
        for (int input = 0; input < _PROCESS_INPUT_MAX; input++) {
                g_assert_true(g_hash_table_add(seen, (char *) process_input_to_name((ProcessInput) input)));
        }
}

/* The statuses are exactly these six. */
static void test_statuses(void) {
        static const char *const statuses[] = {
                "launching", "online", "stopping", "stopped", "errored", "waiting-restart",
        };
        bool used[G_N_ELEMENTS(statuses)] = { false };

        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                const char *status = process_state_to_status((ProcessState) state);
                size_t i = 0;
                while (i < G_N_ELEMENTS(statuses) && strcmp(statuses[i], status) != 0) {
                        i++;
                }
                g_assert_cmpuint(i, <, G_N_ELEMENTS(statuses));
                used[i] = true;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++) {
                g_assert_true(used[i]);
        }
}

static void test_alive(void) {
        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                const char *status = process_state_to_status((ProcessState) state);
                bool alive = strcmp(status, "stopped") != 0 && strcmp(status, "errored") != 0 &&
                             strcmp(status, "waiting-restart") != 0 && state != PROCESS_AWAITING;
                g_assert_true(process_state_is_alive((ProcessState) state) == alive);
                bool running = state == PROCESS_STARTING || state == PROCESS_ONLINE;
                g_assert_true(process_state_is_running((ProcessState) state) == running);
        }
        g_assert_false(process_state_is_alive(_PROCESS_STATE_MAX));
}

/* What each pair does, as far as it can be told from the pair alone. */
static void test_every_pair(void) {
        FOREACH_PAIR(state, input) {
                const Transition *t = row(state, input);
                bool alive = process_state_is_alive((ProcessState) state);
                g_test_message("%s + %s",
                               process_state_to_name((ProcessState) state),
                               process_input_to_name((ProcessInput) input));
                if (!t->valid) {
                        g_assert_cmpuint(t->actions, ==, 0);
                        continue;
                }
                bool next_alive = process_state_is_alive(t->next);
                g_assert_cmpint(t->next, <, _PROCESS_STATE_MAX);
                g_assert_cmpuint(t->actions & ~(unsigned) ALL_ACTIONS, ==, 0);
                /* A child is made when there is none, or when the last has just gone. */
                if (t->actions & ACTION_SPAWN) {
                        g_assert_true(!alive || is_gone_input(input));
                        g_assert_true(is_launching(t->next));
                }
                g_assert_true(!is_launching(t->next) || (int) t->next == state || t->actions & ACTION_SPAWN);
                /* Nothing is forgotten alive: only when all has gone is it over. */
                g_assert_true(!alive || next_alive || is_gone_input(input));
                g_assert_true(!is_gone_input(input) || alive);
                g_assert_true(alive || !next_alive || t->actions & ACTION_SPAWN);
                /* The gate opens once, for a child that is in its place. */
                g_assert_true(!(t->actions & ACTION_OPEN_GATE) ==
                              !(is_launching(state) && input == INPUT_PLACED));
                /* Signals go to what is alive, and there is a time when patience ends. */
                if (t->actions & (ACTION_SIGNAL | ACTION_KILL)) {
                        g_assert_true(alive);
                        g_assert_true(t->actions & ACTION_ARM_KILL_TIMER);
                }
                g_assert_true(!(t->actions & ACTION_KILL) || t->next == PROCESS_KILLING);
                g_assert_true(!(t->actions & ACTION_DRAIN) == !(t->next == PROCESS_DRAINING));
                g_assert_true(!(t->actions & ACTION_DRAIN) == !(t->actions & ACTION_ARM_DRAIN_TIMER));
                /* One timer: it is armed once or disarmed. */
                unsigned arms = t->actions & ARMS;
                g_assert_true((arms & (arms - 1)) == 0);
                g_assert_true(!(t->actions & ACTION_ARM_KILL_TIMER) || !(t->actions & ACTION_DISARM_TIMER));
        }
}

/* Entering a waiting state arms a timer; staying in it keeps the one there is. */
static void test_waiting_states_have_a_timer(void) {
        FOREACH_PAIR(state, input) {
                const Transition *t = row(state, input);
                if (!t->valid || !is_waiting(t->next)) {
                        continue;
                }
                bool keeps = is_waiting(state) && state != PROCESS_WAITING_RESTART &&
                             !(t->actions & ACTION_DISARM_TIMER);
                g_test_message("%s + %s",
                               process_state_to_name((ProcessState) state),
                               process_input_to_name((ProcessInput) input));
                g_assert_true(t->actions & ARMS || keeps);
        }
}

/* A Stop is understood wherever it makes sense, and a timer that may be armed is answered. */
static void test_always_answered(void) {
        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                g_assert_true(row(state, INPUT_STOP)->valid == (state != PROCESS_STOPPED));
                bool timed = is_waiting(state) && state != PROCESS_WAITING_RESTART;
                g_assert_true(row(state, INPUT_TIMEOUT)->valid == timed);
                bool alive = process_state_is_alive((ProcessState) state);
                for (int input = INPUT_GONE_STOPPED; input <= INPUT_GONE_FINISH; input++) {
                        g_assert_true(row(state, input)->valid == alive);
                }
                g_assert_true(row(state, INPUT_START)->valid == !alive);
                g_assert_true(row(state, INPUT_PREPARE)->valid == !alive);
        }
}

typedef struct Node {
        int state;
        bool armed;
} Node;

static size_t node_index(Node node) {
        return (size_t) node.state * 2 + node.armed;
}

/* All that can be reached from a new process, with the timer beside: never waiting without it. */
static void test_reachable(void) {
        bool seen[_PROCESS_STATE_MAX * 2] = { false }, entered[_PROCESS_STATE_MAX] = { false };
        Node queue[_PROCESS_STATE_MAX * 2] = { { PROCESS_STOPPED, false } };
        size_t head = 0, tail = 1;

        seen[node_index(queue[0])] = true;
        while (head < tail) {
                Node node = queue[head++];
                entered[node.state] = true;
                g_test_message("%s, timer %s",
                               process_state_to_name((ProcessState) node.state),
                               node.armed ? "armed" : "off");
                g_assert_true(node.armed == is_waiting(node.state));
                for (int input = 0; input < _PROCESS_INPUT_MAX; input++) {
                        const Transition *t = row(node.state, input);
                        if (!t->valid) {
                                continue;
                        }
                        Node next = { t->next, node.armed && !(t->actions & ACTION_DISARM_TIMER) };
                        if (input == INPUT_TIMEOUT || (node.state == PROCESS_WAITING_RESTART &&
                                                       (input == INPUT_START || input == INPUT_PREPARE))) {
                                next.armed = false; /* it has run out */
                        }
                        next.armed = next.armed || t->actions & ARMS;
                        if (!seen[node_index(next)]) {
                                seen[node_index(next)] = true;
                                queue[tail++] = next;
                        }
                }
        }
        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                g_assert_true(entered[state]);
        }
}

/* From every state a short path leads to stopped, on inputs that come for sure: the command, the timer, and
 * that nothing is left. */
static void test_stop_is_reached(void) {
        int distance[_PROCESS_STATE_MAX];
        static const int sure[] = { INPUT_STOP, INPUT_TIMEOUT, INPUT_GONE_STOPPED };

        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                distance[state] = state == PROCESS_STOPPED ? 0 : _PROCESS_STATE_MAX;
        }
        for (int round = 0; round < _PROCESS_STATE_MAX; round++) {
                for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                        for (size_t i = 0; i < G_N_ELEMENTS(sure); i++) {
                                const Transition *t = row(state, sure[i]);
                                if (t->valid) {
                                        distance[state] = MIN(distance[state], distance[t->next] + 1);
                                }
                        }
                }
        }
        for (int state = 0; state < _PROCESS_STATE_MAX; state++) {
                g_assert_cmpint(distance[state], <=, 2);
        }
}

/* Once Stop was said, and until nothing is left, no input brings it back to launching or online. */
static void test_stop_is_final(void) {
        FOREACH_PAIR(state, input) {
                const Transition *t = row(state, input);
                bool ending = state == PROCESS_STOPPING || state == PROCESS_KILLING;
                if (t->valid && ending && !is_gone_input(input)) {
                        g_assert_true(t->next == PROCESS_STOPPING || t->next == PROCESS_KILLING);
                }
                if (t->valid && state == PROCESS_KILLING && !is_gone_input(input)) {
                        g_assert_cmpint(t->next, ==, PROCESS_KILLING);
                }
        }
}

/* Walks of any inputs that can come: at most one child, and it is there exactly in the states that say so;
 * the timer runs wherever something is waited for; what was stopped and is not started again ends as
 * stopped. */
static void test_random_walks(void) {
        GRand *random = g_rand_new_with_seed(5);

        for (int walk = 0; walk < 2000; walk++) {
                int state = PROCESS_STOPPED;
                bool child = false, armed = false, gate = false;
                for (int step = 0; step < 50; step++) {
                        int input = g_rand_int_range(random, 0, _PROCESS_INPUT_MAX);
                        const Transition *t = row(state, input);
                        if (!t->valid || (input == INPUT_PLACED && gate)) {
                                continue;
                        }
                        child = child && !is_gone_input(input);
                        gate = gate && child;
                        bool timed_out = input == INPUT_TIMEOUT || state == PROCESS_WAITING_RESTART;
                        armed = armed && !timed_out && !(t->actions & ACTION_DISARM_TIMER);
                        if (t->actions & ACTION_SPAWN) {
                                g_assert_false(child);
                                child = true;
                        }
                        if (t->actions & ACTION_OPEN_GATE) {
                                g_assert_true(child && !gate);
                                gate = true;
                        }
                        g_assert_true(child || !(t->actions & (ACTION_SIGNAL | ACTION_KILL)));
                        armed = armed || t->actions & ARMS;
                        state = (int) t->next;
                        g_assert_true(process_state_is_alive((ProcessState) state) == child);
                        g_assert_true(armed == is_waiting(state));
                        g_assert_true(state != PROCESS_ONLINE || gate);
                }
                /* From wherever it got to. */
                static const int end[] = { INPUT_STOP, INPUT_TIMEOUT, INPUT_TIMEOUT, INPUT_GONE_STOPPED };
                for (size_t i = 0; i < G_N_ELEMENTS(end); i++) {
                        const Transition *t = row(state, end[i]);
                        state = t->valid ? (int) t->next : state;
                }
                g_assert_cmpint(state, ==, PROCESS_STOPPED);
        }
        g_rand_free(random);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/process-state/names", test_names);
        g_test_add_func("/core/process-state/statuses", test_statuses);
        g_test_add_func("/core/process-state/alive", test_alive);
        g_test_add_func("/core/process-state/every-pair", test_every_pair);
        g_test_add_func("/core/process-state/waiting-states-have-a-timer", test_waiting_states_have_a_timer);
        g_test_add_func("/core/process-state/always-answered", test_always_answered);
        g_test_add_func("/core/process-state/reachable", test_reachable);
        g_test_add_func("/core/process-state/stop-is-reached", test_stop_is_reached);
        g_test_add_func("/core/process-state/stop-is-final", test_stop_is_final);
        g_test_add_func("/core/process-state/random-walks", test_random_walks);
        return g_test_run();
}
