/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/crash-core.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "config/json-text.h"
#include "manager/manager-state.h"
#include "platform/core-lookup.h"

#include <inttypes.h>
#include <string.h>

enum {
        LOOKUPS_MAX = 4, /* at a time: who crashes in a row has one anyway */
};

typedef struct CoreLookup {
        Manager *manager; /* weak */
        uint32_t id;      /* this and the next two: of which crash */
        int64_t crash_at_usec;
        pid_t pid;
        ChildJob *job; /* NULL: done */
} CoreLookup;

static void free_lookup(void *item) {
        CoreLookup *lookup = item;

        child_job_cancel(lookup->job);
        g_free(lookup);
}

static int64_t number_of(const Value *map, const char *key) {
        const Value *value = value_get(map, key);

        return value && value->kind == VALUE_INT ? value->integer : -1;
}

/* Of an array of objects the last; NULL: it has none that is of this process. */
static const Value *find_core(const Value *answer, const Process *process, pid_t pid) {
        const Value *core = NULL;

        if (answer->kind == VALUE_ARRAY && answer->items->len > 0) {
                core = answer->items->pdata[answer->items->len - 1];
        }
        return core && core->kind == VALUE_MAP && number_of(core, "pid") == pid &&
                                               number_of(core, "uid") == (int64_t) process->owner
                               ? core
                               : NULL;
}

static void take(const CoreLookup *lookup, Process *process, const Value *found) {
        Value *core = value_new_map(), *crash = value_copy(process->crash);
        const Value *state = value_get(found, "corefile");

        value_set(core, "pid", value_new_int(lookup->pid));
        value_set(core, "at", value_new_int(number_of(found, "time")));
        value_set(core,
                  "state",
                  value_new_string(state && state->kind == VALUE_STRING ? state->string : ""));
        if (number_of(found, "size") >= 0) {
                value_set(core, "size", value_new_int(number_of(found, "size")));
        }
        value_set(crash, "core", core);
        process_take_crash(process, crash);
        manager_state_save(process->handle);
        manager_emit(lookup->manager, process, EVENT_CORE, false);
}

/* By now it may be another process that has the id, or another crash. */
static Process *find_process(const CoreLookup *lookup) {
        Process *process = registry_get(lookup->manager->registry, lookup->id);

        return process && process->crash && number_of(process->crash, "at") == lookup->crash_at_usec
                               ? process
                               : NULL;
}

static void on_done(void *userdata, ChildJobResult result, int error, const void *report) {
        CoreLookup *lookup = userdata;
        Process *process = find_process(lookup);
        const CoreReport *core = report;
        g_autoptr(Value) answer = NULL;

        lookup->job = NULL;
        if (process && result == CHILD_JOB_DONE && core->text[0] &&
            json_text_decode(core->text, strnlen(core->text, sizeof(core->text)), &answer, NULL) >= 0) {
                const Value *found = find_core(answer, process, lookup->pid);
                if (found) {
                        take(lookup, process, found);
                }
        }
        (void) g_ptr_array_remove_fast(lookup->manager->core_lookups, lookup);
}

static void forget_earlier(const Manager *manager, uint32_t id) {
        for (guint i = 0; manager->core_lookups && i < manager->core_lookups->len; i++) {
                if (((const CoreLookup *) manager->core_lookups->pdata[i])->id == id) {
                        (void) g_ptr_array_remove_index_fast(manager->core_lookups, i);
                        return;
                }
        }
}

void crash_core_look(const ProcessHandle *handle) {
        Manager *manager = handle->manager;
        const Process *process = handle->process;
        g_autofree char *program = NULL;

        forget_earlier(manager, process->id);
        if ((manager->core_lookups && manager->core_lookups->len >= LOOKUPS_MAX) ||
            core_lookup_find_program(&program) < 0) {
                return;
        }
        if (!manager->core_lookups) {
                manager->core_lookups = g_ptr_array_new_with_free_func(free_lookup);
        }
        CoreLookup *lookup = g_new0(CoreLookup, 1);
        *lookup = (CoreLookup){
                .manager = manager,
                .id = process->id,
                .crash_at_usec = number_of(process->crash, "at"),
                .pid = process->exited_pid,
        };
        g_ptr_array_add(manager->core_lookups, lookup);
        int r = core_lookup_start(
                        manager->event,
                        program,
                        lookup->pid,
                        process->start_realtime_usec / USEC_PER_SEC,
                        on_done,
                        lookup,
                        &lookup->job);
        if (r < 0) {
                (void) log_warning_errno(
                                r, "process %" PRIu32 ": its core is not looked for: %m", process->id);
                (void) g_ptr_array_remove_fast(manager->core_lookups, lookup);
        }
}

void crash_core_free(Manager *manager) {
        if (manager->core_lookups) {
                g_ptr_array_unref(manager->core_lookups);
        }
}
