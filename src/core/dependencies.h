/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "core/value.h"

/* The attribute "depends_on": apps that are waited for before one is started, and for what of each. */

enum {
        DEPENDENCIES_MAX = 256,
        DEPENDENCY_NAME_BYTES_MAX = 255,
};

typedef enum DependencyCondition {
        DEPENDENCY_STARTED,   /* its program runs */
        DEPENDENCY_READY,     /* it is online: with wait_ready it has said so */
        DEPENDENCY_HEALTHY,   /* its health checks pass */
        DEPENDENCY_COMPLETED, /* it has ended by itself, with exit code 0 */
        _DEPENDENCY_CONDITION_MAX,
} DependencyCondition;

typedef struct Dependency {
        char *name; /* of the app */
        DependencyCondition condition;
} Dependency;

/* "ready" */
const char *dependency_condition_to_name(DependencyCondition condition);

/* From what a caller wrote: an array of names, or an object of names and conditions; also a string of names,
 * each with or without "=condition", as a command line has it. Where no condition is said it is ready. The
 * words of Docker Compose are taken too, also as {"condition": "service_healthy"}. The result is an array of
 * Dependency in that order, NULL for none at all. InvalidConfig names the dependency; attribute is the name
 * that messages begin with. */
int dependencies_from_value(const char *attribute, const Value *value, GArray **ret, Error *error);

/* An object of names and conditions. */
Value *dependencies_to_value(const GArray *dependencies);

/* How many there are; NULL is none. */
size_t dependencies_count(const GArray *dependencies);

const Dependency *dependencies_at(const GArray *dependencies, size_t i);

/* The one of this name; NULL: it is none of them. */
const Dependency *dependencies_find(const GArray *dependencies, const char *name);
