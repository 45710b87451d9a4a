/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* One supervisor for each state folder: a file lock that ends with its holder. */

/* Take the lock, trying again until timeout_usec is over; before the event loop runs, for it waits. The file
 * then holds our pid. Returns the fd to be kept; -EWOULDBLOCK: another one has it. */
int instance_lock_take(const char *path, uint64_t timeout_usec);

/* What the holder wrote, 0 if nothing can be read. For messages alone. */
int instance_lock_read_pid(const char *path);
