/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/listen-socket.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make_address(const char *path, struct sockaddr_un *ret) {
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (strlen(path) >= sizeof(ret->sun_path)) {
                return -ENAMETOOLONG;
        }
        memcpy(ret->sun_path, path, strlen(path));
        return 0;
}

int listen_socket_open(const char *path, mode_t mode) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address;

        if (fd < 0) {
                return -errno;
        }
        int r = make_address(path, &address);
        if (r < 0) {
                return r;
        }
        if (CHANGE("socket-replace", unlink(path)) < 0 && errno != ENOENT) {
                return -errno;
        }
        if (CHANGE("socket-bind", bind(fd, (const struct sockaddr *) &address, sizeof(address))) < 0 ||
            CHANGE("socket-chmod", chmod(path, mode)) < 0 ||
            CHANGE("socket-listen", listen(fd, SOMAXCONN)) < 0) {
                return -errno;
        }
        return steal_fd(&fd);
}

bool listen_socket_is_alive(const char *path) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address;

        if (fd < 0 || make_address(path, &address) < 0) {
                return false;
        }
        /* EAGAIN: its queue is full. EACCES: it is another user's, of which nobody can tell. */
        return connect(fd, (const struct sockaddr *) &address, sizeof(address)) >= 0 || errno == EAGAIN ||
               errno == EACCES;
}

char *listen_socket_get_path(int fd) {
        struct sockaddr_un address = { 0 };
        socklen_t length = sizeof(address) - 1; /* with a NUL behind it, whatever it is */
        int listening = 0;
        socklen_t listening_length = sizeof(listening);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_length) < 0 || !listening ||
            getsockname(fd, (struct sockaddr *) &address, &length) < 0 || address.sun_family != AF_UNIX ||
            address.sun_path[0] == '\0') {
                return NULL;
        }
        return strdup(address.sun_path);
}
