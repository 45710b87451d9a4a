/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/process-state.h"

#include "basic/macro.h"

#include <assert.h>

#define GO(state, act)                                                                                      \
        { .valid = true, .next = PROCESS_##state, .actions = (act) }

/* What follows when nothing is left is the same in every live state. */
#define GONE_ROWS                                                                                           \
        [INPUT_GONE_STOPPED] = GO(STOPPED, ACTION_DISARM_TIMER),                                            \
        [INPUT_GONE_ERRORED] = GO(ERRORED, ACTION_DISARM_TIMER),                                            \
        [INPUT_GONE_DELAY] = GO(WAITING_RESTART, ACTION_DISARM_TIMER | ACTION_ARM_RESTART_TIMER),           \
        [INPUT_GONE_AGAIN] = GO(PLACING, ACTION_SPAWN | ACTION_ARM_LAUNCH_TIMER),                           \
        [INPUT_GONE_PREPARE] = GO(PREPARING, ACTION_SPAWN | ACTION_ARM_HOOK_TIMER),                         \
        [INPUT_GONE_AWAIT] = GO(AWAITING, ACTION_DISARM_TIMER),                                             \
        [INPUT_GONE_FINISH] = GO(FINISHING, ACTION_SPAWN | ACTION_ARM_HOOK_TIMER)

/* A hook is launched, runs and ends in one state. What it leaves behind is ended before anything goes on. */
#define HOOK_ROWS(self)                                                                                     \
        [INPUT_PLACED] = GO(self, ACTION_OPEN_GATE), [INPUT_EXECUTED] = GO(self, 0),                        \
        [INPUT_LAUNCH_FAILED] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),                           \
        [INPUT_EXITED] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),                               \
        [INPUT_TIMEOUT] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER)

