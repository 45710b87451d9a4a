/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dependencies.h"
#include "core/process.h"

/* What one process is to another that waits for it. */
typedef enum DependencyVerdict {
        DEPENDENCY_MET,
        DEPENDENCY_PENDING, /* it may be met: something is under way */
        DEPENDENCY_AT_REST, /* nothing is under way, and a start may lead to it */
        DEPENDENCY_HELD,    /* likewise, but a person has stopped it */
        DEPENDENCY_FAILED,  /* it can never be met */
} DependencyVerdict;

/* starting: a command that starts it, or starts it anew, has yet to do so. What has ended by itself with
 * exit code 0 is completed, and so counts as started and ready too. */
DependencyVerdict dependency_judge(const Process *process, DependencyCondition condition, bool starting);

/* Why it does not help who waits for it, AT_REST and FAILED. Freed by the caller. What itself was not
 * started for a dependency names that one: the root of it all. */
char *dependency_describe_failure(const Process *process, DependencyCondition condition);

/* "dependency 'db' failed: ..." or "dependency 'db' is stopped..." as LastReason has it. */
#define DEPENDENCY_REASON "dependency '"
