/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* On whose behalf a command is done. Every call into the manager takes one. */
typedef struct Caller {
        uid_t uid;
        gid_t gid;
        const char *via; /* static: "private-socket", "bus", "pm2-socket", "supervisor" */
} Caller;

/* Whether the caller may see and command what belongs to owner. */
static inline bool caller_may_control(const Caller *caller, uid_t owner) {
        return caller->uid == 0 || caller->uid == owner;
}
