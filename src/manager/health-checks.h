/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The probes of a process that declares health: a timer and at most one question at a time, while it is
 * online, or is to take another's place and has to show first that it is well. */

/* Something of a process has changed: its probes begin, go on, stand still or end. */
void health_checks_sync(ProcessHandle *handle);

/* Its main process has ended, or it is being freed: a probe under way ends at once. */
void health_checks_free(ProcessHandle *handle);

/* Whether it may not count as ready yet: it is to take another's place, and is not healthy. */
bool health_checks_must_wait(const ProcessHandle *handle);

/* What the last probe failed with, "nothing was asked yet": for a person. */
const char *health_checks_failure(const ProcessHandle *handle);
