/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/restart-policy.h"

#include "basic/time-util.h"

#define BACKOFF_MAX_USEC   (15 * USEC_PER_SEC)
#define BACKOFF_RESET_USEC (30 * USEC_PER_SEC)
/* What wants to end right after its start is no crash, but must not be a loop that burns the processor. */
#define INTENDED_PACE_USEC (1 * USEC_PER_SEC)

/* PM2's row: base, then half as much again each time, in whole milliseconds, up to 15 s. Unlike PM2's it
 * grows from 1 ms too, and a base over 15 s stays what it is. */
static uint64_t next_backoff(uint64_t base_usec, uint64_t last_usec) {
        if (last_usec == 0) {
                return base_usec;
        }
        uint64_t grown_usec = last_usec + last_usec / 2;
        grown_usec -= grown_usec % USEC_PER_MSEC;
        grown_usec = MAX(grown_usec, last_usec + USEC_PER_MSEC);
        return MAX(MIN(grown_usec, BACKOFF_MAX_USEC), base_usec);
}

/* A limit that was declared counts every unstable exit. The default is there against loops that burn the
 * processor: whoever declared a delay waits for something, for as long as it takes. */
static bool is_enough(const AppConfig *config, uint32_t unstable_restarts, uint64_t delay_usec) {
        bool slow = delay_usec > 0 && delay_usec >= config->min_uptime_usec;

        return unstable_restarts >= config->max_restarts &&
               (!slow || app_config_is_given(config, "max_restarts"));
}

RestartDecision restart_policy_decide(const AppConfig *config, const RestartFacts *facts) {
        bool ready = facts->launched && facts->ready;
        bool soon = !ready || facts->uptime_usec < config->min_uptime_usec;
        bool unstable = soon && !facts->intended;
        bool recovered = ready && facts->uptime_usec > BACKOFF_RESET_USEC;
        RestartDecision decision = {
                .unstable_restarts = soon ? facts->unstable_restarts + unstable : 0,
        };
        uint64_t delay_usec = config->restart_delay_usec;

        if (config->exp_backoff_usec > 0 && !facts->intended) {
                delay_usec = next_backoff(config->exp_backoff_usec, recovered ? 0 : facts->backoff_usec);
                decision.backoff_usec = delay_usec;
        }
        if (facts->intended && facts->uptime_usec < INTENDED_PACE_USEC) {
                delay_usec = MAX(delay_usec, INTENDED_PACE_USEC - facts->uptime_usec);
        }
        if (!config->autorestart) {
                decision.verdict = RESTART_NEVER;
        } else if (facts->launched && facts->exit_status.signal == 0 &&
                   app_config_is_stop_code(config, facts->exit_status.code)) {
                decision.verdict = RESTART_STOP_CODE;
        } else if (unstable && is_enough(config, decision.unstable_restarts, delay_usec)) {
                decision.verdict = RESTART_GIVE_UP;
        } else if (delay_usec > 0) {
                decision.verdict = RESTART_LATER;
                decision.delay_usec = delay_usec;
        }
        if (decision.verdict != RESTART_LATER) {
                decision.backoff_usec = 0;
        }
        return decision;
}
