/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/fd-util.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int close_fd(int fd) {
        if (fd >= 0) {
                int saved_errno = errno;
                (void) close(fd);
                errno = saved_errno;
        }
        return -EBADF;
}

ssize_t read_fd_text(int fd, char *buffer, size_t size) {
        ssize_t n = pread(fd, buffer, size - 1, 0);
        if (n < 0) {
                return -errno;
        }
        buffer[n] = '\0';
        return n;
}

int read_file(int dir_fd, const char *path, size_t limit, char **ret_text, size_t *ret_length) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
                return -errno;
        }
        struct stat status;
        if (fstat(fd, &status) < 0) {
                return -errno;
        }
        if (!S_ISREG(status.st_mode)) {
                return -ENXIO;
        }
        if ((size_t) status.st_size > limit) {
                return -EFBIG;
        }
        size_t capacity = (size_t) status.st_size + 1;
        _cleanup_free_ char *text = malloc(capacity);
        if (!text) {
                return -ENOMEM;
        }
        size_t length = 0;
        while (length < capacity - 1) {
                ssize_t n = read(fd, text + length, capacity - 1 - length);
                if (n < 0) {
                        return -errno;
                }
                if (n == 0) {
                        break;
                }
                length += (size_t) n;
        }
        text[length] = '\0';
        *ret_text = text;
        text = NULL;
        if (ret_length) {
                *ret_length = length;
        }
        return 0;
}

int write_file(int dir_fd, const char *path, const char *text) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) {
                return -errno;
        }
        ssize_t n = write(fd, text, strlen(text));
        return n < 0 ? -errno : 0;
}

int make_directories(const char *path, mode_t mode) {
        _cleanup_free_ char *copy = strdup(path);
        if (!copy) {
                return -ENOMEM;
        }
        for (char *slash = copy[0] ? copy + 1 : copy; *slash; slash++) {
                if (*slash != '/') {
                        continue;
                }
                *slash = '\0';
                if (mkdir(copy, mode) < 0 && errno != EEXIST) {
                        return -errno;
                }
                *slash = '/';
        }
        if (mkdir(copy, mode) < 0 && errno != EEXIST) {
                return -errno;
        }
        return 0;
}
