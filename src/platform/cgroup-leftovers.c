/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/cgroup-leftovers.h"

#include "basic/cleanup.h"
#include "platform/cgroup.h"
#include "platform/proc-stat.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

void leftover_free(void *item) {
        Leftover *leftover = item;

        g_free(leftover->path);
        g_free(leftover->unit);
        g_free(leftover);
}

static bool contains(const GArray *pids, pid_t pid) {
        for (guint i = 0; i < pids->len; i++) {
                if (g_array_index(pids, pid_t, i) == pid) {
                        return true;
                }
        }
        return false;
}

static pid_t find_main(int folder_fd) {
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        _cleanup_close_ int procs_fd = openat(folder_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);

        if (procs_fd < 0 || cgroup_list_pids(procs_fd, pids) < 0) {
                return 0;
        }
        for (guint i = 0; i < pids->len; i++) {
                pid_t pid = g_array_index(pids, pid_t, i);
                ProcStat stat;
                if (proc_stat_read(pid, &stat) >= 0 && !stat.zombie && !contains(pids, stat.parent)) {
                        return pid;
                }
        }
        return 0;
}

static void add_group(const char *folder, const char *path, const char *unit, GPtrArray *leftovers) {
        _cleanup_close_ int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        char mark[2];

        bool populated = fd >= 0 && cgroup_is_populated(fd);
        if (populated && fgetxattr(fd, CGROUP_RELEASED_MARK, mark, sizeof(mark)) >= 0) {
                return;
        }
        Leftover *leftover = g_new0(Leftover, 1);
        leftover->path = g_strdup(path);
        leftover->unit = g_strdup(unit);
        leftover->populated = populated;
        leftover->main_pid = leftover->populated ? find_main(fd) : 0;
        g_ptr_array_add(leftovers, leftover);
}

void cgroup_list_leftovers(
                const char *mount_point, const char *path, const char *unit, GPtrArray *leftovers) {
        g_autofree char *folder = g_strconcat(mount_point, path, NULL);
        g_autoptr(GDir) entries = g_dir_open(folder, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *inner_path = g_build_filename(path, name, NULL);
                g_autofree char *inner = g_build_filename(folder, name, NULL);
                g_autofree char *apps = g_build_filename(inner_path, "apps", NULL);
                g_autofree char *apps_folder = g_build_filename(inner, "apps", NULL);
                if (!g_file_test(inner, G_FILE_TEST_IS_DIR)) {
                        continue;
                }
                if (unit) {
                        add_group(inner, inner_path, unit, leftovers);
                } else if (g_str_has_suffix(name, ".slice")) {
                        cgroup_list_leftovers(mount_point, inner_path, NULL, leftovers);
                } else if (g_str_has_suffix(name, ".scope") &&
                           g_file_test(apps_folder, G_FILE_TEST_IS_DIR)) {
                        cgroup_list_leftovers(mount_point, apps, name, leftovers);
                } else if (g_str_has_suffix(name, ".scope")) {
                        add_group(inner, inner_path, name, leftovers);
                }
        }
}
