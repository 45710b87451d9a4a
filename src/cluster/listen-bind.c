/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cluster/listen-bind.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/parse-util.h"
#include "platform/listen-socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PRIVILEGED_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"

enum {
        PRIVILEGED_DEFAULT = 1024,
        MODE_READ_ALL = S_IRUSR | S_IRGRP | S_IROTH, /* UV_READABLE and UV_WRITABLE of uv_pipe_chmod() */
        MODE_WRITE_ALL = S_IWUSR | S_IWGRP | S_IWOTH,
};

typedef union SocketAddress {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
} SocketAddress;

static int fill_in6(const ListenAddress *address, struct sockaddr_in6 *ret) {
        g_auto(GStrv) parts = g_strsplit(address->host ? address->host : "::", "%", 2);

        ret->sin6_family = AF_INET6;
        ret->sin6_port = htons(address->port);
        if (!parts[0] || inet_pton(AF_INET6, parts[0], &ret->sin6_addr) != 1) {
                return -EINVAL;
        }
        if (parts[1]) {
                uint32_t number;
                ret->sin6_scope_id =
                                parse_uint32(parts[1], &number) >= 0 ? number : if_nametoindex(parts[1]);
                if (ret->sin6_scope_id == 0) {
                        return -ENODEV;
                }
        }
        return 0;
}

/* Returns its length, or a negative error. */
static int fill(const ListenAddress *address, int family, SocketAddress *ret) {
        *ret = (SocketAddress){ 0 };
        if (family == AF_INET6) {
                int r = fill_in6(address, &ret->in6);
                return r < 0 ? r : (int) sizeof(ret->in6);
        }
        if (family == AF_INET) {
                ret->in.sin_family = AF_INET;
                ret->in.sin_port = htons(address->port);
                return inet_pton(AF_INET, address->host ? address->host : "0.0.0.0", &ret->in.sin_addr) == 1
                                       ? (int) sizeof(ret->in)
                                       : -EINVAL;
        }
        if (family != AF_UNIX || !address->path) {
                return -EINVAL;
        }
        size_t length = strlen(address->path);
        if (length > LISTEN_PATH_BYTES_MAX) {
                return -ENAMETOOLONG;
        }
        ret->un.sun_family = AF_UNIX;
        memcpy(ret->un.sun_path, address->path, length);
        return (int) sizeof(ret->un);
}

static int set_flag(int fd, int level, int option, bool on) {
        int value = on;
        return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* A socket that nobody listens on any more goes; whoever makes another in between loses it, as with every
 * other who does so. */
static int replace_stale(const char *path) {
        struct stat status;

        if (lstat(path, &status) < 0) {
                return errno == ENOENT ? 0 : -errno;
        }
        if (!S_ISSOCK(status.st_mode) || listen_socket_is_alive(path)) {
                return -EADDRINUSE;
        }
        return CHANGE("listen-replace", unlink(path)) < 0 && errno != ENOENT ? -errno : 0;
}

/* A path is made with the mode that the umask leaves of 0777 (unix(7)). */
static int bind_with_mode(
                const ListenAddress *address, int fd, const SocketAddress *where, socklen_t length) {
        mode_t more = (address->readable_all ? (mode_t) MODE_READ_ALL : 0) |
                      (address->writable_all ? (mode_t) MODE_WRITE_ALL : 0);
        mode_t mask = umask(0);

        (void) umask(mask & ~more);
        int r = CHANGE("listen-bind", bind(fd, &where->any, length)) < 0 ? -errno : 0;
        (void) umask(mask);
        return r;
}

/* One try with one family. */
static int bind_as(const ListenAddress *address, int family, int *ret_fd) {
        bool stream = address->kind == LISTEN_STREAM;
        SocketAddress where;

        int length = fill(address, family, &where);
        if (length < 0) {
                return length;
        }
        _cleanup_close_ int fd = socket(
                        family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
                return -errno;
        }
        int r = 0;
        if (family == AF_INET6) { /* whatever bindv6only of the system is */
                r = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, address->ipv6_only);
        }
        if (r >= 0 && family != AF_UNIX && (stream || address->reuse_address)) {
                r = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, true);
        }
        if (r >= 0 && family == AF_UNIX) {
                r = replace_stale(address->path);
        }
        if (r < 0) {
                return r;
        }
        r = bind_with_mode(address, fd, &where, (socklen_t) length);
        if (r < 0) {
                return r;
        }
        int backlog = address->backlog > 0 ? address->backlog : LISTEN_BACKLOG;
        if (stream && CHANGE("listen-listen", listen(fd, backlog)) < 0) {
                return -errno;
        }
        *ret_fd = steal_fd(&fd);
        return 0;
}

int listen_bind(const ListenAddress *address, int *ret_fd) {
        if (address->family != AF_UNSPEC) {
                return bind_as(address, address->family, ret_fd);
        }
        int r = bind_as(address, AF_INET6, ret_fd);
        /* Of a kernel without IPv6, and of one where it is switched off (disable_ipv6). */
        return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL ? bind_as(address, AF_INET, ret_fd) : r;
}

bool listen_is_privileged(const ListenAddress *address) {
        _cleanup_close_ int fd = open(PRIVILEGED_FILE, O_RDONLY | O_CLOEXEC);
        uint32_t first = PRIVILEGED_DEFAULT;
        char text[16];

        if (fd >= 0 && read_fd_text(fd, text, sizeof(text)) > 0) {
                text[strcspn(text, "\n")] = '\0';
                (void) parse_uint32(text, &first);
        }
        return address->family != AF_UNIX && address->port > 0 && address->port < first;
}

char *listen_fd_to_text(int fd) {
        SocketAddress where = { 0 };
        socklen_t length = sizeof(where) - 1; /* a path of full length has no NUL */
        int type = 0, ipv6_only = 0;
        socklen_t type_length = sizeof(type), only_length = sizeof(ipv6_only);
        char host[INET6_ADDRSTRLEN] = "";
        ListenAddress address = { 0 };

        if (getsockname(fd, &where.any, &length) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) < 0) {
                return NULL;
        }
        address.kind = type == SOCK_DGRAM ? LISTEN_DATAGRAM : LISTEN_STREAM;
        address.family = where.any.sa_family;
        if (address.family == AF_UNIX) {
                address.path = where.un.sun_path;
                return listen_address_to_text(&address);
        }
        if (address.family == AF_INET) {
                address.port = ntohs(where.in.sin_port);
                (void) inet_ntop(AF_INET, &where.in.sin_addr, host, sizeof(host));
        } else if (address.family == AF_INET6) {
                (void) getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &ipv6_only, &only_length);
                address.port = ntohs(where.in6.sin6_port);
                address.ipv6_only = ipv6_only;
                (void) inet_ntop(AF_INET6, &where.in6.sin6_addr, host, sizeof(host));
        } else {
                return NULL;
        }
        bool any_address = strcmp(host, address.family == AF_INET ? "0.0.0.0" : "::") == 0;
        address.host = any_address ? NULL : host;
        return listen_address_to_text(&address);
}

ListenFile listen_file_of(const char *path) {
        struct stat status;

        if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode)) {
                return (ListenFile){ 0 };
        }
        return (ListenFile){ .device = status.st_dev, .inode = status.st_ino };
}

void listen_file_remove(const char *path, ListenFile file) {
        ListenFile now = listen_file_of(path);

        if (now.inode > 0 && now.inode == file.inode && now.device == file.device) {
                (void) CHANGE("listen-unlink", unlink(path));
        }
}
