/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Isolation by systemd for large bursts ("group"): one delegated scope for the whole instance, held by a
 * keeper that does nothing, and a folder in it for each start: <scope>/keeper and <scope>/apps/<id>-<n>. One
 * job for all; a child is born in its folder as soon as the scope stands, and is moved there if it came
 * earlier. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/cgroup-group.h"
#include "platform/cgroup.h"
#include "platform/child-watch.h"
#include "platform/proc-stat.h"
#include "platform/spawn.h"
#include "platform/systemd-manager.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define KEEPER_UNIT_PREFIX "app-pm2-apps-"

typedef struct DelegatedIsolation {
        Isolation base;
        SystemdManager *manager;
        CgroupHub *hub;
        bool system;
        char *instance;
        char *before;
        char *unit;      /* of the scope that is wanted or stands; its number grows */
        unsigned number; /* of that scope */
        GatedChild keeper;
        ChildWatch *keeper_watch;
        ScopeRequest *request;
        char *apps_path;    /* in the hierarchy; NULL: the scope does not stand */
        int apps_fd;        /* its folder */
        GHashTable *groups; /* set of DelegatedGroup that wait to be placed */
} DelegatedIsolation;

typedef struct DelegatedGroup {
        CgroupGroup cgroup; /* its label is the name of the folder */
} DelegatedGroup;

static void forget_scope(DelegatedIsolation *isolation) {
        scope_request_cancel(g_steal_pointer(&isolation->request));
        child_watch_free(g_steal_pointer(&isolation->keeper_watch));
        gated_child_done(&isolation->keeper);
        g_clear_pointer(&isolation->apps_path, g_free);
        isolation->apps_fd = close_fd(isolation->apps_fd);
}

static int open_folder(DelegatedIsolation *isolation, DelegatedGroup *group) {
        g_autofree char *path = g_build_filename(isolation->apps_path, group->cgroup.label, NULL);

        if (CHANGE("group-mkdir", mkdirat(isolation->apps_fd, group->cgroup.label, 0755)) < 0 &&
            errno != EEXIST) {
                return -errno;
        }
        return cgroup_group_open_limited(&group->cgroup, path);
}

static int move_in(DelegatedIsolation *isolation, DelegatedGroup *group) {
        char pid[16];

        int r = group->cgroup.folder_fd >= 0 ? 0 : open_folder(isolation, group);
        if (r < 0) {
                return r;
        }
        (void) snprintf(pid, sizeof(pid), "%d", group->cgroup.main_pid);
        return CHANGE("group-move-in", write_file(group->cgroup.folder_fd, "cgroup.procs", pid));
}

/* Everybody who waited for the scope goes in, or hears why not. */
static void place_waiting(DelegatedIsolation *isolation, int result) {
        g_autoptr(GList) waiting = g_hash_table_get_keys(isolation->groups);

        for (const GList *item = waiting; item; item = item->next) {
                DelegatedGroup *group = item->data;
                if (!g_hash_table_remove(isolation->groups, group)) {
                        continue;
                }
                int r = result < 0 ? result : move_in(isolation, group);
                group->cgroup.placed = r >= 0;
                group->cgroup.base.on_placed(group->cgroup.base.userdata, r);
        }
}

