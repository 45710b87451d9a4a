/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/exec-logs.h"

#include "basic/cleanup.h"
#include "platform/exec-child.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* For each log the place of its descriptor in the message; negative: there is none. */
typedef struct Places {
        int32_t of[EXEC_LOGS];
} Places;

static int find_same(const ExecLogPlan *plan, int index) {
        for (int i = 0; i < index; i++) {
                if (plan->paths[i] && strcmp(plan->paths[i], plan->paths[index]) == 0) {
                        return i;
                }
        }
        return -1;
}

static int open_one(const char *path) {
        int fd = exec_open_regular(path, O_APPEND | O_RDWR);

        if (fd == -EACCES) {
                fd = exec_open_regular(path, O_APPEND | O_WRONLY);
        }
        if (fd >= 0 && !exec_file_is_local(fd)) {
                (void) close(fd);
                return -EXEC_NOT_LOCAL;
        }
        return fd;
}

int exec_logs_open(const ExecLogPlan *plan, int ret_fds[EXEC_LOGS], int *ret_error) {
        for (int i = 0; i < EXEC_LOGS; i++) {
                int same = plan->paths[i] ? find_same(plan, i) : -1;
                ret_fds[i] = -EBADF;
                if (!plan->paths[i]) {
                        continue;
                }
                if (same < 0 && plan->moved[i]) {
                        /* no fault point: in a child alone */
                        (void) rename(plan->paths[i], plan->moved[i]);
                }
                ret_fds[i] = same >= 0 ? ret_fds[same] : open_one(plan->paths[i]);
                if (ret_fds[i] < 0) {
                        *ret_error = -ret_fds[i];
                        return i;
                }
        }
        return -1;
}

int exec_logs_send(int socket_fd, const int fds[EXEC_LOGS]) {
        union {
                char bytes[CMSG_SPACE(EXEC_LOGS * sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        Places places = { 0 };
        int sent[EXEC_LOGS] = { 0 }, n = 0;

        for (int i = 0; i < EXEC_LOGS; i++) {
                places.of[i] = -1;
                for (int j = 0; fds[i] >= 0 && j < n; j++) {
                        places.of[i] = sent[j] == fds[i] ? j : places.of[i];
                }
                if (fds[i] >= 0 && places.of[i] < 0) {
                        places.of[i] = n;
                        sent[n++] = fds[i];
                }
        }
        struct iovec part = { .iov_base = &places, .iov_len = sizeof(places) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        if (n > 0) {
                size_t size = (size_t) n * sizeof(int);
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(size);
                struct cmsghdr *header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(size);
                memcpy(CMSG_DATA(header), sent, size);
        }
        /* no fault point: in a child alone */
        return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

int exec_logs_receive(int socket_fd, int ret_fds[EXEC_LOGS]) {
        union {
                char bytes[CMSG_SPACE(EXEC_LOGS * sizeof(int))];
                struct cmsghdr align;
        } control;
        Places places = { 0 };
        int fds[EXEC_LOGS] = { -EBADF, -EBADF, -EBADF };
        struct iovec part = { .iov_base = &places, .iov_len = sizeof(places) };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        ssize_t size = recvmsg(socket_fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0) {
                return -errno;
        }
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
                memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
        }
        for (int i = 0; i < EXEC_LOGS; i++) {
                int place = size == sizeof(places) ? places.of[i] : -1;
                bool there = place >= 0 && place < EXEC_LOGS && fds[place] >= 0;
                ret_fds[i] = there ? fcntl(fds[place], F_DUPFD_CLOEXEC, 3) : -EBADF;
        }
        for (int i = 0; i < EXEC_LOGS; i++) {
                (void) close_fd(fds[i]);
        }
        return size == 0 ? -EPIPE : 0;
}
