/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/exec-child.h"

/* A child that waits at its gate: a copy of the supervisor that becomes the program when the gate opens and
 * ends by itself when the supervisor dies or gives up before. */
typedef struct GatedChild {
        pid_t pid;
        int pidfd;
        int gate_fd;   /* spawn_open_gate(); closing it unopened ends the child */
        int result_fd; /* ExecReports come from it */
} GatedChild;

#define GATED_CHILD_NONE ((GatedChild){ .pid = 0, .pidfd = -EBADF, .gate_fd = -EBADF, .result_fd = -EBADF })

/* cgroup_fd: a folder of a cgroup v2 hierarchy to be born in, or negative. The fds of the result are the
 * caller's. The plan need not outlive the call. */
int spawn_gated(const ExecPlan *plan, int cgroup_fd, GatedChild *ret);

int spawn_open_gate(GatedChild *child);

/* Close what is open of gate and result; the pidfd too. Does not wait for the child. */
void gated_child_done(GatedChild *child);
