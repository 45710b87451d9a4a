/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Two files for the state (state-store.h) in a folder of ours, for where no service manager keeps fds: what
 * a dead supervisor knew is found by the next one. The folder is best one that ends with the boot. */

/* Open those that are there. -ENOENT: none; -EPERM: they are not ours alone. */
int state_files_open(const char *folder, int *ret_slots_fd, int *ret_blobs_fd);

/* New and empty ones, in place of what is there. */
int state_files_create(const char *folder, int *ret_slots_fd, int *ret_blobs_fd);

void state_files_remove(const char *folder);
