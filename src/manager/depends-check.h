/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* What a call declares about dependencies, checked before anything is touched: as all of it would be after
 * the call. Names mean apps of the same owner. */
typedef struct DependsCheck DependsCheck;

DependsCheck *depends_check_new(const Manager *manager);
void depends_check_free(DependsCheck *check);

/* A process that will have another config, or is no more. All of these and all configs come first. */
void depends_check_leave_out(DependsCheck *check, const Process *process);
/* A config that there will be. Borrowed. */
void depends_check_add(DependsCheck *check, uid_t owner, const AppConfig *config);

/* InvalidConfig for a name that nobody has, or where it comes back to itself. starts: it is about to be
 * started, which NotOnline refuses while something that it depends on, and the call does not start, was
 * stopped by hand. */
int depends_check(DependsCheck *check, uid_t owner, const AppConfig *config, bool starts, Error *error);

/* Whether one more app would make what there is come back to itself: InvalidConfig. What it depends on may
 * come later. */
int depends_check_new_app(const Manager *manager, uid_t owner, const AppConfig *config, Error *error);

/* Whether what there is comes back to this process: InvalidConfig. */
int depends_check_circle(const Manager *manager, const Process *process, Error *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DependsCheck, depends_check_free)
