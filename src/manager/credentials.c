/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The folders with the credentials of processes. The gated child makes one (platform/exec-credentials.c),
 * named as the process for as long as that is known; it goes when nothing of a launch is left. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "manager/manager-internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
        ENTRIES_MAX = 1024, /* of one folder: what else its owner puts there stays */
        UNIQUE_ID_BYTES = 32,
};

static char *parent_folder(const Manager *manager) {
        return g_build_filename(manager->paths->runtime_dir, "credentials", NULL);
}

char *credentials_folder(const Manager *manager, const Process *process) {
        g_autofree char *parent = parent_folder(manager);
        return g_build_filename(parent, process->launch_id, NULL);
}

static bool is_unique_id(const char *name) {
        return strlen(name) == UNIQUE_ID_BYTES && strspn(name, "0123456789abcdef") == UNIQUE_ID_BYTES;
}

static DIR *open_folder(int parent_fd, const char *name) {
        int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

        if (!folder) {
                (void) close_fd(fd);
        }
        return folder;
}

static void remove_folder(int parent_fd, const char *name) {
        DIR *folder = open_folder(parent_fd, name);

        if (!folder) {
                return; /* most have none */
        }
        const struct dirent *entry = readdir(folder);
        for (unsigned n = 0; entry && n < ENTRIES_MAX; n++, entry = readdir(folder)) {
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                        (void) CHANGE("credential-unlink", unlinkat(dirfd(folder), entry->d_name, 0));
                }
        }
        (void) closedir(folder);
        if (CHANGE("credentials-rmdir", unlinkat(parent_fd, name, AT_REMOVEDIR)) < 0) {
                (void) log_warning_errno(errno, "credentials/%s cannot be removed: %m", name);
        }
}

void credentials_remove(const Manager *manager, const Process *process) {
        g_autofree char *parent = parent_folder(manager);
        _cleanup_close_ int parent_fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (parent_fd >= 0 && is_unique_id(process->launch_id)) {
                remove_folder(parent_fd, process->launch_id);
        }
}

static bool has_launch_id(const ProcessHandle *handle, const void *launch_id) {
        return strcmp(handle->process->launch_id, launch_id) == 0;
}

void credentials_remove_leftovers(const Manager *manager) {
        g_autofree char *path = parent_folder(manager);
        DIR *parent = open_folder(AT_FDCWD, path);

        if (!parent) {
                return;
        }
        for (const struct dirent *entry = readdir(parent); entry; entry = readdir(parent)) {
                if (is_unique_id(entry->d_name) &&
                    !manager_any_handle(manager, has_launch_id, entry->d_name)) {
                        remove_folder(dirfd(parent), entry->d_name);
                }
        }
        (void) closedir(parent);
}
