/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/isolation.h"

#include "basic/macro.h"
#include "platform/isolation-internal.h"

#include <string.h>

static const char *const kind_names[_ISOLATION_KIND_MAX] = {
        [ISOLATION_AUTO] = "auto",     [ISOLATION_SCOPE] = "scope", [ISOLATION_GROUP] = "group",
        [ISOLATION_CGROUP] = "cgroup", [ISOLATION_NONE] = "none",
};

int isolation_kind_from_string(const char *text) {
        for (int i = 0; i < _ISOLATION_KIND_MAX; i++) {
                if (strcmp(kind_names[i], text) == 0) {
                        return i;
                }
        }
        return -EINVAL;
}

int isolation_new(sd_event *event, const IsolationOptions *options, Isolation **ret) {
        int r = -EOPNOTSUPP;

        switch (options->wanted) {
        case ISOLATION_SCOPE:
                return isolation_scope_new(event, options, ret);
        case ISOLATION_GROUP:
                return isolation_delegated_new(event, options, ret);
        case ISOLATION_CGROUP:
                return isolation_cgroup_new(event, options, ret);
        case ISOLATION_NONE:
                return isolation_none_new(event, ret);
        case ISOLATION_AUTO:
        case _ISOLATION_KIND_MAX:
        default:
                if (options->use_systemd) {
                        r = isolation_scope_new(event, options, ret);
                }
                if (r < 0) {
                        r = isolation_cgroup_new(event, options, ret);
                }
                return r < 0 ? isolation_none_new(event, ret) : r;
        }
}

void isolation_free(Isolation *isolation) {
        if (isolation) {
                isolation->ops->free(isolation);
        }
}

const char *isolation_name(const Isolation *isolation) {
        return isolation->ops->name;
}

bool isolation_is_complete(const Isolation *isolation) {
        return isolation->ops->complete;
}

void isolation_group_init(IsolationGroup *group, Isolation *isolation, const IsolationGroupSpec *spec) {
        group->isolation = isolation;
        group->path = g_strdup("");
        group->unit = g_strdup("");
        group->on_empty = spec->on_empty;
        group->on_placed = spec->on_placed;
        group->on_memory = spec->on_memory;
        group->userdata = spec->userdata;
}

void isolation_group_done(IsolationGroup *group) {
        g_free(group->path);
        g_free(group->unit);
}

int isolation_group_new(Isolation *isolation, const IsolationGroupSpec *spec, IsolationGroup **ret) {
        return isolation->ops->group_new(isolation, spec, ret);
}

int isolation_group_adopt(
                Isolation *isolation,
                const IsolationGroupSpec *spec,
                const IsolationAdoption *adoption,
                IsolationGroup **ret) {
        return isolation->ops->adopt ? isolation->ops->adopt(isolation, spec, adoption, ret) : -EOPNOTSUPP;
}

void isolation_leave(Isolation *isolation) {
        isolation->leaving = true;
}

void isolation_list_leftovers(const Isolation *isolation, GPtrArray *leftovers) {
        if (isolation->ops->list_leftovers) {
                isolation->ops->list_leftovers(isolation, leftovers);
        }
}

int isolation_group_birth_fd(const IsolationGroup *group) {
        return group->isolation->ops->birth_fd(group);
}

int isolation_group_place(IsolationGroup *group, pid_t pid, int pidfd) {
        return group->isolation->ops->place(group, pid, pidfd);
}

void isolation_group_set_main(IsolationGroup *group, pid_t pid, int pidfd) {
        group->isolation->ops->set_main(group, pid, pidfd);
}

void isolation_group_main_exited(IsolationGroup *group) {
        group->isolation->ops->main_exited(group);
}

void isolation_know_child(Isolation *isolation, pid_t pid, bool known) {
        if (isolation->ops->know_child) {
                isolation->ops->know_child(isolation, pid, known);
        }
}

uint64_t isolation_group_take_oom_kills(IsolationGroup *group) {
        const IsolationOps *ops = group->isolation->ops;

        return ops->take_oom_kills ? ops->take_oom_kills(group) : 0;
}

bool isolation_group_is_empty(IsolationGroup *group) {
        return group->isolation->ops->is_empty(group);
}

void isolation_group_signal(IsolationGroup *group, int number) {
        group->isolation->ops->signal(group, number);
}

void isolation_group_kill(IsolationGroup *group) {
        group->isolation->ops->kill(group);
}

const LimitRow *isolation_find_unsupported(Isolation *isolation, const IsolationLimits *limits) {
        bool (*has_controller)(Isolation *, const char *) = isolation->ops->has_controller;

        for (const LimitRow *row = limit_rows; row < limit_rows + LIMIT_ROWS; row++) {
                if (limit_get(limits, row) > 0 &&
                    (!has_controller || !has_controller(isolation, row->controller))) {
                        return row;
                }
        }
        return NULL;
}

int isolation_group_set_limits(
                IsolationGroup *group,
                const IsolationLimits *limits,
                IsolationHandler handler,
                void *userdata) {
        const IsolationOps *ops = group->isolation->ops;

        return ops->set_limits ? ops->set_limits(group, limits, handler, userdata) : -EOPNOTSUPP;
}

int isolation_group_freeze(IsolationGroup *group, bool freeze) {
        const IsolationOps *ops = group->isolation->ops;

        return ops->freeze ? ops->freeze(group, freeze) : -EOPNOTSUPP;
}

bool isolation_group_is_frozen(const IsolationGroup *group) {
        const IsolationOps *ops = group->isolation->ops;

        return ops->is_frozen && ops->is_frozen(group);
}

int isolation_group_read_stat(IsolationGroup *group, IsolationStat *ret) {
        return group->isolation->ops->read_stat(group, ret);
}

int isolation_group_read_memory(IsolationGroup *group, uint64_t *ret_bytes) {
        const IsolationOps *ops = group->isolation->ops;
        IsolationStat stat;

        if (ops->read_memory) {
                return ops->read_memory(group, ret_bytes);
        }
        int r = ops->read_stat(group, &stat);
        if (r >= 0) {
                *ret_bytes = stat.memory_bytes;
        }
        return r;
}

uint64_t isolation_group_read_memory_peak(const IsolationGroup *group) {
        const IsolationOps *ops = group->isolation->ops;

        return ops->read_memory_peak ? ops->read_memory_peak(group) : 0;
}

bool isolation_group_has_pid(IsolationGroup *group, pid_t pid) {
        return group->isolation->ops->has_pid(group, pid);
}

const char *isolation_group_path(const IsolationGroup *group) {
        return group->path;
}

const char *isolation_group_unit(const IsolationGroup *group) {
        return group->unit;
}

void isolation_group_release(IsolationGroup *group) {
        if (group) {
                group->isolation->ops->release(group);
        }
}
