/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between isolation.c and the backends. */

#include "platform/isolation.h"

typedef struct IsolationOps {
        const char *name;
        bool complete;
        void (*free)(Isolation *isolation);
        int (*group_new)(Isolation *isolation, const IsolationGroupSpec *spec, IsolationGroup **ret);
        int (*adopt)(Isolation *isolation,
                     const IsolationGroupSpec *spec,
                     const IsolationAdoption *adoption,
                     IsolationGroup **ret);
        void (*list_leftovers)(const Isolation *isolation, GPtrArray *leftovers); /* NULL: it finds none */
        int (*birth_fd)(const IsolationGroup *group);
        int (*place)(IsolationGroup *group, pid_t pid, int pidfd);
        void (*main_exited)(IsolationGroup *group);
        void (*set_main)(IsolationGroup *group, pid_t pid, int pidfd);
        uint64_t (*take_oom_kills)(IsolationGroup *group);               /* NULL: it cannot know */
        void (*know_child)(Isolation *isolation, pid_t pid, bool known); /* NULL: it reaps nobody */
        bool (*is_empty)(IsolationGroup *group);
        void (*signal)(IsolationGroup *group, int number);
        void (*kill)(IsolationGroup *group);
        bool (*has_controller)(Isolation *isolation, const char *controller); /* NULL: it has none */
        int (*set_limits)(
                        IsolationGroup *group,
                        const IsolationLimits *limits,
                        IsolationHandler handler,
                        void *userdata);                   /* NULL: as has_controller */
        int (*freeze)(IsolationGroup *group, bool freeze); /* NULL: it cannot, and is_frozen too */
        bool (*is_frozen)(const IsolationGroup *group);
        int (*read_stat)(IsolationGroup *group, IsolationStat *ret);
        int (*read_memory)(IsolationGroup *group, uint64_t *ret_bytes); /* NULL: read_stat tells it */
        uint64_t (*read_memory_peak)(const IsolationGroup *group);      /* NULL: it cannot know */
        bool (*has_pid)(IsolationGroup *group, pid_t pid);
        void (*release)(IsolationGroup *group);
} IsolationOps;

struct Isolation {
        const IsolationOps *ops;
        sd_event *event;
        bool leaving; /* groups that are released from now on are left to a successor */
};

struct IsolationGroup {
        Isolation *isolation; /* weak */
        char *path;
        char *unit;
        void (*on_empty)(void *userdata);
        void (*on_placed)(void *userdata, int result);
        void (*on_memory)(void *userdata);
        void *userdata;
};

/* Each returns negative errno where it cannot work here. */
int isolation_scope_new(sd_event *event, const IsolationOptions *options, Isolation **ret);
int isolation_delegated_new(sd_event *event, const IsolationOptions *options, Isolation **ret);
int isolation_cgroup_new(sd_event *event, const IsolationOptions *options, Isolation **ret);
int isolation_none_new(sd_event *event, Isolation **ret);

void isolation_group_init(IsolationGroup *group, Isolation *isolation, const IsolationGroupSpec *spec);
void isolation_group_done(IsolationGroup *group);
