/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/exec-child.h"

/* For the gated child alone: the folder with copies of the files that a plan names as credentials. */

/* The folder, for the user of the plan; before becoming that user. An errno, 0: done, or the plan has none.
 */
int exec_credentials_make_folder(const ExecPlan *plan);

/* The copies, as that user. False: stage, error and item of the report say why. */
bool exec_credentials_copy(const ExecPlan *plan, ExecReport *ret_failure);
