/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/child-steps.h"

#include <stdint.h>
#include <systemd/sd-event.h>

/* Work on files in a short-lived child, so that no disk and no network file system ever holds the loop. The
 * child has the rights of a user and one descriptor of ours at most, and ends with us. */
typedef struct ChildJob ChildJob;

enum {
        CHILD_JOB_FD = 4, /* in the child: the descriptor that it was given */
        CHILD_JOB_REPORT_MAX = 1024,
};

typedef struct ChildJobPlan {
        /* Run in the child, which has one thread as we have; *ret_report is what our handler gets. */
        void (*work)(const void *what, void *ret_report);
        const void *what;
        size_t report_bytes;   /* at most CHILD_JOB_REPORT_MAX */
        int fd;                /* what becomes CHILD_JOB_FD; negative: nothing */
        const ExecUser *user;  /* NULL: ours */
        uint64_t timeout_usec; /* 0: a minute */
} ChildJobPlan;

typedef enum ChildJobResult {
        CHILD_JOB_DONE, /* there is a report */
        CHILD_JOB_USER, /* the rights of the user could not be taken */
        CHILD_JOB_LOST, /* it was killed, or took too long */
} ChildJobResult;

/* Called once, from the loop; the job is gone afterwards. error: a positive errno, 0 with a report. */
typedef void (*ChildJobHandler)(void *userdata, ChildJobResult result, int error, const void *report);

/* What the plan points at need not outlive the call. */
int child_job_start(
                sd_event *event,
                const ChildJobPlan *plan,
                ChildJobHandler handler,
                void *userdata,
                ChildJob **ret);

/* Give it up: a child that still works is killed, and the handler is not called. NULL is fine. */
void child_job_cancel(ChildJob *job);
