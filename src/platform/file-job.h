/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/file-child.h"

#include <systemd/sd-event.h>

/* Reading or replacing a file in a short-lived child, so that no disk and no network file system ever holds
 * the loop. The child has the rights of the user and none of our descriptors, and ends with us. */
typedef struct FileJob FileJob;

/* Called once, from the loop; the job is gone afterwards. *bytes: of a file that was read, ended by a NUL
 * that does not count; the handler may steal them (g_free()). */
typedef void (*FileJobHandler)(void *userdata, const FileReport *report, char **bytes, size_t size);

/* user NULL: ours. What the plan points at need not outlive the call. */
int file_job_replace(
                sd_event *event,
                const FileReplacement *replacement,
                const ExecUser *user,
                FileJobHandler handler,
                void *userdata,
                FileJob **ret);
int file_job_read(
                sd_event *event,
                const char *path,
                size_t limit,
                const ExecUser *user,
                FileJobHandler handler,
                void *userdata,
                FileJob **ret);

/* Give it up: a child that still works is killed, and the handler is not called. NULL is fine. */
void file_job_cancel(FileJob *job);

/* "cannot be written: No space left on device"; freed by the caller with g_free(). */
char *file_report_describe(const FileReport *report);
