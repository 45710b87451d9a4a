/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cluster/listen-address.h"

#include <sys/types.h>

/* Bind, and of streams listen. The fd is non-blocking and closed on execute. A path is made with the file
 * system ids of who calls. Negative errno: -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, -EINVAL... A stale path (a
 * socket that nobody listens on) is replaced; a live one, or what is no socket, is -EADDRINUSE. Where any
 * address of both families is meant and there is no IPv6, it is that of IPv4 alone. */
int listen_bind(const ListenAddress *address, int *ret_fd);

/* Whether only root may have this port (ip_unprivileged_port_start); the kernel asks whoever binds, which
 * may be root for somebody else. */
bool listen_is_privileged(const ListenAddress *address);

/* Where a socket listens in fact, as it would be declared: "tcp:[::]:8080". NULL: it cannot be told. Freed
 * by the caller. */
char *listen_fd_to_text(int fd);

/* Which file a path is, as long as it lives. */
typedef struct ListenFile {
        uint64_t device, inode; /* 0: none */
} ListenFile;

ListenFile listen_file_of(const char *path);
/* Remove the path if it is still this file. With the file system ids of who calls. */
void listen_file_remove(const char *path, ListenFile file);