/* No process may sit in an inner node of a delegated tree: keeper and apps are leaves. */
static int prepare_scope(DelegatedIsolation *isolation) {
        g_autofree char *path = NULL;
        char pid[16];

        int r = proc_cgroup_path(isolation->keeper.pid, &path);
        if (r < 0) {
                return r;
        }
        g_autofree char *folder = cgroup_hub_folder(isolation->hub, path);
        g_autofree char *keeper = g_build_filename(folder, "keeper", NULL);
        g_autofree char *apps = g_build_filename(folder, "apps", NULL);
        g_autofree char *procs = g_build_filename(keeper, "cgroup.procs", NULL);
        if (CHANGE("keeper-mkdir", mkdir(keeper, 0755)) < 0 || CHANGE("apps-mkdir", mkdir(apps, 0755)) < 0) {
                return -errno;
        }
        (void) snprintf(pid, sizeof(pid), "%d", isolation->keeper.pid);
        r = CHANGE("keeper-move-in", write_file(AT_FDCWD, procs, pid));
        if (r < 0) {
                return r;
        }
        isolation->apps_fd = open(apps, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (isolation->apps_fd < 0) {
                return -errno;
        }
        isolation->apps_path = g_build_filename(path, "apps", NULL);
        return spawn_open_gate(&isolation->keeper);
}

static void on_scope(void *userdata, int result) {
        DelegatedIsolation *isolation = userdata;

        isolation->request = NULL;
        int r = result < 0 ? result : prepare_scope(isolation);
        if (r < 0) {
                (void) log_error_errno(r, "the scope of the group cannot be made: %m");
                forget_scope(isolation);
        }
        place_waiting(isolation, r);
}

/* Somebody ended the keeper: the next start makes a new scope. */
static void on_keeper_exit(void *userdata, int code, int status) {
        DelegatedIsolation *isolation = userdata;

        log_warning("%s: its keeper has ended", isolation->unit);
        forget_scope(isolation);
        place_waiting(isolation, -ECHILD);
}

static int make_scope(DelegatedIsolation *isolation) {
        static char *const argv[] = { (char *) "pm2d-keeper", (char *) "--keeper", NULL };
        static char *const envp[] = { NULL };
        ExecPlan plan = { .path = "/proc/self/exe", .argv = argv, .envp = envp, .cwd = "/" };

        (void) getrlimit(RLIMIT_NOFILE, &plan.nofile);
        int r = spawn_gated(&plan, -EBADF, &isolation->keeper);
        if (r >= 0) {
                r =
                                child_watch_new(isolation->base.event,
                                                isolation->keeper.pidfd,
                                                on_keeper_exit,
                                                isolation,
                                                &isolation->keeper_watch);
        }
        if (r < 0) {
                forget_scope(isolation);
                return r;
        }
        g_free(isolation->unit);
        isolation->unit =
                        g_strdup_printf(KEEPER_UNIT_PREFIX "%s-%" PRIu64 "-%u.scope",
                                        isolation->instance,
                                        now_realtime_usec(), /* no name of a predecessor */
                                        ++isolation->number);
        ScopeProperties properties = {
                .unit = isolation->unit,
                .description = "pm2: apps",
                .slice = "app-pm2.slice",
                .before = isolation->before,
                .delegate = true,
                .pid = isolation->keeper.pid,
        };
        isolation->request =
                        systemd_manager_start_scope(isolation->manager, &properties, on_scope, isolation);
        return 0;
}

/* The folder of the slice that our scopes are in: below app.slice, as our own service is in a user's
 * manager. */
static char *slice_path(const DelegatedIsolation *isolation) {
        g_autofree char *own = NULL;

        if (proc_cgroup_path(getpid(), &own) < 0) {
                return g_strdup("");
        }
        const char *app_slice = isolation->system ? own : strstr(own, "/app.slice/");
        return app_slice ? g_strdup_printf("%.*s/app.slice/app-pm2.slice", (int) (app_slice - own), own)
                         : g_strdup("");
}

static bool slice_is_empty(const DelegatedIsolation *isolation) {
        g_autofree char *path = slice_path(isolation);
        g_autofree char *folder = cgroup_hub_folder(isolation->hub, path);
        _cleanup_close_ int fd = path[0] ? open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -EBADF;

        return fd >= 0 && !cgroup_is_populated(fd);
}

/* An old scope lives as long as a process is in it; its keeper is not ours to watch, so it goes, and starts
 * from now on go into a new scope. */
static void on_old_scope(void *userdata, const char *unit) {
        const DelegatedIsolation *isolation = userdata;
        g_autofree char *slice = slice_path(isolation);

        if (g_strcmp0(unit, isolation->unit) == 0 || !slice[0]) {
                return;
        }
        g_autofree char *path = g_build_filename(slice, unit, "keeper", NULL);
        g_autofree char *folder = cgroup_hub_folder(isolation->hub, path);
        _cleanup_close_ int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

        if (fd >= 0) {
                cgroup_kill(fd, path);
        }
}

/* Who ends the keeper may be ending the apps as well, whose exits are seen first: nothing is to be started
 * in a scope that goes. */
static void check_keeper(DelegatedIsolation *isolation) {
        siginfo_t info = { 0 };

        if (isolation->keeper.pid > 0 &&
            CHANGE("keeper-reap",
                   waitid(P_PIDFD, (id_t) isolation->keeper.pidfd, &info, WEXITED | WNOHANG)) == 0 &&
            info.si_pid != 0) {
                on_keeper_exit(isolation, info.si_code, info.si_status);
        }
}

static void remove_folder_and_invalidate(CgroupGroup *cgroup) {
        DelegatedGroup *group = (DelegatedGroup *) cgroup;
        DelegatedIsolation *isolation = (DelegatedIsolation *) cgroup->base.isolation;

        if (cgroup->folder_fd >= 0 && isolation->apps_fd >= 0 &&
            CHANGE("group-rmdir", unlinkat(isolation->apps_fd, group->cgroup.label, AT_REMOVEDIR)) < 0 &&
            errno == EBUSY) {
                return;
        }
        (void) g_hash_table_remove(isolation->groups, group);
        cgroup_group_done(cgroup);
        g_free(group);
}

static int delegated_group_new(Isolation *base, const IsolationGroupSpec *spec, IsolationGroup **ret) {
        DelegatedIsolation *isolation = (DelegatedIsolation *) base;

        check_keeper(isolation);
        if (!isolation->apps_path && !isolation->request) {
                int r = make_scope(isolation);
                if (r < 0) {
                        return r;
                }
        }
        DelegatedGroup *group = g_new0(DelegatedGroup, 1);
        cgroup_group_init(&group->cgroup, isolation->hub, base, spec, remove_folder_and_invalidate);
        group->cgroup.label = g_strdup_printf("%" PRIu32 "-%" PRIu64, spec->id, spec->generation);
        g_free(group->cgroup.base.unit);
        group->cgroup.base.unit = g_strdup(isolation->unit);
        if (isolation->apps_path) {
                int r = open_folder(isolation, group);
                if (r < 0) {
                        remove_folder_and_invalidate(&group->cgroup);
                        return r;
                }
        }
        *ret = &group->cgroup.base;
        return 0;
}

static int delegated_adopt(
                Isolation *base,
                const IsolationGroupSpec *spec,
                const IsolationAdoption *adoption,
                IsolationGroup **ret) {
        DelegatedIsolation *isolation = (DelegatedIsolation *) base;
        DelegatedGroup *group = g_new0(DelegatedGroup, 1);

        cgroup_group_init(&group->cgroup, isolation->hub, base, spec, remove_folder_and_invalidate);
        group->cgroup.label = g_path_get_basename(adoption->path);
        int r = cgroup_group_adopt(&group->cgroup, adoption);
        if (r < 0) {
                remove_folder_and_invalidate(&group->cgroup);
                return r;
        }
        *ret = &group->cgroup.base;
        return 0;
}

static int delegated_place(IsolationGroup *base, pid_t pid, int pidfd) {
        DelegatedGroup *group = (DelegatedGroup *) base;

        group->cgroup.main_pid = pid;
        if (group->cgroup.folder_fd >= 0) {
                group->cgroup.placed = true; /* it was born there */
                return 1;
        }
        (void) g_hash_table_add(((DelegatedIsolation *) base->isolation)->groups, group);
        return 0;
}

static bool has_processes(const DelegatedIsolation *isolation) {
        return isolation->apps_fd >= 0 && cgroup_is_populated(isolation->apps_fd);
}

static void delegated_free(Isolation *base) {
        DelegatedIsolation *isolation = (DelegatedIsolation *) base;

        /* Not if apps are to outlive us: then its keeper goes alone, see on_old_scope(). */
        if (isolation->manager && isolation->hub && !has_processes(isolation)) {
                bool ours = isolation->unit != NULL;
                if (ours) {
                        systemd_manager_stop_unit(isolation->manager, isolation->unit);
                }
                if (ours || slice_is_empty(isolation)) {
                        systemd_manager_stop_unit(isolation->manager, "app-pm2.slice");
                }
        }
        forget_scope(isolation);
        cgroup_hub_free(isolation->hub);
        systemd_manager_free(isolation->manager);
        g_hash_table_unref(isolation->groups);
        g_free(isolation->unit);
        g_free(isolation->instance);
        g_free(isolation->before);
        g_free(isolation);
}

static void delegated_list_leftovers(const Isolation *base, GPtrArray *leftovers) {
        const DelegatedIsolation *isolation = (const DelegatedIsolation *) base;

        cgroup_hub_list_leftovers(isolation->hub, isolation->system, leftovers);
}

static bool delegated_has(Isolation *base, const char *controller) {
        const DelegatedIsolation *isolation = (const DelegatedIsolation *) base;

        return cgroup_hub_has_controller(
                        isolation->hub, systemd_manager_cgroup(isolation->manager), controller);
}

static const IsolationOps delegated_ops = {
        .name = "group",
        .complete = true,
        .free = delegated_free,
        .group_new = delegated_group_new,
        .adopt = delegated_adopt,
        .list_leftovers = delegated_list_leftovers,
        .birth_fd = cgroup_group_birth_fd,
        .place = delegated_place,
        .main_exited = cgroup_group_main_exited,
        .set_main = cgroup_group_set_main,
        .take_oom_kills = cgroup_group_take_oom_kills,
        .is_empty = cgroup_group_is_empty,
        .signal = cgroup_group_signal,
        .kill = cgroup_group_kill,
        .has_controller = delegated_has,
        .set_limits = cgroup_group_set_limits,
        .freeze = cgroup_group_freeze,
        .is_frozen = cgroup_group_is_frozen,
        .read_stat = cgroup_group_read_stat,
        .read_memory = cgroup_group_read_memory,
        .read_memory_peak = cgroup_group_read_memory_peak,
        .has_pid = cgroup_group_has_pid,
        .release = cgroup_group_release,
};

int isolation_delegated_new(sd_event *event, const IsolationOptions *options, Isolation **ret) {
        DelegatedIsolation *isolation = g_new0(DelegatedIsolation, 1);

        isolation->base = (Isolation){ .ops = &delegated_ops, .event = event };
        isolation->system = options->system;
        isolation->instance = g_strdup(options->instance);
        isolation->before = g_strdup(options->unit);
        isolation->keeper = GATED_CHILD_NONE;
        isolation->apps_fd = -EBADF;
        isolation->groups = g_hash_table_new(NULL, NULL);
        int r = systemd_manager_new(
                        event,
                        options->system,
                        options->unit != NULL,
                        PROBE_TIMEOUT_USEC,
                        &isolation->manager);
        if (r >= 0) {
                r = cgroup_hub_new(event, &isolation->hub);
        }
        if (r < 0) {
                delegated_free(&isolation->base);
                return r;
        }
        g_autofree char *pattern = g_strdup_printf(KEEPER_UNIT_PREFIX "%s-*.scope", options->instance);
        systemd_manager_list_units(isolation->manager, pattern, on_old_scope, isolation);
        *ret = &isolation->base;
        return 0;
}
