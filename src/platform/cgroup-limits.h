/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a group may use. 0: no limit, and the usual weight. */
typedef struct IsolationLimits {
        uint64_t memory_max_bytes;
        uint64_t memory_high_bytes;
        uint64_t cpu_quota_usec; /* in each second */
        uint64_t cpu_weight;
        uint64_t io_weight;
        uint64_t tasks_max;
} IsolationLimits;

/* One of them: which attribute sets it, what it needs, and the property of a unit that it is (type "t"). */
typedef struct LimitRow {
        size_t offset;
        const char *attribute;
        const char *controller;
        const char *property;
} LimitRow;

enum {
        LIMIT_ROWS = 6,
};
extern const LimitRow limit_rows[LIMIT_ROWS];

uint64_t limit_get(const IsolationLimits *limits, const LimitRow *row);

/* Whether the folder of a cgroup has the controller for itself: its parent may hand it on. */
bool cgroup_has_controller(int folder_fd, const char *controller);

/* Hand a controller on to what is below a folder, by way of the folder above it where that is needed.
 * -EOPNOTSUPP: it cannot be had here. */
int cgroup_enable_controller(int folder_fd, const char *controller);

/* Write what differs from before into the files of a folder; controllers are handed on to it first. */
int cgroup_limits_apply(int folder_fd, const IsolationLimits *limits, const IsolationLimits *before);
