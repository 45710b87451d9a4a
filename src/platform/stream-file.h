/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/exec-child.h"

/* The file that a stream of a process goes to, without waiting for any file system but those that the gated
 * child has found to be of this machine (ExecLog.local). */

/* Standard output or error of a running process, by its number: what it is at now. An O_PATH descriptor of
 * the very file that the child had opened, wherever its name is by now. -ESTALE: it is at another one;
 * -EACCES: the kernel does not tell us. */
int stream_file_open(pid_t pid, int stream, const ExecLog *log);

/* The same by the name that it was opened by. */
int stream_file_open_path(const char *path, const ExecLog *log);

/* Which file is at a path, if a process has it for a stream: where no child is left that could tell. */
int stream_file_identify(pid_t pid, int stream, const char *path, ExecLog *ret);

/* Whether the process has the file open to be written anywhere but at its end. */
bool stream_file_is_overwritten(pid_t pid, int stream, const ExecLog *log);

/* An O_PATH descriptor of the file that one of ours is of, and which it is. */
int stream_file_copy(int fd, ExecLog *ret_log, int *ret_fd);

/* The size of the file that a descriptor is of; negative errno. */
int64_t stream_file_size(int fd);
