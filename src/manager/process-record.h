/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"
#include "platform/state-store.h"

#include <assert.h>
#include <systemd/sd-id128.h>

typedef struct ProcessRecord ProcessRecord;

/* What of a process outlives the supervisor, as it lies in a slot. Grows at its end alone; what an older
 * supervisor did not write reads as zero. */
struct ProcessRecord {
        uint32_t id;
        uint32_t owner;
        uint32_t instance;
        char unique_id[36];
        uint32_t state; /* of ProcessState */
        int32_t pid;
        uint32_t launched; /* the main process was executed */
        uint32_t goal;     /* of RecordGoal: the command that was under way */
        uint32_t restart_count, unstable_restarts;
        int32_t exit_code, exit_signal;
        uint64_t created_realtime_usec, start_realtime_usec, start_boottime_usec, next_restart_realtime_usec;
        uint64_t deadline_boottime_usec; /* of the timer, 0: none */
        StateBlob config, caller_env, plan;
        char unit[256];
        char control_group[640];
        char reason[192];
        uint32_t phase; /* of LaunchPhase; this and the next five: see ProcessHandle */
        uint32_t ran, hook_executed, main_launched;
        uint32_t launching; /* the command under way is what launches */
        uint64_t exited_boottime_usec;
        uint64_t backoff_usec;
        StateBlob history;
        uint32_t presumed; /* adopted on its way to execve(): launched, as it seems */
        uint32_t exit_oom; /* of the exit status */
        uint32_t got_ready, said_ready;
        uint32_t is_node;
        StateBlob report;
        uint64_t notify_generation;
        uint64_t watchdog_usec;
        uint64_t oom_kills; /* that were told, of this launch */
        uint32_t role;      /* of HandleRole */
        uint64_t reloads;
        StateBlob rollback;
        sd_id128_t launch_id; /* null: the unique id */
        StateBlob worker;
        uint32_t held;
        uint32_t cause;  /* of CommandCause: of the goal */
        uint32_t soft;   /* of the reload that takes its place */
        uint32_t health; /* of ProcessHealth */
        uint32_t was_healthy;
        StateBlob crash;
};
static_assert(sizeof(ProcessRecord) <= STATE_SLOT_BYTES, "a record fits its slot");

typedef enum RecordGoal {
        RECORD_GOAL_NONE,
        RECORD_GOAL_STOP,
        RECORD_GOAL_DELETE,
        RECORD_GOAL_START,   /* also the second half of a restart */
        RECORD_GOAL_RESTART, /* the first: it is still to be counted */
} RecordGoal;

/* What a blob holds, and back. The decoders trust nothing: NULL or false for what is not whole. */
GBytes *record_encode_config(const AppConfig *config);
AppConfig *record_decode_config(const void *bytes, size_t size);
GBytes *record_encode_environment(const Environment *environment);
Environment *record_decode_environment(const void *bytes, size_t size);
GBytes *record_encode_history(const History *history);
bool record_decode_history(const void *bytes, size_t size, History *history);
GBytes *record_encode_report(const SelfReport *report);
bool record_decode_report(const void *bytes, size_t size, SelfReport *report);
/* Of no crash: empty. */
GBytes *record_encode_crash(const Value *crash);
Value *record_decode_crash(const void *bytes, size_t size);
GBytes *record_encode_plan(const Process *process);
bool record_decode_plan(const void *bytes, size_t size, ProcessPlan *ret);
