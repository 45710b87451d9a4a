/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What of a process has no fixed size: new blobs are written before the slot that speaks of them, and the
 * old ones dropped after it. */

#include "basic/log.h"
#include "manager/cluster-worker.h"
#include "manager/manager-state-internal.h"
#include "manager/rollback.h"

#include <inttypes.h>

/* An environment that processes share, and its blob. */
typedef struct SharedEnvironment {
        Environment *environment;
        StateBlob blob;
        unsigned users;
} SharedEnvironment;

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

void state_blobs_open(ManagerState *state) {
        state->environments = g_hash_table_new_full(hash_environment, equal_environments, NULL, free_shared);
}

void state_blobs_close(ManagerState *state) {
        g_hash_table_unref(state->environments);
}

static bool put_bytes(StateStore *store, GBytes *bytes, StateBlob *ret) {
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);
        int r = 0;

        *ret = (StateBlob){ 0 };
        if (size > 0) {
                r = state_store_put_blob(store, data, size, ret);
        }

        g_bytes_unref(bytes);
        if (r < 0) {
                (void) log_error_errno(r, "the state cannot grow: %m");
        }
        return r >= 0;
}

static void drop_one(ManagerState *state, const StateBlob *blob) {
        if (blob->length > 0) {
                state_store_drop_blob(state->store, blob);
        }
}

