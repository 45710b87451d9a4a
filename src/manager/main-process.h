/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* Which process is the main one of a launch, and its end. */

struct ProcessRecord;

/* Learn of its end by lifecycle_on_main_exit(); handle->watch is the watch, which borrows the pidfd. */
int main_process_watch(ProcessHandle *handle, pid_t pid, int pidfd);
/* The same for one of which nothing is left. */
int main_process_watch_gone(ProcessHandle *handle);

/* The pidfd of the main process of a record, where nobody kept it; negative errno. */
int main_process_find(const struct ProcessRecord *record);

/* It says that another process of its group is the main one from now on (MAINPID= of sd_notify(3));
 * pidfd_id: the inode of that one's pidfd, 0: not told. Returns NULL, or why it is not followed: a text that
 * lives for ever. Also while the end of the main process is being handled, which then was not that of the
 * launch. */
const char *main_process_follow(ProcessHandle *handle, pid_t pid, uint64_t pidfd_id);

/* Its pid file says who it is: as the gated child wrote it; what was removed or replaced by something else
 * stays so. */
void main_process_renew_pid_file(const ProcessHandle *handle);

/* Those of our children that were main processes once: reaped when they end. */
void main_process_take_former_over(Manager *manager);
void main_process_leave_former(Manager *manager, Handover *handover);
void main_process_free_former(Manager *manager);
