/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Isolation by folders of cgroup v2 that we may write, without systemd: <root>/pm2d-<instance>/<id>-<n>. The
 * child is born in its folder. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "platform/cgroup-group.h"
#include "platform/cgroup-leftovers.h"
#include "platform/cgroup.h"
#include "platform/orphans.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct CgroupIsolation {
        Isolation base;
        char *folder; /* in the file system */
        char *path;   /* in the hierarchy */
        int folder_fd;
        CgroupHub *hub;
        Orphans *orphans;
} CgroupIsolation;

typedef struct FolderGroup {
        CgroupGroup cgroup;
} FolderGroup;

static void cgroup_list(const Isolation *base, GPtrArray *leftovers) {
        const CgroupIsolation *isolation = (const CgroupIsolation *) base;
        g_autofree char *mount_point = cgroup_hub_folder(isolation->hub, "");

        cgroup_list_leftovers(mount_point, isolation->path, "", leftovers);
}

static void cgroup_free(Isolation *base) {
        CgroupIsolation *isolation = (CgroupIsolation *) base;

        orphans_free(isolation->orphans);
        cgroup_hub_free(isolation->hub);
        if (isolation->folder_fd >= 0) {
                (void) CHANGE("cgroup-root-rmdir", rmdir(isolation->folder));
        }
        (void) close_fd(isolation->folder_fd);
        g_free(isolation->folder);
        g_free(isolation->path);
        g_free(isolation);
}

static void remove_folder_and_invalidate(CgroupGroup *cgroup) {
        FolderGroup *group = (FolderGroup *) cgroup;
        g_autofree char *folder = cgroup_hub_folder(cgroup->hub, cgroup->base.path);

        if (cgroup->base.path[0] && CHANGE("cgroup-rmdir", rmdir(folder)) < 0 && errno == EBUSY) {
                return; /* a last process was moved in; its end is told again */
        }
        cgroup_group_done(cgroup);
        g_free(group);
}

static int cgroup_group_new(Isolation *base, const IsolationGroupSpec *spec, IsolationGroup **ret) {
        CgroupIsolation *isolation = (CgroupIsolation *) base;
        FolderGroup *group = g_new0(FolderGroup, 1);

        cgroup_group_init(&group->cgroup, isolation->hub, base, spec, remove_folder_and_invalidate);
        group->cgroup.label = g_strdup_printf("%" PRIu32 "-%" PRIu64, spec->id, spec->generation);
        g_autofree char *path = g_build_filename(isolation->path, group->cgroup.label, NULL);
        int r = RET_NERRNO(CHANGE("cgroup-mkdir", mkdirat(isolation->folder_fd, group->cgroup.label, 0755)));
        if (r >= 0 || r == -EEXIST) {
                r = cgroup_group_open_limited(&group->cgroup, path);
        }
        if (r < 0) {
                remove_folder_and_invalidate(&group->cgroup);
                return r;
        }
        *ret = &group->cgroup.base;
        return 0;
}

static int cgroup_adopt(
                Isolation *base,
                const IsolationGroupSpec *spec,
                const IsolationAdoption *adoption,
                IsolationGroup **ret) {
        CgroupIsolation *isolation = (CgroupIsolation *) base;
        FolderGroup *group = g_new0(FolderGroup, 1);

        cgroup_group_init(&group->cgroup, isolation->hub, base, spec, remove_folder_and_invalidate);
        group->cgroup.label = g_path_get_basename(adoption->path);
        int r = cgroup_group_adopt(&group->cgroup, adoption);
        if (r < 0) {
                remove_folder_and_invalidate(&group->cgroup);
                return r;
        }
        if (adoption->main_pid > 0) {
                orphans_add_known(isolation->orphans, adoption->main_pid);
        }
        *ret = &group->cgroup.base;
        return 0;
}

static int cgroup_place(IsolationGroup *base, pid_t pid, int pidfd) {
        CgroupGroup *group = (CgroupGroup *) base;

        orphans_add_known(((CgroupIsolation *) base->isolation)->orphans, pid);
        group->main_pid = pid;
        group->placed = true; /* it was born there */
        return 1;
}

static void cgroup_set_main(IsolationGroup *base, pid_t pid, int pidfd) {
        Orphans *orphans = ((CgroupIsolation *) base->isolation)->orphans;

        orphans_remove_known(orphans, ((const CgroupGroup *) base)->main_pid);
        orphans_add_known(orphans, pid);
        cgroup_group_set_main(base, pid, pidfd);
}

