/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/value.h"

#include <stdbool.h>
#include <stdint.h>

/* The attribute "limits": resource limits as setrlimit(2) has them. */

typedef enum Resource {
        RESOURCE_AS,
        RESOURCE_CORE,
        RESOURCE_CPU,
        RESOURCE_DATA,
        RESOURCE_FSIZE,
        RESOURCE_LOCKS,
        RESOURCE_MEMLOCK,
        RESOURCE_MSGQUEUE,
        RESOURCE_NICE,
        RESOURCE_NOFILE,
        RESOURCE_NPROC,
        RESOURCE_RSS,
        RESOURCE_RTPRIO,
        RESOURCE_RTTIME,
        RESOURCE_SIGPENDING,
        RESOURCE_STACK,
        RESOURCE_COUNT,
} Resource;

typedef struct ResourceLimit {
        bool given;
        uint64_t soft, hard; /* UINT64_MAX: none */
} ResourceLimit;

typedef struct ResourceLimits {
        ResourceLimit of[RESOURCE_COUNT];
} ResourceLimits;

/* "nofile"; NULL where there is no such resource. */
const char *resource_name(int resource);
/* -EINVAL: no resource has this name, in any case. */
int resource_from_name(const char *name);

/* A number, "infinity", or two of them as "soft:hard". Sizes may have units. -EINVAL: none of these;
 * -ERANGE: the soft limit is over the hard one, or it does not fit. */
int resource_limit_parse(int resource, const char *text, ResourceLimit *ret);

/* The map that a caller could have written; the caller frees it. NULL counts as empty. */
Value *resource_limits_to_value(const ResourceLimits *limits);

/* "1024:4096" as a caller could have written it; the caller frees it. */
char *resource_limit_to_text(const ResourceLimit *limit);
