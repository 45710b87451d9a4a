/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/log-bounds.h"
#include "manager/manager-internal.h"
#include "platform/child-job.h"

/* Where a program that compresses is, freed by the caller with g_free(); NULL of LOG_COMPRESSION_NONE.
 * -ENOENT: it is not installed. */
int log_job_find_compressor(LogCompression compression, char **ret);

/* Cut a file, or move its oldest part into one of its own beside path, with the rights of its owner; what
 * comes behind its first seen_bytes stays. The report is a LogCutReport. */
int log_job_start(
                Manager *manager,
                int file_fd,
                const char *path,
                uint64_t seen_bytes,
                const LogLimits *limits,
                uid_t owner,
                ChildJobHandler handler,
                void *userdata,
                ChildJob **ret);