static void cgroup_main_exited(IsolationGroup *base) {
        orphans_remove_known(
                        ((CgroupIsolation *) base->isolation)->orphans,
                        ((const CgroupGroup *) base)->main_pid);
        cgroup_group_main_exited(base);
}

static bool cgroup_has(Isolation *base, const char *controller) {
        return cgroup_enable_controller(((const CgroupIsolation *) base)->folder_fd, controller) >= 0;
}

static void cgroup_know_child(Isolation *base, pid_t pid, bool known) {
        Orphans *orphans = ((const CgroupIsolation *) base)->orphans;

        if (known) {
                orphans_add_known(orphans, pid);
        } else {
                orphans_remove_known(orphans, pid);
        }
}

static const IsolationOps cgroup_ops = {
        .name = "cgroup",
        .complete = true,
        .free = cgroup_free,
        .group_new = cgroup_group_new,
        .adopt = cgroup_adopt,
        .list_leftovers = cgroup_list,
        .birth_fd = cgroup_group_birth_fd,
        .place = cgroup_place,
        .main_exited = cgroup_main_exited,
        .set_main = cgroup_set_main,
        .know_child = cgroup_know_child,
        .take_oom_kills = cgroup_group_take_oom_kills,
        .is_empty = cgroup_group_is_empty,
        .signal = cgroup_group_signal,
        .kill = cgroup_group_kill,
        .has_controller = cgroup_has,
        .set_limits = cgroup_group_set_limits,
        .freeze = cgroup_group_freeze,
        .is_frozen = cgroup_group_is_frozen,
        .read_stat = cgroup_group_read_stat,
        .read_memory = cgroup_group_read_memory,
        .read_memory_peak = cgroup_group_read_memory_peak,
        .has_pid = cgroup_group_has_pid,
        .release = cgroup_group_release,
};

/* Only trying tells: the file system may be read-only, or the folder not delegated. */
static int probe(CgroupIsolation *isolation) {
        _cleanup_close_ int probe_fd = -EBADF;
        int r = 0;

        if (CHANGE("probe-mkdir", mkdirat(isolation->folder_fd, "probe", 0755)) < 0 && errno != EEXIST) {
                return -errno;
        }
        probe_fd = openat(isolation->folder_fd, "probe/cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (probe_fd < 0 || faccessat(isolation->folder_fd, "probe/cgroup.events", R_OK, 0) < 0) {
                r = -errno;
        }
        (void) CHANGE("probe-rmdir", unlinkat(isolation->folder_fd, "probe", AT_REMOVEDIR));
        return r;
}

static void on_reaped(void *userdata) {
}

static int open_folder(CgroupIsolation *isolation, const IsolationOptions *options) {
        const char *cgroup_root = options->cgroup_root;
        g_autofree char *own_folder = NULL, *own_path = NULL;
        g_autofree char *name = g_strdup_printf("pm2d-%s", options->instance);
        g_autofree char *mount_point = cgroup_hub_folder(isolation->hub, "");

        int r = cgroup_find_own(&own_folder, &own_path);
        if (r < 0) {
                return r;
        }
        if (cgroup_root) {
                if (!g_str_has_prefix(cgroup_root, mount_point)) {
                        return -EXDEV;
                }
                g_free(own_path);
                own_path = g_canonicalize_filename(cgroup_root + strlen(mount_point), "/");
        }
        isolation->path = g_build_filename(own_path, name, NULL);
        isolation->folder = cgroup_hub_folder(isolation->hub, isolation->path);
        if (CHANGE("cgroup-root-mkdir", mkdir(isolation->folder, 0755)) < 0 && errno != EEXIST) {
                return -errno;
        }
        isolation->folder_fd = open(isolation->folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return isolation->folder_fd < 0 ? -errno : 0;
}

int isolation_cgroup_new(sd_event *event, const IsolationOptions *options, Isolation **ret) {
        CgroupIsolation *isolation = g_new0(CgroupIsolation, 1);

        isolation->base = (Isolation){ .ops = &cgroup_ops, .event = event };
        isolation->folder_fd = -EBADF;
        int r = cgroup_hub_new(event, &isolation->hub);
        if (r >= 0) {
                r = open_folder(isolation, options);
        }
        if (r >= 0) {
                r = probe(isolation);
        }
        if (r >= 0) {
                r = orphans_new(event, on_reaped, isolation, &isolation->orphans);
        }
        if (r < 0) {
                cgroup_free(&isolation->base);
                return r;
        }
        *ret = &isolation->base;
        return 0;
}
