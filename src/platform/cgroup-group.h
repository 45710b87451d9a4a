/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What all cgroup backends share: a group that is a folder of cgroup v2. One hub with one inotify fd watches
 * the cgroup.events and memory.events of all groups of a backend. */

#include "platform/isolation-internal.h"

typedef struct CgroupHub CgroupHub;
typedef struct CgroupGroup CgroupGroup;

struct CgroupGroup {
        IsolationGroup base;
        CgroupHub *hub; /* weak */
        pid_t main_pid; /* 0: not placed yet, or reaped */
        char *label;    /* what the backend calls it; freed with it */
        IsolationLimits limits;
        int folder_fd; /* negative: it has none yet */
        int watch;
        int memory_watch;   /* negative: it has no memory controller */
        uint64_t oom_kills; /* those that were taken */
        bool placed;
        bool released;                                   /* lives on until its last process has gone */
        int cpu_fd, procs_fd, memory_fd, memory_stat_fd; /* kept open between readings */
        int main_statm_fd;
        /* Of the backend: no process is left in a released group; what it stands for is given back, and it
         * is freed. Not called for an old folder that is busy for a moment longer. */
        void (*remove_and_invalidate)(CgroupGroup *group);
};

int cgroup_hub_new(sd_event *event, CgroupHub **ret);
void cgroup_hub_free(CgroupHub *hub);

/* The path of a hierarchy's cgroup in the file system; freed by the caller. */
char *cgroup_hub_folder(const CgroupHub *hub, const char *path);

/* Whether the cgroup of a path in the hierarchy has a controller. */
bool cgroup_hub_has_controller(const CgroupHub *hub, const char *path, const char *controller);

/* What lies in the slices that backends with systemd use, see isolation_list_leftovers(). A user's slices
 * are in app.slice, as our own service is. */
void cgroup_hub_list_leftovers(const CgroupHub *hub, bool system, GPtrArray *leftovers);

void cgroup_group_init(
                CgroupGroup *group,
                CgroupHub *hub,
                Isolation *isolation,
                const IsolationGroupSpec *spec,
                void (*remove_and_invalidate)(CgroupGroup *group));
/* Open the folder of a path in the hierarchy and watch it. */
int cgroup_group_open(CgroupGroup *group, const char *path);
/* The same for a new folder, whose limits are set. */
int cgroup_group_open_limited(CgroupGroup *group, const char *path);
/* The same for what an earlier supervisor made. */
int cgroup_group_adopt(CgroupGroup *group, const IsolationAdoption *adoption);
/* Stop watching and close. Does not free the group itself. */
void cgroup_group_done(CgroupGroup *group);

/* Parts of IsolationOps. */
int cgroup_group_birth_fd(const IsolationGroup *base);
void cgroup_group_main_exited(IsolationGroup *base);
void cgroup_group_set_main(IsolationGroup *base, pid_t pid, int pidfd);
uint64_t cgroup_group_take_oom_kills(IsolationGroup *base);
bool cgroup_group_is_empty(IsolationGroup *base);
void cgroup_group_signal(IsolationGroup *base, int number);
void cgroup_group_kill(IsolationGroup *base);
int cgroup_group_set_limits(
                IsolationGroup *base,
                const IsolationLimits *limits,
                IsolationHandler handler,
                void *userdata);
int cgroup_group_freeze(IsolationGroup *base, bool freeze);
bool cgroup_group_is_frozen(const IsolationGroup *base);
int cgroup_group_read_stat(IsolationGroup *base, IsolationStat *ret);
int cgroup_group_read_memory(IsolationGroup *base, uint64_t *ret_bytes);
uint64_t cgroup_group_read_memory_peak(const IsolationGroup *base);
bool cgroup_group_has_pid(IsolationGroup *base, pid_t pid);
void cgroup_group_release(IsolationGroup *base);
