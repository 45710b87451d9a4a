/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/child-job.h"

#include <stdbool.h>

enum {
        CORE_LOOKUP_TEXT_MAX = CHILD_JOB_REPORT_MAX - 1,
};

/* What coredumpctl(1) says: its JSON text, "": nothing. */
typedef struct CoreReport {
        char text[CORE_LOOKUP_TEXT_MAX + 1];
} CoreReport;

/* Whether the kernel hands cores to systemd-coredump(8) and coredumpctl is installed: its path, freed by the
 * caller with g_free(). -ENOENT: no. */
int core_lookup_find_program(char **ret);

/* Ask for the core of a process that ended since a time, in seconds of the real-time clock: in a child, with
 * our rights. It may come some seconds after the end of the process: it is waited for. The handler gets a
 * CoreReport. */
int core_lookup_start(
                sd_event *event,
                const char *program,
                pid_t pid,
                uint64_t since_sec,
                ChildJobHandler handler,
                void *userdata,
                ChildJob **ret);
