/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/memory-watch.h"
#include "manager/manager-internal.h"

/* The restarts that apps declare with max_memory_restart: a timer for each process that has one, while it is
 * online. Nothing is looked at of any other. */

/* Something of a process has changed: it is looked at from now on, differently, or not. */
void memory_restart_sync(Process *process);

/* It is being removed. */
void memory_restart_forget(Manager *manager, const Process *process);
void memory_restart_free(Manager *manager);

/* "memory 170.2 MiB was over max_memory_restart, 150.0 MiB; restarted": why it is restarted or reloaded
 * now. Freed by the caller. */
char *memory_restart_describe(const Process *process, bool reload);

/* What was seen of the launch that runs; NULL: nothing, or it is not looked at. */
const MemoryWatch *memory_restart_seen(const Process *process);
