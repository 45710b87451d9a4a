/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* The standard input of a main process is a pipe that it holds itself, at both ends: it never ends, and it
 * needs no descriptor of ours. Who wants to write opens it by way of /proc (proc(5)). */

enum {
        STDIN_LINE_BYTES_MAX = 4095, /* with its newline PIPE_BUF, which is written whole or not at all */
        STDIN_PIPE_BYTES = 4 * 4096, /* what may lie there unread; a user has so many pages for all pipes */
};

/* Called in the child before execve(): a pipe to be put in place of standard input, or negative errno. */
int stdin_pipe_open(void);

/* Write a line and a newline. -EMSGSIZE: too long; -EAGAIN: too much lies there unread; -ENXIO: its standard
 * input is something else by now; -ESRCH: it has gone. pidfd is of pid. */
int stdin_line_write(pid_t pid, int pidfd, const char *line, size_t length);
