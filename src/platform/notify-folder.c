/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/notify-folder.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_folder(const char *folder) {
        return RET_NERRNO(open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int notify_folder_make(const char *folder, bool of_many_users) {
        mode_t mode = of_many_users ? 0711 : 0700;
        struct stat status;

        if (CHANGE("notify-folder-mkdir", mkdir(folder, 0700)) < 0 && errno != EEXIST) {
                return -errno;
        }
        _cleanup_close_ int fd = open_folder(folder);
        if (fd < 0) {
                return fd;
        }
        if (fstat(fd, &status) < 0) {
                return -errno;
        }
        if (status.st_uid != geteuid()) {
                return -EPERM;
        }
        if ((status.st_mode & 07777) != mode && CHANGE("notify-folder-chmod", fchmod(fd, mode)) < 0) {
                return -errno;
        }
        return 0;
}

int notify_folder_socket_path(const char *folder, const char *unique_id, uint64_t start, char **ret) {
        g_autofree char *path = g_strdup_printf("%s/%s-%" PRIx64, folder, unique_id, start);

        if (strlen(path) >= sizeof(((struct sockaddr_un *) NULL)->sun_path)) {
                return -ENAMETOOLONG;
        }
        *ret = g_steal_pointer(&path);
        return 0;
}

static bool is_socket(int folder_fd, const char *name) {
        struct stat status;

        return fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISSOCK(status.st_mode);
}

int notify_folder_sweep(
                const char *folder, bool (*is_known)(void *userdata, const char *name), void *userdata) {
        int n = 0;

        _cleanup_close_ int fd = open_folder(folder);
        if (fd < 0) {
                return fd == -ENOENT ? 0 : fd;
        }
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        if (!dir) {
                return -errno;
        }
        (void) steal_fd(&fd);
        for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
                if (is_socket(dirfd(dir), entry->d_name) && !is_known(userdata, entry->d_name) &&
                    CHANGE("notify-sweep-unlink", unlinkat(dirfd(dir), entry->d_name, 0)) >= 0) {
                        n++;
                }
        }
        return n;
}
