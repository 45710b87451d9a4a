/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/health.h"

#include "basic/macro.h"

#include <assert.h>

static uint64_t add(uint64_t usec, uint64_t more_usec) {
        return usec > HEALTH_NEVER - more_usec ? HEALTH_NEVER : usec + more_usec;
}

static uint64_t larger(uint64_t a, uint64_t b) {
        return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

void health_start(Health *health, const HealthRules *rules, uint64_t now_usec) {
        *health = (Health){
                .rules = *rules,
                .state = HEALTH_STARTING,
                .due_usec = now_usec,
                .counted_usec = add(now_usec, larger(rules->start_period_usec, rules->interval_usec)),
        };
}

void health_resume_as(
                Health *health,
                const HealthRules *rules,
                ProcessHealth state,
                uint64_t delay_usec,
                uint64_t now_usec) {
        health_start(health, rules, now_usec);
        health->state = state == HEALTH_NONE ? HEALTH_STARTING : state;
        health->due_usec = add(now_usec, smaller(delay_usec, rules->interval_usec));
        health->counted_usec = add(now_usec, rules->interval_usec);
}

uint64_t health_due(const Health *health) {
        if (health->paused) {
                return HEALTH_NEVER;
        }
        return health->probing ? health->deadline_usec : health->due_usec;
}

void health_begin(Health *health, uint64_t now_usec) {
        health->probing = true;
        health->deadline_usec = add(now_usec, health->rules.timeout_usec);
        /* A timer that fires late shifts no later probe, unless it is late by a whole one. */
        if (now_usec > add(health->due_usec, health->rules.interval_usec)) {
                health->due_usec = now_usec;
        }
}

static bool enter(Health *health, ProcessHealth state) {
        bool changed = health->state != state;

        health->state = state;
        return changed;
}

bool health_end(Health *health, bool success, uint64_t now_usec) {
        bool starting = health->state == HEALTH_STARTING;
        bool counts = !starting || now_usec >= health->counted_usec;
        uint64_t interval_usec = health->rules.interval_usec;
        bool changed = false;

        health->probing = false;
        if (success) {
                health->failures = 0;
                changed = enter(health, HEALTH_HEALTHY);
        } else if (counts) {
                health->failures += health->failures < health->rules.retries;
                if (health->failures >= health->rules.retries) {
                        changed = enter(health, HEALTH_UNHEALTHY);
                }
        } else {
                interval_usec = smaller(interval_usec, HEALTH_START_INTERVAL_USEC);
        }
        health->due_usec = larger(add(health->due_usec, interval_usec), now_usec);
        return changed;
}

void health_pause(Health *health, uint64_t now_usec) {
        if (!health->paused) {
                health->paused = true;
                health->paused_usec = now_usec;
                health->probing = false;
        }
}

void health_go_on(Health *health, uint64_t now_usec) {
        if (health->paused) {
                health->paused = false;
                health->counted_usec = add(health->counted_usec, now_usec - health->paused_usec);
                health->due_usec = add(now_usec, health->rules.interval_usec);
        }
}

const char *health_to_name(ProcessHealth state) {
        static const char *const names[] = {
                [HEALTH_NONE] = "none",
                [HEALTH_STARTING] = "starting",
                [HEALTH_HEALTHY] = "healthy",
                [HEALTH_UNHEALTHY] = "unhealthy",
        };
        static_assert(ELEMENTS(names) == _PROCESS_HEALTH_MAX, "a name for every state");
        return names[state];
}
