/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "compat/pm2-texts.h"

#include <glib.h>

/* A process as PM2's daemon (7.0.4) tells of it, as JSON text. What is no fact and no attribute of ours
 * comes from its "extra", as it was sent. */

/* {"pid":...,"name":...,"pm2_env":{...},"pm_id":...}, with "monit" where figures are given. */
void pm2_process_append(
                GString *text, Pm2Texts *texts, const Process *process, const ProcessFigures *figures);

/* What its daemon answers a start with: the same, and what Node's object of a child process has. */
void pm2_started_append(GString *text, Pm2Texts *texts, const Process *process);

/* pm2_env of an event: without "env", but with its variables. status: NULL is the one that it has. */
void pm2_event_process_append(GString *text, Pm2Texts *texts, const Process *process, const char *status);

/* {"pm_id":...,"name":...,"rev":null,"namespace":...}: who has logged something. */
void pm2_logger_append(GString *text, const Process *process);

/* {"pm_id":...,"name":...,"namespace":...}: of whom a message comes. Of a cluster there is "rev" too if the
 * message has a type of its own. */
void pm2_sender_append(GString *text, const Process *process, bool typed);
