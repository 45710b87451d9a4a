/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/proc-image.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        TEXT_BYTES_MAX = 4 * 1024 * 1024, /* the arguments and environment that execve(2) takes by default */
        READ_BYTES = 16 * 1024,
};

static int open_of(pid_t pid, const char *name, int flags) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        int fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? (errno == ENOENT ? -ESRCH : -errno) : fd;
}

/* Strings that end in NUL, one after the other. */
static int read_strings(pid_t pid, const char *name, char ***ret) {
        _cleanup_close_ int fd = open_of(pid, name, O_RDONLY);
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
        guint8 buffer[READ_BYTES];
        ssize_t n;

        if (fd < 0) {
                return fd;
        }
        while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
                if (bytes->len + (size_t) n > TEXT_BYTES_MAX) {
                        return -E2BIG;
                }
                (void) g_byte_array_append(bytes, buffer, (guint) n);
        }
        if (n < 0) {
                return -errno;
        }
        for (guint i = 0; i < bytes->len;) {
                size_t length = strnlen((const char *) bytes->data + i, bytes->len - i);
                g_ptr_array_add(strings, g_strndup((const char *) bytes->data + i, length));
                i += (guint) length + 1;
        }
        g_ptr_array_add(strings, NULL);
        *ret = (char **) g_ptr_array_free(g_steal_pointer(&strings), FALSE);
        return 0;
}

static int read_link_of(pid_t pid, const char *name, char **ret) {
        char path[64], target[PATH_MAX];

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0) {
                return errno == ENOENT ? -ESRCH : -errno;
        }
        *ret = g_strndup(target, (gsize) n);
        return 0;
}

int proc_image_read(pid_t pid, ProcImage *ret) {
        _cleanup_close_ int folder_fd = open_of(pid, ".", O_DIRECTORY | O_PATH);
        ProcImage image = { 0 };
        struct stat status;

        int r = folder_fd < 0 ? folder_fd : RET_NERRNO(fstat(folder_fd, &status));
        if (r < 0) {
                return r;
        }
        image.uid = status.st_uid;
        r = read_link_of(pid, "exe", &image.program);
        if (r >= 0) {
                r = read_link_of(pid, "cwd", &image.cwd);
        }
        if (r >= 0) {
                r = read_strings(pid, "cmdline", &image.argv);
        }
        if (r >= 0) {
                r = read_strings(pid, "environ", &image.env);
        }
        if (r >= 0 && (!image.argv || !image.argv[0])) {
                r = -ESRCH; /* a zombie has no arguments */
        }
        if (r < 0) {
                proc_image_done(&image);
                return r;
        }
        *ret = image;
        return 0;
}

void proc_image_done(ProcImage *image) {
        g_free(image->program);
        g_free(image->cwd);
        g_strfreev(image->argv);
        g_strfreev(image->env);
        *image = (ProcImage){ 0 };
}
