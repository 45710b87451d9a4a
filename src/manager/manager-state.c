/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/manager-state.h"

#include "basic/cleanup.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/main-process.h"
#include "manager/messages.h"
#include "manager/notify.h"
#include "manager/process-record.h"
#include "platform/channel.h"
#include "platform/fd-store.h"
#include "platform/state-file.h"

#include <inttypes.h>
#include <string.h>

#define SLOTS_NAME    "state-slots"
#define BLOBS_NAME    "state-blobs"
#define CHANNELS_NAME "channels"

enum {
        MANAGER_SLOT = 0, /* the first that is taken of a new store */
};

/* How far the loading of the saved lists came. */
typedef enum SavedListState {
        LISTS_UNSEEN,
        LISTS_LOADING, /* not all of their apps are registered */
        LISTS_LOADED,
} SavedListState;

/* Grows at its end alone, as ProcessRecord does. */
typedef struct ManagerRecord {
        uint64_t generation;
        uint32_t next_id;
        uint32_t list;              /* of SavedListState */
        uint32_t unfinished_starts; /* of supervisors, in a row */
        uint32_t handed_over;       /* the last supervisor went on purpose, for a successor */
} ManagerRecord;

typedef struct SharedEnvironment SharedEnvironment;

/* An environment that processes share, and its blob. */
struct SharedEnvironment {
        Environment *environment;
        StateBlob blob;
        unsigned users;
};

struct ManagerState {
        FdStore *fds; /* borrowed */
        StateStore *store;
        ChannelStore *channels;
        const char *folder; /* of files, where no service manager keeps our fds; NULL: not in files */
        bool restored;      /* there is something to be taken over */
        ManagerRecord own;
        GHashTable *environments; /* Environment -> SharedEnvironment */
};

static guint hash_environment(const void *environment) {
        return environment_hash(environment);
}

static gboolean equal_environments(const void *a, const void *b) {
        return environment_equal(a, b);
}

static void free_shared(void *item) {
        SharedEnvironment *shared = item;
        environment_unref(shared->environment);
        g_free(shared);
}

void manager_state_free(ManagerState *state, bool handed_over) {
        if (state) {
                if (state->folder && !handed_over) {
                        state_files_remove(state->folder);
                }
                state_store_free(state->store);
                channel_store_free(state->channels);
                g_hash_table_unref(state->environments);
                g_free(state);
        }
}

bool manager_state_is_kept(const ManagerState *state) {
        return fd_store_is_there(state->fds);
}

/* What was kept, from the service manager or our predecessor in this process, else from files. */
static bool open_kept(ManagerState *state) {
        int slots_fd = fd_store_take(state->fds, SLOTS_NAME);
        int blobs_fd = fd_store_take(state->fds, BLOBS_NAME);

        if (slots_fd < 0 && blobs_fd < 0 && state->folder) {
                int r = state_files_open(state->folder, &slots_fd, &blobs_fd);
                if (r < 0 && r != -ENOENT) {
                        (void) log_warning_errno(r, "%s: the state there is not used: %m", state->folder);
                }
        }
        if (slots_fd >= 0 && blobs_fd >= 0) {
                int r = state_store_open(slots_fd, blobs_fd, &state->store);
                if (r >= 0) {
                        return true;
                }
                if (r != -ESTALE) { /* of an earlier boot: nothing of it runs */
                        (void) log_error_errno(
                                        r, "the state that was kept cannot be read, starting anew: %m");
                }
        }
        (void) close_fd(slots_fd);
        (void) close_fd(blobs_fd);
        return false;
}

