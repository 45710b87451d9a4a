/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/registry.h"

enum {
        INSTANCES_MAX = 1024, /* of one app */
};

/* How many processes an app is to have. declared: its attribute; cpus: the processors that may be used.
 * Never less than 1. */
uint32_t instances_count(int64_t declared, unsigned cpus);

/* How many an app has to have that has now so many: text is "4", "+2" or "-1". InvalidArgs: it is none of
 * these, or leaves less than one, or more than INSTANCES_MAX. */
int instances_scale(const char *text, uint32_t now, uint32_t *ret, Error *error);

/* Take those that are too many out of an app's processes (pointers, by increasing id) if it is to have so
 * many: those with the highest instance numbers, so that the others go on from 0 without a gap. A new array
 * by increasing id, empty if there are not too many. */
GPtrArray *instances_take_surplus(GPtrArray *processes, size_t wanted);

/* The value of increment_var in one more process of an app: one more than any of its processes has, else
 * what its own environment or the caller's says, else 0. */
int64_t instances_next_increment(
                const Registry *registry,
                const AppConfig *config,
                uid_t owner,
                const Environment *caller_env);

/* The same config with that value in its environment; a new reference. */
AppConfig *instances_with_increment(const AppConfig *config, int64_t value);
