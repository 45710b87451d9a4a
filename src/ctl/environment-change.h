/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

/* What a restart did to the environments of processes: names alone, values may be secrets. */
typedef struct EnvironmentChange EnvironmentChange;

/* Remember the environments of the processes of a target; what cannot be read is not told of. */
EnvironmentChange *environment_change_begin(const Ctl *ctl, const char *target);

/* Print what is different now, a line for each of the processes. */
void environment_change_print(const EnvironmentChange *change, const Ctl *ctl, const pm2_value *processes);

void environment_change_free(EnvironmentChange *change);
