/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/memory-restart.h"

#include "basic/log.h"
#include "basic/time-util.h"

#include <inttypes.h>

/* It belongs to a process that is listed, by its id; what it has seen, to a launch. */
typedef struct MemoryRestart {
        Manager *manager; /* weak */
        uint32_t id;
        MemoryWatch watch;
        MemoryRow row;
        sd_event_source *timer; /* NULL: never needed yet */
        bool armed;
        uint64_t limit_bytes; /* when it was armed */
} MemoryRestart;

static void free_one(void *item) {
        MemoryRestart *restart = item;

        (void) sd_event_source_disable_unref(restart->timer);
        g_free(restart);
}

static MemoryRestart *find(const Process *process) {
        GHashTable *all = process->handle->manager->memory_restarts;

        return all ? g_hash_table_lookup(all, GUINT_TO_POINTER(process->id)) : NULL;
}

static void disarm(MemoryRestart *restart) {
        restart->armed = false;
        if (restart->timer) {
                (void) sd_event_source_set_enabled(restart->timer, SD_EVENT_OFF);
        }
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata);

static void arm(MemoryRestart *restart, uint64_t usec) {
        uint64_t accuracy_usec = usec / 4; /* so that the timers of many processes meet */
        int r = restart->timer ? sd_event_source_set_time_relative(restart->timer, usec)
                               : sd_event_add_time_relative(
                                                 restart->manager->event,
                                                 &restart->timer,
                                                 CLOCK_BOOTTIME,
                                                 usec,
                                                 accuracy_usec,
                                                 on_due,
                                                 restart);

        if (r >= 0) {
                r = sd_event_source_set_time_accuracy(restart->timer, accuracy_usec);
        }
        if (r >= 0) {
                r = sd_event_source_set_enabled(restart->timer, SD_EVENT_ONESHOT);
        }
        restart->armed = r >= 0;
        if (r < 0) {
                (void) log_error_errno(r, "process %" PRIu32 ": no max_memory_restart: %m", restart->id);
        }
}

char *memory_restart_describe(const Process *process, bool reload) {
        g_autofree char *bytes = g_format_size_full(process->memory_excess_bytes, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *limit = g_format_size_full(
                        process->config->max_memory_restart_bytes, G_FORMAT_SIZE_IEC_UNITS);

        return g_strdup_printf(
                        "memory %s was over max_memory_restart, %s; %s",
                        bytes,
                        limit,
                        reload ? "reloaded" : "restarted");
}

/* Something is under way that ends it, or lets another take its place. */
static bool is_busy(const ProcessHandle *handle) {
        return handle->commands.length > 0 || handle->twin;
}

static void restart_and_invalidate(MemoryRestart *restart, Process *process, uint64_t now_usec) {
        memory_row_add(&restart->row, &restart->watch, now_usec);
        process->memory_excess_bytes = restart->watch.last.bytes;
        log_notice("process %" PRIu32 " '%s': %" PRIu64 " bytes of memory, max_memory_restart is %" PRIu64,
                   process->id,
                   process->config->name,
                   process->memory_excess_bytes,
                   process->config->max_memory_restart_bytes);
        manager_emit(restart->manager, process, EVENT_MEMORY, false);
        manager_restart_by_itself_and_invalidate(process, CAUSE_MEMORY);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        MemoryRestart *restart = userdata;
        Process *process = registry_get(restart->manager->registry, restart->id);
        const ProcessHandle *handle = process->handle;
        uint64_t limit_bytes = process->config->max_memory_restart_bytes;
        uint64_t now_usec = now_boottime_usec(), bytes = 0;

        /* Between execve() and its first page it has none. */
        if (handle->group && isolation_group_read_memory(handle->group, &bytes) >= 0 && bytes > 0) {
                memory_watch_add(&restart->watch, bytes, now_usec);
        }
        if (!memory_watch_is_over(&restart->watch, limit_bytes)) {
                arm(restart, memory_watch_interval_usec(&restart->watch, limit_bytes));
                return 0;
        }
        uint64_t wait_usec = memory_row_wait_usec(&restart->row, &restart->watch, now_usec);
        if (wait_usec > 0) {
                arm(restart, CLAMP(wait_usec, MEMORY_INTERVAL_MIN_USEC, MEMORY_INTERVAL_MAX_USEC));
                return 0;
        }
        arm(restart, MEMORY_INTERVAL_MAX_USEC);
        if (!is_busy(handle)) {
                restart_and_invalidate(restart, process, now_usec);
        }
        return 0;
}

static bool is_declared(const Process *process) {
        const Manager *manager = process->handle->manager;

        return process->config->max_memory_restart_bytes > 0 && !manager->shutting_down &&
               registry_get(manager->registry, process->id) == process;
}

static MemoryRestart *add(const Process *process) {
        Manager *manager = process->handle->manager;
        MemoryRestart *restart = g_new0(MemoryRestart, 1);

        restart->manager = manager;
        restart->id = process->id;
        if (!manager->memory_restarts) {
                manager->memory_restarts = g_hash_table_new_full(NULL, NULL, NULL, free_one);
        }
        (void) g_hash_table_insert(manager->memory_restarts, GUINT_TO_POINTER(restart->id), restart);
        return restart;
}

/* What stands still does not grow. */
static bool is_to_be_looked_at(const Process *process) {
        return process->state == PROCESS_ONLINE && !process->frozen;
}

void memory_restart_sync(Process *process) {
        MemoryRestart *restart = find(process);

        if (!is_declared(process)) {
                if (restart && registry_get(restart->manager->registry, process->id) == process) {
                        memory_restart_forget(restart->manager, process);
                }
                return;
        }
        if (!is_to_be_looked_at(process)) {
                if (restart) {
                        disarm(restart);
                }
                return;
        }
        restart = restart ? restart : add(process);
        uint64_t limit_bytes = process->config->max_memory_restart_bytes;
        bool fresh = restart->watch.started_usec != process->start_boottime_usec;
        if (fresh) {
                memory_watch_start(&restart->watch, process->start_boottime_usec);
        }
        if (fresh || !restart->armed || restart->limit_bytes != limit_bytes) {
                restart->limit_bytes = limit_bytes;
                arm(restart, MEMORY_INTERVAL_MIN_USEC);
        }
}

void memory_restart_forget(Manager *manager, const Process *process) {
        if (manager->memory_restarts) {
                (void) g_hash_table_remove(manager->memory_restarts, GUINT_TO_POINTER(process->id));
        }
}

void memory_restart_free(Manager *manager) {
        if (manager->memory_restarts) {
                g_hash_table_unref(manager->memory_restarts);
        }
}

const MemoryWatch *memory_restart_seen(const Process *process) {
        const MemoryRestart *restart = find(process);

        return restart && restart->watch.started_usec == process->start_boottime_usec &&
                                               restart->watch.last.at_usec > 0
                               ? &restart->watch
                               : NULL;
}