static SharedEnvironment *share_environment(
                ManagerState *state, Environment *environment, const StateBlob *known) {
        SharedEnvironment *shared = g_hash_table_lookup(state->environments, environment);

        if (!shared) {
                StateBlob blob;
                if (known) {
                        blob = *known;
                } else if (!put_bytes(state->store, record_encode_environment(environment), &blob)) {
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

/* What follows from the config. */
static bool renew_declared(ManagerState *state, ProcessHandle *handle, SavedBlobs *ret_old) {
        const Process *process = handle->process;
        SavedBlobs *saved = &handle->saved;
        StateBlob config, plan;

        if (saved->of == process->config) {
                return true;
        }
        SharedEnvironment *environment = share_environment(state, process->caller_env, NULL);
        if (!environment || !put_bytes(state->store, record_encode_config(process->config), &config) ||
            !put_bytes(state->store, record_encode_plan(process), &plan)) {
                return false;
        }
        ret_old->of = saved->of;
        ret_old->environment = saved->environment;
        ret_old->config = saved->config;
        ret_old->plan = saved->plan;
        saved->of = process->config;
        saved->environment = environment;
        saved->config = config;
        saved->plan = plan;
        return true;
}

static uint64_t version_of_history(const ProcessHandle *handle) {
        return history_version(handle->process->history);
}

static GBytes *encode_history(const ProcessHandle *handle) {
        return record_encode_history(handle->process->history);
}

static bool decode_history(ProcessHandle *handle, const void *bytes, size_t size) {
        return record_decode_history(bytes, size, handle->process->history);
}

static uint64_t version_of_report(const ProcessHandle *handle) {
        return handle->process->report.version;
}

static GBytes *encode_report(const ProcessHandle *handle) {
        return record_encode_report(&handle->process->report);
}

static bool decode_report(ProcessHandle *handle, const void *bytes, size_t size) {
        return record_decode_report(bytes, size, &handle->process->report);
}

static uint64_t version_of_rollback(const ProcessHandle *handle) {
        return handle->rollback_version;
}

static uint64_t version_of_worker(const ProcessHandle *handle) {
        return handle->worker_version;
}

static uint64_t version_of_crash(const ProcessHandle *handle) {
        return handle->process->crash_version;
}

static GBytes *encode_crash(const ProcessHandle *handle) {
        return record_encode_crash(handle->process->crash);
}

static bool decode_crash(ProcessHandle *handle, const void *bytes, size_t size) {
        Value *crash = record_decode_crash(bytes, size);

        process_take_crash(handle->process, crash);
        return crash;
}

#define IN_RECORD(member) .offset = offsetof(ProcessRecord, member)

/* Without any of them a process can do: one that is broken is as if there were none. */
static const struct {
        const char *what;
        size_t offset;
        uint64_t (*version_of)(const ProcessHandle *handle);
        GBytes *(*encode)(const ProcessHandle *handle);
        bool (*decode)(ProcessHandle *handle, const void *bytes, size_t size);
} kinds[_VARYING_MAX] = {
        [VARYING_HISTORY] = { "the history",
                              IN_RECORD(history),
                              version_of_history,
                              encode_history,
                              decode_history },
        [VARYING_REPORT] = { "what it told of itself",
                             IN_RECORD(report),
                             version_of_report,
                             encode_report,
                             decode_report },
        [VARYING_ROLLBACK] = { "the configuration before its reload",
                               IN_RECORD(rollback),
                               version_of_rollback,
                               rollback_encode,
                               rollback_decode },
        [VARYING_WORKER] = { "what it is as a worker",
                             IN_RECORD(worker),
                             version_of_worker,
                             cluster_worker_encode,
                             cluster_worker_restore },
        [VARYING_CRASH] = { "its last crash",
                            IN_RECORD(crash),
                            version_of_crash,
                            encode_crash,
                            decode_crash },
};

static StateBlob *blob_of(ProcessRecord *record, VaryingBlob kind) {
        return (StateBlob *) (void *) ((char *) record + kinds[kind].offset);
}

/* What changes by itself. */
static void renew_varying(
                ManagerState *state, ProcessHandle *handle, VaryingBlob kind, SavedBlobs *ret_old) {
        SavedBlob *saved = &handle->saved.varying[kind];
        uint64_t version = kinds[kind].version_of(handle);
        StateBlob fresh;

        if (version != saved->version && put_bytes(state->store, kinds[kind].encode(handle), &fresh)) {
                ret_old->varying[kind] = *saved;
                *saved = (SavedBlob){ .blob = fresh, .version = version };
        }
}

bool state_blobs_renew(ManagerState *state, ProcessHandle *handle, SavedBlobs *ret_old) {
        *ret_old = (SavedBlobs){ 0 };
        if (!renew_declared(state, handle, ret_old)) {
                return false;
        }
        for (VaryingBlob kind = 0; kind < _VARYING_MAX; kind++) {
                renew_varying(state, handle, kind, ret_old);
        }
        return true;
}

void state_blobs_fill(const ProcessHandle *handle, ProcessRecord *record) {
        const SavedBlobs *saved = &handle->saved;

        record->config = saved->config;
        record->caller_env = saved->environment->blob;
        record->plan = saved->plan;
        for (VaryingBlob kind = 0; kind < _VARYING_MAX; kind++) {
                *blob_of(record, kind) = saved->varying[kind].blob;
        }
}

void state_blobs_drop(ManagerState *state, SavedBlobs *saved) {
        if (saved->of) {
                unshare_environment(state, saved->environment);
                drop_one(state, &saved->config);
                drop_one(state, &saved->plan);
        }
        for (VaryingBlob kind = 0; kind < _VARYING_MAX; kind++) {
                drop_one(state, &saved->varying[kind].blob);
        }
        *saved = (SavedBlobs){ 0 };
}

bool state_blobs_decode(
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

void state_blobs_restore(const StateStore *store, const ProcessRecord *record, ProcessHandle *handle) {
        ProcessRecord of = *record;

        for (VaryingBlob kind = 0; kind < _VARYING_MAX; kind++) {
                const StateBlob *blob = blob_of(&of, kind);
                const void *bytes = blob->length > 0 ? state_store_get_blob(store, blob) : NULL;
                if (bytes && !kinds[kind].decode(handle, bytes, blob->length)) {
                        log_warning("process %" PRIu32 ": %s is broken", record->id, kinds[kind].what);
                }
        }
}

void state_blobs_claim(StateStore *store, const ProcessRecord *record) {
        ProcessRecord of = *record;

        (void) state_store_claim_blob(store, &record->config);
        (void) state_store_claim_blob(store, &record->caller_env);
        (void) state_store_claim_blob(store, &record->plan);
        for (VaryingBlob kind = 0; kind < _VARYING_MAX; kind++) {
                if (blob_of(&of, kind)->length > 0) {
                        (void) state_store_claim_blob(store, blob_of(&of, kind));
                }
        }
}

void state_blobs_take_over(ManagerState *state, ProcessHandle *handle, const ProcessRecord *record) {
        ProcessRecord of = *record;

        handle->saved = (SavedBlobs){
                .of = handle->process->config,
                .environment = share_environment(state, handle->process->caller_env, &record->caller_env),
                .config = record->config,
                .plan = record->plan,
        };
        for (VaryingBlob kind = 0; kind < _VARYING_MAX; kind++) {
                handle->saved.varying[kind] = (SavedBlob){
                        .blob = *blob_of(&of, kind),
                        .version = kinds[kind].version_of(handle),
                };
        }
}

void state_blobs_drop_claimed(ManagerState *state, const ProcessRecord *record) {
        ProcessRecord of = *record;

        drop_one(state, &record->config);
        drop_one(state, &record->plan);
        for (VaryingBlob kind = 0; kind < _VARYING_MAX; kind++) {
                drop_one(state, blob_of(&of, kind));
        }
        /* The environment may be another's too. */
}
