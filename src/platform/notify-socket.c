/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A datagram is looked at where it lies (MSG_PEEK), handled, and then taken out. Its descriptors never
 * become ours: they close with it, which notify-discard.c does where there are any.
 *
 * A flood is the sender's: the queue is short (net.unix.max_dgram_qlen), who writes to a full one waits, and
 * we take no more than DISPATCHES_MAX times DATAGRAMS_MAX in each interval. */

#include "platform/notify-socket.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/notify-discard.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
        DATAGRAMS_MAX = 16, /* of one turn of the loop */
        DISPATCHES_MAX = 16,
        DRAIN_MAX = 1024, /* more than a queue holds; others may still write to it */
};
#define INTERVAL_USEC (100 * USEC_PER_MSEC)

struct NotifySocket {
        char *path;
        int fd;
        sd_event *event;
        sd_event_source *source;
        NotifyHandler handler;
        void *userdata;
        NotifyDiscard *discard; /* until it is done nothing is read */
        bool *freed;            /* while the handler runs: to be told */
};

/* Room for who sent it, and for no descriptor: whether there are any is told by MSG_CTRUNC. */
typedef union SenderControl {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
} SenderControl;

static bool find_sender(struct msghdr *message, NotifySender *ret) {
        const struct cmsghdr *header = CMSG_FIRSTHDR(message);
        struct ucred credentials;

        if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS ||
            header->cmsg_len != CMSG_LEN(sizeof(credentials))) {
                return false;
        }
        memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
        *ret = (NotifySender){ .pid = credentials.pid, .uid = credentials.uid };
        return true;
}

/* What lies in front of the queue. */
typedef struct Datagram {
        char text[NOTIFY_DATAGRAM_BYTES_MAX];
        size_t length;
        NotifySender sender;
        bool too_long;
        bool has_fds;
} Datagram;

/* False: there is none. */
static bool look_at_next(int fd, Datagram *ret) {
        SenderControl control;
        struct iovec vector = { .iov_base = ret->text, .iov_len = sizeof(ret->text) };
        struct msghdr message = {
                .msg_iov = &vector,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);
        if (n < 0 || !find_sender(&message, &ret->sender)) { /* each has one: a socket that was shut down */
                return false;
        }
        ret->length = (size_t) n;
        ret->too_long = message.msg_flags & MSG_TRUNC;
        ret->has_fds = message.msg_flags & MSG_CTRUNC;
        return true;
}

static void take_out(int fd) {
        (void) recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC);
}

static void on_discarded(void *userdata) {
        NotifySocket *socket = userdata;

        socket->discard = NULL;
        (void) sd_event_source_set_enabled(socket->source, SD_EVENT_ON);
}

/* If no child can be made it is handled again, until there can: no harm, where to let go of it here might
 * take for ever. */
static void discard_next(NotifySocket *socket) {
        int r = notify_discard_next(socket->event, socket->fd, on_discarded, socket, &socket->discard);

        if (r >= 0) {
                (void) sd_event_source_set_enabled(socket->source, SD_EVENT_OFF);
        }
}

/* Whether there may be more for this turn. */
static bool handle_next(NotifySocket *socket) {
        Datagram datagram;
        bool freed = false;

        if (!look_at_next(socket->fd, &datagram)) {
                return false;
        }
        /* cppcheck-suppress autoVariables ; until the handler has returned */
        socket->freed = &freed;
        socket->handler(socket->userdata,
                        datagram.too_long ? NULL : datagram.text,
                        datagram.length,
                        &datagram.sender);
        if (freed) {
                return false;
        }
        socket->freed = NULL;
        if (datagram.has_fds) {
                discard_next(socket);
                return false;
        }
        take_out(socket->fd);
        return true;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        int n = 0;

        while (n < DATAGRAMS_MAX && handle_next(userdata)) {
                n++;
        }
        return 0;
}

static int make_address(const char *path, struct sockaddr_un *ret) {
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        return g_strlcpy(ret->sun_path, path, sizeof(ret->sun_path)) < sizeof(ret->sun_path) ? 0
                                                                                             : -ENAMETOOLONG;
}

static int remove_old(const char *path, uid_t owner) {
        struct stat status;

        if (lstat(path, &status) < 0) {
                return errno == ENOENT ? 0 : -errno;
        }
        if (!S_ISSOCK(status.st_mode) || (status.st_uid != geteuid() && status.st_uid != owner)) {
                return -EEXIST;
        }
        return RET_NERRNO(CHANGE("notify-socket-unlink-old", unlink(path)));
}

