/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/cgroup-group.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "platform/cgroup-leftovers.h"
#include "platform/cgroup.h"
#include "platform/exec-probe.h"
#include "platform/proc-stat.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

struct CgroupHub {
        char *mount_point; /* where the root of the hierarchy is in the file system */
        int inotify_fd;
        int kept_fd_max;           /* half of the limit: the rest is for starting processes */
        bool no_memory_controller; /* found missing once: not asked for again */
        sd_event_source *source;
        GHashTable *groups; /* watch descriptor -> CgroupGroup, weak */
};

/* What it holds beside the app has ended with it. */
static void remove_empty_and_invalidate(CgroupGroup *group) {
        if (group->folder_fd >= 0) {
                exec_probe_remove_folders(group->folder_fd);
        }
        group->remove_and_invalidate(group);
}

static void on_group_changed(CgroupGroup *group) {
        if (cgroup_is_populated(group->folder_fd)) {
                return;
        }
        if (group->released) {
                remove_empty_and_invalidate(group);
        } else if (group->placed) {
                group->base.on_empty(group->base.userdata);
        }
}

static void on_memory_changed(CgroupGroup *group) {
        if (group->placed && !group->released) {
                group->base.on_memory(group->base.userdata);
        }
}

static void check_all_groups(CgroupHub *hub) {
        g_autoptr(GList) watches = g_hash_table_get_keys(hub->groups);

        for (const GList *item = watches; item; item = item->next) {
                CgroupGroup *group = g_hash_table_lookup(hub->groups, item->data);
                if (group && group->memory_watch == GPOINTER_TO_INT(item->data)) {
                        on_memory_changed(group);
                } else if (group) {
                        on_group_changed(group);
                }
        }
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        CgroupHub *hub = userdata;
        _Alignas(struct inotify_event) char buffer[16 * 1024];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        for (ssize_t i = 0; i < n;) {
                const struct inotify_event *event = (const struct inotify_event *) (buffer + i);
                i += (ssize_t) sizeof(*event) + event->len;
                if (event->mask & IN_Q_OVERFLOW) {
                        check_all_groups(hub);
                        return 0;
                }
                CgroupGroup *group = g_hash_table_lookup(hub->groups, GINT_TO_POINTER(event->wd));
                /* The folder of a scope goes by the hand of its manager. */
                if (group && event->wd == group->memory_watch) {
                        on_memory_changed(group);
                } else if (group && event->mask & (IN_MODIFY | IN_IGNORED | IN_DELETE_SELF)) {
                        on_group_changed(group);
                }
        }
        return 0;
}

/* The mount point is what our own folder has before our own path. */
static int find_mount_point(CgroupHub *hub) {
        g_autofree char *folder = NULL, *path = NULL;

        int r = cgroup_find_own(&folder, &path);
        if (r < 0) {
                return r;
        }
        size_t path_length = strcmp(path, "/") == 0 ? 1 : strlen(path);
        if (!g_str_has_suffix(folder, path)) {
                return -ENODATA;
        }
        hub->mount_point = g_strndup(folder, strlen(folder) - path_length);
        return 0;
}

