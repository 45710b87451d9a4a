/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Log files that are opened by who owns them and written by the supervisor: they come to it through a
 * socket, in one message that is looked at and never taken out, so that the socket keeps them. */

enum {
        EXEC_LOGS = 3,         /* of standard output, of standard error, of both */
        EXEC_NOT_LOCAL = 4097, /* beside errnos: of a file system that may let us wait */
};

typedef struct ExecLogPlan {
        const char *paths[EXEC_LOGS]; /* NULL: none */
        const char *moved[EXEC_LOGS]; /* the names that those there get first; NULL: none */
} ExecLogPlan;

/* Async-signal-safe: open the files to be appended to, and read where that may be. Of two that are one file
 * the second is the first. Returns the index of what cannot be opened, its error in ret_error; or -1. */
int exec_logs_open(const ExecLogPlan *plan, int ret_fds[EXEC_LOGS], int *ret_error);
/* The same: send them. An errno, 0 on success. */
int exec_logs_send(int socket_fd, const int fds[EXEC_LOGS]);

/* The files that lie in a socket, the caller's. -EAGAIN: none have come yet. */
int exec_logs_receive(int socket_fd, int ret_fds[EXEC_LOGS]);
