/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/instance-paths.h"
#include "config/settings.h"
#include "platform/reexec.h"

#include <stdbool.h>

typedef struct ServiceOptions {
        const Settings *settings;
        const InstancePaths *paths;
        bool system;             /* for all users, on the system bus */
        bool private;            /* the private socket alone */
        char *const *command;    /* how we are executed, absolute: for Reexecute */
        const char *compat_home; /* of PM2, whose daemon we stand in for, in the foreground; NULL: none */
        int ready_fd;            /* READY or ERROR goes there, then it is closed; negative: none */
        int lifeline_fd;         /* at its end of file all is stopped; borrowed; negative: none */
} ServiceOptions;

typedef struct ServiceResult {
        int status;         /* to exit with */
        Handover *handover; /* not NULL: execute our program file anew instead; to be freed */
} ServiceResult;

/* Wire manager and faces on one loop and run it until the end. SIGTERM, SIGINT and
 * SIGCHLD are blocked by the caller. */
ServiceResult service_run(const ServiceOptions *options);
