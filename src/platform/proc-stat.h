/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Facts about processes from /proc (proc(5)). A pid that is gone gives -ESRCH. */

typedef struct ProcStat {
        pid_t parent;
        pid_t session;
        uint32_t threads;
        uint64_t cpu_usec;
        uint64_t resident_bytes;
        uint64_t started_before_usec; /* CLOCK_BOOTTIME: the end of the clock tick of its start */
        bool zombie;
} ProcStat;

int proc_stat_read(pid_t pid, ProcStat *ret);

/* Bytes resident of one process: the cheap part of the above. 0 if it is gone. */
uint64_t proc_resident_bytes(pid_t pid);

/* The same through a file that stays open: of the process whose pid it was, for ever. Negative errno. */
int proc_open_statm(pid_t pid);
uint64_t proc_resident_bytes_at(int statm_fd);

/* The pid of the process that a pidfd is of, as we see it; 0 if it has been reaped. Negative errno. */
pid_t proc_pid_of_pidfd(int pidfd);

/* Append the pids of all processes. */
void proc_list_all(GArray *pids);

/* Append the pids of the children of a process, zombies included. */
void proc_list_children(pid_t pid, GArray *pids);
/* The same of a process with one thread, with fewer questions. false: it is gone, or the kernel does not
 * tell. */
bool proc_list_children_of_thread(pid_t pid, GArray *pids);

/* Whether the environment that a process was executed with has exactly this assignment. */
bool proc_has_variable(pid_t pid, const char *assignment);

/* The cgroup v2 of a process relative to the root of the hierarchy; freed by the caller. */
int proc_cgroup_path(pid_t pid, char **ret);