int cgroup_hub_new(sd_event *event, CgroupHub **ret) {
        CgroupHub *hub = g_new0(CgroupHub, 1);

        struct rlimit limit;

        hub->groups = g_hash_table_new(NULL, NULL);
        hub->kept_fd_max =
                        getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 512 : (int) MIN(limit.rlim_cur / 2, INT_MAX);
        hub->inotify_fd = RET_NERRNO(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        int r = hub->inotify_fd < 0 ? hub->inotify_fd : find_mount_point(hub);
        if (r >= 0) {
                r = sd_event_add_io(event, &hub->source, hub->inotify_fd, EPOLLIN, on_inotify, hub);
        }
        if (r < 0) {
                cgroup_hub_free(hub);
                return r;
        }
        *ret = hub;
        return 0;
}

void cgroup_hub_free(CgroupHub *hub) {
        GHashTableIter iterator;
        void *watch, *group;

        if (!hub) {
                return;
        }
        /* Released groups whose processes live on. */
        g_autoptr(GPtrArray) left = g_ptr_array_new();
        g_hash_table_iter_init(&iterator, hub->groups);
        while (g_hash_table_iter_next(&iterator, &watch, &group)) {
                if (((const CgroupGroup *) group)->watch == GPOINTER_TO_INT(watch)) {
                        g_ptr_array_add(left, group);
                }
        }
        for (guint i = 0; i < left->len; i++) {
                cgroup_group_done(left->pdata[i]);
                g_free(left->pdata[i]);
        }
        (void) sd_event_source_disable_unref(hub->source);
        (void) close_fd(hub->inotify_fd);
        g_hash_table_unref(hub->groups);
        g_free(hub->mount_point);
        g_free(hub);
}

char *cgroup_hub_folder(const CgroupHub *hub, const char *path) {
        return g_strconcat(hub->mount_point, path, NULL);
}

void cgroup_hub_list_leftovers(const CgroupHub *hub, bool system, GPtrArray *leftovers) {
        g_autofree char *own = NULL;

        if (proc_cgroup_path(getpid(), &own) < 0) {
                return;
        }
        char *app_slice = system ? own : strstr(own, "/app.slice/");
        if (app_slice) {
                *app_slice = '\0';
                g_autofree char *slice = g_strconcat(own, "/app.slice/app-pm2.slice", NULL);
                cgroup_list_leftovers(hub->mount_point, slice, NULL, leftovers);
        }
        if (system) {
                cgroup_list_leftovers(hub->mount_point, "/pm2.slice", NULL, leftovers);
        }
}

bool cgroup_hub_has_controller(const CgroupHub *hub, const char *path, const char *controller) {
        g_autofree char *folder = cgroup_hub_folder(hub, path);
        _cleanup_close_ int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

        return fd >= 0 && cgroup_has_controller(fd, controller);
}

void cgroup_group_init(
                CgroupGroup *group,
                CgroupHub *hub,
                Isolation *isolation,
                const IsolationGroupSpec *spec,
                void (*remove_and_invalidate)(CgroupGroup *group)) {
        isolation_group_init(&group->base, isolation, spec);
        group->hub = hub;
        group->watch = group->memory_watch = -1;
        group->oom_kills = spec->oom_kills;
        group->folder_fd = -EBADF;
        group->limits = spec->limits;
        group->cpu_fd = group->procs_fd = group->memory_fd = group->memory_stat_fd = group->main_statm_fd =
                        -EBADF;
        group->remove_and_invalidate = remove_and_invalidate;
}

/* A watch of a file in the folder; negative errno where there is none. */
static int watch_file(CgroupGroup *group, const char *folder, const char *file) {
        g_autofree char *path = g_build_filename(folder, file, NULL);
        int watch = RET_NERRNO(inotify_add_watch(group->hub->inotify_fd, path, IN_MODIFY));

        if (watch >= 0) {
                (void) g_hash_table_insert(group->hub->groups, GINT_TO_POINTER(watch), group);
        }
        return watch;
}

static void unwatch(CgroupGroup *group, int watch) {
        if (watch >= 0) {
                (void) inotify_rm_watch(group->hub->inotify_fd, watch);
                (void) g_hash_table_remove(group->hub->groups, GINT_TO_POINTER(watch));
        }
}

int cgroup_group_open(CgroupGroup *group, const char *path) {
        g_autofree char *folder = cgroup_hub_folder(group->hub, path);
        _cleanup_close_ int folder_fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

        if (folder_fd < 0) {
                return -errno;
        }
        int watch = watch_file(group, folder, "cgroup.events");
        if (watch < 0) {
                return watch;
        }
        group->watch = watch;
        group->memory_watch = watch_file(group, folder, "memory.events");
        group->folder_fd = steal_fd(&folder_fd);
        g_free(group->base.path);
        group->base.path = g_strdup(path);
        return 0;
}

int cgroup_group_open_limited(CgroupGroup *group, const char *path) {
        static const IsolationLimits none;

        int r = cgroup_group_open(group, path);
        return r < 0 ? r : cgroup_limits_apply(group->folder_fd, &group->limits, &none);
}

int cgroup_group_adopt(CgroupGroup *group, const IsolationAdoption *adoption) {
        /* One that was being made has no path: that would be the root of all. */
        bool is_group = adoption->path[0] == '/' && adoption->path[1];
        int r = is_group ? cgroup_group_open(group, adoption->path) : -ENOENT;

        if (r >= 0) {
                g_free(group->base.unit);
                group->base.unit = g_strdup(adoption->unit);
                group->main_pid = adoption->main_pid;
                group->placed = true;
        }
        return r;
}

static void close_kept_fds(CgroupGroup *group) {
        int *fds[] = { &group->cpu_fd,
                       &group->procs_fd,
                       &group->memory_fd,
                       &group->memory_stat_fd,
                       &group->main_statm_fd };

        for (size_t i = 0; i < ELEMENTS(fds); i++) {
                *fds[i] = close_fd(*fds[i]);
        }
}

void cgroup_group_done(CgroupGroup *group) {
        unwatch(group, group->watch);
        unwatch(group, group->memory_watch);
        isolation_group_done(&group->base);
        g_free(group->label);
        (void) close_fd(group->folder_fd);
        close_kept_fds(group);
}

int cgroup_group_birth_fd(const IsolationGroup *base) {
        return ((const CgroupGroup *) base)->folder_fd;
}

void cgroup_group_main_exited(IsolationGroup *base) {
        ((CgroupGroup *) base)->main_pid = 0;
}

void cgroup_group_set_main(IsolationGroup *base, pid_t pid, int pidfd) {
        CgroupGroup *group = (CgroupGroup *) base;

        group->main_pid = pid;
        group->main_statm_fd = close_fd(group->main_statm_fd);
}

/* "oom_kill" of memory.events (kernel: admin-guide/cgroup-v2.rst) counts what the kernel ended in the folder
 * and below, whosever limit it was. */
uint64_t cgroup_group_take_oom_kills(IsolationGroup *base) {
        CgroupGroup *group = (CgroupGroup *) base;
        uint64_t kills = 0;

        if (group->memory_watch < 0) {
                return 0;
        }
        _cleanup_close_ int fd = openat(group->folder_fd, "memory.events", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || cgroup_read_keyed(fd, "oom_kill", &kills) < 0 || kills <= group->oom_kills) {
                return 0;
        }
        uint64_t taken = kills - group->oom_kills;
        group->oom_kills = kills;
        return taken;
}

/* Without a folder nothing but the gated child was ever in it. */
bool cgroup_group_is_empty(IsolationGroup *base) {
        const CgroupGroup *group = (const CgroupGroup *) base;

        return group->folder_fd < 0 || !cgroup_is_populated(group->folder_fd);
}

void cgroup_group_signal(IsolationGroup *base, int number) {
        const CgroupGroup *group = (const CgroupGroup *) base;

        if (group->folder_fd >= 0) {
                cgroup_signal(group->folder_fd, base->path, number);
        }
}

void cgroup_group_kill(IsolationGroup *base) {
        const CgroupGroup *group = (const CgroupGroup *) base;

        if (group->folder_fd >= 0) {
                cgroup_kill(group->folder_fd, base->path);
        }
}

int cgroup_group_set_limits(
                IsolationGroup *base,
                const IsolationLimits *limits,
                IsolationHandler handler,
                void *userdata) {
        CgroupGroup *group = (CgroupGroup *) base;
        int r = 0;

        if (group->folder_fd >= 0) { /* else it gets them with its folder */
                r = cgroup_limits_apply(group->folder_fd, limits, &group->limits);
        }
        group->limits = *limits;
        return r < 0 ? r : 1;
}

int cgroup_group_freeze(IsolationGroup *base, bool freeze) {
        const CgroupGroup *group = (const CgroupGroup *) base;

        return group->folder_fd < 0
                               ? -ESRCH
                               : CHANGE("group-freeze",
                                        write_file(group->folder_fd, "cgroup.freeze", freeze ? "1" : "0"));
}

bool cgroup_group_is_frozen(const IsolationGroup *base) {
        const CgroupGroup *group = (const CgroupGroup *) base;
        _cleanup_close_ int fd =
                        group->folder_fd < 0
                                        ? -EBADF
                                        : openat(group->folder_fd, "cgroup.freeze", O_RDONLY | O_CLOEXEC);
        uint64_t frozen = 0;

        return fd >= 0 && cgroup_read_number(fd, &frozen) >= 0 && frozen != 0;
}

/* Files that are read often stay open: 0.7 instead of 6 µs a read. Not when fds become scarce: see below. */
static int kept_fd(const CgroupGroup *group, int *fd, const char *file) {
        if (*fd < 0) {
                *fd = openat(group->folder_fd, file, O_RDONLY | O_CLOEXEC);
        }
        return *fd < 0 ? -errno : *fd;
}

/* The main process alone, as most often: its statm stays open too. */
static uint64_t main_resident_bytes(CgroupGroup *group) {
        if (group->main_statm_fd < 0) {
                group->main_statm_fd = proc_open_statm(group->main_pid);
        }
        return proc_resident_bytes_at(group->main_statm_fd);
}

static uint64_t sum_resident_bytes(CgroupGroup *group, const GArray *pids) {
        uint64_t sum = 0;

        if (pids->len == 1 && g_array_index(pids, pid_t, 0) == group->main_pid) {
                return main_resident_bytes(group);
        }

        for (guint i = 0; i < pids->len; i++) {
                sum += proc_resident_bytes(g_array_index(pids, pid_t, i));
        }
        return sum;
}

/* What the group uses beyond page cache that nobody needs; false without the controller. */
static bool read_memory(CgroupGroup *group, uint64_t *ret_bytes) {
        uint64_t bytes, inactive_bytes;

        if (group->hub->no_memory_controller) {
                return false;
        }
        int r = kept_fd(group, &group->memory_fd, "memory.current");
        if (r == -ENOENT) {
                group->hub->no_memory_controller = true;
        }
        if (r < 0 || kept_fd(group, &group->memory_stat_fd, "memory.stat") < 0 ||
            cgroup_read_number(group->memory_fd, &bytes) < 0 ||
            cgroup_read_keyed(group->memory_stat_fd, "inactive_file", &inactive_bytes) < 0) {
                return false;
        }
        *ret_bytes = bytes - MIN(bytes, inactive_bytes);
        return true;
}

static int list_members(CgroupGroup *group, GArray *pids) {
        int r = kept_fd(group, &group->procs_fd, "cgroup.procs");

        return r < 0 ? r : cgroup_list_pids(r, pids);
}

static int read_stat(CgroupGroup *group, IsolationStat *ret) {
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        uint64_t cpu_usec = 0, memory_bytes = 0;

        int r = list_members(group, pids);
        if (r >= 0) {
                r = kept_fd(group, &group->cpu_fd, "cpu.stat");
        }
        if (r >= 0) {
                r = cgroup_read_keyed(r, "usage_usec", &cpu_usec);
        }
        if (r < 0) {
                return r;
        }
        if (!read_memory(group, &memory_bytes)) {
                memory_bytes = sum_resident_bytes(group, pids);
        }
        *ret = (IsolationStat){ .memory_bytes = memory_bytes, .cpu_usec = cpu_usec, .tasks = pids->len };
        return 0;
}

static void close_scarce_fds(CgroupGroup *group) {
        int max = group->hub->kept_fd_max;

        if (group->cpu_fd > max || group->main_statm_fd > max || group->memory_stat_fd > max) {
                close_kept_fds(group);
        }
}

int cgroup_group_read_stat(IsolationGroup *base, IsolationStat *ret) {
        CgroupGroup *group = (CgroupGroup *) base;
        int r = read_stat(group, ret);

        close_scarce_fds(group);
        return r;
}

int cgroup_group_read_memory(IsolationGroup *base, uint64_t *ret_bytes) {
        CgroupGroup *group = (CgroupGroup *) base;
        int r = 0;

        if (!read_memory(group, ret_bytes)) {
                g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
                r = list_members(group, pids);
                *ret_bytes = sum_resident_bytes(group, pids);
        }
        close_scarce_fds(group);
        return r;
}

/* Since Linux 5.19. Once in a launch: nothing is kept open for it. */
uint64_t cgroup_group_read_memory_peak(const IsolationGroup *base) {
        const CgroupGroup *group = (const CgroupGroup *) base;
        uint64_t bytes = 0;
        _cleanup_close_ int fd =
                        group->folder_fd < 0 ? -EBADF
                                             : openat(group->folder_fd, "memory.peak", O_RDONLY | O_CLOEXEC);

        return fd >= 0 && cgroup_read_number(fd, &bytes) >= 0 ? bytes : 0;
}

bool cgroup_group_has_pid(IsolationGroup *base, pid_t pid) {
        g_autofree char *where = NULL;

        return proc_cgroup_path(pid, &where) >= 0 && cgroup_path_is_within(where, base->path);
}

void cgroup_group_release(IsolationGroup *base) {
        CgroupGroup *group = (CgroupGroup *) base;

        group->released = true;
        if (group->folder_fd < 0 || !cgroup_is_populated(group->folder_fd)) {
                remove_empty_and_invalidate(group);
        } else if (!base->isolation->leaving) { /* what stays in it is meant to */
                /* no fault point: without it a successor ends what stays, no more */
                (void) fsetxattr(group->folder_fd, CGROUP_RELEASED_MARK, "1", 1, 0);
        }
}
