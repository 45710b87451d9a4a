/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Isolation where no cgroup can be had: the members of a group are the descendants of its main process, and
 * among the strangers that became our children (see orphans.h) those of its session or with its marker in
 * the environment. A process that leaves its session, loses its parent and clears its environment gets away.
 * What an earlier supervisor left has other parents: all of /proc is searched for the marker. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/isolation-internal.h"
#include "platform/orphans.h"
#include "platform/proc-stat.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
        KILL_ROUNDS_MAX = 64,
};
#define UNKNOWN_USEC_MAX (20 * USEC_PER_MSEC)

typedef struct NoneIsolation {
        Isolation base;
        Orphans *orphans;
        GHashTable *groups; /* set of NoneGroup */
        GArray *unknown;    /* of pid_t, as of unknown_usec; NULL: never asked for */
        uint64_t unknown_usec;
} NoneIsolation;

typedef struct NoneGroup {
        IsolationGroup base;
        NoneIsolation *isolation; /* weak */
        char *marker;             /* NAME=value */
        pid_t session;  /* of the main process, so that nobody else gets the number; 0: not placed */
        pid_t main_pid; /* that it has or had */
        int main_pidfd; /* borrowed; negative once it has been reaped */
        bool followed;  /* it is not the one that was started: it may have a parent here */
        bool killed;
        bool adopted; /* its main process is another's child, and so are those that lose their parent */
} NoneGroup;

static bool is_stranger_of(const NoneGroup *group, pid_t pid) {
        ProcStat stat;

        if (group->adopted) { /* the number of its session may be another's by now */
                return pid != group->main_pid && proc_has_variable(pid, group->marker);
        }
        return !orphans_is_known(group->isolation->orphans, pid) && proc_stat_read(pid, &stat) == 0 &&
               !stat.zombie && (stat.session == group->session || proc_has_variable(pid, group->marker));
}

static void drop_doubles(GArray *pids) {
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

        for (guint i = 0; i < pids->len;) {
                if (g_hash_table_add(seen, GINT_TO_POINTER(g_array_index(pids, pid_t, i)))) {
                        i++;
                } else {
                        (void) g_array_remove_index(pids, i);
                }
        }
}

/* The live members, parents before their children. */
static GArray *list_members(const NoneGroup *group) {
        GArray *members = g_array_new(FALSE, FALSE, sizeof(pid_t));
        g_autoptr(GArray) own = g_array_new(FALSE, FALSE, sizeof(pid_t));

        if (group->main_pidfd >= 0) {
                g_array_append_val(members, group->main_pid);
        }
        if (group->adopted) {
                proc_list_all(own);
        } else {
                proc_list_children(getpid(), own);
        }
        for (guint i = 0; i < own->len; i++) {
                pid_t pid = g_array_index(own, pid_t, i);
                if (is_stranger_of(group, pid)) {
                        g_array_append_val(members, pid);
                }
        }
        for (guint i = 0; i < members->len; i++) {
                proc_list_children(g_array_index(members, pid_t, i), members);
        }
        if (group->adopted || group->followed) { /* some were found by their marker and by their parent */
                drop_doubles(members);
        }
        return members;
}

static bool none_is_empty(IsolationGroup *base) {
        const NoneGroup *group = (const NoneGroup *) base;
        g_autoptr(GArray) members = list_members(group);

        return members->len == 0;
}

/* A pid of the list is signalled only if, with its pidfd open, it still has a parent among the members or
 * us; a main process that was adopted has another parent, but a pidfd. */
static void signal_member(const NoneGroup *group, const GArray *members, pid_t pid, int number) {
        _cleanup_close_ int pidfd = -EBADF;
        ProcStat stat;

        if (group->main_pidfd >= 0 && pid == group->main_pid) {
                (void) CHANGE("adopted-signal", pidfd_send_signal(group->main_pidfd, number, NULL, 0));
                return;
        }
        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0 || proc_stat_read(pid, &stat) < 0) {
                return;
        }
        bool ours = stat.parent == getpid() || (group->adopted && proc_has_variable(pid, group->marker));
        for (guint i = 0; !ours && i < members->len; i++) {
                ours = g_array_index(members, pid_t, i) == stat.parent;
        }
        if (ours) {
                (void) CHANGE("descendant-signal", pidfd_send_signal(pidfd, number, NULL, 0));
        }
}

