/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* An argument of Node as the worker with this number is to have it: of --inspect, --inspect-brk and
 * --inspect-wait, with "=port", "=host:port" or without, the port is so many more, as Node's own primary
 * makes it (20.20.2: what is beyond 65535 goes on from 1024). Port 0, which is any, and all other arguments
 * are as they were. Freed by the caller. */
char *inspect_argument_of(const char *argument, uint32_t instance);