static const Transition transitions[_PROCESS_STATE_MAX][_PROCESS_INPUT_MAX] = {
        [PROCESS_STOPPED] = {
                [INPUT_START] = GO(PLACING, ACTION_SPAWN | ACTION_ARM_LAUNCH_TIMER),
                [INPUT_PREPARE] = GO(PREPARING, ACTION_SPAWN | ACTION_ARM_HOOK_TIMER),
                [INPUT_AWAIT] = GO(AWAITING, 0),
        },
        [PROCESS_ERRORED] = {
                [INPUT_START] = GO(PLACING, ACTION_SPAWN | ACTION_ARM_LAUNCH_TIMER),
                [INPUT_PREPARE] = GO(PREPARING, ACTION_SPAWN | ACTION_ARM_HOOK_TIMER),
                [INPUT_AWAIT] = GO(AWAITING, 0),
                [INPUT_STOP] = GO(STOPPED, 0),
        },
        [PROCESS_WAITING_RESTART] = {
                [INPUT_START] = GO(PLACING, ACTION_SPAWN | ACTION_ARM_LAUNCH_TIMER),
                [INPUT_PREPARE] = GO(PREPARING, ACTION_SPAWN | ACTION_ARM_HOOK_TIMER),
                [INPUT_AWAIT] = GO(AWAITING, ACTION_DISARM_TIMER),
                [INPUT_STOP] = GO(STOPPED, ACTION_DISARM_TIMER),
        },
        [PROCESS_AWAITING] = {
                [INPUT_START] = GO(PLACING, ACTION_SPAWN | ACTION_ARM_LAUNCH_TIMER),
                [INPUT_PREPARE] = GO(PREPARING, ACTION_SPAWN | ACTION_ARM_HOOK_TIMER),
                [INPUT_AWAIT] = GO(AWAITING, 0),
                [INPUT_LAUNCH_FAILED] = GO(ERRORED, 0),
                [INPUT_STOP] = GO(STOPPED, 0),
        },
        [PROCESS_PLACING] = {
                [INPUT_PLACED] = GO(EXECUTING, ACTION_OPEN_GATE | ACTION_ARM_LAUNCH_TIMER),
                [INPUT_LAUNCH_FAILED] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                [INPUT_TIMEOUT] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                /* Nothing of the app has run yet: there is nobody to ask. */
                [INPUT_STOP] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_EXECUTING] = {
                [INPUT_EXECUTED] = GO(ONLINE, ACTION_DISARM_TIMER),
                [INPUT_RUNNING] = GO(STARTING, ACTION_ARM_READY_TIMER),
                [INPUT_LAUNCH_FAILED] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                [INPUT_TIMEOUT] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                [INPUT_STOP] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_STARTING] = {
                [INPUT_READY] = GO(ONLINE, ACTION_DISARM_TIMER),
                [INPUT_TIMEOUT] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                [INPUT_STOP] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                [INPUT_EXITED] = GO(CLEANING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_ONLINE] = {
                [INPUT_HUNG] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                [INPUT_RETIRE] = GO(DRAINING, ACTION_DRAIN | ACTION_ARM_DRAIN_TIMER),
                [INPUT_STOP] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                [INPUT_EXITED] = GO(CLEANING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_DRAINING] = {
                [INPUT_STOP] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                [INPUT_TIMEOUT] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                [INPUT_EXITED] = GO(CLEANING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_STOPPING] = {
                [INPUT_STOP] = GO(STOPPING, 0),
                [INPUT_EXITED] = GO(STOPPING, 0),
                [INPUT_TIMEOUT] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_CLEANING] = {
                [INPUT_STOP] = GO(STOPPING, 0),
                [INPUT_TIMEOUT] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_KILLING] = {
                [INPUT_STOP] = GO(KILLING, 0),
                [INPUT_EXITED] = GO(KILLING, 0),
                /* Still there, as in an uninterruptible sleep: again, and never call it stopped before. */
                [INPUT_TIMEOUT] = GO(KILLING, ACTION_KILL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_PREPARING] = {
                HOOK_ROWS(PREPARING),
                [INPUT_STOP] = GO(STOPPING, ACTION_SIGNAL | ACTION_ARM_KILL_TIMER),
                GONE_ROWS,
        },
        [PROCESS_FINISHING] = {
                HOOK_ROWS(FINISHING),
                [INPUT_STOP] = GO(FINISHING, 0), /* it is the end of a stop */
                GONE_ROWS,
        },
};

const Transition *process_transition(ProcessState state, ProcessInput input) {
        return &transitions[state][input];
}

bool process_state_is_hook(ProcessState state) {
        return state == PROCESS_PREPARING || state == PROCESS_FINISHING;
}

bool process_state_is_alive(ProcessState state) {
        return state >= PROCESS_PLACING && state < _PROCESS_STATE_MAX && state != PROCESS_AWAITING;
}

bool process_state_is_running(ProcessState state) {
        return state == PROCESS_ONLINE || state == PROCESS_STARTING;
}

const char *process_state_to_status(ProcessState state) {
        static const char *const statuses[] = {
                [PROCESS_STOPPED] = "stopped",
                [PROCESS_ERRORED] = "errored",
                [PROCESS_WAITING_RESTART] = "waiting-restart",
                [PROCESS_PLACING] = "launching",
                [PROCESS_EXECUTING] = "launching",
                [PROCESS_ONLINE] = "online",
                [PROCESS_STOPPING] = "stopping",
                [PROCESS_CLEANING] = "stopping",
                [PROCESS_KILLING] = "stopping",
                [PROCESS_PREPARING] = "launching",
                [PROCESS_FINISHING] = "stopping",
                [PROCESS_STARTING] = "launching",
                [PROCESS_DRAINING] = "stopping",
                [PROCESS_AWAITING] = "launching",
        };
        static_assert(ELEMENTS(statuses) == _PROCESS_STATE_MAX, "a status for every state");
        return statuses[state];
}

const char *process_state_to_name(ProcessState state) {
        static const char *const names[] = {
                [PROCESS_STOPPED] = "stopped",     [PROCESS_ERRORED] = "errored",
                [PROCESS_PLACING] = "placing",     [PROCESS_WAITING_RESTART] = "waiting-restart",
                [PROCESS_EXECUTING] = "executing", [PROCESS_ONLINE] = "online",
                [PROCESS_STOPPING] = "stopping",   [PROCESS_CLEANING] = "cleaning",
                [PROCESS_KILLING] = "killing",     [PROCESS_PREPARING] = "preparing",
                [PROCESS_FINISHING] = "finishing", [PROCESS_STARTING] = "starting",
                [PROCESS_DRAINING] = "draining",   [PROCESS_AWAITING] = "awaiting",
        };
        static_assert(ELEMENTS(names) == _PROCESS_STATE_MAX, "a name for every state");
        return names[state];
}

const char *process_input_to_name(ProcessInput input) {
        static const char *const names[] = {
                [INPUT_START] = "start",
                [INPUT_PREPARE] = "prepare",
                [INPUT_AWAIT] = "await",
                [INPUT_STOP] = "stop",
                [INPUT_PLACED] = "placed",
                [INPUT_EXECUTED] = "executed",
                [INPUT_RUNNING] = "running",
                [INPUT_READY] = "ready",
                [INPUT_LAUNCH_FAILED] = "launch-failed",
                [INPUT_EXITED] = "exited",
                [INPUT_HUNG] = "hung",
                [INPUT_RETIRE] = "retire",
                [INPUT_TIMEOUT] = "timeout",
                [INPUT_GONE_STOPPED] = "gone-stopped",
                [INPUT_GONE_ERRORED] = "gone-errored",
                [INPUT_GONE_DELAY] = "gone-delay",
                [INPUT_GONE_AGAIN] = "gone-again",
                [INPUT_GONE_PREPARE] = "gone-prepare",
                [INPUT_GONE_AWAIT] = "gone-await",
                [INPUT_GONE_FINISH] = "gone-finish",
        };
        static_assert(ELEMENTS(names) == _PROCESS_INPUT_MAX, "a name for every input");
        return names[input];
}