static int make_store(ManagerState *state) {
        int slots_fd, blobs_fd;
        uint32_t slot;

        int r = state->folder ? state_files_create(state->folder, &slots_fd, &blobs_fd) : -ENOENT;
        if (r >= 0) {
                r = state_store_new_in(slots_fd, blobs_fd, &state->store);
                if (r < 0) {
                        (void) close_fd(slots_fd);
                        (void) close_fd(blobs_fd);
                }
        }
        if (r < 0) {
                if (state->folder) {
                        (void) log_warning_errno(
                                        r,
                                        "%s: no state can be kept there, processes are lost with us: %m",
                                        state->folder);
                }
                r = state_store_new(&state->store);
        }
        return r < 0 ? r : state_store_take_slot(state->store, &slot);
}

static int open_store(ManagerState *state) {
        state->restored = open_kept(state);
        if (state->restored) {
                uint32_t slot;
                /* Its maker may have died before it wrote anything: the first slot is not a process's. */
                return state_store_read(state->store, MANAGER_SLOT, &state->own, sizeof(state->own))
                                       ? 0
                                       : state_store_take_slot(state->store, &slot);
        }
        fd_store_remove(state->fds, SLOTS_NAME);
        fd_store_remove(state->fds, BLOBS_NAME);
        int r = make_store(state);
        if (r < 0) {
                return r;
        }
        if (fd_store_add(state->fds, SLOTS_NAME, state_store_slots_fd(state->store)) < 0 ||
            fd_store_add(state->fds, BLOBS_NAME, state_store_blobs_fd(state->store)) < 0) {
                log_warning("nobody keeps our state: processes are lost with us");
        }
        return 0;
}

/* Without the state that they belong to they are nobody's. */
static int open_channels(ManagerState *state) {
        int fd = fd_store_take(state->fds, CHANNELS_NAME);

        if (fd >= 0 && state->restored) {
                int r = channel_store_new(fd, &state->channels);
                if (r >= 0) {
                        return 0;
                }
                (void) log_error_errno(r, "the channels that were kept cannot be gone on with: %m");
        }
        (void) close_fd(fd);
        fd_store_remove(state->fds, CHANNELS_NAME);
        int r = channel_store_new(-EBADF, &state->channels);
        if (r >= 0) {
                (void) fd_store_add(state->fds, CHANNELS_NAME, channel_store_get_fd(state->channels));
        }
        return r;
}

int manager_state_open(Manager *manager) {
        ManagerState *state = g_new0(ManagerState, 1);

        manager->state = state;
        state->environments = g_hash_table_new_full(hash_environment, equal_environments, NULL, free_shared);
        state->fds = manager->fds;
        state->folder = fd_store_is_there(state->fds) ? NULL : manager->paths->runtime_dir;
        int r = open_store(state);
        return r < 0 ? r : open_channels(state);
}

static bool put_bytes(StateStore *store, GBytes *bytes, StateBlob *ret) {
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);
        int r = state_store_put_blob(store, data ? data : "", size, ret);

        g_bytes_unref(bytes);
        if (r < 0) {
                (void) log_error_errno(r, "the state cannot grow: %m");
        }
        return r >= 0;
}

static SharedEnvironment *share_environment(ManagerState *state, Environment *environment) {
        SharedEnvironment *shared = g_hash_table_lookup(state->environments, environment);

        if (!shared) {
                StateBlob blob;
                if (!put_bytes(state->store, record_encode_environment(environment), &blob)) {
                        return NULL;
                }
                shared = g_new0(SharedEnvironment, 1);
                shared->environment = environment_ref(environment);
                shared->blob = blob;
                (void) g_hash_table_insert(state->environments, shared->environment, shared);
        }
        shared->users++;
        return shared;
}

static void unshare_environment(ManagerState *state, SharedEnvironment *shared) {
        if (shared && --shared->users == 0) {
                state_store_drop_blob(state->store, &shared->blob);
                (void) g_hash_table_remove(state->environments, shared->environment);
        }
}