/* Nobody else can write to it at any time: its mode is there when its name is. */
static int bind_anew(const char *path, uid_t owner) {
        struct sockaddr_un address;
        int on = 1;

        int r = make_address(path, &address);
        if (r >= 0) {
                r = remove_old(path, owner);
        }
        if (r < 0) {
                return r;
        }
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
            fchmod(fd, 0600) < 0 || /* no fault point: it has no name yet */
            CHANGE("notify-socket-bind", bind(fd, (struct sockaddr *) &address, sizeof(address))) < 0) {
                return -errno;
        }
        if (owner != geteuid() && CHANGE("notify-socket-chown", lchown(path, owner, (gid_t) -1)) < 0) {
                r = -errno;
                (void) unlink(path); /* no fault point: the next one with this path removes it */
                return r;
        }
        return steal_fd(&fd);
}

/* Whether a descriptor that was kept is the socket at the path, and complete. */
static bool is_bound_to(int fd, const char *path, uid_t owner) {
        struct sockaddr_un expected, address = { 0 };
        socklen_t size = sizeof(address) - 1, type_size = sizeof(int);
        struct stat status;
        int type;

        return make_address(path, &expected) >= 0 &&
               getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) >= 0 && type == SOCK_DGRAM &&
               getsockname(fd, (struct sockaddr *) &address, &size) >= 0 && address.sun_family == AF_UNIX &&
               strcmp(address.sun_path, path) == 0 && lstat(path, &status) >= 0 &&
               S_ISSOCK(status.st_mode) && status.st_uid == owner;
}

int notify_socket_adopt(
                sd_event *event,
                int fd,
                const char *path,
                uid_t owner,
                NotifyHandler handler,
                void *userdata,
                NotifySocket **ret) {
        _cleanup_close_ int kept = fd;

        if (kept < 0 || !is_bound_to(kept, path, owner)) {
                kept = close_fd(kept);
                kept = bind_anew(path, owner);
                if (kept < 0) {
                        return kept;
                }
        }
        NotifySocket *socket = g_new0(NotifySocket, 1);
        socket->path = g_strdup(path);
        socket->event = sd_event_ref(event);
        socket->handler = handler;
        socket->userdata = userdata;
        socket->fd = steal_fd(&kept);
        int r = sd_event_add_io(event, &socket->source, socket->fd, EPOLLIN, on_readable, socket);
        if (r >= 0) {
                r = sd_event_source_set_ratelimit(socket->source, INTERVAL_USEC, DISPATCHES_MAX);
        }
        if (r < 0) {
                notify_socket_free(socket);
                return r;
        }
        *ret = socket;
        return 0;
}

int notify_socket_new(
                sd_event *event,
                const char *path,
                uid_t owner,
                NotifyHandler handler,
                void *userdata,
                NotifySocket **ret) {
        return notify_socket_adopt(event, -EBADF, path, owner, handler, userdata, ret);
}

void notify_socket_drain(NotifySocket *socket) {
        int n = 0;

        while (!socket->discard && n < DRAIN_MAX && handle_next(socket)) {
                n++;
        }
}

int notify_socket_get_fd(const NotifySocket *socket) {
        return socket->fd;
}

const char *notify_socket_get_path(const NotifySocket *socket) {
        return socket->path;
}

/* Before the descriptor is closed: others may have the socket too, and the loop would go on hearing of it.
 */
static void stop_listening(NotifySocket *socket) {
        socket->source = sd_event_source_disable_unref(socket->source);
        if (socket->freed) {
                *socket->freed = true;
        }
}

static void release(NotifySocket *socket) {
        notify_discard_cancel(socket->discard);
        (void) sd_event_unref(socket->event);
        g_free(socket->path);
        g_free(socket);
}

/* What is left in the queue goes with the socket. From the shutdown on nothing is added to it. */
static void close_with_queue(const NotifySocket *socket) {
        Datagram datagram = { 0 };

        (void) shutdown(socket->fd, SHUT_RD);
        while (!datagram.has_fds && look_at_next(socket->fd, &datagram)) {
                if (!datagram.has_fds) {
                        take_out(socket->fd);
                }
        }
        if (datagram.has_fds) {
                notify_discard_socket(socket->event, socket->fd);
        } else {
                (void) close_fd(socket->fd);
        }
}

void notify_socket_free(NotifySocket *socket) {
        if (socket) {
                stop_listening(socket);
                (void) CHANGE("notify-socket-unlink", unlink(socket->path));
                close_with_queue(socket);
                release(socket);
        }
}

int notify_socket_leave(NotifySocket *socket) {
        if (!socket) {
                return -EBADF;
        }
        int fd = socket->fd;
        stop_listening(socket);
        release(socket);
        return fd;
}
