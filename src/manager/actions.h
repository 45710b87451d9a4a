/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* Actions and metrics, as npm's @pm2/io has them: messages whose type begins with "axm:". */

/* A message of that type; data is its JSON text. False: it is none of those that are kept here, and goes to
 * whoever listens like any other. */
bool actions_take_message(ProcessHandle *handle, const char *type, const char *data, size_t length);

/* Nobody will answer any more. */
void actions_fail_pending(ProcessHandle *handle);
