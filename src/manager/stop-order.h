/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* Where several are stopped at once, each comes after those that depend on it. */

/* The names that processes of a call depend on; NULL: none. To be unreferenced. */
GHashTable *stop_order_names(const GPtrArray *processes);

/* Let a stop or delete that has begun wait for its turn. */
void stop_order_wait(ProcessHandle *handle, Command *command);
/* It is to wait no more. */
void stop_order_hurry(ProcessHandle *handle, Command *command);

/* A stop or delete of it is over: who waits for that is looked at in a later turn. The second: something
 * rests, while the supervisor ends. */
void stop_order_on_end(const Process *process);
void stop_order_on_rest(Manager *manager);

/* A stop that an earlier supervisor let wait: at once, for who knows what it waited for. */
void stop_order_adopt(ProcessHandle *handle);

/* Stop what nothing that lives depends on; when the supervisor ends. The rest follows. */
void stop_order_end(Manager *manager);

void stop_order_free(Manager *manager);
