/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* Starts that wait: for what the app depends on, and for one of the places of start_parallel. Whatever may
 * end a wait is only marked when it happens, and looked at in a later turn of the loop. */

/* The input that begins the start of a command, which has been taken over: what waits enters AWAITING. What
 * nobody has asked for (the restart policy, cron_restart) never waits. */
ProcessInput awaiting_start_input(ProcessHandle *handle, const Command *command);

/* It has come to a state: its place may be another's now, and others may have waited for it. */
void awaiting_on_state(ProcessHandle *handle);

/* Look anew at those that wait for this one, or at all. */
void awaiting_touch(const Process *process);
void awaiting_touch_all(Manager *manager);

/* It has another config. */
void awaiting_reconsider(ProcessHandle *handle);

/* A launch of it has failed, whatever the restart policy does next: who waits for it fails too. */
void awaiting_on_failed_launch(const Process *process, const char *what);

/* Whether anything waits for an app of its name: then it stays, to tell why it failed. */
bool awaiting_is_needed(const Process *process);

/* One that an earlier supervisor let wait goes on. */
void awaiting_adopt(ProcessHandle *handle);

/* It waits for nothing any more. */
void awaiting_forget(ProcessHandle *handle);
void awaiting_free(Manager *manager);
