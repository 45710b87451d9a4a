/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/value.h"

/* What it says that it is at, beside being there: RELOADING=1 and STOPPING=1 of sd_notify(3). */
typedef enum SelfReportPhase {
        SELF_REPORT_NO_PHASE,
        SELF_REPORT_RELOADING,
        SELF_REPORT_STOPPING,
        _SELF_REPORT_PHASE_MAX,
} SelfReportPhase;

/* What one launch of a process tells of itself: a line of status, the actions that it offers, its metrics
 * and its options (the last three as npm's @pm2/io sends them). Bounded: a child may say anything, as often
 * as it likes. */
typedef struct SelfReport {
        uint64_t version; /* grows with every change of what is not the metrics: they come again */
        SelfReportPhase phase;
        bool status_is_of_phase; /* the status was said in this phase, and not before it */
        char *status; /* one line of UTF-8; this and all below NULL: nothing, as of most processes */
        char *node_version;
        Value *actions; /* array of maps; each has an action_name of its own */
        Value *metrics; /* map of name to value */
        Value *options; /* map */
} SelfReport;

enum {
        SELF_REPORT_ACTIONS_MAX = 256,
        SELF_REPORT_KEYS_MAX = 256,        /* of the metrics, and of the options */
        SELF_REPORT_BYTES_MAX = 64 * 1024, /* of each of the three */
        SELF_REPORT_NAME_BYTES_MAX = 256,
};

void self_report_init(SelfReport *report);
void self_report_done(SelfReport *report);

/* A new launch has said nothing yet. */
void self_report_clear(SelfReport *report);

/* False: it says what it said before. Control characters become blanks, and what is too long is cut. */
bool self_report_set_status(SelfReport *report, const char *status);

/* The same for the phase; no phase: it is ready again, or has ended. */
bool self_report_set_phase(SelfReport *report, SelfReportPhase phase);

/* The status; the name of the phase while that has none of its own. "": neither. */
const char *self_report_text(const SelfReport *report);

/* Each returns 0, or -EINVAL for what has another form, -E2BIG beyond the bounds; the report stays as it was
 * then. */

/* {"action_name":...}: a new one, or in place of the one of that name. */
int self_report_add_action(SelfReport *report, const Value *action);
/* Each key of the map in place of its own. */
int self_report_merge_metrics(SelfReport *report, const Value *metrics);
int self_report_merge_options(SelfReport *report, const Value *options);
int self_report_set_node_version(SelfReport *report, const char *version);

/* All but the metrics, as a map that is bounded in turn; and back, as far as it is what it should be. */
Value *self_report_to_value(const SelfReport *report);
void self_report_take_value(SelfReport *report, const Value *value);

bool self_report_has_action(const SelfReport *report, const char *name);
