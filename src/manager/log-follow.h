/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"
#include "platform/log-cut.h"

/* Reading log files as they grow, for observers that want it (ManagerObserver.wants_log). What they are told
 * is lines of one file, each once, whole. A piece without a newline at its end is of a line of more than 1
 * MiB, or the last words of a process; who hands it on as a line ends it itself. */

/* For observers: somebody wants more than before. What is logged from now on is told. */
void manager_logs_are_wanted(Manager *manager);
/* Somebody may want less: looked at later, so this may be called at any time. */
void manager_logs_are_less_wanted(Manager *manager);

/* "keeps no such log in a file": why the log of a stream cannot be read; NULL: it can, as far as is known.
 */
const char *manager_log_obstacle(const Process *process, bool error);

typedef struct LogTailRequest {
        /* Whose last lines; each file is read once, for the first stream that is wanted. */
        bool (*wants)(void *userdata, const Process *process, bool error);
        void (*tell)(void *userdata, const LogLines *lines);
        void *userdata;
        unsigned lines;
        size_t bytes_max; /* of all files together */
        bool to_the_end;  /* also what is no whole line yet; else up to where what is told later begins */
} LogTailRequest;

/* The last lines of files that are followed, or that processes had when they ran last: what they had under
 * an earlier supervisor and have no more is not asked for. Lines that are not whole in the share of a file
 * are left out. */
void manager_read_log_tails(Manager *manager, const LogTailRequest *request);

/* Between the files of the manager. */

void log_follows_init(Manager *manager);
void log_follows_free(Manager *manager);

/* Called by log-files.c: what a stream goes to is known now; it has ended, or goes to another file: what was
 * written so far is told before this returns, within bounds. */
void log_follow_attached(const ProcessHandle *handle, int index);
void log_follow_detached(const ProcessHandle *handle, int index);
/* A file is about to lose its oldest part: what was written so far is told before this returns, within
 * bounds. It has, or it is not known (NULL). */
void log_follow_pause(Manager *manager, const ExecLog *id);
void log_follow_resume(Manager *manager, const ExecLog *id, const LogCutReport *report);

/* The process goes. */
void log_follow_forget(Manager *manager, const Process *process);