/* New blobs before the slot that speaks of them, the old ones dropped after it. */
static bool renew_blobs(ManagerState *state, ProcessHandle *handle, SavedBlobs *ret_old) {
        const Process *process = handle->process;
        SavedBlobs fresh = { .of = process->config };

        *ret_old = (SavedBlobs){ 0 };
        if (handle->saved.of == process->config) {
                return true;
        }
        fresh.history = handle->saved.history;
        fresh.history_version = handle->saved.history_version;
        fresh.report = handle->saved.report;
        fresh.report_version = handle->saved.report_version;
        fresh.environment = share_environment(state, process->caller_env);
        if (!fresh.environment ||
            !put_bytes(state->store, record_encode_config(process->config), &fresh.config) ||
            !put_bytes(state->store, record_encode_plan(process), &fresh.plan)) {
                return false;
        }
        *ret_old = handle->saved;
        handle->saved = fresh;
        return true;
}

/* The same for the history, which changes by itself. *ret_old: to be dropped afterwards, or of length 0. */
static void renew_history(ManagerState *state, ProcessHandle *handle, StateBlob *ret_old) {
        const History *history = handle->process->history;
        StateBlob fresh;

        *ret_old = (StateBlob){ 0 };
        if (history_version(history) == handle->saved.history_version ||
            !put_bytes(state->store, record_encode_history(history), &fresh)) {
                return;
        }
        *ret_old = handle->saved.history;
        handle->saved.history = fresh;
        handle->saved.history_version = history_version(history);
}

/* The same for what it tells of itself. */
static void renew_report(ManagerState *state, ProcessHandle *handle, StateBlob *ret_old) {
        const SelfReport *report = &handle->process->report;
        StateBlob fresh;

        *ret_old = (StateBlob){ 0 };
        if (report->version == handle->saved.report_version ||
            !put_bytes(state->store, record_encode_report(report), &fresh)) {
                return;
        }
        *ret_old = handle->saved.report;
        handle->saved.report = fresh;
        handle->saved.report_version = report->version;
}

static void drop_one(ManagerState *state, const StateBlob *blob) {
        if (blob->length > 0) {
                state_store_drop_blob(state->store, blob);
        }
}

static void drop_blobs(ManagerState *state, SavedBlobs *saved) {
        if (saved->of) {
                unshare_environment(state, saved->environment);
                state_store_drop_blob(state->store, &saved->config);
                state_store_drop_blob(state->store, &saved->plan);
        }
        *saved = (SavedBlobs){ 0 };
}

static RecordGoal goal_of(const ProcessHandle *handle) {
        const Command *command = command_active(handle);

        if (!command) { /* what the end of the supervisor ends is not restarted, should that be cut short */
                bool ending = handle->manager->shutting_down &&
                              process_state_is_alive(handle->process->state);
                return ending ? RECORD_GOAL_STOP : RECORD_GOAL_NONE;
        }
        if (command->verb == COMMAND_STOP || command->verb == COMMAND_DELETE) {
                return command->verb == COMMAND_STOP ? RECORD_GOAL_STOP : RECORD_GOAL_DELETE;
        }
        /* Not counted yet: else it is a start like any other. */
        return command->verb == COMMAND_RESTART && !command->launching ? RECORD_GOAL_RESTART
                                                                       : RECORD_GOAL_START;
}

