/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an earlier supervisor left becomes processes again, or is looked at only. */

#include "basic/fd-util.h"
#include "basic/log.h"
#include "manager/cluster-worker.h"
#include "manager/cron-restart.h"
#include "manager/health-checks.h"
#include "manager/listeners.h"
#include "manager/log-pumps.h"
#include "manager/main-process.h"
#include "manager/manager-state-internal.h"
#include "manager/memory-restart.h"
#include "manager/messages.h"
#include "manager/notify.h"
#include "manager/watch-restart.h"

#include <inttypes.h>
#include <string.h>

typedef struct LoadedRecord {
        uint32_t slot;
        ProcessRecord record;
        ProcessHandle *handle; /* of what was made of it; NULL: it is broken */
} LoadedRecord;

/* By id; of those of one id first the one that is seen. */
static int compare_records(const void *a, const void *b) {
        const LoadedRecord *first = *(const LoadedRecord *const *) a;
        const LoadedRecord *second = *(const LoadedRecord *const *) b;
        const ProcessRecord *one = &first->record, *other = &second->record;

        if (one->id != other->id) {
                return one->id > other->id ? 1 : -1;
        }
        if ((one->role == ROLE_VISIBLE) != (other->role == ROLE_VISIBLE)) {
                return one->role == ROLE_VISIBLE ? -1 : 1;
        }
        return (one->reloads < other->reloads) - (one->reloads > other->reloads);
}

static ProcessFacts facts_of(const ProcessRecord *record) {
        return (ProcessFacts){
                .state = (ProcessState) record->state,
                .held = record->held,
                .pid = record->pid,
                .restart_count = record->restart_count,
                .unstable_restarts = record->unstable_restarts,
                .created_realtime_usec = record->created_realtime_usec,
                .start_realtime_usec = record->start_realtime_usec,
                .start_boottime_usec = record->start_boottime_usec,
                .next_restart_realtime_usec = record->next_restart_realtime_usec,
                .backoff_usec = record->backoff_usec,
                .exit_status = { .code = record->exit_code,
                                 .signal = record->exit_signal,
                                 .oom = record->exit_oom },
        };
}

/* The process that a record is of: the first of its id is the one that everybody sees. NULL: it is hidden,
 * and that one is not there. */
static Process *add_process(Manager *manager, const ProcessRecord *record) {
        Process *visible = registry_get(manager->registry, record->id);

        if (!visible && record->role == ROLE_VISIBLE) {
                Process *process = registry_add_restored(
                                manager->registry,
                                record->id,
                                record->unique_id,
                                record->owner,
                                record->instance);
                process->handle = process_handle_new(manager, process);
                process->handle->reloads = record->reloads;
                return process;
        }
        if (!visible || visible->handle->twin) {
                return NULL;
        }
        return reload_make_hidden(visible, record->role == ROLE_CANDIDATE ? ROLE_CANDIDATE : ROLE_RETIRED);
}

/* NULL if the record is broken. */
static ProcessHandle *rebuild(Manager *manager, const LoadedRecord *loaded) {
        const ProcessRecord *record = &loaded->record;
        g_autoptr(AppConfig) config = NULL;
        g_autoptr(Environment) environment = NULL;
        g_auto(ProcessPlan) plan = { 0 };
        ProcessFacts facts = facts_of(record);

        if (record->state >= _PROCESS_STATE_MAX ||
            !state_blobs_decode(manager->state->store, record, &config, &environment, &plan)) {
                log_error("the record of process %" PRIu32 " is broken: it is forgotten", record->id);
                return NULL;
        }
        Process *process = add_process(manager, record);
        if (!process) {
                log_error("a process %" PRIu32 " that nobody sees has nobody to replace: it is forgotten",
                          record->id);
                return NULL;
        }
        if (!sd_id128_is_null(record->launch_id)) {
                (void) sd_id128_to_string(record->launch_id, process->launch_id);
        }
        plan.is_node = record->is_node;
        process_configure(process, config, environment, &plan);
        process_restore(process, &facts);
        process_set_group(process, record->unit, record->control_group);
        process_take_reason(process, g_strdup(record->reason));
        process->handle->has_slot = true;
        process->handle->slot = loaded->slot;
        state_blobs_restore(manager->state->store, record, process->handle);
        process->handle->launched = record->launched;
        state_blobs_take_over(manager->state, process->handle, record);
        (void) process_take_changes(process);
        return process->handle;
}

static void end_texts(ProcessRecord *record) {
        record->unique_id[32] = '\0';
        record->unit[sizeof(record->unit) - 1] = '\0';
        record->control_group[sizeof(record->control_group) - 1] = '\0';
        record->reason[sizeof(record->reason) - 1] = '\0';
}

static GPtrArray *read_records(Manager *manager) {
        StateStore *store = manager->state->store;
        GPtrArray *records = g_ptr_array_new_with_free_func(g_free);

        for (uint32_t slot = MANAGER_SLOT + 1; slot < state_store_count(store); slot++) {
                LoadedRecord loaded = { .slot = slot };
                if (state_store_read(store, slot, &loaded.record, sizeof(loaded.record))) {
                        end_texts(&loaded.record);
                        state_blobs_claim(store, &loaded.record);
                        g_ptr_array_add(records, g_memdup2(&loaded, sizeof(loaded)));
                }
        }
        g_ptr_array_sort(records, compare_records);
        return records;
}

