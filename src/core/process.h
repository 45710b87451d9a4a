/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"
#include "core/exit-status.h"
#include "core/history.h"
#include "core/process-state.h"
#include "core/self-report.h"

#include <sys/types.h>

/* The facts about a process that change while it lives and that observers want to hear of; one bit each. */
typedef enum ProcessChange {
        CHANGE_STATUS = 1 << 0,
        CHANGE_PID = 1 << 1,
        CHANGE_RESTART_COUNT = 1 << 2,
        CHANGE_UNSTABLE_RESTARTS = 1 << 3,
        CHANGE_START_TIMESTAMP = 1 << 4,
        CHANGE_EXIT_STATUS = 1 << 5,
        CHANGE_REASON = 1 << 6,
        CHANGE_GROUP = 1 << 7,
        CHANGE_NEXT_RESTART = 1 << 8,
        CHANGE_CONFIG = 1 << 9, /* whatever follows from the app config */
        CHANGE_FROZEN = 1 << 10,
        CHANGE_STATUS_TEXT = 1 << 11,
        CHANGE_INSTANCES = 1 << 12,
        CHANGE_CREATED = 1 << 13,
        CHANGE_HEALTH = 1 << 14,
        CHANGE_WATCHING = 1 << 15,
} ProcessChange;

/* One supervised instance of an app. Only process.c writes it; the manager's own side of it (child, timers,
 * commands) hangs at handle. */
typedef struct Process {
        uint32_t id;
        char unique_id[33];
        char launch_id[33]; /* what its launches are known by: the unique id, until a reload */
        uid_t owner;
        uint32_t instance;
        uint32_t instances; /* processes that the app has, this one included */
        AppConfig *config;
        Environment *caller_env;

        /* What follows from the config. All absolute. */
        char *exec_path;
        char *interpreter; /* its name or path as declared; "none": exec_path itself */
        char *program;     /* what execve(2) gets */
        bool shell_command;
        bool is_node; /* Node runs it, as far as can be seen */
        char *cwd;
        char *out_log_path;
        char *error_log_path;
        char *log_path; /* of both streams; "": none */
        char *pid_path;
        char *version; /* of the package that the script is in, else "N/A" */

        ProcessState state;
        bool frozen; /* its processes stand still */
        ProcessHealth health;
        pid_t pid; /* 0: no main process */
        uint32_t restart_count;
        uint32_t unstable_restarts;
        uint64_t created_realtime_usec;
        uint64_t start_realtime_usec; /* of the last start, 0: never */
        uint64_t start_boottime_usec;
        uint64_t next_restart_realtime_usec; /* 0: none due */
        uint64_t next_cron_realtime_usec;    /* of cron_restart, 0: none due */
        uint64_t memory_excess_bytes;        /* what it had when max_memory_restart was seen exceeded last */
        bool held;                           /* stopped by hand: nothing else starts it */
        bool watching;                       /* all that its watch asks for is watched */
        ExitStatus exit_status;
        pid_t exited_pid;      /* that the exit status is of */
        uint64_t backoff_usec; /* the last delay of the row that grows, 0: none */
        char *reason;
        SelfReport report;
        char *trouble; /* what is wrong with what it says; NULL: nothing */
        History *history;
        Value *crash;           /* map: what is known of its last crash; NULL: there was none */
        uint64_t crash_version; /* grows with every change of it */
        char *unit;
        char *control_group;

        unsigned changes;             /* of ProcessChange, since process_take_changes() */
        struct ProcessHandle *handle; /* owned by the manager */
} Process;

/* What follows from a config: made by the manager, which can look at files; moved into the process. */
typedef struct ProcessPlan {
        char *exec_path;
        char *interpreter;
        char *program;
        bool shell_command;
        bool is_node;
        char *cwd;
        char *out_log_path;
        char *error_log_path;
        char *log_path;
        char *pid_path;
        char *version;
} ProcessPlan;

void process_plan_done(ProcessPlan *plan);

Process *process_new(
                uint32_t id, const char unique_id[33], uid_t owner, uint32_t instance, uint64_t now_usec);
void process_free(Process *process);

/* Take a new config and what follows from it; the environment too, if it is not NULL. */
void process_configure(Process *process, AppConfig *config, Environment *caller_env, ProcessPlan *plan);

/* Take a config of which nothing follows that is not known already. */
void process_set_config(Process *process, AppConfig *config);

/* What runs of one becomes what runs of the other: configs and what follows from them, states, and all that
 * is of the launch. Who they are, what they have counted and remember stays. */
void process_exchange_launch(Process *process, Process *other);

/* Feed an input to the state machine: the new state is stored and the actions to be performed are returned,
 * or -EINVAL for a pair that cannot be (nothing changes). */
int process_step(Process *process, ProcessInput input);

void process_set_pid(Process *process, pid_t pid);
void process_set_frozen(Process *process, bool frozen);
void process_set_started(Process *process, uint64_t realtime_usec, uint64_t boottime_usec);
void process_set_exit_status(Process *process, ExitStatus status);
void process_set_group(Process *process, const char *unit, const char *control_group);
/* What its probes say. */
void process_set_health(Process *process, ProcessHealth health);
void process_set_next_restart(Process *process, uint64_t realtime_usec);
void process_set_next_cron(Process *process, uint64_t realtime_usec);
void process_set_held(Process *process, bool held);
void process_set_watching(Process *process, bool watching);
void process_set_unstable_restarts(Process *process, uint32_t count);
void process_set_backoff(Process *process, uint64_t usec);
void process_count_restart(Process *process);
void process_set_instances(Process *process, uint32_t count);
/* As if it had been created now, and had never been restarted. */
void process_reset_counters(Process *process, uint64_t now_usec);
/* Whether it serves as far as can be known: it is online and, where it declares a probe, healthy. */
bool process_is_healthy(const Process *process);
/* Why it is in its state; taken over. */
void process_take_reason(Process *process, char *reason);

/* What it says of itself, and what is wrong with what it says (taken over). A new launch has said nothing.
 */
void process_set_status_text(Process *process, const char *text);
void process_set_phase(Process *process, SelfReportPhase phase);
void process_take_trouble(Process *process, char *text);
void process_forget_report(Process *process);

/* One more event in its history. */
void process_remember(Process *process, const HistoryEntry *entry);

/* What is known of its last crash, taken over. */
void process_take_crash(Process *process, Value *crash);

/* A person starts it anew: the row of unstable exits ends, and that of growing delays. */
void process_reset_unstable(Process *process);

/* What an earlier supervisor knew of a process, put into a new Process of the same id. */
typedef struct ProcessFacts {
        ProcessState state;
        bool held;
        pid_t pid;
        uint32_t restart_count, unstable_restarts;
        uint64_t created_realtime_usec, start_realtime_usec, start_boottime_usec, next_restart_realtime_usec;
        uint64_t backoff_usec;
        ExitStatus exit_status;
} ProcessFacts;

void process_restore(Process *process, const ProcessFacts *facts);

/* The changes since the last call. */
unsigned process_take_changes(Process *process);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ProcessPlan, process_plan_done)