static void fill_record(const ProcessHandle *handle, ProcessRecord *ret) {
        const Process *process = handle->process;

        *ret = (ProcessRecord){
                .id = process->id,
                .owner = process->owner,
                .instance = process->instance,
                .state = process->state,
                .pid = handle->main_alive ? handle->child.pid : 0, /* of a hook, too */
                .launched = handle->launched,
                .goal = goal_of(handle),
                .restart_count = process->restart_count,
                .unstable_restarts = process->unstable_restarts,
                .exit_code = process->exit_status.code,
                .exit_signal = process->exit_status.signal,
                .exit_oom = process->exit_status.oom,
                .oom_kills = handle->oom_kills,
                .got_ready = handle->got_ready,
                .said_ready = handle->said_ready,
                .is_node = process->is_node,
                .notify_generation = handle->notify_generation,
                .watchdog_usec = handle->watchdog.timeout_usec,
                .created_realtime_usec = process->created_realtime_usec,
                .start_realtime_usec = process->start_realtime_usec,
                .start_boottime_usec = process->start_boottime_usec,
                .next_restart_realtime_usec = process->next_restart_realtime_usec,
                .deadline_boottime_usec = handle->deadline_boottime_usec,
                .config = handle->saved.config,
                .caller_env = handle->saved.environment->blob,
                .plan = handle->saved.plan,
                .phase = handle->phase,
                .ran = handle->ran,
                .hook_executed = handle->hook_executed,
                .presumed = handle->presumed,
                .main_launched = handle->main_launched,
                .launching = command_active(handle) && command_active(handle)->launching,
                .exited_boottime_usec = handle->exited_boottime_usec,
                .backoff_usec = process->backoff_usec,
                .history = handle->saved.history,
                .report = handle->saved.report,
        };
        (void) g_strlcpy(ret->unique_id, process->unique_id, sizeof(ret->unique_id));
        (void) g_strlcpy(ret->unit, process->unit, sizeof(ret->unit));
        (void) g_strlcpy(ret->control_group, process->control_group, sizeof(ret->control_group));
        (void) g_strlcpy(ret->reason, process->reason, sizeof(ret->reason));
}

static void save_manager(Manager *manager) {
        ManagerState *state = manager->state;

        state->own.generation = manager->generation;
        state->own.next_id = registry_next_id(manager->registry);
        state_store_write(state->store, MANAGER_SLOT, &state->own, sizeof(state->own));
}

uint32_t manager_state_count_start(Manager *manager) {
        ManagerState *state = manager->state;
        uint32_t unfinished = state->own.unfinished_starts++;

        state_store_write(state->store, MANAGER_SLOT, &state->own, sizeof(state->own));
        return unfinished;
}

void manager_state_started(Manager *manager) {
        manager->state->own.unfinished_starts = 0;
        save_manager(manager);
}

void manager_state_hand_over(Manager *manager) {
        manager->state->own.handed_over = true;
        save_manager(manager);
}

/* Names of what is kept of a process: p its main process, c its channel, n its notify socket. */
static char *kept_name(const ProcessHandle *handle, char kind) {
        return g_strdup_printf("%c%" PRIu32, kind, handle->process->id);
}

static void drop_kept(ProcessHandle *handle, char kind, bool *kept) {
        if (*kept) {
                g_autofree char *name = kept_name(handle, kind);
                fd_store_remove(handle->manager->state->fds, name);
                *kept = false;
        }
}

static void drop_ended(ProcessHandle *handle) {
        if (!handle->main_alive) {
                drop_kept(handle, 'p', &handle->pidfd_kept);
        }
        if (!handle->channel) {
                drop_kept(handle, 'c', &handle->channel_kept);
        }
        if (!handle->notify) {
                drop_kept(handle, 'n', &handle->notify_kept);
        }
}

ChannelStore *manager_state_channels(const ManagerState *state) {
        return state->channels;
}

static void keep(ProcessHandle *handle, char kind, int fd, bool *kept) {
        g_autofree char *name = kept_name(handle, kind);

        *kept = true;
        (void) fd_store_add(handle->manager->state->fds, name, fd);
}

void manager_state_keep_channel(ProcessHandle *handle) {
        keep(handle, 'c', channel_get_fd(handle->channel), &handle->channel_kept);
}

void manager_state_keep_notify(ProcessHandle *handle) {
        keep(handle, 'n', notify_socket_get_fd(handle->notify), &handle->notify_kept);
}

