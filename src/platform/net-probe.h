/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/child-steps.h"
#include "platform/probe.h"

#include <stdint.h>
#include <systemd/sd-event.h>

/* One question over the network, or over a socket in the file system: a connection, or a GET and the status
 * of its answer. It takes as long as it takes: whoever asks has a timeout. */
typedef struct NetProbe NetProbe;

typedef struct NetProbePlan {
        const char *host; /* numeric; NULL: localhost, which is 127.0.0.1 or else ::1 */
        uint16_t port;
        const char *path;      /* of a socket in the file system, instead of the two; NULL: none */
        const char *authority; /* what the header Host says */
        const char *resource; /* what is asked for; NULL: a connection is enough, and the rest is not read */
        uint64_t status_min, status_max; /* of a success */
        const ExecUser *user;            /* with whose rights a path is looked up; NULL: ours */
} NetProbePlan;

/* What the plan points at need not outlive the call. */
int net_probe_start(
                sd_event *event,
                const NetProbePlan *plan,
                ProbeHandler handler,
                void *userdata,
                NetProbe **ret);

/* Give it up: the handler is not called. NULL is fine. */
void net_probe_cancel(NetProbe *probe);
