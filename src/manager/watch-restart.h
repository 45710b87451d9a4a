/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The restarts that apps declare with watch. Processes that watch the same in the same way, as those of one
 * app do, share a watcher; it is there while one of them is listed that was not stopped by hand. */

/* Something of a process has changed: it watches, something else, or nothing. */
void watch_restart_sync(Process *process);

/* A person starts it: a watch that was paused goes on, one that had failed is tried again. */
void watch_restart_resume(Process *process);

/* It is being removed. */
void watch_restart_forget(Manager *manager, const Process *process);
void watch_restart_free(Manager *manager);
