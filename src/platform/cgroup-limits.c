/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* no fault points here: limits are written again with every start, and a call that was cut is made again */

#include "platform/cgroup-limits.h"

#include "basic/cleanup.h"
#include "basic/fd-util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROW(field) offsetof(IsolationLimits, field)

enum {
        CPU_PERIOD_USEC = 100000, /* of cpu.max */
        PERIODS_IN_SECOND = 10,
        DEFAULT_WEIGHT = 100,
};

const LimitRow limit_rows[LIMIT_ROWS] = {
        { ROW(memory_max_bytes), "memory_max", "memory", "MemoryMax" },
        { ROW(memory_high_bytes), "memory_high", "memory", "MemoryHigh" },
        { ROW(cpu_quota_usec), "cpu_quota", "cpu", "CPUQuotaPerSecUSec" },
        { ROW(cpu_weight), "cpu_weight", "cpu", "CPUWeight" },
        { ROW(io_weight), "io_weight", "io", "IOWeight" },
        { ROW(tasks_max), "tasks_max", "pids", "TasksMax" },
};

uint64_t limit_get(const IsolationLimits *limits, const LimitRow *row) {
        return *(const uint64_t *) ((const char *) limits + row->offset);
}

static bool list_has(int folder_fd, const char *file, const char *word) {
        _cleanup_close_ int fd = openat(folder_fd, file, O_RDONLY | O_CLOEXEC);
        size_t length = strlen(word);
        char text[512];

        if (fd < 0 || read_fd_text(fd, text, sizeof(text)) < 0) {
                return false;
        }
        for (const char *p = text; *p; p += strspn(p, " \n")) {
                size_t n = strcspn(p, " \n");
                if (n == length && memcmp(p, word, n) == 0) {
                        return true;
                }
                p += n;
        }
        return false;
}

bool cgroup_has_controller(int folder_fd, const char *controller) {
        return list_has(folder_fd, "cgroup.controllers", controller);
}

int cgroup_enable_controller(int folder_fd, const char *controller) {
        char text[32];

        if (list_has(folder_fd, "cgroup.subtree_control", controller)) {
                return 0;
        }
        (void) snprintf(text, sizeof(text), "+%s", controller);
        if (!cgroup_has_controller(folder_fd, controller)) {
                (void) write_file(folder_fd, "../cgroup.subtree_control", text);
        }
        if (!cgroup_has_controller(folder_fd, controller)) {
                return -EOPNOTSUPP;
        }
        return write_file(folder_fd, "cgroup.subtree_control", text);
}

static int write_number(int folder_fd, const char *file, uint64_t number) {
        char text[32] = "max";

        if (number > 0) {
                (void) snprintf(text, sizeof(text), "%" PRIu64, number);
        }
        return write_file(folder_fd, file, text);
}

static int write_quota(int folder_fd, uint64_t usec) {
        char text[48] = "max";

        if (usec > 0) {
                (void) snprintf(text,
                                sizeof(text),
                                "%" PRIu64 " %d",
                                usec / PERIODS_IN_SECOND,
                                (int) CPU_PERIOD_USEC);
        }
        return write_file(folder_fd, "cpu.max", text);
}

/* Which file there is depends on what schedules the disks. */
static int write_io_weight(int folder_fd, uint64_t weight) {
        char text[40];

        (void) snprintf(text, sizeof(text), "default %" PRIu64, weight);
        int r = write_file(folder_fd, "io.weight", text);
        return r == -ENOENT ? write_file(folder_fd, "io.bfq.weight", text) : r;
}

static int write_limit(int folder_fd, const LimitRow *row, uint64_t number) {
        uint64_t weight = number > 0 ? number : DEFAULT_WEIGHT;

        switch (row->offset) {
        case ROW(memory_max_bytes):
                return write_number(folder_fd, "memory.max", number);
        case ROW(memory_high_bytes):
                return write_number(folder_fd, "memory.high", number);
        case ROW(cpu_quota_usec):
                return write_quota(folder_fd, number);
        case ROW(cpu_weight):
                return write_number(folder_fd, "cpu.weight", weight);
        case ROW(io_weight):
                return write_io_weight(folder_fd, weight);
        default:
                return write_number(folder_fd, "pids.max", number);
        }
}

int cgroup_limits_apply(int folder_fd, const IsolationLimits *limits, const IsolationLimits *before) {
        for (const LimitRow *row = limit_rows; row < limit_rows + LIMIT_ROWS; row++) {
                uint64_t number = limit_get(limits, row);
                if (number == limit_get(before, row)) {
                        continue;
                }
                if (!cgroup_has_controller(folder_fd, row->controller)) {
                        _cleanup_close_ int parent_fd =
                                        openat(folder_fd, "..", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
                        int r = parent_fd < 0 ? -errno
                                              : cgroup_enable_controller(parent_fd, row->controller);
                        if (r < 0) {
                                return r;
                        }
                }
                int r = write_limit(folder_fd, row, number);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}
