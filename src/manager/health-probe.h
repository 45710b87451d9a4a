/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"
#include "platform/probe.h"

/* One question to a process, of the kind that its app declares, with the rights of its owner. */
typedef struct HealthProbe HealthProbe;

/* The handler is called once, from the loop, when the probe is gone. An error says why it cannot be asked.
 */
int health_probe_start(
                ProcessHandle *handle,
                const HealthCheck *check,
                ProbeHandler handler,
                void *userdata,
                HealthProbe **ret,
                Error *error);

/* Give it up: the handler is not called. NULL is fine. */
void health_probe_cancel(HealthProbe *probe);

/* What an earlier supervisor left of a probe of the process ends. */
void health_probe_end_leftovers(const ProcessHandle *handle);
