/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whether a process is well, from the outcomes of its probes. Times are those of a clock that stands still
 * while the machine sleeps (CLOCK_MONOTONIC). */

typedef enum ProcessHealth {
        HEALTH_NONE,     /* nobody asks: it declares no health, or does not run */
        HEALTH_STARTING, /* no probe has succeeded yet */
        HEALTH_HEALTHY,
        HEALTH_UNHEALTHY, /* as many probes in a row failed as were to */
        _PROCESS_HEALTH_MAX,
} ProcessHealth;

/* The timeout is at most the interval: probes never overlap, and each begins one interval after the one
 * before. So what hangs is found within interval x retries + timeout. */
typedef struct HealthRules {
        uint64_t interval_usec;
        uint64_t timeout_usec;
        uint64_t start_period_usec;
        uint32_t retries;
} HealthRules;

typedef struct Health {
        HealthRules rules;
        ProcessHealth state;
        uint32_t failures; /* in a row, that count */
        bool probing;
        bool paused;
        uint64_t due_usec;      /* of the next probe; while one is under way: when that was due */
        uint64_t deadline_usec; /* of the one under way */
        uint64_t counted_usec;  /* from when on failures of what is starting count */
        uint64_t paused_usec;   /* since when */
} Health;

#define HEALTH_NEVER UINT64_MAX

/* What is not healthy yet is asked more often than its interval says, so that it is known soon. */
#define HEALTH_START_INTERVAL_USEC UINT64_C(500000)

/* A launch: the first probe is due at once. */
void health_start(Health *health, const HealthRules *rules, uint64_t now_usec);

/* One that was probed before, by another supervisor or by other rules: it is what it was found to be, with
 * no failure yet, and has no start period any more. The first probe is due within delay_usec. */
void health_resume_as(
                Health *health,
                const HealthRules *rules,
                ProcessHealth state,
                uint64_t delay_usec,
                uint64_t now_usec);

/* When something is to be done: the next probe, or the timeout of the one under way. HEALTH_NEVER: as things
 * are, nothing. */
uint64_t health_due(const Health *health);

/* A probe begins. */
void health_begin(Health *health, uint64_t now_usec);

/* It has ended. True: the state is another one now. */
bool health_end(Health *health, bool success, uint64_t now_usec);

/* While the process stands still it is not asked: a probe under way does not count, and what it has of its
 * start period stays. Each of them may be called twice. */
void health_pause(Health *health, uint64_t now_usec);
void health_go_on(Health *health, uint64_t now_usec);

/* "healthy". */
const char *health_to_name(ProcessHealth state);
