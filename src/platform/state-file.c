/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/state-file.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_FILE "state-slots"
#define BLOBS_FILE "state-blobs"

static int open_file(const char *folder, const char *name, int flags) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        _cleanup_close_ int fd = open(path, flags | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0) {
                return -errno;
        }
        if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_nlink != 1 ||
            (status.st_mode & 077) != 0) {
                return -EPERM;
        }
        return steal_fd(&fd);
}

static int open_both(const char *folder, int flags, int *ret_slots_fd, int *ret_blobs_fd) {
        _cleanup_close_ int slots_fd = open_file(folder, SLOTS_FILE, flags);

        if (slots_fd < 0) {
                return slots_fd;
        }
        int blobs_fd = open_file(folder, BLOBS_FILE, flags);
        if (blobs_fd < 0) {
                return blobs_fd;
        }
        *ret_slots_fd = steal_fd(&slots_fd);
        *ret_blobs_fd = blobs_fd;
        return 0;
}

int state_files_open(const char *folder, int *ret_slots_fd, int *ret_blobs_fd) {
        return open_both(folder, 0, ret_slots_fd, ret_blobs_fd);
}

int state_files_create(const char *folder, int *ret_slots_fd, int *ret_blobs_fd) {
        state_files_remove(folder);
        return open_both(folder, O_CREAT | O_EXCL, ret_slots_fd, ret_blobs_fd);
}

void state_files_remove(const char *folder) {
        g_autofree char *slots = g_build_filename(folder, SLOTS_FILE, NULL);
        g_autofree char *blobs = g_build_filename(folder, BLOBS_FILE, NULL);

        (void) CHANGE("state-slots-unlink", unlink(slots));
        (void) CHANGE("state-blobs-unlink", unlink(blobs));
}