void manager_state_save(ProcessHandle *handle) {
        ManagerState *state = handle->manager->state;
        ProcessRecord record;
        StateBlob old_history, old_report;
        SavedBlobs old;

        if (handle->manager->detached) {
                return;
        }
        if (!handle->has_slot) {
                int r = state_store_take_slot(state->store, &handle->slot);
                if (r < 0) {
                        (void) log_error_errno(
                                        r, "no slot for process %" PRIu32 ": %m", handle->process->id);
                        return;
                }
                handle->has_slot = true;
        }
        if (!renew_blobs(state, handle, &old)) {
                return;
        }
        renew_history(state, handle, &old_history);
        renew_report(state, handle, &old_report);
        fill_record(handle, &record);
        state_store_write(state->store, handle->slot, &record, sizeof(record));
        drop_blobs(state, &old);
        drop_one(state, &old_history);
        drop_one(state, &old_report);
        save_manager(handle->manager);
        drop_ended(handle);
}

void manager_state_forget(ProcessHandle *handle) {
        ManagerState *state = handle->manager->state;

        if (handle->has_slot && !handle->manager->detached) {
                state_store_clear(state->store, handle->slot);
                handle->has_slot = false;
                drop_one(state, &handle->saved.history);
                drop_one(state, &handle->saved.report);
                drop_blobs(state, &handle->saved);
                drop_kept(handle, 'p', &handle->pidfd_kept);
                drop_kept(handle, 'c', &handle->channel_kept);
                drop_kept(handle, 'n', &handle->notify_kept);
        }
}

int manager_state_take(const ManagerState *state, const char *name) {
        return fd_store_take(state->fds, name);
}

void manager_state_keep_pidfd(ProcessHandle *handle) {
        drop_kept(handle, 'p', &handle->pidfd_kept); /* removing goes by the name */
        keep(handle, 'p', handle->child.pidfd, &handle->pidfd_kept);
}

int manager_state_barrier(ProcessHandle *handle, void (*on_passed)(void *userdata)) {
        return fd_store_barrier(handle->manager->state->fds, on_passed, handle, &handle->barrier);
}

static bool decode_blobs(
                const StateStore *store,
                const ProcessRecord *record,
                AppConfig **ret_config,
                Environment **ret_environment,
                ProcessPlan *ret_plan) {
        const void *bytes = state_store_get_blob(store, &record->config);

        *ret_config = bytes ? record_decode_config(bytes, record->config.length) : NULL;
        bytes = state_store_get_blob(store, &record->caller_env);
        *ret_environment = bytes ? record_decode_environment(bytes, record->caller_env.length) : NULL;
        bytes = state_store_get_blob(store, &record->plan);
        return *ret_config && *ret_environment && bytes &&
               record_decode_plan(bytes, record->plan.length, ret_plan);
}

typedef struct LoadedRecord {
        uint32_t slot;
        ProcessRecord record;
} LoadedRecord;

static int compare_records(const void *a, const void *b) {
        const LoadedRecord *first = *(const LoadedRecord *const *) a;
        const LoadedRecord *second = *(const LoadedRecord *const *) b;
        return (first->record.id > second->record.id) - (first->record.id < second->record.id);
}

/* The blobs that the slot speaks of stay where they are. */
static void take_blobs_over(ManagerState *state, ProcessHandle *handle, const ProcessRecord *record) {
        SharedEnvironment *shared = g_hash_table_lookup(state->environments, handle->process->caller_env);

        if (!shared) {
                shared = g_new0(SharedEnvironment, 1);
                shared->environment = environment_ref(handle->process->caller_env);
                shared->blob = record->caller_env;
                (void) g_hash_table_insert(state->environments, shared->environment, shared);
        }
        shared->users++;
        handle->saved = (SavedBlobs){
                .of = handle->process->config,
                .environment = shared,
                .config = record->config,
                .plan = record->plan,
                .history = record->history,
                .report = record->report,
                .history_version = history_version(handle->process->history),
        };
}

