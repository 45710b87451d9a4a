/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Isolation by systemd: a transient scope for each start, in slices of few scopes, since what a scope costs
 * its manager grows with the scopes of its slice. The child waits at its gate until the job is done. */

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/cgroup-group.h"
#include "platform/cgroup.h"
#include "platform/proc-stat.h"
#include "platform/systemd-manager.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
        SLICE_SCOPES_MAX = 32,
        UNIT_NAME_BYTES =
                        48, /* of the app's name; the whole may have 255 with four for a special character */
};

#define PROBE_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define SLICE_LINGER_USEC  (1 * USEC_PER_SEC)

/* One slice and how many of our scopes it holds. Numbers are not used again: a slice that is being stopped
 * is never started in. */
typedef struct Slice {
        char *unit;
        uid_t uid;
        unsigned scopes;
} Slice;

typedef struct ScopeIsolation {
        Isolation base;
        SystemdManager *manager;
        CgroupHub *hub;
        GPtrArray *slices; /* of Slice */
        unsigned slice_number;
        sd_event_source *linger_source;
        bool system;
        char *slice_parent; /* path of what the top slice is in */
        char *before;
} ScopeIsolation;

typedef struct ScopeGroup {
        CgroupGroup cgroup;
        Slice *slice; /* NULL: none taken yet */
        ScopeRequest *request;
} ScopeGroup;

static void slice_free(Slice *slice) {
        g_free(slice->unit);
        g_free(slice);
}

/* The slice above all of ours, or in the system instance all of a user's. */
static char *parent_slice(const ScopeIsolation *isolation, uid_t uid) {
        return isolation->system ? g_strdup_printf("pm2-u%u", uid) : g_strdup("app-pm2");
}

static Slice *slice_take(ScopeIsolation *isolation, uid_t uid) {
        for (guint i = 0; i < isolation->slices->len; i++) {
                Slice *slice = isolation->slices->pdata[i];
                if (slice->uid == uid && slice->scopes < SLICE_SCOPES_MAX) {
                        slice->scopes++;
                        return slice;
                }
        }
        g_autofree char *parent = parent_slice(isolation, uid);
        Slice *slice = g_new0(Slice, 1);
        slice->unit = g_strdup_printf(
                        "%s-%s%u.slice", parent, isolation->system ? "" : "g", ++isolation->slice_number);
        slice->uid = uid;
        slice->scopes = 1;
        g_ptr_array_add(isolation->slices, slice);
        return slice;
}

static Slice *slice_find(const ScopeIsolation *isolation, const char *unit) {
        for (guint i = 0; i < isolation->slices->len; i++) {
                Slice *slice = isolation->slices->pdata[i];
                if (strcmp(slice->unit, unit) == 0) {
                        return slice;
                }
        }
        return NULL;
}

/* A slice that an earlier supervisor made; its number is not used for a new one. */
static Slice *slice_know(ScopeIsolation *isolation, const char *unit, uid_t uid) {
        const char *digits = unit + strlen(unit) - strlen(".slice");
        Slice *slice = slice_find(isolation, unit);

        if (slice) {
                return slice;
        }
        while (digits > unit && g_ascii_isdigit(digits[-1])) {
                digits--;
        }
        isolation->slice_number = MAX(isolation->slice_number, (unsigned) strtoul(digits, NULL, 10));
        slice = g_new0(Slice, 1);
        slice->unit = g_strdup(unit);
        slice->uid = uid;
        g_ptr_array_add(isolation->slices, slice);
        return slice;
}

/* The slice of a scope: the folder above it. */
static Slice *slice_adopt(ScopeIsolation *isolation, const char *scope_path, uid_t uid) {
        g_autofree char *folder = g_path_get_dirname(scope_path);
        g_autofree char *unit = g_path_get_basename(folder);
        Slice *slice = slice_know(isolation, unit, uid);

        slice->scopes++;
        return slice;
}

static bool uid_has_slice(const ScopeIsolation *isolation, uid_t uid) {
        for (guint i = 0; i < isolation->slices->len; i++) {
                if (((const Slice *) isolation->slices->pdata[i])->uid == uid) {
                        return true;
                }
        }
        return false;
}

/* systemd keeps empty slices: those that nobody came back to go, and with the last one the one above. */
static void stop_empty_slices(ScopeIsolation *isolation) {
        for (guint i = isolation->slices->len; i > 0; i--) {
                Slice *slice = isolation->slices->pdata[i - 1];
                uid_t uid = slice->uid;
                if (slice->scopes > 0) {
                        continue;
                }
                systemd_manager_stop_unit(isolation->manager, slice->unit);
                (void) g_ptr_array_remove_index_fast(isolation->slices, i - 1);
                slice_free(slice);
                if (!uid_has_slice(isolation, uid)) {
                        g_autofree char *parent = parent_slice(isolation, uid);
                        g_autofree char *unit = g_strconcat(parent, ".slice", NULL);
                        systemd_manager_stop_unit(isolation->manager, unit);
                }
        }
}

