/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/exec-child.h"
#include "platform/probe.h"

#include <systemd/sd-event.h>

/* One question by a command, which succeeds if it exits with 0. It runs in a cgroup of its own below that of
 * the app: what it uses counts as the app's, and it is ended with all that it has started. Without a cgroup
 * its process group is. */
typedef struct ExecProbe ExecProbe;

typedef struct ExecProbeGroup {
        int folder_fd; /* of the app's cgroup; negative: there is none */
        const char *path;
} ExecProbeGroup;

/* What is pointed at need not outlive the call. */
int exec_probe_start(
                sd_event *event,
                const ExecPlan *plan,
                const ExecProbeGroup *group,
                ProbeHandler handler,
                void *userdata,
                ExecProbe **ret);

pid_t exec_probe_pid(const ExecProbe *probe);

/* Give it up: it is killed, and the handler is not called. NULL is fine. */
void exec_probe_cancel(ExecProbe *probe);

/* What an earlier supervisor left of a probe ends. */
void exec_probe_end_leftovers(const ExecProbeGroup *group);

/* The cgroups of probes go from that of an app in which nothing is any more. */
void exec_probe_remove_folders(int group_fd);