/* The pidfd of the main process; not one whose end was written down, or of a child whose start was not. */
static int take_pidfd(ProcessHandle *handle, const ProcessRecord *record) {
        int pidfd = manager_state_take_kept(handle, 'p', &handle->pidfd_kept);

        if (record->pid == 0) {
                manager_state_drop_kept(handle, 'p', &handle->pidfd_kept);
                pidfd = close_fd(pidfd);
        }
        return pidfd;
}

/* Of a process that runs: else nobody is at its other end who matters. */
static void adopt_conversation(ProcessHandle *handle) {
        int channel_fd = manager_state_take_kept(handle, 'c', &handle->channel_kept);
        int notify_fd = manager_state_take_kept(handle, 'n', &handle->notify_kept);

        if (handle->main_alive && handle->phase == PHASE_MAIN) {
                messages_adopt(handle, channel_fd);
                notify_adopt(handle, notify_fd);
                return;
        }
        cluster_worker_end(handle);
        (void) close_fd(channel_fd);
        (void) close_fd(notify_fd);
}

/* It may be deleted by that. A hidden one comes behind the one that is seen. */
static void adopt_and_invalidate(Manager *manager, const LoadedRecord *loaded) {
        ProcessHandle *handle = loaded->handle;
        bool hidden = handle->role != ROLE_VISIBLE;

        lifecycle_adopt(handle, &loaded->record, take_pidfd(handle, &loaded->record));
        Process *process = registry_get(manager->registry, loaded->record.id);
        if (process) {
                adopt_conversation(handle);
                health_checks_sync(handle);
        }
        if (process && hidden) {
                manager_state_save(handle);
                reload_resume_and_invalidate(process);
        } else if (process) {
                manager_state_save(handle);
                cron_restart_sync(process);
                memory_restart_sync(process);
                watch_restart_sync(process);
        }
}

void manager_state_restore(Manager *manager) {
        ManagerState *state = manager->state;
        bool end = strcmp(manager->settings->adopt, "nothing") == 0 && !state->own.handed_over;

        if (!state->restored) {
                fd_store_drop_rest(state->fds); /* nobody knows what they were */
                return;
        }
        listeners_restore(manager);
        log_pumps_restore(manager);
        main_process_take_former_over(manager);
        manager->generation = MAX(manager->generation, state->own.generation);
        state->own.handed_over = false;
        uint32_t next_id = state->own.next_id; /* each save below writes its own */
        g_autoptr(GPtrArray) records = read_records(manager);
        for (guint i = 0; i < records->len; i++) {
                LoadedRecord *loaded = records->pdata[i];
                loaded->handle = rebuild(manager, loaded);
                if (!loaded->handle) {
                        state_store_clear(state->store, loaded->slot);
                        state_blobs_drop_claimed(state, &loaded->record);
                }
        }
        for (guint i = 0; i < records->len; i++) {
                const LoadedRecord *loaded = records->pdata[i];
                if (loaded->handle) {
                        adopt_and_invalidate(manager, loaded);
                }
        }
        for (size_t i = registry_count(manager->registry); end && i > 0; i--) {
                if (i <= registry_count(manager->registry)) { /* what was declared stays */
                        command_submit_and_invalidate(
                                        registry_at(manager->registry, i - 1)->handle,
                                        command_new(COMMAND_STOP, NULL));
                }
        }
        if (registry_count(manager->registry) > 0) {
                registry_set_next_id(manager->registry, next_id);
        }
        log_notice("took %zu processes over", registry_count(manager->registry));
        listeners_review_all(manager);
        cluster_restored(manager);
        fd_store_drop_rest(state->fds);
}

static int check_record(const StateStore *store, const ProcessRecord *record) {
        g_autoptr(AppConfig) config = NULL;
        g_autoptr(Environment) environment = NULL;
        g_auto(ProcessPlan) plan = { 0 };

        return record->state < _PROCESS_STATE_MAX &&
                                               state_blobs_decode(
                                                               store, record, &config, &environment, &plan)
                               ? 0
                               : -EBADMSG;
}

int manager_state_check(int slots_fd, int blobs_fd) {
        StateStore *store = NULL;
        ManagerRecord own;

        int r = state_store_open(slots_fd, blobs_fd, &store);
        if (r < 0) {
                return r;
        }
        if (state_store_read(store, MANAGER_SLOT, &own, sizeof(own)) &&
            !listeners_record_is_good(store, &own.listeners)) {
                r = -EBADMSG;
        }
        for (uint32_t slot = MANAGER_SLOT + 1; r >= 0 && slot < state_store_count(store); slot++) {
                ProcessRecord record;
                if (state_store_read(store, slot, &record, sizeof(record))) {
                        r = check_record(store, &record);
                }
        }
        state_store_free(store);
        return r;
}
