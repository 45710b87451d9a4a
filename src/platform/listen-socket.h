/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Listening sockets in the file system. */

/* Listen at a path, in the place of whatever is there. Returns the fd, non-blocking and closed on execute;
 * -ENAMETOOLONG for a path that no address takes. */
int listen_socket_open(const char *path, mode_t mode);

/* Whether somebody accepts connections there now, or may do so: we are not let in. */
bool listen_socket_is_alive(const char *path);

/* The path that a socket listens at, freed by the caller with free(); NULL: it is no listening socket of the
 * file system. */
char *listen_socket_get_path(int fd);