/* Signal each member once, those included that are made meanwhile; the number of rounds is bounded. */
static void signal_all(const NoneGroup *group, int number) {
        g_autoptr(GHashTable) done = g_hash_table_new(NULL, NULL);
        bool again = true;

        for (int round = 0; again && round < KILL_ROUNDS_MAX; round++) {
                g_autoptr(GArray) members = list_members(group);
                again = false;
                for (guint i = members->len; i > 0; i--) {
                        pid_t pid = g_array_index(members, pid_t, i - 1);
                        if (g_hash_table_add(done, GINT_TO_POINTER(pid))) {
                                signal_member(group, members, pid, number);
                                again = true;
                        }
                }
        }
}

static void none_group_signal(IsolationGroup *base, int number) {
        signal_all((const NoneGroup *) base, number);
}

static void none_group_kill(IsolationGroup *base) {
        NoneGroup *group = (NoneGroup *) base;

        group->killed = true;
        signal_all(group, SIGKILL);
}

/* Strangers were reaped: a group whose main process has gone may be empty now. A killed one that is not may
 * have forked just before: again. */
static void on_reaped(void *userdata) {
        NoneIsolation *isolation = userdata;
        g_autoptr(GList) groups = g_hash_table_get_keys(isolation->groups);

        for (const GList *item = groups; item; item = item->next) {
                NoneGroup *group = item->data;
                if (!g_hash_table_contains(isolation->groups, group) || group->main_pidfd >= 0 ||
                    group->session == 0) {
                        continue;
                }
                if (none_is_empty(&group->base)) {
                        group->base.on_empty(group->base.userdata);
                } else if (group->killed) {
                        signal_all(group, SIGKILL);
                }
        }
}

static int none_group_new(Isolation *base, const IsolationGroupSpec *spec, IsolationGroup **ret) {
        NoneIsolation *isolation = (NoneIsolation *) base;
        NoneGroup *group = g_new0(NoneGroup, 1);

        isolation_group_init(&group->base, base, spec);
        group->isolation = isolation;
        group->marker = g_strdup_printf(ISOLATION_MARKER "=%s", spec->unique_id);
        group->main_pidfd = -EBADF;
        (void) g_hash_table_add(isolation->groups, group);
        *ret = &group->base;
        return 0;
}

/* Session and marker tell it as before; a main process that is not our child any more is watched by its
 * pidfd alone. */
static int none_adopt(
                Isolation *base,
                const IsolationGroupSpec *spec,
                const IsolationAdoption *adoption,
                IsolationGroup **ret) {
        int r = none_group_new(base, spec, ret);

        if (r < 0) {
                return r;
        }
        NoneGroup *group = (NoneGroup *) *ret;
        group->adopted = true;
        if (adoption->main_pid > 0) {
                orphans_add_known(group->isolation->orphans, adoption->main_pid);
                group->session = group->main_pid = adoption->main_pid;
                group->main_pidfd = adoption->main_pidfd;
                ProcStat stat;
                group->adopted = proc_stat_read(adoption->main_pid, &stat) < 0 || stat.parent != getpid();
        }
        return r;
}

static int none_birth_fd(const IsolationGroup *base) {
        return -EBADF;
}

static int none_place(IsolationGroup *base, pid_t pid, int pidfd) {
        NoneGroup *group = (NoneGroup *) base;

        orphans_add_known(group->isolation->orphans, pid);
        group->session = group->main_pid = pid;
        group->main_pidfd = pidfd;
        return 1;
}

/* Who was it before is a stranger from now on, if it is our child: it has the marker, and is reaped as they
 * are. */
static void none_set_main(IsolationGroup *base, pid_t pid, int pidfd) {
        NoneGroup *group = (NoneGroup *) base;
        ProcStat stat;

        if (proc_stat_read(pid, &stat) == 0) {
                group->session = stat.session;
        }
        orphans_remove_known(group->isolation->orphans, group->main_pid);
        orphans_add_known(group->isolation->orphans, pid);
        group->main_pid = pid;
        group->main_pidfd = pidfd;
        group->followed = true;
}

static void none_main_exited(IsolationGroup *base) {
        NoneGroup *group = (NoneGroup *) base;

        group->main_pidfd = -EBADF;
        orphans_remove_known(group->isolation->orphans, group->main_pid);
}

/* Our children that nobody knows. Figures are asked for of many groups in a row: all of them have the same
 * ones. */
