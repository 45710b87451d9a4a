/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"
#include "core/exit-status.h"

/* Whether and when a process that ended by itself is started again. Pure: what is known goes in. */

typedef enum RestartVerdict {
        RESTART_NOW,
        RESTART_LATER,
        RESTART_NEVER,     /* the app does not want it */
        RESTART_STOP_CODE, /* nor after this exit code */
        RESTART_GIVE_UP,   /* max_restarts unstable exits in a row */
} RestartVerdict;

/* What is known when nothing of a process is left. */
typedef struct RestartFacts {
        bool launched;              /* it was executed */
        bool ready;                 /* it said so, or need not */
        bool intended;              /* its end was wanted: no crash */
        ExitStatus exit_status;     /* if so */
        uint64_t uptime_usec;       /* if so */
        uint32_t unstable_restarts; /* exits in a row before min_uptime, not counting this one */
        uint64_t backoff_usec;      /* the last delay of the row that grows, 0: none */
} RestartFacts;

typedef struct RestartDecision {
        RestartVerdict verdict;
        uint32_t unstable_restarts; /* the new count */
        uint64_t backoff_usec;      /* to be told the next time */
        uint64_t delay_usec;        /* of RESTART_LATER */
} RestartDecision;

/* An exit after min_uptime ends the row of unstable ones, so a crash loop that starts late is caught as one
 * from the start. */
RestartDecision restart_policy_decide(const AppConfig *config, const RestartFacts *facts);
