/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/proc-stat.h"

#include "basic/cleanup.h"
#include "basic/macro.h"
#include "basic/parse-util.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
        ENVIRON_BYTES_MAX = 4 * 1024 * 1024,
        USEC_IN_SEC = 1000000,
};

static int open_proc(pid_t pid, const char *file) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? (errno == ENOENT ? -ESRCH : -errno) : fd;
}

static uint64_t page_bytes(void) {
        static uint64_t size;
        return size ? size : (size = (uint64_t) sysconf(_SC_PAGESIZE));
}

int proc_stat_read(pid_t pid, ProcStat *ret) {
        char text[1024], state = 0;
        _cleanup_close_ int fd = open_proc(pid, "stat");
        if (fd < 0) {
                return fd;
        }
        ssize_t n = read_fd_text(fd, text, sizeof(text));
        if (n < 0) {
                return (int) n;
        }
        /* The name in field 2 may hold anything; what follows the last ')' does not. */
        const char *rest = strrchr(text, ')');
        int parent = 0, session = 0;
        uint64_t user_ticks = 0, system_ticks = 0, start_ticks = 0, resident_pages = 0;
        uint32_t threads = 0;
        if (!rest || sscanf(rest + 1,
                            " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                            " %*d %*d %*d %*d %" SCNu32 " %*d %" SCNu64 " %*u %" SCNu64,
                            &state,
                            &parent,
                            &session,
                            &user_ticks,
                            &system_ticks,
                            &threads,
                            &start_ticks,
                            &resident_pages) != 8) {
                return -EBADMSG;
        }
        uint64_t ticks_per_sec = (uint64_t) sysconf(_SC_CLK_TCK);
        *ret = (ProcStat){
                .parent = parent,
                .session = session,
                .threads = threads,
                .cpu_usec = (user_ticks + system_ticks) * USEC_IN_SEC / ticks_per_sec,
                .started_before_usec = (start_ticks + 1) * USEC_IN_SEC / ticks_per_sec,
                .resident_bytes = resident_pages * page_bytes(),
                .zombie = state == 'Z' || state == 'X',
        };
        return 0;
}

int proc_open_statm(pid_t pid) {
        return open_proc(pid, "statm");
}

uint64_t proc_resident_bytes_at(int statm_fd) {
        char text[128], *second;

        if (statm_fd < 0 || read_fd_text(statm_fd, text, sizeof(text)) <= 0) {
                return 0;
        }
        second = strchr(text, ' ');
        return second ? strtoull(second, NULL, 10) * page_bytes() : 0;
}

pid_t proc_pid_of_pidfd(int pidfd) {
        char name[32], text[1024];

        (void) snprintf(name, sizeof(name), "fdinfo/%d", pidfd);
        _cleanup_close_ int fd = open_proc(getpid(), name);
        if (fd < 0) {
                return fd;
        }
        ssize_t n = read_fd_text(fd, text, sizeof(text));
        const char *line = n > 0 ? strstr(text, "\nPid:") : NULL;
        pid_t pid = line ? (pid_t) strtol(line + strlen("\nPid:"), NULL, 10) : -EBADF;
        return line && pid < 0 ? 0 : pid; /* -1: reaped, proc(5) */
}

uint64_t proc_resident_bytes(pid_t pid) {
        _cleanup_close_ int fd = proc_open_statm(pid);

        return proc_resident_bytes_at(fd);
}

/* Kernels without CONFIG_PROC_CHILDREN: everybody's parent is asked for. */
static void list_children_slowly(pid_t pid, GArray *pids) {
        _cleanup_closedir_ DIR *folder = opendir("/proc");
        const struct dirent *entry;
        int64_t number;
        ProcStat stat;

        while (folder && (entry = readdir(folder))) {
                if (parse_int64(entry->d_name, &number) == 0 && proc_stat_read((pid_t) number, &stat) == 0 &&
                    stat.parent == pid) {
                        pid_t child = (pid_t) number;
                        g_array_append_val(pids, child);
                }
        }
}

static void append_pids(const char *text, GArray *pids) {
        char *end;

        for (;;) {
                pid_t child = (pid_t) strtol(text, &end, 10);
                if (end == text) {
                        return;
                }
                g_array_append_val(pids, child);
                text = end;
        }
}

static int read_all(int fd, GString *text, size_t limit) {
        char buffer[4096];
        ssize_t n;

        while ((n = read(fd, buffer, sizeof(buffer))) > 0 && text->len < limit) {
                g_string_append_len(text, buffer, n);
        }
        return n < 0 ? -errno : 0;
}

void proc_list_all(GArray *pids) {
        g_autoptr(GDir) folder = g_dir_open("/proc", 0, NULL);
        const char *name;

        while (folder && (name = g_dir_read_name(folder))) {
                pid_t pid = (pid_t) strtol(name, NULL, 10);
                if (pid > 0) {
                        g_array_append_val(pids, pid);
                }
        }
}

bool proc_list_children_of_thread(pid_t pid, GArray *pids) {
        g_autofree char *file = g_strdup_printf("task/%d/children", pid);
        _cleanup_close_ int fd = open_proc(pid, file);
        g_autoptr(GString) text = g_string_new(NULL);

        if (fd < 0 || read_all(fd, text, ENVIRON_BYTES_MAX) < 0) {
                return false;
        }
        append_pids(text->str, pids);
        return true;
}

void proc_list_children(pid_t pid, GArray *pids) {
        char path[64];
        (void) snprintf(path, sizeof(path), "/proc/%d/task", pid);
        _cleanup_closedir_ DIR *folder = opendir(path);
        const struct dirent *entry;

        while (folder && (entry = readdir(folder))) {
                if (!isdigit((unsigned char) entry->d_name[0])) {
                        continue;
                }
                g_autofree char *file = g_strdup_printf("%s/children", entry->d_name);
                _cleanup_close_ int fd = openat(dirfd(folder), file, O_RDONLY | O_CLOEXEC);
                if (fd < 0 && errno == ENOENT && faccessat(dirfd(folder), entry->d_name, F_OK, 0) == 0) {
                        list_children_slowly(pid, pids);
                        return;
                }
                g_autoptr(GString) text = g_string_new(NULL);
                if (fd >= 0 && read_all(fd, text, ENVIRON_BYTES_MAX) == 0) {
                        append_pids(text->str, pids);
                }
        }
}

bool proc_has_variable(pid_t pid, const char *assignment) {
        _cleanup_close_ int fd = open_proc(pid, "environ");
        g_autoptr(GString) text = g_string_new(NULL);

        if (fd < 0 || read_all(fd, text, ENVIRON_BYTES_MAX) < 0) {
                return false;
        }
        for (size_t i = 0; i < text->len; i += strlen(text->str + i) + 1) {
                if (strcmp(text->str + i, assignment) == 0) {
                        return true;
                }
        }
        return false;
}

int proc_cgroup_path(pid_t pid, char **ret) {
        char text[8192];
        _cleanup_close_ int fd = open_proc(pid, "cgroup");
        if (fd < 0) {
                return fd;
        }
        ssize_t n = read_fd_text(fd, text, sizeof(text));
        if (n < 0) {
                return (int) n;
        }
        /* cgroups(7): the line of the v2 hierarchy is "0::<path>". */
        const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
        if (!line) {
                return -ENODATA;
        }
        line = strstr(line, "::") + 2;
        *ret = g_strndup(line, strcspn(line, "\n"));
        return 0;
}
