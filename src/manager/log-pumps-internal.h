/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the pumps. */

#include "manager/log-pumps.h"
#include "manager/log-style.h"
#include "platform/child-job.h"

typedef struct LogPumpEntry {
        Manager *manager;      /* weak */
        ProcessHandle *handle; /* weak; NULL: of a launch that is over */
        LogPump *pump;
        PumpRecipe *recipe; /* in its window */
        uint32_t slot;
        bool reopening; /* it waits for that, or it is done */
        int moved;
} LogPumpEntry;

typedef struct LogPumps {
        PumpStore *store;      /* NULL: not needed yet */
        GPtrArray *entries;    /* of LogPumpEntry, owned */
        JournalSender *sender; /* NULL: not needed yet */
        GQueue reopening;      /* of LogPumpEntry, weak; the head is at work */
        ChildJob *job;         /* NULL: none */
        int job_fd;            /* our end of its socket */
} LogPumps;

/* log-pump-files.c: it will be gone. */
void log_pump_files_forget(LogPumpEntry *entry);

/* Others in place of its files; the socket becomes the pump's. */
void log_pumps_exchange(LogPumpEntry *entry, int files_fd);
void log_pumps_tell(LogPumpEntry *entry, const char *what);

/* A pair of sockets for files. */
int log_pumps_make_socket(int *ret_ours, int *ret_theirs);
