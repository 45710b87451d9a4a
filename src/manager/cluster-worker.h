/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* We are the primary of Node's cluster: the processes of an app with exec_mode=cluster are its workers, and
 * what they listen on is ours (manager/listeners.h). A worker belongs to a launch, and so to a handle: there
 * may be two of one process. */

/* "NODE_UNIQUE_ID=4", which makes a process a worker; NULL: it is none. Freed by the caller. */
char *cluster_worker_variable(const Process *process);

/* A launch has a channel from now on: it is a worker, if its app is a cluster. */
void cluster_worker_begin(ProcessHandle *handle);
/* The channel is that of an earlier supervisor. */
void cluster_worker_adopt(ProcessHandle *handle);
/* The channel is closed: it uses nothing any more. What is known of it stays until the next launch. */
void cluster_worker_end(ProcessHandle *handle);
/* With the handle. */
void cluster_worker_free(ProcessHandle *handle);

/* One internal message, which the channel hands out just now. The handle may be gone after it. */
void cluster_worker_take_line_and_invalidate(
                ProcessHandle *handle, const char *line, size_t length, bool prefixed);
/* There is room in its channel again. */
void cluster_worker_on_room(ProcessHandle *handle);

/* Tell it to end by itself, when it has done with its connections: it gets no more. False: it is no worker,
 * or has no channel to be told by. */
bool cluster_worker_ask_to_disconnect(ProcessHandle *handle);

/* Whether the end of its launch was wanted, by itself or by us: it is no crash. */
bool cluster_worker_means_to_end(const ProcessHandle *handle);

/* What of a worker is written down, in the version that the handle counts. Restore: of a process that is
 * configured; false: broken. */
GBytes *cluster_worker_encode(const ProcessHandle *handle);
bool cluster_worker_restore(ProcessHandle *handle, const void *bytes, size_t size);

/* A process of the app is online, or uses a listener no more: whether there are any that nobody uses. */
void cluster_review(Manager *manager, uid_t owner, const char *name);

/* All processes are restored. */
void cluster_restored(Manager *manager);
/* A successor comes: write all down; leave it the connections that no worker has taken yet. handover: NULL,
 * it comes by way of the service manager. */
void cluster_save(Manager *manager);
void cluster_hand_over(Manager *manager, Handover *handover);
