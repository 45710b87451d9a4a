/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The manager's state in the hands of the service manager: a slot for each process (process-record.h), and a
 * pidfd for each that runs. Without one the slots are in files of the runtime folder. */

typedef struct ManagerState ManagerState;

/* Takes what an earlier supervisor left, or starts anew. */
int manager_state_open(Manager *manager);
/* handed_over: a successor goes on with it. */
void manager_state_free(ManagerState *state, bool handed_over);
/* Whether it outlives us. */
bool manager_state_is_kept(const ManagerState *state);

/* Let a program try to read it, see reexec_check(). */
int manager_state_check_program(
                const ManagerState *state, char *const *command, int *ret_pidfd, int *ret_fd);
/* The other side: whether this program can take over what lies in these. */
int manager_state_check(int slots_fd, int blobs_fd);
void manager_state_add_fds(const ManagerState *state, Handover *handover);
/* The same for what is kept of one process, which is not to be used any more. */
void manager_state_add_fds_of(ProcessHandle *handle, Handover *handover);

/* How many supervisors in a row did not get to their end of starting; this one counts from now on, until it
 * has. */
uint32_t manager_state_count_start(Manager *manager);
void manager_state_started(Manager *manager);

/* We end on purpose, and a successor goes on. */
void manager_state_hand_over(Manager *manager);

/* Make processes of what was left and go on with them. After the isolation stands. */
void manager_state_restore(Manager *manager);

/* Whether the saved list is to be loaded: not when an earlier supervisor has done so. ret_resumed: it was
 * ended in the middle of it. */
bool manager_state_needs_list(const Manager *manager, bool *ret_resumed);
void manager_state_set_loading(Manager *manager, bool loading);

/* Write down what of a process has changed. */
void manager_state_save(ProcessHandle *handle);
void manager_state_forget(ProcessHandle *handle);

/* A fd that was handed over under a name of its own, given out once; negative: none. */
int manager_state_take(const ManagerState *state, const char *name);

/* Keep the pidfd of a new main process, in place of the one before it. It is dropped once its end is written
 * down: until then a successor learns of it by the pidfd. */
void manager_state_keep_pidfd(ProcessHandle *handle);

/* The buffers of all channels. */
struct ChannelStore *manager_state_channels(const ManagerState *state);

/* Keep our end of its channel, until its end is written down. */
void manager_state_keep_channel(ProcessHandle *handle);

/* The same for the socket that it tells of itself by. */
void manager_state_keep_notify(ProcessHandle *handle);

/* Called back when all that was given away is in safe hands: 1 = at once. */
int manager_state_barrier(ProcessHandle *handle, void (*on_passed)(void *userdata));