static int on_linger(sd_event_source *source, uint64_t usec, void *userdata) {
        stop_empty_slices(userdata);
        return 0;
}

/* A restart leaves its slice for a moment: it is not to be stopped under its feet. */
static void linger(ScopeIsolation *isolation) {
        isolation->linger_source = sd_event_source_disable_unref(isolation->linger_source);
        (void) sd_event_add_time_relative(
                        isolation->base.event,
                        &isolation->linger_source,
                        CLOCK_BOOTTIME,
                        SLICE_LINGER_USEC,
                        100 * USEC_PER_MSEC,
                        on_linger,
                        isolation);
}

static void slice_release(ScopeIsolation *isolation, Slice *slice) {
        if (--slice->scopes == 0) {
                linger(isolation);
        }
}

/* The folder of a slice: systemd makes one for each part of its name. */
static char *slice_folder(const ScopeIsolation *isolation, const char *unit) {
        g_autoptr(GString) path = g_string_new(isolation->slice_parent);

        for (const char *dash = strchr(unit, '-'); dash; dash = strchr(dash + 1, '-')) {
                g_string_append_printf(path, "/%.*s.slice", (int) (dash - unit), unit);
        }
        g_string_append_printf(path, "/%s", unit);
        return cgroup_hub_folder(isolation->hub, path->str);
}

/* An empty slice of an earlier supervisor. What is in use may be another instance's. */
static void on_old_slice(void *userdata, const char *unit) {
        ScopeIsolation *isolation = userdata;
        g_autofree char *folder = slice_folder(isolation, unit);
        _cleanup_close_ int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        unsigned uid = geteuid(); /* whose scopes a user's manager holds: with it goes the slice above */

        if (fd >= 0 && !cgroup_is_populated(fd)) {
                (void) sscanf(unit, "pm2-u%u-", &uid);
                (void) slice_know(isolation, unit, uid);
                linger(isolation);
        }
}

static char *unit_name(const IsolationGroupSpec *spec) {
        g_autofree char *part =
                        strlen(spec->name) <= UNIT_NAME_BYTES
                                        ? systemd_escape(spec->name)
                                        : g_compute_checksum_for_string(G_CHECKSUM_SHA1, spec->name, -1);

        return g_strdup_printf("app-pm2-%s-%" PRIu32 "-%" PRIu64 ".scope", part, spec->id, spec->generation);
}

static void remove_scope_and_invalidate(CgroupGroup *cgroup) {
        ScopeGroup *group = (ScopeGroup *) cgroup;
        ScopeIsolation *isolation = (ScopeIsolation *) cgroup->base.isolation;

        scope_request_cancel(group->request);
        if (group->slice) {
                slice_release(isolation, group->slice);
        }
        cgroup_group_done(cgroup);
        g_free(group);
}

static int scope_group_new(Isolation *base, const IsolationGroupSpec *spec, IsolationGroup **ret) {
        ScopeIsolation *isolation = (ScopeIsolation *) base;
        ScopeGroup *group = g_new0(ScopeGroup, 1);

        cgroup_group_init(&group->cgroup, isolation->hub, base, spec, remove_scope_and_invalidate);
        g_free(group->cgroup.base.unit);
        group->cgroup.base.unit = unit_name(spec);
        group->cgroup.label = g_strdup_printf("pm2: %s (%" PRIu32 ")", spec->name, spec->id);
        group->slice = slice_take(isolation, spec->uid);
        *ret = &group->cgroup.base;
        return 0;
}

static int scope_adopt(
                Isolation *base,
                const IsolationGroupSpec *spec,
                const IsolationAdoption *adoption,
                IsolationGroup **ret) {
        ScopeIsolation *isolation = (ScopeIsolation *) base;
        ScopeGroup *group = g_new0(ScopeGroup, 1);

        cgroup_group_init(&group->cgroup, isolation->hub, base, spec, remove_scope_and_invalidate);
        int r = cgroup_group_adopt(&group->cgroup, adoption);
        if (r < 0) {
                remove_scope_and_invalidate(&group->cgroup);
                return r;
        }
        group->slice = slice_adopt(isolation, adoption->path, spec->uid);
        *ret = &group->cgroup.base;
        return 0;
}

/* Where the process really is tells, not the answer alone: after a lost bus the scope may exist already. */
static int open_scope(ScopeGroup *group, int result) {
        g_autofree char *path = NULL;
        g_autofree char *tail = g_strconcat("/", group->cgroup.base.unit, NULL);

        if (result < 0 && result != -EEXIST) {
                return result;
        }
        int r = group->cgroup.main_pid > 0 ? proc_cgroup_path(group->cgroup.main_pid, &path) : -ESRCH;
        if (r < 0) {
                return r;
        }
        return g_str_has_suffix(path, tail) ? cgroup_group_open(&group->cgroup, path) : -ENODATA;
}

