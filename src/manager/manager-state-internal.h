/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the manager's state. */

#include "manager/manager-state.h"
#include "manager/process-record.h"
#include "platform/fd-store.h"

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
        StateBlob listeners;        /* of listeners-store.c; length 0: there are none */
        uint32_t next_listener;     /* the number of the next one */
} ManagerRecord;

struct ManagerState {
        FdStore *fds; /* borrowed */
        StateStore *store;
        ChannelStore *channels;
        const char *folder; /* of files, where no service manager keeps our fds; NULL: not in files */
        bool restored;      /* there is something to be taken over */
        ManagerRecord own;
        GHashTable *environments; /* of state-blobs.c */
};

/* Write what is in own. */
void manager_state_save_own(Manager *manager);

/* state-blobs.c: what of a process has no fixed size, beside its slot. */
void state_blobs_open(ManagerState *state);
void state_blobs_close(ManagerState *state);
/* Write what has changed since it was last written. ret_old: to be dropped when the slot speaks of the new
 * ones. False: it cannot be written, nothing has changed. */
bool state_blobs_renew(ManagerState *state, ProcessHandle *handle, SavedBlobs *ret_old);
/* Into the record of its slot. */
void state_blobs_fill(const ProcessHandle *handle, ProcessRecord *record);
/* Of ret_old, or all of a process that is forgotten. */
void state_blobs_drop(ManagerState *state, SavedBlobs *saved);
/* Of a record that was read: they are in use; take them over with the process that was made of it; or drop
 * them. */
void state_blobs_claim(StateStore *store, const ProcessRecord *record);
void state_blobs_take_over(ManagerState *state, ProcessHandle *handle, const ProcessRecord *record);
void state_blobs_drop_claimed(ManagerState *state, const ProcessRecord *record);
/* What the record's blobs say; false: one of them is broken. */
bool state_blobs_decode(
                const StateStore *store,
                const ProcessRecord *record,
                AppConfig **ret_config,
                Environment **ret_environment,
                ProcessPlan *ret_plan);
/* The same for those without which a process can do: broken ones are as if there were none. */
void state_blobs_restore(const StateStore *store, const ProcessRecord *record, ProcessHandle *handle);

/* What is kept of a process by the service manager, under names of its own: p its main process, c its
 * channel, n its notify socket. Take: negative, nothing is kept. */
int manager_state_take_kept(ProcessHandle *handle, char kind, bool *kept);
void manager_state_drop_kept(ProcessHandle *handle, char kind, bool *kept);
