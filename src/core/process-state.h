/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* The life of a process as data. process_transition() is the only place that knows which state follows
 * which; the manager performs the actions that it returns. docs/process-states.dot is printed from here. */

typedef enum ProcessState {
        PROCESS_STOPPED,
        PROCESS_ERRORED,         /* gave up, or could not be launched */
        PROCESS_WAITING_RESTART, /* a delayed restart is due */
        PROCESS_PLACING,         /* the gated child is being put into its cgroup */
        PROCESS_EXECUTING,       /* the gate is open: files, user, execve() */
        PROCESS_ONLINE,
        PROCESS_STOPPING, /* was asked to end: kill signal sent */
        PROCESS_CLEANING, /* the main process ended by itself, descendants are being ended */
        PROCESS_KILLING,  /* SIGKILL sent to all, until nothing is left */
        /* A hook runs in a group of its own, from its gated child to its end. */
        PROCESS_PREPARING, /* pre_start */
        PROCESS_FINISHING, /* post_stop */
        PROCESS_STARTING,  /* it runs, and is to say that it is ready */
        PROCESS_DRAINING,  /* it takes nothing new, and ends when what it has is done */
        PROCESS_AWAITING,  /* nothing of it exists: its start waits for other apps, or for its turn */
        _PROCESS_STATE_MAX,
} ProcessState;

typedef enum ProcessInput {
        INPUT_START,         /* a command, or a delayed restart that is due */
        INPUT_PREPARE,       /* the same for an app with a pre_start */
        INPUT_AWAIT,         /* a command whose start has to wait */
        INPUT_STOP,          /* a command */
        INPUT_PLACED,        /* the child is in its cgroup */
        INPUT_EXECUTED,      /* execve() succeeded; nothing more is waited for */
        INPUT_RUNNING,       /* execve() succeeded; it will say that it is ready */
        INPUT_READY,         /* it has, or is to count as ready */
        INPUT_LAUNCH_FAILED, /* it cannot be placed, or not executed: what there is must go; of one that
                                waits: it will not be */
        INPUT_EXITED,        /* the main process ended, descendants are left */
        INPUT_HUNG,          /* it lives, and gives no sign of it */
        INPUT_RETIRE,        /* it is to end, and may first do what it has begun */
        INPUT_TIMEOUT,       /* the launch, hook, ready, drain or kill timer */
        /* Nothing is left. The restart policy and the pending command have chosen what follows: */
        INPUT_GONE_STOPPED,
        INPUT_GONE_ERRORED,
        INPUT_GONE_DELAY,   /* start again later */
        INPUT_GONE_AGAIN,   /* start again now; also what pre_start was run for */
        INPUT_GONE_PREPARE, /* start again now with pre_start */
        INPUT_GONE_AWAIT,   /* start again when it need not wait any more */
        INPUT_GONE_FINISH,  /* post_stop first */
        _PROCESS_INPUT_MAX,
} ProcessInput;

typedef enum ProcessAction {
        ACTION_SPAWN = 1 << 0,             /* make the gated child of the state and its cgroup */
        ACTION_OPEN_GATE = 1 << 1,         /* let it execute */
        ACTION_SIGNAL = 1 << 2,            /* send the kill signal */
        ACTION_KILL = 1 << 3,              /* SIGKILL to the whole cgroup */
        ACTION_ARM_KILL_TIMER = 1 << 4,    /* INPUT_TIMEOUT after kill_timeout */
        ACTION_ARM_RESTART_TIMER = 1 << 5, /* INPUT_START after the delay */
        ACTION_ARM_LAUNCH_TIMER = 1 << 6,  /* INPUT_TIMEOUT after launch_timeout */
        ACTION_DISARM_TIMER = 1 << 7,
        ACTION_ARM_HOOK_TIMER = 1 << 8,   /* INPUT_TIMEOUT after the timeout of the hook */
        ACTION_ARM_READY_TIMER = 1 << 9,  /* INPUT_TIMEOUT after listen_timeout */
        ACTION_DRAIN = 1 << 10,           /* ask it to take nothing new, and to end */
        ACTION_ARM_DRAIN_TIMER = 1 << 11, /* INPUT_TIMEOUT after reload_timeout */
} ProcessAction;

typedef struct Transition {
        bool valid;
        ProcessState next;
        unsigned actions; /* of ProcessAction */
} Transition;

/* The row for a pair; not valid: this input cannot come in this state, a programming error. */
const Transition *process_transition(ProcessState state, ProcessInput input);

/* Whether a hook is what runs. */
bool process_state_is_hook(ProcessState state);

/* Whether processes of it may exist. */
bool process_state_is_alive(ProcessState state);

/* Whether the program itself runs, ready or not yet, and is meant to. */
bool process_state_is_running(ProcessState state);

/* PM2's status: launching online stopping stopped errored waiting-restart. */
const char *process_state_to_status(ProcessState state);

/* Names for the graph and for messages about programming errors. */
const char *process_state_to_name(ProcessState state);
const char *process_input_to_name(ProcessInput input);
