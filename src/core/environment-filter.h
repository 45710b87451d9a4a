/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/environment.h"

/* Which variables of its caller an app does not get: PM2's filter_env. Starts as {0}: it gets all. */
typedef enum EnvironmentFilterKind {
        FILTER_NONE,
        FILTER_ALL,   /* nothing passes */
        FILTER_NAME,  /* the one variable of this name does not */
        FILTER_PARTS, /* no variable does whose name has one of these texts in it */
} EnvironmentFilterKind;

typedef struct EnvironmentFilter {
        EnvironmentFilterKind kind;
        char **words; /* NULL for FILTER_NONE and FILTER_ALL */
} EnvironmentFilter;

void environment_filter_done(EnvironmentFilter *filter);

/* What passes. */
Environment *environment_filter(Environment *environment, const EnvironmentFilter *filter);
