/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/restart-policy.h"

RestartDecision restart_policy_decide(
                const AppConfig *config, uint32_t unstable_restarts, bool launched, uint64_t uptime_usec) {
        bool unstable = !launched || uptime_usec < config->min_uptime_usec;
        RestartDecision decision = {
                .verdict = RESTART_NOW,
                .unstable_restarts = unstable ? unstable_restarts + 1 : 0,
        };

        if (!config->autorestart) {
                decision.verdict = RESTART_NEVER;
        } else if (unstable && decision.unstable_restarts >= config->max_restarts) {
                decision.verdict = RESTART_GIVE_UP;
        }
        return decision;
}
