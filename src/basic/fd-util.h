/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

/* Close fd if it is one, keep errno. Returns -EBADF, the value of "no fd". */
int close_fd(int fd);

/* Read at most size - 1 bytes from the start of an open file and end them with a NUL. Returns the count. */
ssize_t read_fd_text(int fd, char *buffer, size_t size);

/* Read a whole regular file of at most limit bytes into a new NUL-terminated buffer that the caller frees
 * with free(). -EFBIG: it is larger; -ENXIO: not a regular file. */
int read_file(int dir_fd, const char *path, size_t limit, char **ret_text, size_t *ret_length);

/* Write the whole text to an existing file, in one write. */
int write_file(int dir_fd, const char *path, const char *text);

/* Make a folder and its missing parents with this mode. */
int make_directories(const char *path, mode_t mode);
