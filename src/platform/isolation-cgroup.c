/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Isolation by folders of cgroup v2 that we may write, without systemd: <root>/pm2d-<instance>/<id>-<n>. The
 * child is born in its folder; one inotify fd watches the cgroup.events of all. */

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "platform/cgroup.h"
#include "platform/isolation-internal.h"
#include "platform/orphans.h"
#include "platform/proc-stat.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct CgroupIsolation {
        Isolation base;
        char *folder; /* in the file system */
        char *path;   /* in the hierarchy */
        int folder_fd;
        int inotify_fd;
        sd_event_source *inotify_source;
        GHashTable *groups; /* watch descriptor -> CgroupGroup, owned */
        Orphans *orphans;
} CgroupIsolation;

typedef struct CgroupGroup {
        IsolationGroup base;
        CgroupIsolation *isolation; /* weak */
        char *name;
        int folder_fd;
        int watch;
        pid_t main_pid;
        bool placed;
        bool released; /* lives on until its last process has gone */
        int cpu_fd, procs_fd, memory_fd, memory_stat_fd;
} CgroupGroup;

static void cgroup_group_free(CgroupGroup *group) {
        isolation_group_done(&group->base);
        (void) close_fd(group->folder_fd);
        (void) close_fd(group->cpu_fd);
        (void) close_fd(group->procs_fd);
        (void) close_fd(group->memory_fd);
        (void) close_fd(group->memory_stat_fd);
        g_free(group->name);
        g_free(group);
}

static void free_group(void *group) {
        cgroup_group_free(group);
}

/* The folder goes if nothing is in it; then the group is freed. */
static bool remove_group_and_invalidate(CgroupGroup *group) {
        CgroupIsolation *isolation = group->isolation;

        if (cgroup_is_populated(group->folder_fd) ||
            (unlinkat(isolation->folder_fd, group->name, AT_REMOVEDIR) < 0 && errno == EBUSY)) {
                return false;
        }
        (void) inotify_rm_watch(isolation->inotify_fd, group->watch);
        (void) g_hash_table_remove(isolation->groups, GINT_TO_POINTER(group->watch));
        return true;
}

static void on_group_changed(CgroupGroup *group) {
        if (cgroup_is_populated(group->folder_fd)) {
                return;
        }
        if (group->released) {
                (void) remove_group_and_invalidate(group);
        } else if (group->placed) {
                group->base.on_empty(group->base.userdata);
        }
}

static void check_all_groups(CgroupIsolation *isolation) {
        g_autoptr(GList) watches = g_hash_table_get_keys(isolation->groups);

        for (const GList *item = watches; item; item = item->next) {
                CgroupGroup *group = g_hash_table_lookup(isolation->groups, item->data);
                if (group) {
                        on_group_changed(group);
                }
        }
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        CgroupIsolation *isolation = userdata;
        _Alignas(struct inotify_event) char buffer[16 * 1024];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        for (ssize_t i = 0; i < n;) {
                const struct inotify_event *event = (const struct inotify_event *) (buffer + i);
                i += (ssize_t) sizeof(*event) + event->len;
                if (event->mask & IN_Q_OVERFLOW) {
                        check_all_groups(isolation);
                        return 0;
                }
                CgroupGroup *group = g_hash_table_lookup(isolation->groups, GINT_TO_POINTER(event->wd));
                if (group && event->mask & IN_MODIFY) {
                        on_group_changed(group);
                }
        }
        return 0;
}

