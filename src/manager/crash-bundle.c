/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/crash-bundle.h"

#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "manager/cluster-worker.h"
#include "manager/crash-core.h"
#include "manager/log-excerpt.h"
#include "manager/log-files.h"
#include "manager/memory-restart.h"

static void set_number(Value *map, const char *key, uint64_t number) {
        value_set(map, key, value_new_int((int64_t) MIN(number, (uint64_t) INT64_MAX)));
}

static void set_text(Value *map, const char *key, const char *text) {
        value_set(map, key, value_new_string(text));
}

/* Neither we nor the app itself have meant it to end. */
static bool is_crash(const ProcessHandle *handle) {
        const Process *process = handle->process;
        const ExitStatus *status = &process->exit_status;
        bool failed = status->signal != 0 || status->code > 0;

        if (handle->role != ROLE_VISIBLE || handle->phase != PHASE_MAIN || handle->manager->shutting_down) {
                return false;
        }
        if (handle->hung) {
                return true;
        }
        return failed && process_state_is_running(process->state) && !cluster_worker_means_to_end(handle) &&
               !(status->signal == 0 && app_config_is_stop_code(process->config, status->code));
}

static const char *cause_of(const ProcessHandle *handle) {
        const ExitStatus *status = &handle->process->exit_status;

        return handle->hung          ? "watchdog"
               : status->oom         ? "oom"
               : status->signal != 0 ? "signal"
               : handle->got_ready   ? "exit"
                                     : "not-ready";
}

static void add_end(const ProcessHandle *handle, Value *crash) {
        const Process *process = handle->process;
        const History *history = process->history;
        const ExitStatus *status = &process->exit_status;
        const char *signal = status->signal ? signal_to_name(status->signal) : NULL;
        uint64_t started_usec = process->start_boottime_usec;

        /* Of the exit that it belongs to. */
        set_number(crash, "at", history_at(history, history_count(history) - 1)->at_realtime_usec);
        set_text(crash, "cause", cause_of(handle));
        set_number(crash, "pid", (uint64_t) process->exited_pid);
        value_set(crash, "exit_code", value_new_int(status->code));
        set_text(crash, "signal", signal ? signal : "");
        set_number(crash, "restart_time", process->restart_count);
        set_number(crash,
                   "uptime",
                   handle->exited_boottime_usec - MIN(started_usec, handle->exited_boottime_usec));
}

static Value *curve_of(const MemoryWatch *watch) {
        Value *curve = value_new_array();

        for (unsigned i = 0; i <= watch->n_curve; i++) {
                const MemorySample *sample = i < watch->n_curve ? &watch->curve[i] : &watch->last;
                if (i == watch->n_curve && watch->curve[i - 1].at_usec == sample->at_usec) {
                        break;
                }
                Value *point = value_new_array();
                value_append(point, value_new_int((int64_t) (sample->at_usec - watch->started_usec)));
                value_append(point, value_new_int((int64_t) sample->bytes));
                value_append(curve, point);
        }
        return curve;
}

/* Nothing is sampled for this: what max_memory_restart has seen, or who asked last; and the kernel's own
 * maximum, where its folder is still there. */
static void add_memory(const ProcessHandle *handle, Value *crash) {
        const Process *process = handle->process;
        const MemoryWatch *watch = memory_restart_seen(process);
        MemorySample last = { .at_usec = handle->figures_boottime_usec,
                              .bytes = handle->figures.memory_bytes };
        uint64_t peak_bytes = handle->group ? isolation_group_read_memory_peak(handle->group) : 0;

        if (watch) {
                last = watch->last.at_usec >= last.at_usec ? watch->last : last;
                value_set(crash, "memory_curve", curve_of(watch));
        }
        if (last.at_usec > process->start_boottime_usec && last.bytes > 0) {
                set_number(crash, "memory", last.bytes);
                set_number(crash, "memory_age", handle->exited_boottime_usec - last.at_usec);
        }
        if (peak_bytes > 0) {
                set_number(crash, "memory_peak", peak_bytes);
        }
}

static const char *note_of(const ProcessHandle *handle, int stream, LogExcerptResult result) {
        switch (result) {
        case LOG_EXCERPT_DONE:
                return log_files_is_shared(handle, stream) ? "other processes write to it too" : NULL;
        case LOG_EXCERPT_NONE:
                return "it is kept nowhere";
        case LOG_EXCERPT_REMOTE:
                return "its file system is not known to be of this machine";
        case LOG_EXCERPT_LOST:
        default:
                return "it cannot be read";
        }
}

static bool is_one_file(const ProcessHandle *handle) {
        const ExecLog *out = &handle->logs[0], *error = &handle->logs[1];

        return out->inode != 0 && out->inode == error->inode && out->device == error->device;
}

static void add_logs(ProcessHandle *handle, Value *crash) {
        static const char *const keys[EXEC_STREAMS] = { "out", "error" };
        static const char *const notes[EXEC_STREAMS] = { "out_note", "error_note" };

        for (int i = 0; i < EXEC_STREAMS; i++) {
                g_autofree char *lines = NULL;
                if (i == 1 && is_one_file(handle)) {
                        set_text(crash, notes[i], "it is in the same file as standard output");
                        return;
                }
                LogExcerptResult result = log_excerpt_read(handle, i, &lines);
                const char *note = note_of(handle, i, result);
                if (lines) {
                        set_text(crash, keys[i], lines);
                }
                if (note) {
                        set_text(crash, notes[i], note);
                }
        }
}

bool crash_bundle_take(ProcessHandle *handle, bool dumped) {
        if (!is_crash(handle)) {
                return false;
        }
        Value *crash = value_new_map();
        add_end(handle, crash);
        add_memory(handle, crash);
        value_set(crash, "core_dumped", value_new_bool(dumped));
        add_logs(handle, crash);
        process_take_crash(handle->process, crash);
        if (dumped) {
                crash_core_look(handle);
        }
        return true;
}

void crash_bundle_tell(ProcessHandle *handle) {
        manager_emit(handle->manager, handle->process, EVENT_CRASH, false);
}
