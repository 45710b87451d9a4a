/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/stdin-line.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PIPEFS_MAGIC 0x50495045 /* linux/magic.h */

int stdin_pipe_open(void) {
        char path[] = "/proc/self/fd/0123456789";
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0) {
                return -errno;
        }
        (void) fcntl(ends[0], F_SETPIPE_SZ, STDIN_PIPE_BYTES);
        /* Async-signal-safe: no printf(). */
        char *digit = path + sizeof(path) - 1;
        int fd = ends[0];
        *digit = '\0';
        do {
                *--digit = (char) ('0' + fd % 10);
                fd /= 10;
        } while (fd > 0);
        char *start = path + strlen("/proc/self/fd/");
        memmove(start, digit, strlen(digit) + 1);
        int both = RET_NERRNO(open(path, O_RDWR | O_CLOEXEC));
        (void) close(ends[0]);
        (void) close(ends[1]);
        return both;
}

/* A pipe without a name: what is in the file system may be another's, to whom the owner cannot write. */
static bool is_anonymous_pipe(int fd) {
        struct statfs status;

        return fstatfs(fd, &status) >= 0 && status.f_type == PIPEFS_MAGIC;
}

int stdin_line_write(pid_t pid, int pidfd, const char *line, size_t length) {
        struct iovec parts[] = {
                { .iov_base = (char *) line, .iov_len = length },
                { .iov_base = (char *) "\n", .iov_len = 1 },
        };
        char path[32];

        if (length > STDIN_LINE_BYTES_MAX) {
                return -EMSGSIZE;
        }
        (void) snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
        _cleanup_close_ int where = open(path, O_PATH | O_CLOEXEC);
        /* no fault point: signal 0 is a question. While it is not reaped nobody else has its pid. */
        if (where < 0 || pidfd_send_signal(pidfd, 0, NULL, 0) < 0) {
                return where < 0 && errno != ENOENT ? -errno : -ESRCH;
        }
        if (!is_anonymous_pipe(where)) {
                return -ENXIO;
        }
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", where);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
                return -errno;
        }
        ssize_t n = CHANGE("stdin-write", writev(fd, parts, ELEMENTS(parts)));
        return n < 0 ? -errno : 0;
}