static ProcessFacts facts_of(const ProcessRecord *record) {
        return (ProcessFacts){
                .state = (ProcessState) record->state,
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

/* What happened before is no reason to forget a process: a broken history is an empty one. */
static void restore_history(const StateStore *store, const ProcessRecord *record, Process *process) {
        const void *bytes =
                        record->history.length > 0 ? state_store_get_blob(store, &record->history) : NULL;

        if (bytes && !record_decode_history(bytes, record->history.length, process->history)) {
                log_warning("the history of process %" PRIu32 " is broken", record->id);
        }
}

static void restore_report(const StateStore *store, const ProcessRecord *record, Process *process) {
        const void *bytes = record->report.length > 0 ? state_store_get_blob(store, &record->report) : NULL;

        if (bytes && !record_decode_report(bytes, record->report.length, &process->report)) {
                log_warning("what process %" PRIu32 " told of itself is broken", record->id);
        }
}

/* A process of the record in the registry; NULL if the record is broken. */
static ProcessHandle *rebuild(Manager *manager, const LoadedRecord *loaded) {
        const ProcessRecord *record = &loaded->record;
        g_autoptr(AppConfig) config = NULL;
        g_autoptr(Environment) environment = NULL;
        g_auto(ProcessPlan) plan = { 0 };
        ProcessFacts facts = facts_of(record);

        if (record->state >= _PROCESS_STATE_MAX ||
            !decode_blobs(manager->state->store, record, &config, &environment, &plan)) {
                log_error("the record of process %" PRIu32 " is broken: it is forgotten", record->id);
                return NULL;
        }
        Process *process = registry_add_restored(
                        manager->registry, record->id, record->unique_id, record->owner, record->instance);
        plan.is_node = record->is_node;
        process_configure(process, config, environment, &plan);
        process_restore(process, &facts);
        process_set_group(process, record->unit, record->control_group);
        process_take_reason(process, g_strdup(record->reason));
        restore_history(manager->state->store, record, process);
        restore_report(manager->state->store, record, process);
        process->handle = process_handle_new(manager, process);
        process->handle->launched = record->launched;
        process->handle->has_slot = true;
        process->handle->slot = loaded->slot;
        take_blobs_over(manager->state, process->handle, record);
        (void) process_take_changes(process);
        return process->handle;
}

static void claim_blobs(StateStore *store, const ProcessRecord *record) {
        (void) state_store_claim_blob(store, &record->config);
        (void) state_store_claim_blob(store, &record->caller_env);
        (void) state_store_claim_blob(store, &record->plan);
        if (record->history.length > 0) {
                (void) state_store_claim_blob(store, &record->history);
        }
        if (record->report.length > 0) {
                (void) state_store_claim_blob(store, &record->report);
        }
}

static void drop_claimed_blobs(ManagerState *state, const ProcessRecord *record) {
        drop_one(state, &record->config);
        drop_one(state, &record->plan);
        drop_one(state, &record->history);
        drop_one(state, &record->report);
        /* The environment may be another's too. */
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
                        claim_blobs(store, &loaded.record);
                        g_ptr_array_add(records, g_memdup2(&loaded, sizeof(loaded)));
                }
        }
        g_ptr_array_sort(records, compare_records);
        return records;
}

static int take_kept(ProcessHandle *handle, char kind, bool *kept) {
        g_autofree char *name = kept_name(handle, kind);
        int fd = fd_store_take(handle->manager->state->fds, name);

        *kept = fd >= 0;
        return fd;
}

/* The pidfd of the main process; not one whose end was written down, or of a child whose start was not. */
static int take_pidfd(ProcessHandle *handle, const ProcessRecord *record) {
        int pidfd = take_kept(handle, 'p', &handle->pidfd_kept);

        if (record->pid == 0) {
                drop_kept(handle, 'p', &handle->pidfd_kept);
                pidfd = close_fd(pidfd);
        }
        return pidfd;
}

/* Of a process that runs: else nobody is at its other end who matters. */
static void adopt_conversation(ProcessHandle *handle) {
        int channel_fd = take_kept(handle, 'c', &handle->channel_kept);
        int notify_fd = take_kept(handle, 'n', &handle->notify_kept);

        if (handle->main_alive && handle->phase == PHASE_MAIN) {
                messages_adopt(handle, channel_fd);
                notify_adopt(handle, notify_fd);
                return;
        }
        (void) close_fd(channel_fd);
        (void) close_fd(notify_fd);
}

