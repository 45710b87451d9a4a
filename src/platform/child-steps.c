/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* no fault points here: these are other processes */

#include "platform/child-steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The system calls themselves: glibc's wrappers want to tell other threads, which a copy has not. */
int child_become_user(const ExecUser *user) {
        if (syscall(SYS_setgroups, user->n_groups, user->groups) < 0 ||
            syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0 ||
            syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0) {
                return errno;
        }
        return 0;
}

int child_open_to_read(const char *path) {
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0) {
                return -errno;
        }
        if (!S_ISREG(status.st_mode)) {
                return S_ISDIR(status.st_mode) ? -EISDIR : -CHILD_NOT_REGULAR;
        }
        return fd;
}

void child_make_parents(const char *path, mode_t mode) {
        char copy[PATH_MAX];
        size_t length = strlen(path);

        if (length >= sizeof(copy)) {
                return;
        }
        memcpy(copy, path, length + 1);
        for (char *slash = copy + 1; *slash; slash++) {
                if (*slash == '/') {
                        *slash = '\0';
                        (void) mkdir(copy, mode);
                        *slash = '/';
                }
        }
}

int child_write_all(int fd, const char *bytes, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, bytes, size);
                if (n < 0) {
                        return -errno;
                }
                bytes += n;
                size -= (size_t) n;
        }
        return 0;
}
