/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

/* The socket unit of PM2's face, by systemctl. */

typedef struct CompatUnit {
        bool there;                /* a service manager answers, and has the unit */
        bool managed;              /* a service manager answers */
        char *enabled;             /* as systemctl has it: "enabled", "disabled"... */
        char *active;              /* "active", "inactive", "failed"... */
        char *rpc_path, *pub_path; /* where it listens; NULL: not known */
} CompatUnit;

/* What systemctl tells; where there is none nothing is there. */
void compat_unit_read(const Ctl *ctl, CompatUnit *unit);
void compat_unit_done(CompatUnit *unit);

bool compat_unit_is_active(const CompatUnit *unit);

/* systemctl with one or two words before the name of the unit ("disable", "--now"). Returns an exit status;
 * on failure what it said was printed. */
int compat_unit_do(const Ctl *ctl, const char *verb, const char *option);
