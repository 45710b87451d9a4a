/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/instance-paths.h"
#include "config/settings.h"

#include <stdbool.h>

typedef struct ServiceOptions {
        const Settings *settings;
        const InstancePaths *paths;
        bool system;  /* for all users, on the system bus */
        bool private; /* the private socket alone */
        int ready_fd; /* READY or ERROR goes there, then it is closed; negative: none */
} ServiceOptions;

/* Wire manager and faces on one loop and run it until the end. Returns the exit status. SIGTERM, SIGINT and
 * SIGCHLD are blocked by the caller. */
int service_run(const ServiceOptions *options);
