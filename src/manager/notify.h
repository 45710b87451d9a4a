/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* What a process tells by sd_notify(3), and its watchdog. */

/* Make the folder of the sockets. After the runtime folder is there. */
int notify_prepare(const Manager *manager);
/* Remove the sockets of processes that are no more. */
void notify_sweep(Manager *manager);

/* At the end of everything, when no process has a socket any more. */
void notify_end(void);

/* Whether a launch of it has a socket. */
bool notify_is_spoken(const Process *process);

/* Make the socket of a launch, if it is to have one. */
int notify_open(ProcessHandle *handle);
/* NOTIFY_SOCKET and WATCHDOG_USEC. */
Environment *notify_variables(const ProcessHandle *handle);

/* Go on with the socket of an earlier supervisor; fd is taken, negative: it was not kept. */
void notify_adopt(ProcessHandle *handle, int fd);

/* The main process has ended: what it had said by then. */
void notify_hear_out(ProcessHandle *handle);
void notify_close(ProcessHandle *handle);
/* A successor goes on with it: the socket, which is the caller's now; negative: there is none. */
int notify_leave(ProcessHandle *handle);

/* From now on it has to give signs of life; while it stands still it need not. */
void notify_start_watchdog(ProcessHandle *handle);
void notify_on_frozen(ProcessHandle *handle);
