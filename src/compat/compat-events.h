/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "compat/compat-internal.h"

/* What happens, as PM2's bus tells it. */

/* Fills the observer's calls; its userdata is the Compat. */
void compat_events_init(ManagerObserver *observer);

/* An event of a process under any name, as a client of PM2 asks for after what it did. */
void compat_events_tell(Compat *compat, const Process *process, const char *event, bool manually);

/* Somebody has come to hear of events, or has gone. */
void compat_events_on_audience(void *userdata);

/* "pm2:kill". */
void compat_events_tell_killed(Compat *compat, const char *reason);