static void on_scope(void *userdata, int result) {
        ScopeGroup *group = userdata;
        IsolationGroup *base = &group->cgroup.base;

        group->request = NULL;
        int r = open_scope(group, result);
        group->cgroup.placed = r >= 0;
        base->on_placed(base->userdata, r);
}

static int scope_place(IsolationGroup *base, pid_t pid, int pidfd) {
        ScopeGroup *group = (ScopeGroup *) base;
        ScopeIsolation *isolation = (ScopeIsolation *) base->isolation;
        ScopeProperties properties = {
                .unit = base->unit,
                .description = group->cgroup.label,
                .slice = group->slice->unit,
                .before = isolation->before,
                .pid = pid,
                .limits = group->cgroup.limits,
        };

        group->cgroup.main_pid = pid;
        group->request = systemd_manager_start_scope(isolation->manager, &properties, on_scope, group);
        return 0;
}

static bool scope_has(Isolation *base, const char *controller) {
        const ScopeIsolation *isolation = (const ScopeIsolation *) base;

        return cgroup_hub_has_controller(
                        isolation->hub, systemd_manager_cgroup(isolation->manager), controller);
}

/* By the service manager, which would write its own over ours. */
static int scope_set_limits(
                IsolationGroup *base,
                const IsolationLimits *limits,
                IsolationHandler handler,
                void *userdata) {
        ScopeGroup *group = (ScopeGroup *) base;
        const ScopeIsolation *isolation = (const ScopeIsolation *) base->isolation;
        IsolationLimits before = group->cgroup.limits;

        group->cgroup.limits = *limits;
        if (group->request && scope_request_set_limits(group->request, limits)) {
                return 1;
        }
        systemd_manager_set_limits(isolation->manager, base->unit, limits, &before, handler, userdata);
        return 0;
}

static void scope_free(Isolation *base) {
        ScopeIsolation *isolation = (ScopeIsolation *) base;

        (void) sd_event_source_disable_unref(isolation->linger_source);
        cgroup_hub_free(isolation->hub);
        if (isolation->manager) {
                stop_empty_slices(isolation);
        }
        systemd_manager_free(isolation->manager);
        for (guint i = 0; i < isolation->slices->len; i++) {
                slice_free(isolation->slices->pdata[i]);
        }
        g_ptr_array_unref(isolation->slices);
        g_free(isolation->slice_parent);
        g_free(isolation->before);
        g_free(isolation);
}

static void scope_list_leftovers(const Isolation *base, GPtrArray *leftovers) {
        const ScopeIsolation *isolation = (const ScopeIsolation *) base;

        cgroup_hub_list_leftovers(isolation->hub, isolation->system, leftovers);
}

static const IsolationOps scope_ops = {
        .name = "scope",
        .complete = true,
        .free = scope_free,
        .group_new = scope_group_new,
        .adopt = scope_adopt,
        .list_leftovers = scope_list_leftovers,
        .birth_fd = cgroup_group_birth_fd,
        .place = scope_place,
        .main_exited = cgroup_group_main_exited,
        .set_main = cgroup_group_set_main,
        .take_oom_kills = cgroup_group_take_oom_kills,
        .is_empty = cgroup_group_is_empty,
        .signal = cgroup_group_signal,
        .kill = cgroup_group_kill,
        .has_controller = scope_has,
        .set_limits = scope_set_limits,
        .freeze = cgroup_group_freeze,
        .is_frozen = cgroup_group_is_frozen,
        .read_stat = cgroup_group_read_stat,
        .read_memory = cgroup_group_read_memory,
        .read_memory_peak = cgroup_group_read_memory_peak,
        .has_pid = cgroup_group_has_pid,
        .release = cgroup_group_release,
};

/* Slices of the user's manager are in its app.slice, as our own service is. */
static void find_old_slices(ScopeIsolation *isolation) {
        g_autofree char *own = NULL;

        if (proc_cgroup_path(getpid(), &own) < 0) {
                return;
        }
        const char *app_slice = strstr(own, "/app.slice/");
        if (!isolation->system && !app_slice) {
                return;
        }
        isolation->slice_parent =
                        isolation->system ? g_strdup("") : g_strndup(own, (gsize) (app_slice - own));
        systemd_manager_list_units(
                        isolation->manager,
                        isolation->system ? "pm2-u*-*.slice" : "app-pm2-g*.slice",
                        on_old_slice,
                        isolation);
}

int isolation_scope_new(sd_event *event, const IsolationOptions *options, Isolation **ret) {
        ScopeIsolation *isolation = g_new0(ScopeIsolation, 1);

        isolation->base = (Isolation){ .ops = &scope_ops, .event = event };
        isolation->slices = g_ptr_array_new();
        isolation->system = options->system;
        isolation->before = g_strdup(options->unit);
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
                scope_free(&isolation->base);
                return r;
        }
        find_old_slices(isolation);
        *ret = &isolation->base;
        return 0;
}
