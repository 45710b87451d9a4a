/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/cgroup.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "platform/proc-stat.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* What the kernel writes behind the path of a zombie whose cgroup was removed. */
#define REMOVED_MARK " (deleted)"

enum {
        SIGNAL_ROUNDS_MAX = 16,
};

/* A line of /proc/self/mountinfo (proc(5)): "36 35 98:0 /root /mount/point opts - type source opts". */
static bool parse_mount(const char *line, char **ret_root, char **ret_mount_point) {
        g_auto(GStrv) halves = g_strsplit(line, " - ", 2);

        if (!halves[0] || !halves[1] || !g_str_has_prefix(halves[1], "cgroup2 ")) {
                return false;
        }
        g_auto(GStrv) fields = g_strsplit(halves[0], " ", 6);
        if (g_strv_length(fields) < 6) {
                return false;
        }
        *ret_root = g_strcompress(fields[3]);
        *ret_mount_point = g_strcompress(fields[4]);
        return true;
}

int cgroup_find_own(char **ret_folder, char **ret_path) {
        _cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        g_autofree char *path = NULL;
        size_t size = 0;

        int r = proc_cgroup_path(getpid(), &path);
        if (r < 0) {
                return r;
        }
        while (mounts && getline(&line, &size, mounts) > 0) {
                g_autofree char *root = NULL, *mount_point = NULL;
                if (!parse_mount(line, &root, &mount_point)) {
                        continue;
                }
                size_t skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
                if (strncmp(path, root, skip) != 0) {
                        continue;
                }
                *ret_folder = g_build_filename(mount_point, path + skip, NULL);
                *ret_path = g_steal_pointer(&path);
                return 0;
        }
        return -ENODATA;
}

char **cgroup_list_controllers(void) {
        g_autofree char *folder = NULL, *path = NULL;
        char text[512] = "";

        if (cgroup_find_own(&folder, &path) >= 0) {
                g_autofree char *file = g_build_filename(folder, "cgroup.controllers", NULL);
                _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
                if (fd < 0 || read_fd_text(fd, text, sizeof(text)) < 0) {
                        text[0] = '\0';
                }
        }
        g_strchomp(text);
        return text[0] ? g_strsplit(text, " ", -1) : g_new0(char *, 1);
}

bool cgroup_path_is_within(const char *path, const char *group) {
        size_t length = strlen(group);

        return length > 0 && strncmp(path, group, length) == 0 &&
               (path[length] == '\0' || path[length] == '/' || strcmp(path + length, REMOVED_MARK) == 0);
}

bool cgroup_is_populated(int folder_fd) {
        _cleanup_close_ int fd = openat(folder_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
        uint64_t populated = 0;

        return fd >= 0 && cgroup_read_keyed(fd, "populated", &populated) == 0 && populated != 0;
}

int cgroup_list_pids(int procs_fd, GArray *pids) {
        char buffer[4096];
        off_t offset = 0;
        pid_t pid = 0;

        for (;;) {
                ssize_t n = pread(procs_fd, buffer, sizeof(buffer), offset);
                if (n < 0) {
                        return -errno;
                }
                if (n == 0) {
                        return 0;
                }
                for (ssize_t i = 0; i < n; i++) {
                        if (buffer[i] != '\n') {
                                pid = pid * 10 + (buffer[i] - '0');
                        } else {
                                g_array_append_val(pids, pid);
                                pid = 0;
                        }
                }
                offset += n;
                /* Whole lines are handed out a buffer at a time: one that is not half full was the last. */
                if (n < (ssize_t) sizeof(buffer) / 2) {
                        return 0;
                }
        }
}

int cgroup_read_keyed(int fd, const char *key, uint64_t *ret) {
        char text[4096];
        size_t length = strlen(key);
        ssize_t n = read_fd_text(fd, text, sizeof(text));

        if (n < 0) {
                return (int) n;
        }
        for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                if (strncmp(line, key, length) == 0 && line[length] == ' ') {
                        *ret = strtoull(line + length + 1, NULL, 10);
                        return 0;
                }
        }
        return -ENODATA;
}

int cgroup_read_number(int fd, uint64_t *ret) {
        char text[64];
        ssize_t n = read_fd_text(fd, text, sizeof(text));

        if (n < 0) {
                return (int) n;
        }
        *ret = strtoull(text, NULL, 10);
        return 0;
}

static void signal_member(pid_t pid, const char *path, int number) {
        g_autofree char *where = NULL;
        _cleanup_close_ int pidfd = pidfd_open(pid, 0);

        /* Read after the pidfd is open: what is in our cgroup now is what the pidfd is of, or ours anyway.
         */
        if (pidfd >= 0 && proc_cgroup_path(pid, &where) >= 0 && strcmp(where, path) == 0) {
                (void) CHANGE("member-signal", pidfd_send_signal(pidfd, number, NULL, 0));
        }
}

void cgroup_signal(int folder_fd, const char *path, int number) {
        g_autoptr(GHashTable) done = g_hash_table_new(NULL, NULL);
        _cleanup_close_ int procs_fd = openat(folder_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        bool again = procs_fd >= 0;

        for (int round = 0; again && round < SIGNAL_ROUNDS_MAX; round++) {
                g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
                again = false;
                if (cgroup_list_pids(procs_fd, pids) < 0) {
                        return;
                }
                for (guint i = 0; i < pids->len; i++) {
                        pid_t pid = g_array_index(pids, pid_t, i);
                        if (pid > 0 && g_hash_table_add(done, GINT_TO_POINTER(pid))) {
                                signal_member(pid, path, number);
                                again = true;
                        }
                }
        }
}

void cgroup_kill(int folder_fd, const char *path) {
        if (CHANGE("group-kill", write_file(folder_fd, "cgroup.kill", "1")) < 0) { /* before Linux 5.14 */
                cgroup_signal(folder_fd, path, SIGKILL);
        }
}
