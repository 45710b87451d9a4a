/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/lifeline.h"

#include "basic/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int check_socket(int fd) {
        socklen_t type_length = sizeof(int), listens_length = sizeof(int);
        int type, listens;

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_length) < 0) {
                return -errno;
        }
        /* One that is not connected any more is fine: it is what we wait for. */
        return !listens && (type == SOCK_STREAM || type == SOCK_SEQPACKET) ? 0 : -EINVAL;
}

int lifeline_check(int fd) {
        struct stat status;
        int flags = RET_NERRNO(fcntl(fd, F_GETFL));

        if (flags < 0 || fstat(fd, &status) < 0) {
                return flags < 0 ? flags : -errno;
        }
        if (flags & O_PATH) {
                return -EINVAL;
        }
        if (S_ISFIFO(status.st_mode)) {
                /* Who may write holds the other end himself. */
                return (flags & O_ACCMODE) == O_RDONLY ? 0 : -EINVAL;
        }
        return S_ISSOCK(status.st_mode) ? check_socket(fd) : -EINVAL;
}

int lifeline_watch(
                sd_event *event,
                int fd,
                sd_event_io_handler_t handler,
                void *userdata,
                sd_event_source **ret) {
        /* EPOLLHUP and EPOLLERR come unasked; without EPOLLIN what somebody writes wakes nobody. */
        int r = sd_event_add_io(event, ret, fd, EPOLLRDHUP, handler, userdata);

        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_ONESHOT);
}
