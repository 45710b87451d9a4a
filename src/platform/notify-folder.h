/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The folder of the sockets by which processes tell of themselves, and the names in it. */

/* Make it, or see that it is as it has to be: ours, written by nobody else, and entered by others only where
 * they have sockets in it. -EPERM: it is not ours; -ENOTDIR: it is no folder. */
int notify_folder_make(const char *folder, bool of_many_users);

/* Where the socket of one start of a process is. Each start has its own: what an earlier one left running
 * cannot speak for it. -ENAMETOOLONG: no socket can have it. Freed by the caller with g_free(). */
int notify_folder_socket_path(const char *folder, const char *unique_id, uint64_t start, char **ret);

/* Remove the sockets that is_known() does not know, by their names in the folder. Returns how many went. */
int notify_folder_sweep(
                const char *folder, bool (*is_known)(void *userdata, const char *name), void *userdata);
