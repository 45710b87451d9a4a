/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Others in place of the files that a pump writes to: opened by their names once more, by a child with the
 * rights of the owner. One after the other. */

#include "basic/cleanup.h"
#include "core/file-names.h"
#include "manager/log-pumps-internal.h"

#include <unistd.h>

typedef struct ReopenReport {
        int32_t error; /* a positive errno, or one of exec-child.h; 0: they have been sent */
} ReopenReport;

static void reopen(const void *what, void *ret_report) {
        ReopenReport *report = ret_report;
        int fds[EXEC_LOGS], error = 0;

        if (exec_logs_open(what, fds, &error) < 0) {
                error = exec_logs_send(CHILD_JOB_FD, fds);
        }
        *report = (ReopenReport){ .error = error };
}

static void start_next(Manager *manager);

static void end_head(Manager *manager, int error) {
        LogPumps *pumps = manager->pumps;
        LogPumpEntry *entry = g_queue_pop_head(&pumps->reopening);
        int files_fd = steal_fd(&pumps->job_fd);

        entry->reopening = false;
        entry->moved = -1;
        if (error == 0) {
                log_pumps_exchange(entry, files_fd);
                return;
        }
        g_autofree char *what =
                        g_strdup_printf("its files cannot be opened anew: %s", exec_error_to_text(error));
        (void) close_fd(files_fd);
        log_pumps_tell(entry, what);
}

static void on_done(void *userdata, ChildJobResult result, int error, const void *report) {
        Manager *manager = userdata;

        manager->pumps->job = NULL;
        end_head(manager, result == CHILD_JOB_DONE ? ((const ReopenReport *) report)->error : error);
        start_next(manager);
}

static const char *path_or_null(const char *path) {
        return path[0] && !file_name_is_null(path) ? path : NULL;
}

static int start_job(LogPumpEntry *entry) {
        Manager *manager = entry->manager;
        LogPumps *pumps = manager->pumps;
        const Process *process = entry->handle->process;
        bool files = process->config->log_target != LOG_TARGET_JOURNAL;
        ExecLogPlan logs = { .paths = { files ? path_or_null(process->out_log_path) : NULL,
                                        files ? path_or_null(process->error_log_path) : NULL,
                                        path_or_null(process->log_path) } };
        g_autofree char *moved =
                        entry->moved >= 0 ? g_strconcat(logs.paths[entry->moved], ".1", NULL) : NULL;
        const ExecUser user = user_info_exec_user(manager_user(manager, process->owner));
        _cleanup_close_ int theirs = -EBADF;

        if (moved) {
                logs.moved[entry->moved] = moved;
        }
        int r = log_pumps_make_socket(&pumps->job_fd, &theirs);
        if (r < 0) {
                return r;
        }
        const ChildJobPlan plan = {
                .work = reopen,
                .what = &logs,
                .report_bytes = sizeof(ReopenReport),
                .fd = theirs,
                .user = manager->system ? &user : NULL,
        };
        return child_job_start(manager->event, &plan, on_done, manager, &pumps->job);
}

static void start_next(Manager *manager) {
        LogPumps *pumps = manager->pumps;
        LogPumpEntry *entry;

        while (!pumps->job && (entry = g_queue_peek_head(&pumps->reopening))) {
                pumps->job_fd = -EBADF;
                int r = entry->handle ? start_job(entry) : -ESTALE;
                if (r == -ESTALE) {
                        entry->reopening = false;
                        (void) g_queue_pop_head(&pumps->reopening);
                } else if (r < 0) {
                        end_head(manager, -r);
                }
        }
}

void log_pumps_reopen(ProcessHandle *handle, int moved) {
        LogPumpEntry *entry = handle->pump;

        entry->moved = moved >= 0 ? moved : entry->moved;
        if (!entry->reopening) {
                entry->reopening = true;
                g_queue_push_tail(&handle->manager->pumps->reopening, entry);
        }
        start_next(handle->manager);
}

void log_pump_files_forget(LogPumpEntry *entry) {
        LogPumps *pumps = entry->manager->pumps;

        if (!entry->reopening) {
                return;
        }
        if (pumps->job && g_queue_peek_head(&pumps->reopening) == entry) {
                child_job_cancel(g_steal_pointer(&pumps->job));
                pumps->job_fd = close_fd(pumps->job_fd);
        }
        (void) g_queue_remove(&pumps->reopening, entry);
        entry->reopening = false;
}
