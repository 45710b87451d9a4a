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
                const char *text,
                GPtrArray **ret,
                Error *error);

/* A target to be kept, for processes that come later too. A plain word then means every process whose name,
 * namespace or id it is: what it stands for does not change with what else there is. */
typedef struct Target Target;

int target_new(const char *text, Target **ret, Error *error);
void target_free(Target *target);
/* Whatever the caller may do. */
bool target_matches(const Target *target, const Process *process);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Target, target_free)