static const GArray *list_unknown(NoneIsolation *isolation) {
        uint64_t now_usec = now_monotonic_usec();

        if (isolation->unknown && now_usec - isolation->unknown_usec < UNKNOWN_USEC_MAX) {
                return isolation->unknown;
        }
        g_clear_pointer(&isolation->unknown, g_array_unref);
        isolation->unknown = g_array_new(FALSE, FALSE, sizeof(pid_t));
        isolation->unknown_usec = now_usec;
        g_autoptr(GArray) own = g_array_new(FALSE, FALSE, sizeof(pid_t));
        proc_list_children(getpid(), own);
        for (guint i = 0; i < own->len; i++) {
                pid_t pid = g_array_index(own, pid_t, i);
                if (!orphans_is_known(isolation->orphans, pid)) {
                        g_array_append_val(isolation->unknown, pid);
                }
        }
        return isolation->unknown;
}

/* The members that figures are of: not the strangers of a group that was adopted, for whom the whole of
 * /proc would have to be searched. */
static GArray *list_measured(const NoneGroup *group) {
        const GArray *unknown = group->adopted ? NULL : list_unknown(group->isolation);
        GArray *members = g_array_new(FALSE, FALSE, sizeof(pid_t));

        if (group->main_pidfd >= 0) {
                g_array_append_val(members, group->main_pid);
        }
        for (guint i = 0; unknown && i < unknown->len; i++) {
                pid_t pid = g_array_index(unknown, pid_t, i);
                if (is_stranger_of(group, pid)) {
                        g_array_append_val(members, pid);
                }
        }
        return members;
}

static int none_read_stat(IsolationGroup *base, IsolationStat *ret) {
        const NoneGroup *group = (const NoneGroup *) base;
        g_autoptr(GArray) members = list_measured(group);
        IsolationStat sum = { 0 };

        for (guint i = 0; i < members->len; i++) {
                pid_t pid = g_array_index(members, pid_t, i);
                ProcStat stat;
                if (proc_stat_read(pid, &stat) < 0) {
                        continue;
                }
                sum.memory_bytes += stat.resident_bytes;
                sum.cpu_usec += stat.cpu_usec;
                sum.tasks += stat.threads;
                if (stat.threads != 1 || !proc_list_children_of_thread(pid, members)) {
                        proc_list_children(pid, members);
                }
                if (group->followed) { /* one was found twice */
                        drop_doubles(members);
                }
        }
        *ret = sum;
        return 0;
}

static bool none_has_pid(IsolationGroup *base, pid_t pid) {
        g_autoptr(GArray) members = list_members((const NoneGroup *) base);

        for (guint i = 0; i < members->len; i++) {
                if (g_array_index(members, pid_t, i) == pid) {
                        return true;
                }
        }
        return false;
}

static void none_release(IsolationGroup *base) {
        NoneGroup *group = (NoneGroup *) base;

        (void) g_hash_table_remove(group->isolation->groups, group);
        isolation_group_done(base);
        g_free(group->marker);
        g_free(group);
}

static void none_free(Isolation *base) {
        NoneIsolation *isolation = (NoneIsolation *) base;

        orphans_free(isolation->orphans);
        g_hash_table_unref(isolation->groups);
        g_clear_pointer(&isolation->unknown, g_array_unref);
        g_free(isolation);
}

static void none_know_child(Isolation *base, pid_t pid, bool known) {
        Orphans *orphans = ((const NoneIsolation *) base)->orphans;

        if (known) {
                orphans_add_known(orphans, pid);
        } else {
                orphans_remove_known(orphans, pid);
        }
}

static const IsolationOps none_ops = {
        .name = "none",
        .complete = false,
        .free = none_free,
        .group_new = none_group_new,
        .adopt = none_adopt,
        .birth_fd = none_birth_fd,
        .place = none_place,
        .main_exited = none_main_exited,
        .set_main = none_set_main,
        .know_child = none_know_child,
        .is_empty = none_is_empty,
        .signal = none_group_signal,
        .kill = none_group_kill,
        .read_stat = none_read_stat,
        .has_pid = none_has_pid,
        .release = none_release,
};

int isolation_none_new(sd_event *event, Isolation **ret) {
        NoneIsolation *isolation = g_new0(NoneIsolation, 1);

        isolation->base = (Isolation){ .ops = &none_ops, .event = event };
        isolation->groups = g_hash_table_new(NULL, NULL);
        int r = orphans_new(event, on_reaped, isolation, &isolation->orphans);
        if (r < 0) {
                none_free(&isolation->base);
                return r;
        }
        *ret = &isolation->base;
        return 0;
}
