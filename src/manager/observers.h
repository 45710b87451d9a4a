/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the manager: tell every observer, see ManagerObserver. */

#include "manager/manager.h"

void observers_tell_added(Manager *manager, Process *process);
void observers_tell_changed(Manager *manager, Process *process, unsigned changes);
void observers_tell_event(Manager *manager, Process *process, ProcessEventKind kind, bool manually);
bool observers_want_messages(const Manager *manager);
void observers_tell_message(
                Manager *manager,
                Process *process,
                const char *type,
                const char *data,
                size_t data_length,
                bool raw);
bool observers_want_log(const Manager *manager, const Process *process, bool error);
void observers_tell_log(Manager *manager, const LogLines *lines);
void observers_tell_removed(Manager *manager, Process *process);
void observers_tell_shutting_down(Manager *manager);
void observers_tell_killed(Manager *manager, const char *reason);
void observers_tell_leaving(Manager *manager);
void observers_tell_restarting(Manager *manager);
void observers_tell_compat_changed(Manager *manager);