/* What a supervisor of this name left behind is ended: nobody manages it any more. */
static void end_leftovers(CgroupIsolation *isolation) {
        int copy = fcntl(isolation->folder_fd, F_DUPFD_CLOEXEC, 3);
        _cleanup_closedir_ DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
        const struct dirent *entry;

        while (folder && (entry = readdir(folder))) {
                if (entry->d_type != DT_DIR || entry->d_name[0] == '.') {
                        continue;
                }
                _cleanup_close_ int fd = openat(
                                isolation->folder_fd, entry->d_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
                g_autofree char *path = g_build_filename(isolation->path, entry->d_name, NULL);
                if (fd >= 0 && cgroup_is_populated(fd)) {
                        log_notice("ending what an earlier supervisor left in %s", path);
                        cgroup_kill(fd, path);
                }
                (void) unlinkat(isolation->folder_fd, entry->d_name, AT_REMOVEDIR);
        }
}

static void cgroup_free(Isolation *base) {
        CgroupIsolation *isolation = (CgroupIsolation *) base;

        orphans_free(isolation->orphans);
        (void) sd_event_source_disable_unref(isolation->inotify_source);
        if (isolation->groups) {
                g_hash_table_unref(isolation->groups);
        }
        (void) close_fd(isolation->inotify_fd);
        if (isolation->folder_fd >= 0) {
                (void) rmdir(isolation->folder);
        }
        (void) close_fd(isolation->folder_fd);
        g_free(isolation->folder);
        g_free(isolation->path);
        g_free(isolation);
}

static int cgroup_group_new(Isolation *base, const IsolationGroupSpec *spec, IsolationGroup **ret) {
        CgroupIsolation *isolation = (CgroupIsolation *) base;
        g_autofree char *name = g_strdup_printf("%" PRIu32 "-%" PRIu64, spec->id, spec->generation);

        if (mkdirat(isolation->folder_fd, name, 0755) < 0 && errno != EEXIST) {
                return -errno;
        }
        _cleanup_close_ int folder_fd =
                        openat(isolation->folder_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (folder_fd < 0) {
                return -errno;
        }
        g_autofree char *events = g_build_filename(isolation->folder, name, "cgroup.events", NULL);
        int watch = inotify_add_watch(isolation->inotify_fd, events, IN_MODIFY);
        if (watch < 0) {
                int r = -errno;
                (void) unlinkat(isolation->folder_fd, name, AT_REMOVEDIR);
                return r;
        }
        CgroupGroup *group = g_new0(CgroupGroup, 1);
        isolation_group_init(&group->base, base, spec);
        g_free(group->base.path);
        group->base.path = g_build_filename(isolation->path, name, NULL);
        group->isolation = isolation;
        group->name = g_steal_pointer(&name);
        group->folder_fd = steal_fd(&folder_fd);
        group->watch = watch;
        group->cpu_fd = group->procs_fd = group->memory_fd = group->memory_stat_fd = -EBADF;
        (void) g_hash_table_insert(isolation->groups, GINT_TO_POINTER(watch), group);
        *ret = &group->base;
        return 0;
}

static int cgroup_birth_fd(const IsolationGroup *base) {
        return ((const CgroupGroup *) base)->folder_fd;
}

static int cgroup_place(IsolationGroup *base, pid_t pid, int pidfd) {
        CgroupGroup *group = (CgroupGroup *) base;

        orphans_add_known(group->isolation->orphans, pid);
        group->main_pid = pid;
        group->placed = true; /* it was born there */
        return 1;
}

static void cgroup_main_exited(IsolationGroup *base) {
        CgroupGroup *group = (CgroupGroup *) base;

        orphans_remove_known(group->isolation->orphans, group->main_pid);
        group->main_pid = 0;
}

static bool cgroup_is_empty(IsolationGroup *base) {
        return !cgroup_is_populated(((CgroupGroup *) base)->folder_fd);
}

static void cgroup_group_signal(IsolationGroup *base, int number) {
        cgroup_signal(((CgroupGroup *) base)->folder_fd, base->path, number);
}

static void cgroup_group_kill(IsolationGroup *base) {
        cgroup_kill(((CgroupGroup *) base)->folder_fd, base->path);
}

/* Files that are read often stay open (0.7 instead of 6 µs a read); a controller that is missing is asked
 * for again at every reading, which costs one failing openat(). */
static int kept_fd(const CgroupGroup *group, int *fd, const char *file) {
        if (*fd < 0) {
                *fd = openat(group->folder_fd, file, O_RDONLY | O_CLOEXEC);
        }
        return *fd < 0 ? -errno : *fd;
}

static uint64_t sum_resident_bytes(const GArray *pids) {
        uint64_t sum = 0;

        for (guint i = 0; i < pids->len; i++) {
                sum += proc_resident_bytes(g_array_index(pids, pid_t, i));
        }
        return sum;
}

static int cgroup_read_stat(IsolationGroup *base, IsolationStat *ret) {
        CgroupGroup *group = (CgroupGroup *) base;
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        uint64_t cpu_usec = 0, memory_bytes = 0, inactive_bytes = 0;

        int r = kept_fd(group, &group->procs_fd, "cgroup.procs");
        if (r >= 0) {
                r = cgroup_list_pids(r, pids);
        }
        if (r >= 0) {
                r = kept_fd(group, &group->cpu_fd, "cpu.stat");
        }
        if (r >= 0) {
                r = cgroup_read_keyed(r, "usage_usec", &cpu_usec);
        }
        if (r < 0) {
                return r;
        }
        if (kept_fd(group, &group->memory_fd, "memory.current") >= 0 &&
            kept_fd(group, &group->memory_stat_fd, "memory.stat") >= 0 &&
            cgroup_read_number(group->memory_fd, &memory_bytes) >= 0 &&
            cgroup_read_keyed(group->memory_stat_fd, "inactive_file", &inactive_bytes) >= 0) {
                memory_bytes -= MIN(memory_bytes, inactive_bytes);
        } else {
                memory_bytes = sum_resident_bytes(pids);
        }
        *ret = (IsolationStat){ .memory_bytes = memory_bytes, .cpu_usec = cpu_usec, .tasks = pids->len };
        return 0;
}

static bool cgroup_has_pid(IsolationGroup *base, pid_t pid) {
        g_autofree char *where = NULL;
        return proc_cgroup_path(pid, &where) >= 0 && strcmp(where, base->path) == 0;
}

static void cgroup_release(IsolationGroup *base) {
        CgroupGroup *group = (CgroupGroup *) base;

        group->released = true;
        (void) remove_group_and_invalidate(group);
}

static const IsolationOps cgroup_ops = {
        .name = "cgroup",
        .complete = true,
        .free = cgroup_free,
        .group_new = cgroup_group_new,
        .birth_fd = cgroup_birth_fd,
        .place = cgroup_place,
        .main_exited = cgroup_main_exited,
        .is_empty = cgroup_is_empty,
        .signal = cgroup_group_signal,
        .kill = cgroup_group_kill,
        .read_stat = cgroup_read_stat,
        .has_pid = cgroup_has_pid,
        .release = cgroup_release,
};

/* Only trying tells: the file system may be read-only, the folder not delegated, clone3() filtered. */
static int probe(CgroupIsolation *isolation) {
        _cleanup_close_ int probe_fd = -EBADF;
        int r = 0;

        if (mkdirat(isolation->folder_fd, "probe", 0755) < 0 && errno != EEXIST) {
                return -errno;
        }
        probe_fd = openat(isolation->folder_fd, "probe/cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (probe_fd < 0 || faccessat(isolation->folder_fd, "probe/cgroup.events", R_OK, 0) < 0) {
                r = -errno;
        }
        (void) unlinkat(isolation->folder_fd, "probe", AT_REMOVEDIR);
        return r;
}

static void on_reaped(void *userdata) {
}

static int open_folder(CgroupIsolation *isolation, const char *cgroup_root, const char *instance) {
        g_autofree char *own_folder = NULL, *own_path = NULL;
        g_autofree char *name = g_strdup_printf("pm2d-%s", instance);

        int r = cgroup_find_own(&own_folder, &own_path);
        if (r < 0) {
                return r;
        }
        if (cgroup_root) {
                /* The path in the hierarchy follows from how far the folder lies below the same mount. */
                size_t mount_length =
                                strlen(own_folder) - (strcmp(own_path, "/") == 0 ? 0 : strlen(own_path));
                if (strncmp(cgroup_root, own_folder, mount_length) != 0) {
                        return -EXDEV;
                }
                g_free(own_path);
                own_path = g_canonicalize_filename(cgroup_root + mount_length, "/");
                g_free(own_folder);
                own_folder = g_strdup(cgroup_root);
        }
        isolation->folder = g_build_filename(own_folder, name, NULL);
        isolation->path = g_build_filename(own_path, name, NULL);
        if (mkdir(isolation->folder, 0755) < 0 && errno != EEXIST) {
                return -errno;
        }
        isolation->folder_fd = open(isolation->folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return isolation->folder_fd < 0 ? -errno : 0;
}

int isolation_cgroup_new(sd_event *event, const char *cgroup_root, const char *instance, Isolation **ret) {
        CgroupIsolation *isolation = g_new0(CgroupIsolation, 1);

        isolation->base = (Isolation){ .ops = &cgroup_ops, .event = event };
        isolation->folder_fd = isolation->inotify_fd = -EBADF;
        isolation->groups = g_hash_table_new_full(NULL, NULL, NULL, free_group);
        int r = open_folder(isolation, cgroup_root, instance);
        if (r >= 0) {
                r = probe(isolation);
        }
        if (r >= 0) {
                isolation->inotify_fd = RET_NERRNO(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
                r = isolation->inotify_fd;
        }
        if (r >= 0) {
                r =
                                sd_event_add_io(event,
                                                &isolation->inotify_source,
                                                isolation->inotify_fd,
                                                EPOLLIN,
                                                on_inotify,
                                                isolation);
        }
        if (r >= 0) {
                r = orphans_new(event, on_reaped, isolation, &isolation->orphans);
        }
        if (r < 0) {
                cgroup_free(&isolation->base);
                return r;
        }
        end_leftovers(isolation);
        *ret = &isolation->base;
        return 0;
}
