/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/stream-file.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* proc_pid_fdinfo(5): asks no file system. */
static int read_fdinfo(pid_t pid, int stream, unsigned *ret_flags, uint64_t *ret_inode) {
        char path[48], text[512];

        (void) snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, stream);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
                return -errno;
        }
        ssize_t n = read_fd_text(fd, text, sizeof(text));
        if (n < 0) {
                return (int) n;
        }
        const char *flags = strstr(text, "flags:"), *inode = strstr(text, "\nino:");
        if (!flags || !inode || sscanf(flags, "flags: %o", ret_flags) != 1 ||
            sscanf(inode, "\nino: %" SCNu64, ret_inode) != 1) {
                return -EOPNOTSUPP; /* before Linux 5.14 */
        }
        return 0;
}

/* As the kernel knows it: no server is asked. */
static int look_at(int folder_fd, const char *path, int flags, struct statx *ret) {
        int r = RET_NERRNO(
                        statx(folder_fd,
                              path,
                              flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
                              STATX_TYPE | STATX_INO | STATX_SIZE,
                              ret));

        return r < 0 ? r : S_ISREG(ret->stx_mode) ? 0 : -ESTALE;
}

static bool is_of(const struct statx *status, const ExecLog *log) {
        return makedev(status->stx_dev_major, status->stx_dev_minor) == log->device &&
               status->stx_ino == log->inode;
}

static int open_checked(const char *path, int flags, const ExecLog *log) {
        struct statx status = { 0 };

        _cleanup_close_ int fd = open(path, flags | O_PATH | O_CLOEXEC);
        int r = fd < 0 ? -errno : look_at(fd, "", AT_EMPTY_PATH, &status);
        if (r < 0) {
                return r;
        }
        return is_of(&status, log) ? steal_fd(&fd) : -ESTALE;
}

int stream_file_open(pid_t pid, int stream, const ExecLog *log) {
        unsigned flags = 0;
        uint64_t inode = 0;
        char path[48];

        int r = read_fdinfo(pid, stream, &flags, &inode);
        if (r < 0) {
                return r;
        }
        if (inode != log->inode) {
                return -ESTALE;
        }
        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, stream);
        return open_checked(path, 0, log);
}

int stream_file_open_path(const char *path, const ExecLog *log) {
        return open_checked(path, O_NOFOLLOW, log);
}

int stream_file_identify(pid_t pid, int stream, const char *path, ExecLog *ret) {
        struct statx status = { 0 };
        unsigned flags = 0;
        uint64_t inode = 0;

        int r = look_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &status);
        if (r >= 0) {
                r = read_fdinfo(pid, stream, &flags, &inode);
        }
        if (r < 0) {
                return r;
        }
        _cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
                return -errno;
        }
        *ret = (ExecLog){
                .device = makedev(status.stx_dev_major, status.stx_dev_minor),
                .inode = status.stx_ino,
                .local = exec_file_is_local(fd),
                .size_bytes = status.stx_size,
        };
        return inode == status.stx_ino ? 0 : -ESTALE;
}

bool stream_file_is_overwritten(pid_t pid, int stream, const ExecLog *log) {
        unsigned flags = 0;
        uint64_t inode = 0;

        int r = read_fdinfo(pid, stream, &flags, &inode);
        return r >= 0 && inode == log->inode && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_APPEND);
}

int stream_file_copy(int fd, ExecLog *ret_log, int *ret_fd) {
        char path[48];
        struct stat status;

        if (fstat(fd, &status) < 0) {
                return -errno;
        }
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int copy = open(path, O_PATH | O_CLOEXEC);
        if (copy < 0) {
                return -errno;
        }
        *ret_log = (ExecLog){ .device = status.st_dev,
                              .inode = status.st_ino,
                              .local = 1,
                              .size_bytes = (uint64_t) status.st_size };
        *ret_fd = copy;
        return 0;
}

int64_t stream_file_size(int fd) {
        struct statx status = { 0 };

        int r = look_at(fd, "", AT_EMPTY_PATH, &status);
        return r < 0 ? r : (int64_t) status.stx_size;
}
