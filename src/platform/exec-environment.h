/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/exec-child.h"

/* The environment of a plan with the variables of its files, read as the user; the plan's own where it has
 * none. NULL: error, item and line of the report say why. For the gated child alone: it allocates what it
 * never gives back. */
char *const *exec_environment_make(const ExecPlan *plan, ExecReport *ret_failure);
