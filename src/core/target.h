/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/caller.h"
#include "core/registry.h"

/* The processes that a caller means, by increasing id; a new array of borrowed Process pointers. Exact name,
 * else namespace, else id; "all"; "/regex/" on names; an object path; "name:x" "ns:x" "id:5" "uid:..." force
 * the kind. Processes that the caller may not control are not among them. NoSuchProcess if none matches,
 * AccessDenied if others' alone do, InvalidData for a bad expression. "all" of an empty list is an empty
 * array. */
int target_resolve(
                const Registry *registry,
                const Caller *caller,
                const char *target,
                GPtrArray **ret,
                Error *error);
