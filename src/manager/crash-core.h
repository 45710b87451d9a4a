/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The core that systemd-coredump(8) has stored of a crash: it is looked for once the kernel has handed it
 * out, and told of as EVENT_CORE when it is found; then the bundle has it under "core". */
void crash_core_look(const ProcessHandle *handle);
void crash_core_free(Manager *manager);
