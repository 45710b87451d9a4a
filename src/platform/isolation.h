/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/cgroup-limits.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* What holds the processes of one start together: a group. A backend makes groups; which one is in use is
 * found by trying, once. */

typedef struct Isolation Isolation;
typedef struct IsolationGroup IsolationGroup;

typedef enum IsolationKind {
        ISOLATION_AUTO,
        ISOLATION_SCOPE,  /* a transient scope of systemd for each start */
        ISOLATION_GROUP,  /* one delegated scope of systemd, a folder in it for each start */
        ISOLATION_CGROUP, /* a folder of cgroup v2 that we may write */
        ISOLATION_NONE,   /* process group, session, and a marker in the environment */
        _ISOLATION_KIND_MAX,
} IsolationKind;

/* "auto", "scope", "group", "cgroup", "none"; -EINVAL. */
int isolation_kind_from_string(const char *text);

/* The environment variable by which ISOLATION_NONE knows whose a re-parented stranger is. */
#define ISOLATION_MARKER "PM2D_UNIQUE_ID"

typedef struct IsolationGroupSpec {
        uint32_t id;
        uint64_t generation;   /* differs with every start of the id */
        const char *unique_id; /* the value of the marker */
        const char *name;      /* of the app */
        uid_t uid;
        IsolationLimits limits;
        /* Called from the loop, never from within a call of this interface: the last process went; the
         * process is in its place, or (negative errno) cannot be put there. */
        void (*on_empty)(void *userdata);
        void (*on_placed)(void *userdata, int result);
        /* Memory ran out in it, it may be: see isolation_group_take_oom_kills(). */
        void (*on_memory)(void *userdata);
        uint64_t oom_kills; /* of a group that is adopted: taken by an earlier supervisor */
        void *userdata;
} IsolationGroupSpec;

typedef struct IsolationStat {
        uint64_t memory_bytes;
        uint64_t cpu_usec;
        uint32_t tasks;
} IsolationStat;

typedef struct IsolationOptions {
        IsolationKind wanted;    /* ISOLATION_AUTO: the best that works */
        bool system;             /* of the system instance: the manager is PID 1 */
        bool use_systemd;        /* false: ISOLATION_AUTO leaves it alone */
        const char *cgroup_root; /* a folder to work in, NULL: below the cgroup of the supervisor */
        const char *instance;    /* a word that differs between supervisors of one machine */
        const char *unit;        /* our own unit: scopes are stopped after it; NULL: none */
} IsolationOptions;

/* May turn the loop until the service manager has answered: before anything else runs on it. */
int isolation_new(sd_event *event, const IsolationOptions *options, Isolation **ret);
/* After all groups are released. */
void isolation_free(Isolation *isolation);

const char *isolation_name(const Isolation *isolation);
/* Whether no descendant can get out. */
bool isolation_is_complete(const Isolation *isolation);

int isolation_group_new(Isolation *isolation, const IsolationGroupSpec *spec, IsolationGroup **ret);

/* The group that an earlier supervisor made: path and unit as isolation_group_path() and _unit() gave them.
 * main_pid: 0 if the main process has gone. -ENOENT: it has gone with its last process. */
typedef struct IsolationAdoption {
        const char *path;
        const char *unit;
        pid_t main_pid;
        int main_pidfd; /* borrowed */
} IsolationAdoption;

int isolation_group_adopt(
                Isolation *isolation,
                const IsolationGroupSpec *spec,
                const IsolationAdoption *adoption,
                IsolationGroup **ret);

/* We end, and a successor goes on with all groups. */
void isolation_leave(Isolation *isolation);

/* Append all groups that there are where this backend makes its own, of type Leftover (cgroup-leftovers.h).
 * Only for the one supervisor that works there. */
void isolation_list_leftovers(const Isolation *isolation, GPtrArray *leftovers);

/* The folder that a child can be born in, or negative: then it is placed afterwards. Borrowed. */
int isolation_group_birth_fd(const IsolationGroup *group);

/* The gated child is the main process of the group from now on. Returns 1 when it is in its place, 0 when
 * on_placed will tell. */
int isolation_group_place(IsolationGroup *group, pid_t pid, int pidfd);

/* Another process of the group is its main process from now on; pidfd is borrowed. The one before it, which
 * may have been reaped, is one like all others. */
void isolation_group_set_main(IsolationGroup *group, pid_t pid, int pidfd);

/* The main process has been reaped. */
void isolation_group_main_exited(IsolationGroup *group);

/* A child of ours that is in no group, or beside one: until it is known no more, its exit status is for
 * whoever watches it. */
void isolation_know_child(Isolation *isolation, pid_t pid, bool known);

/* How many of its processes the kernel ended for want of memory since the last call. 0 where that cannot be
 * known, and when the group has gone. */
uint64_t isolation_group_take_oom_kills(IsolationGroup *group);

/* Whether no process is left in it, asked of the kernel. */
bool isolation_group_is_empty(IsolationGroup *group);

/* Send a signal to every process of it. */
void isolation_group_signal(IsolationGroup *group, int number);

/* SIGKILL to every process, also those that are being made. */
void isolation_group_kill(IsolationGroup *group);

/* Which of the limits cannot be had here, for want of its controller; NULL: all can. May hand controllers on
 * to groups. */
const LimitRow *isolation_find_unsupported(Isolation *isolation, const IsolationLimits *limits);

/* result: 0 or a negative errno; -ESRCH: there is nothing any more that could be limited. */
typedef void (*IsolationHandler)(void *userdata, int result);

/* Change the limits of what runs. Returns 1 when that is done; 0: the handler will be called once, from the
 * loop, whatever becomes of the group. */
int isolation_group_set_limits(
                IsolationGroup *group,
                const IsolationLimits *limits,
                IsolationHandler handler,
                void *userdata);

/* Let every process of it stand still, or go on. -EOPNOTSUPP: this backend cannot. */
int isolation_group_freeze(IsolationGroup *group, bool freeze);
/* Whether they stand still, or will soon. */
bool isolation_group_is_frozen(const IsolationGroup *group);

int isolation_group_read_stat(IsolationGroup *group, IsolationStat *ret);
/* The first of these figures alone, at less cost. */
int isolation_group_read_memory(IsolationGroup *group, uint64_t *ret_bytes);
/* The most that it has had at any time; 0: the kernel does not tell. */
uint64_t isolation_group_read_memory_peak(const IsolationGroup *group);
/* Whether a process is seen in it, zombies perhaps too. */
bool isolation_group_has_pid(IsolationGroup *group, pid_t pid);

/* The cgroup relative to the root of its hierarchy and the unit that holds it; "" where there is none. */
const char *isolation_group_path(const IsolationGroup *group);
const char *isolation_group_unit(const IsolationGroup *group);

/* Give the group back. Processes that are still in it are left alone. */
void isolation_group_release(IsolationGroup *group);
