/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The log files that processes write themselves, and their bounds. */

void log_files_init(Manager *manager);
void log_files_free(Manager *manager);

/* A program was executed, or taken over as it runs: what its streams go to is bounded from now on. */
void log_files_attach(ProcessHandle *handle);
/* It has ended. */
void log_files_detach(ProcessHandle *handle);
/* Its config is another one. */
void log_files_review(ProcessHandle *handle);

/* The file that a stream of a process goes to, by which it can be opened (O_PATH). Borrowed; -EBADF: it is
 * not known. */
int log_files_get_fd(const ProcessHandle *handle, int stream);
/* Whether another process writes to it too. */
bool log_files_is_shared(const ProcessHandle *handle, int stream);
/* Whether a file is being cut just now. */
bool log_files_is_cutting(const Manager *manager, const ExecLog *id);
/* Whether nothing else that is known goes to it. */
bool log_files_is_alone(const ProcessHandle *handle, int index);
guint log_files_hash_id(gconstpointer key);
gboolean log_files_equal_ids(gconstpointer a, gconstpointer b);

/* log-flush.c: files that are to be emptied. */
void log_flushes_init(Manager *manager);
void log_flushes_free(Manager *manager);
