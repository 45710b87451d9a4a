/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"

/* Whether and when a process that ended by itself is started again. Pure: what is known goes in. */

typedef enum RestartVerdict {
        RESTART_NOW,
        RESTART_NEVER,   /* the app does not want it */
        RESTART_GIVE_UP, /* max_restarts unstable exits in a row */
} RestartVerdict;

typedef struct RestartDecision {
        RestartVerdict verdict;
        uint32_t unstable_restarts; /* the new count */
} RestartDecision;

/* unstable_restarts: exits in a row before min_uptime, not counting this one. launched: it was online. An
 * exit after min_uptime ends the row, so a crash loop that starts late is caught as one from the start. */
RestartDecision restart_policy_decide(
                const AppConfig *config, uint32_t unstable_restarts, bool launched, uint64_t uptime_usec);
