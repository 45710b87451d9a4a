/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

enum {
        LOG_EXCERPT_LINES_MAX = 50,
        LOG_EXCERPT_BYTES_MAX = 7 * 1024,
};

typedef enum LogExcerptResult {
        LOG_EXCERPT_DONE,
        LOG_EXCERPT_NONE,   /* the output goes nowhere */
        LOG_EXCERPT_REMOTE, /* its file system is not known to be of this machine: nobody waits for that */
        LOG_EXCERPT_LOST,   /* the file cannot be read, or nobody knows it any more */
} LogExcerptResult;

/* The last lines that a stream (0: standard output) of the process, which has just ended, has in its log,
 * read with the rights of its owner. ret is freed by the caller, and set if it is done. */
LogExcerptResult log_excerpt_read(ProcessHandle *handle, int stream, char **ret);
