/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Emptying log files: by name, as their owner, in a child, one process after the other. Nothing is written
 * for it, so that it works where no byte is free. Who appends to a file goes on at its beginning. */

#include "manager/log-files.h"

#include "basic/cleanup.h"
#include "core/file-names.h"
#include "core/target.h"
#include "platform/child-job.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct FlushTask {
        Operation *operation;
        uint32_t id;
        uid_t owner;
        char *paths[EXEC_LOGS]; /* NULL: none */
} FlushTask;

struct LogFlushes {
        GQueue tasks;  /* of FlushTask; the head is at work */
        ChildJob *job; /* NULL: none */
};

typedef struct FlushReport {
        int32_t index; /* of the path */
        int32_t error; /* a positive errno; 0: all are empty */
} FlushReport;

static void task_free(FlushTask *task) {
        for (int i = 0; i < EXEC_LOGS; i++) {
                g_free(task->paths[i]);
        }
        g_free(task);
}

/* In the child. */
static int empty(const char *path) {
        struct stat status;

        _cleanup_close_ int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0) {
                return errno == ENOENT ? 0 : errno;
        }
        if (fstat(fd, &status) < 0) {
                return errno;
        }
        if (!S_ISREG(status.st_mode)) {
                return ENXIO;
        }
        return ftruncate(fd, 0) < 0 ? errno : 0; /* no fault point: in the child alone */
}

static void empty_all(const void *what, void *ret_report) {
        const FlushTask *task = what;
        FlushReport *report = ret_report;

        *report = (FlushReport){ 0 };
        for (int i = 0; i < EXEC_LOGS && report->error == 0; i++) {
                *report = (FlushReport){ .index = i, .error = task->paths[i] ? empty(task->paths[i]) : 0 };
        }
}

static void start_next(Manager *manager);

static void finish_head(Manager *manager, const FlushReport *report) {
        FlushTask *task = g_queue_pop_head(&manager->flushes->tasks);
        g_auto(Error) error = { 0 };

        if (report->error != 0) {
                const char *path = task->paths[report->index];
                g_autofree char *quoted = error_quote(path ? path : "");
                (void) error_set(
                                &error,
                                report->error == EACCES || report->error == EPERM ? ERROR_ACCESS_DENIED
                                                                                  : ERROR_INVALID_DATA,
                                "process %" PRIu32 ": %s cannot be emptied: %s",
                                task->id,
                                quoted,
                                report->error == ENXIO ? "it is not a regular file"
                                                       : g_strerror(report->error));
        }
        operation_finish(task->operation, task->id, &error);
        task_free(task);
}

static void on_done(void *userdata, ChildJobResult result, int error, const void *report) {
        Manager *manager = userdata;
        const FlushReport lost = { .error = error };

        manager->flushes->job = NULL;
        finish_head(manager, result == CHILD_JOB_DONE ? report : &lost);
        start_next(manager);
}

static void start_next(Manager *manager) {
        struct LogFlushes *flushes = manager->flushes;
        const FlushTask *task;

        while (!flushes->job && (task = g_queue_peek_head(&flushes->tasks))) {
                const UserInfo *owner = manager_user(manager, task->owner);
                const ExecUser user = user_info_exec_user(owner);
                const ChildJobPlan plan = {
                        .work = empty_all,
                        .what = task,
                        .report_bytes = sizeof(FlushReport),
                        .fd = -EBADF,
                        .user = manager->system ? &user : NULL,
                };
                int r = child_job_start(manager->event, &plan, on_done, manager, &flushes->job);
                if (r < 0) {
                        finish_head(manager, &(FlushReport){ .error = -r });
                }
        }
}

static FlushTask *task_new(const Process *process, Operation *operation) {
        FlushTask *task = g_new0(FlushTask, 1);

        task->operation = operation;
        task->id = process->id;
        task->owner = process->owner;
        task->paths[0] = file_name_is_null(process->out_log_path) ? NULL : g_strdup(process->out_log_path);
        task->paths[1] = file_name_is_null(process->error_log_path) ? NULL
                                                                    : g_strdup(process->error_log_path);
        task->paths[2] = process->log_path[0] ? g_strdup(process->log_path) : NULL;
        return task;
}

int manager_flush(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error) {
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) processes = NULL;

        int r = manager_take_target(manager, call, 0, target, &request, &processes, error);
        if (r < 0) {
                return r;
        }
        Operation *operation = manager_expect_all(manager, call, processes);
        for (guint i = 0; i < processes->len; i++) {
                g_queue_push_tail(&manager->flushes->tasks, task_new(processes->pdata[i], operation));
        }
        if (ret) {
                *ret = operation;
        }
        start_next(manager);
        operation_seal_and_invalidate(operation, &request);
        return 0;
}

void log_flushes_init(Manager *manager) {
        manager->flushes = g_new0(struct LogFlushes, 1);
        g_queue_init(&manager->flushes->tasks);
}

void log_flushes_free(Manager *manager) {
        struct LogFlushes *flushes = g_steal_pointer(&manager->flushes);
        FlushTask *task;

        child_job_cancel(flushes->job);
        while ((task = g_queue_pop_head(&flushes->tasks))) {
                operation_forget(task->operation);
                operation_finish(task->operation, task->id, NULL);
                task_free(task);
        }
        g_free(flushes);
}
