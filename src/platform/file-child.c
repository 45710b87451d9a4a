/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Replacing a file so that a crash at any instruction leaves the old or the new one. Two writers of one file
 * (the child of a supervisor that has just died may be at its last call) are kept apart by a lock on the
 * temporary file, whose name is fixed so that killed writers leave one file and no heap of them. */

/* no fault points here: this is another process, which a test of its own kills at each of its system calls
 */

#include "platform/file-child.h"

#include "basic/cleanup.h"
#include "basic/macro.h"
#include "platform/child-steps.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
        FILE_MODE = 0600,
        FOLDER_MODE = 0700,
        OPEN_TRIES_MAX = 1000, /* each of them waits for another writer */
        COPY_BYTES = 65536,
};

static FileReport report_of(FileStage stage, int result) {
        return (FileReport){ .stage = (int32_t) stage, .error = result < 0 ? -result : 0 };
}

static int check_regular(mode_t mode) {
        if (S_ISLNK(mode)) {
                return -ELOOP;
        }
        return S_ISREG(mode) ? 0 : -ENXIO;
}

/* Whether the name still is the file that was opened: another writer may have renamed it meanwhile. */
static bool is_still(int folder_fd, const char *name, const struct stat *opened) {
        struct stat now;

        return fstatat(folder_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_dev == opened->st_dev &&
               now.st_ino == opened->st_ino;
}

/* What somebody else put there, in a folder that several may write, must not get the content. */
static int check_temporary(int fd, struct stat *ret) {
        if (fstat(fd, ret) < 0) {
                return -errno;
        }
        int r = check_regular(ret->st_mode);
        if (r < 0) {
                return r;
        }
        return ret->st_uid != geteuid() || ret->st_nlink > 1 ? -EPERM : 0;
}

/* The temporary file, empty, locked and ours alone. */
static int open_temporary(int folder_fd, const char *name) {
        const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

        for (unsigned i = 0; i < OPEN_TRIES_MAX; i++) {
                struct stat status;
                _cleanup_close_ int fd = openat(folder_fd, name, flags, FILE_MODE);
                if (fd < 0) {
                        return -errno;
                }
                int r = check_temporary(fd, &status);
                if (r == -EPERM && status.st_nlink == 0) {
                        continue;
                }
                if (r < 0) {
                        return r;
                }
                /* Some file systems have no locks; then there is none. */
                /* may block: this is a child, whose supervisor waits for events */
                if (flock(fd, LOCK_EX) < 0 && errno != ENOLCK && errno != EOPNOTSUPP) {
                        return -errno;
                }
                if (!is_still(folder_fd, name, &status)) {
                        continue;
                }
                if (fchmod(fd, FILE_MODE) < 0 || ftruncate(fd, 0) < 0) {
                        return -errno;
                }
                return steal_fd(&fd);
        }
        return -EBUSY;
}

/* The old content gets a second name; where there are no hard links, another one. */
static int keep_previous(int folder_fd, const FileReplacement *replacement) {
        if (unlinkat(folder_fd, replacement->previous, 0) < 0 && errno != ENOENT) {
                return -errno;
        }
        if (linkat(folder_fd, replacement->name, folder_fd, replacement->previous, 0) == 0) {
                return 0;
        }
        if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK && errno != ENOSYS) {
                return -errno;
        }
        return RET_NERRNO(renameat(folder_fd, replacement->name, folder_fd, replacement->previous));
}

static int sync_folder(int folder_fd) {
        int r = RET_NERRNO(fsync(folder_fd));

        return r == -EINVAL || r == -EROFS ? 0 : r; /* some file systems have no such thing */
}

static FileReport put_in_place(int folder_fd, const FileReplacement *replacement, bool there) {
        int r = there ? keep_previous(folder_fd, replacement) : 0;
        if (r < 0) {
                return report_of(FILE_STAGE_KEEP, r);
        }
        r = RET_NERRNO(renameat(folder_fd, replacement->temporary, folder_fd, replacement->name));
        if (r < 0) {
                return report_of(FILE_STAGE_RENAME, r);
        }
        return report_of(FILE_STAGE_SYNC, sync_folder(folder_fd));
}

/* 1: there is a file to be replaced; 0: none; negative: something that is not to be replaced. */
static int look_at(int folder_fd, const char *name) {
        struct stat status;

        if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
                return errno == ENOENT ? 0 : -errno;
        }
        int r = check_regular(status.st_mode);
        return r < 0 ? r : 1;
}

/* Unless another writer's stands there by now. */
static void discard_temporary(int folder_fd, int fd, const char *name) {
        struct stat status;

        if (fstat(fd, &status) == 0 && is_still(folder_fd, name, &status)) {
                (void) unlinkat(folder_fd, name, 0);
        }
}

FileReport file_replace(const FileReplacement *replacement) {
        if (replacement->make_folder) {
                child_make_parents(replacement->folder, FOLDER_MODE);
                (void) mkdir(replacement->folder, FOLDER_MODE);
        }
        _cleanup_close_ int folder_fd = open(replacement->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder_fd < 0) {
                return report_of(FILE_STAGE_FOLDER, -errno);
        }
        _cleanup_close_ int fd = open_temporary(folder_fd, replacement->temporary);
        if (fd < 0) {
                return report_of(FILE_STAGE_OPEN, fd);
        }
        int there = look_at(folder_fd, replacement->name);
        if (there < 0) {
                discard_temporary(folder_fd, fd, replacement->temporary);
                return report_of(FILE_STAGE_OPEN, there);
        }
        FileReport report = report_of(
                        FILE_STAGE_WRITE, child_write_all(fd, replacement->bytes, replacement->size));
        if (report.error == 0) {
                report = report_of(FILE_STAGE_SYNC, RET_NERRNO(fsync(fd)));
        }
        if (report.error == 0) {
                report = put_in_place(folder_fd, replacement, there > 0);
        }
        if (report.error != 0) {
                discard_temporary(folder_fd, fd, replacement->temporary);
        }
        return report;
}

FileReport file_copy_out(const char *path, size_t limit, int target_fd) {
        char buffer[COPY_BYTES];
        struct stat status;
        size_t total = 0;

        _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0) {
                return report_of(FILE_STAGE_OPEN, -errno);
        }
        if (fstat(fd, &status) < 0) {
                return report_of(FILE_STAGE_OPEN, -errno);
        }
        int r = check_regular(status.st_mode);
        if (r < 0) {
                return report_of(FILE_STAGE_OPEN, r);
        }
        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));
                if (n <= 0) {
                        return report_of(FILE_STAGE_READ, n < 0 ? -errno : 0);
                }
                total += (size_t) n;
                if (total > limit) {
                        return report_of(FILE_STAGE_READ, -EFBIG);
                }
                r = child_write_all(target_fd, buffer, (size_t) n);
                if (r < 0) {
                        return report_of(FILE_STAGE_READ, r);
                }
        }
}
