/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

/* What the service manager is about to do with a unit: SIGTERM alone does not tell a restart from a stop. */
typedef struct UnitJob UnitJob;

/* type: "restart", "stop"...; "" if there is no job or no answer within two seconds. Called once, from the
 * loop. */
typedef void (*UnitJobHandler)(void *userdata, const char *type);

int unit_job_ask(
                sd_event *event,
                bool system,
                const char *unit,
                UnitJobHandler handler,
                void *userdata,
                UnitJob **ret);
void unit_job_free(UnitJob *job);
