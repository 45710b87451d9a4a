/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The restarts that apps declare with cron_restart: a timer of the real-time clock for each process that has
 * one and was not stopped by hand. They belong to the processes that are listed, not to a launch. */

/* InvalidConfig where there is no such time zone here. */
int cron_restart_check(const AppConfig *config, Error *error);

/* Something of a process has changed: it gets a timer, another one, or none. */
void cron_restart_sync(Process *process);

/* It is being removed. */
void cron_restart_forget(Manager *manager, const Process *process);
void cron_restart_free(Manager *manager);
