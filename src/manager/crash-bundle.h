/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* What is known of the last crash of a process: an end that nobody wanted, with an exit code that is not 0
 * or by a signal. See ARCHITECTURE.md for its keys. The text of its logs is the owner's alone. */

/* The main process has ended and its status is known, its files and its group are not given up yet. Returns
 * whether it was a crash: then the bundle is there, and belongs to the last exit in the history.
 * dumped: the kernel has handed out a core. */
bool crash_bundle_take(ProcessHandle *handle, bool dumped);

/* Tell of it, behind the exit. */
void crash_bundle_tell(ProcessHandle *handle);
