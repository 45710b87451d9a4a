/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager.h"

enum {
        MESSAGE_TYPE_BYTES_MAX = 256,
        MESSAGE_DATA_BYTES_MAX = 1024 * 1024,
};

/* What a child says that gives it no name. */
#define MESSAGE_TYPE_PLAIN "process:msg"

/* A child of the process said something. type: the name of the event, NULL: the child gave it none, and it
 * is told as "process:msg"; data: JSON text on one line, which need not end with a NUL. The observer hears
 * of it at once, so in order with the events of the process. A type that is a name of the supervisor's own
 * events is told as "process:msg" with all of it, {"type":...,"data":...}: nobody may speak in its name.
 * What is not UTF-8, on one line and within the caps above is dropped with -EINVAL or -EMSGSIZE. */
int manager_publish(
                Manager *manager, Process *process, const char *type, const char *data, size_t data_length);