void manager_state_restore(Manager *manager) {
        ManagerState *state = manager->state;
        bool end = strcmp(manager->settings->adopt, "nothing") == 0 && !state->own.handed_over;

        if (!state->restored) {
                return;
        }
        main_process_take_former_over(manager);
        manager->generation = MAX(manager->generation, state->own.generation);
        state->own.handed_over = false;
        uint32_t next_id = state->own.next_id; /* each save below writes its own */
        g_autoptr(GPtrArray) records = read_records(manager);
        for (guint i = 0; i < records->len; i++) {
                const LoadedRecord *loaded = records->pdata[i];
                ProcessHandle *handle = rebuild(manager, loaded);
                if (!handle) {
                        state_store_clear(state->store, loaded->slot);
                        drop_claimed_blobs(state, &loaded->record);
                        continue;
                }
                lifecycle_adopt(handle, &loaded->record, take_pidfd(handle, &loaded->record));
                /* It may have been deleted by that. */
                Process *process = registry_get(manager->registry, loaded->record.id);
                if (process) {
                        adopt_conversation(process->handle);
                }
                if (process && end) { /* what was declared stays */
                        command_submit_and_invalidate(handle, command_new(COMMAND_STOP, NULL));
                } else if (process) {
                        manager_state_save(process->handle);
                }
        }
        if (registry_count(manager->registry) > 0) {
                registry_set_next_id(manager->registry, next_id);
        }
        log_notice("took %zu processes over", registry_count(manager->registry));
        fd_store_drop_rest(state->fds);
}

bool manager_state_needs_list(const Manager *manager, bool *ret_resumed) {
        const ManagerState *state = manager->state;

        *ret_resumed = state->own.list == LISTS_LOADING;
        return state->own.list != LISTS_LOADED;
}

void manager_state_set_loading(Manager *manager, bool loading) {
        manager->state->own.list = loading ? LISTS_LOADING : LISTS_LOADED;
        if (!manager->detached) {
                save_manager(manager);
        }
}

int manager_state_check_program(
                const ManagerState *state, char *const *command, int *ret_pidfd, int *ret_fd) {
        return reexec_check(
                        command,
                        state_store_slots_fd(state->store),
                        state_store_blobs_fd(state->store),
                        ret_pidfd,
                        ret_fd);
}

void manager_state_add_fds(const ManagerState *state, Handover *handover) {
        handover_take(handover, SLOTS_NAME, state_store_take_slots_fd(state->store));
        handover_take(handover, BLOBS_NAME, state_store_take_blobs_fd(state->store));
        handover_take(handover, CHANNELS_NAME, channel_store_take_fd(state->channels));
}

static void hand_over(const ProcessHandle *handle, char kind, int fd, Handover *handover) {
        g_autofree char *name = kept_name(handle, kind);

        if (fd >= 0) {
                handover_take(handover, name, fd);
        }
}

void manager_state_add_fds_of(ProcessHandle *handle, Handover *handover) {
        hand_over(handle, 'c', messages_leave(handle), handover);
        hand_over(handle, 'n', notify_leave(handle), handover);
        if (handle->main_alive) {
                hand_over(handle, 'p', steal_fd(&handle->child.pidfd), handover);
        }
}

static int check_record(const StateStore *store, const ProcessRecord *record) {
        g_autoptr(AppConfig) config = NULL;
        g_autoptr(Environment) environment = NULL;
        g_auto(ProcessPlan) plan = { 0 };

        return record->state < _PROCESS_STATE_MAX &&
                                               decode_blobs(store, record, &config, &environment, &plan)
                               ? 0
                               : -EBADMSG;
}

int manager_state_check(int slots_fd, int blobs_fd) {
        StateStore *store = NULL;

        int r = state_store_open(slots_fd, blobs_fd, &store);
        if (r < 0) {
                return r;
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
