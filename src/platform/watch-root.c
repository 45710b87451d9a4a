/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where a tree begins. A path that is no folder, or not there, is watched for in the folder where it is or
 * will be: so an editor may replace a file, and a deployment a folder. */

#include "platform/watch-internal.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Not in linux/magic.h of Debian 12: fs/ceph, fs/smb/client of Linux 6.1. */
#define CEPH_MAGIC 0x00c36400
#define CIFS_MAGIC 0xff534d42

enum {
        OPEN_TRIES = 4, /* while others change what is there */
};

bool watch_file_system_is_good(int fd) {
        struct statfs system;

        if (fstatfs(fd, &system) < 0) {
                return false;
        }
        switch ((unsigned long) system.f_type & 0xffffffff) {
        case AFS_FS_MAGIC:
        case AFS_SUPER_MAGIC:
        case AUTOFS_SUPER_MAGIC:
        case CEPH_MAGIC:
        case CIFS_MAGIC:
        case CODA_SUPER_MAGIC:
        case FUSE_SUPER_MAGIC:
        case NFS_SUPER_MAGIC:
        case PROC_SUPER_MAGIC:
        case SMB2_SUPER_MAGIC:
        case SMB_SUPER_MAGIC:
        case SYSFS_MAGIC:
        case V9FS_MAGIC:
                return false;
        default:
                return true;
        }
}

void watch_root_done(WatchRoot *root) {
        if (root->folder) {
                watch_folder_drop(root->folder);
        }
        root->fd = close_fd(root->fd);
        g_clear_pointer(&root->anchor_path, g_free);
}

static bool may_come(int error) {
        return error == ENOENT || error == ENOTDIR;
}

/* The folder that is nearest to the path, and what is to come in it. Returns its descriptor. */
static int open_anchor(const WatchRoot *root, char **ret_folder, char **ret_name) {
        g_autofree char *path = g_strdup(root->path);

        for (;;) {
                g_autofree char *folder = g_path_get_dirname(path);
                int fd = RET_NERRNO(open(folder, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
                if (fd >= 0 || !may_come(-fd) || strcmp(folder, "/") == 0) {
                        *ret_name = g_path_get_basename(path);
                        *ret_folder = g_steal_pointer(&folder);
                        return fd;
                }
                g_free(path);
                path = g_steal_pointer(&folder);
        }
}

/* Whether the anchor is good; else what it waits for has come meanwhile. */
static bool anchor(WatchRoot *root) {
        g_autofree char *name = NULL;
        struct stat status;

        g_clear_pointer(&root->anchor_path, g_free);
        _cleanup_close_ int fd = open_anchor(root, &root->anchor_path, &name);
        int r = fd >= 0 && !watch_file_system_is_good(fd) ? -EREMOTE : fd;
        if (r >= 0) {
                root->folder = watch_folder_add(root, NULL, name);
                r = root->folder ? watch_hub_add(root->tree->hub, root->folder, fd) : 0;
        }
        if (r < 0) {
                watch_tree_fail(root->tree, r, root->anchor_path);
        }
        if (root->tree->error < 0 || root->is_file || fstatat(fd, name, &status, 0) < 0) {
                return true;
        }
        watch_folder_drop(root->folder);
        return false;
}

/* True: it is watched, or waited for, or cannot be. */
static bool try_open(WatchRoot *root) {
        struct stat status;

        _cleanup_close_ int fd = RET_NERRNO(open(root->path, O_PATH | O_CLOEXEC));
        if (fd < 0 && !may_come(-fd)) {
                watch_tree_fail(root->tree, fd, root->path);
                return true;
        }
        if (fd >= 0 && !watch_file_system_is_good(fd)) {
                watch_tree_fail(root->tree, -EREMOTE, root->path);
                return true;
        }
        bool folder = fd >= 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
        root->is_file = fd >= 0 && !folder;
        if (!folder) {
                return anchor(root);
        }
        root->fd = steal_fd(&fd);
        root->folder = watch_folder_add(root, NULL, NULL);
        if (root->folder) {
                watch_tree_queue(root->folder);
        }
        return true;
}

void watch_root_open(WatchRoot *root) {
        watch_root_done(root);
        for (int i = 0; i < OPEN_TRIES && !try_open(root); i++) {
        }
        if (!root->folder && root->tree->error == 0) {
                watch_tree_fail(root->tree, -EBUSY, root->path);
        }
}

void watch_root_lose(WatchRoot *root) {
        WatchTree *tree = root->tree;

        watch_tree_tell(tree, root->path);
        watch_root_open(root);
}

void watch_root_handle_anchor(WatchRoot *root, uint32_t mask, const char *name) {
        bool self = mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT);
        bool was_there = root->is_file;

        if (self) {
                watch_root_lose(root);
                return;
        }
        if (strcmp(name, root->folder->name) != 0) {
                return;
        }
        if (mask & (IN_CREATE | IN_MOVED_TO)) {
                watch_root_open(root);
        }
        bool is_there = root->is_file || (root->folder && !root->folder->anchor);
        if (root->tree->error == 0 && (was_there || is_there)) {
                watch_tree_tell(root->tree, root->path);
        }
}
