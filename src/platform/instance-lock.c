/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/instance-lock.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "basic/time-util.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
        RETRY_MSEC = 50,
};

static int write_pid(int fd) {
        char text[16];
        int length = snprintf(text, sizeof(text), "%d\n", getpid());

        if (CHANGE("lock-empty", ftruncate(fd, 0)) < 0 ||
            CHANGE("lock-pid", pwrite(fd, text, (size_t) length, 0)) < 0) {
                return -errno;
        }
        return 0;
}

int instance_lock_take(const char *path, uint64_t timeout_usec) {
        _cleanup_close_ int fd = CHANGE(
                        "lock-open", open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600));
        uint64_t deadline_usec = now_boottime_usec() + timeout_usec;

        if (fd < 0) {
                return -errno;
        }
        while (CHANGE("lock-take", flock(fd, LOCK_EX | LOCK_NB)) < 0) {
                if (errno != EWOULDBLOCK || now_boottime_usec() >= deadline_usec) {
                        return -errno;
                }
                (void) poll(NULL, 0, RETRY_MSEC);
        }
        int r = write_pid(fd);
        return r < 0 ? r : steal_fd(&fd);
}

int instance_lock_read_pid(const char *path) {
        _cleanup_free_ char *text = NULL;

        if (read_file(AT_FDCWD, path, 64, &text, NULL) < 0) {
                return 0;
        }
        return (int) strtol(text, NULL, 10);
}
