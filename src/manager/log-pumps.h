/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The logs that we write ourselves, for processes whose output must be changed or goes to more than one
 * place (platform/log-pump.h). A pump is of one launch, and outlives it until nobody has its pipes open. */

void log_pumps_init(Manager *manager);
void log_pumps_free(Manager *manager);

/* What of a launch is to be closed when its child has it. */
typedef struct LogPumpEnds {
        int fds[EXEC_STREAMS + 1];
} LogPumpEnds;

#define LOG_PUMP_ENDS_NONE ((LogPumpEnds){ .fds = { -EBADF, -EBADF, -EBADF } })
void log_pump_ends_close(LogPumpEnds *ends);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LogPumpEnds, log_pump_ends_close)

/* Make the pump of a launch, if it needs one, and put it into the plan of its child. */
int log_pumps_open(ProcessHandle *handle, ExecPlan *plan, LogPumpEnds *ret_ends);
/* It has its pid. */
void log_pumps_launched(ProcessHandle *handle);

/* What an earlier supervisor left, before any process is taken over; then one of them. */
void log_pumps_restore(Manager *manager);
void log_pumps_adopt(ProcessHandle *handle);
void log_pumps_hand_over(Manager *manager, Handover *handover);

/* Its main process has ended: what it has written goes into its logs now. */
void log_pumps_hear_out(ProcessHandle *handle);
/* It launches anew, or is forgotten: its pump goes on alone. */
void log_pumps_detach(ProcessHandle *handle);

/* For log-files.c: one of the files that a process' pump writes to (ExecReport.logs has their order);
 * negative: none. */
int log_pumps_file(const ProcessHandle *handle, int index);

/* Open the files by their names again; moved: that of this index gets a name behind it first, negative: none
 * does. */
void log_pumps_reopen(ProcessHandle *handle, int moved);
