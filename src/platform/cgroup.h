/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The files of one cgroup v2 folder (kernel: admin-guide/cgroup-v2.rst). */

/* Our own cgroup: the folder in the file system, and the path in the hierarchy. -ENODATA: there is no
 * cgroup v2 here. Both freed by the caller. */
int cgroup_find_own(char **ret_folder, char **ret_path);

/* The controllers that our own cgroup has ("memory", "pids"...); for g_strfreev(), empty without cgroup v2.
 */
char **cgroup_list_controllers(void);

/* "populated" of cgroup.events: whether a live process is in it or below; false if the folder is gone. */
bool cgroup_is_populated(int folder_fd);

/* The pids directly in it. */
int cgroup_list_pids(int procs_fd, GArray *pids);

/* A number by its key in a flat keyed file such as cpu.stat, at an open fd. */
int cgroup_read_keyed(int fd, const char *key, uint64_t *ret);

/* The number that a file holds. */
int cgroup_read_number(int fd, uint64_t *ret);

/* Whether the cgroup of a process, as proc_cgroup_path() gives it, is that of a group or below: an app may
 * have cgroups of its own below the one that it was given. group "": false. */
bool cgroup_path_is_within(const char *path, const char *group);

/* Send a signal to each process in it, those included that appear meanwhile. A pid is signalled only while
 * its pidfd is open and the process is seen in this cgroup. */
void cgroup_signal(int folder_fd, const char *path, int number);

/* SIGKILL to all, by cgroup.kill where the kernel has it. */
void cgroup_kill(int folder_fd, const char *path);
