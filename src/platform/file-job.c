/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/file-job.h"

#include "basic/cleanup.h"
#include "platform/child-job.h"

#include <glib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct FileJob {
        FileJobHandler handler;
        void *userdata;
        int data_fd; /* what was read; negative for a replacement */
        ChildJob *child;
};

static void job_free(FileJob *job) {
        (void) close_fd(job->data_fd);
        g_free(job);
}

/* What the child copied, in memory of ours: nobody changes it while it is read. */
static int take_data(const FileJob *job, char **ret, size_t *ret_size) {
        struct stat status;

        if (fstat(job->data_fd, &status) < 0) {
                return -errno;
        }
        size_t size = (size_t) status.st_size;
        char *bytes = g_try_malloc(size + 1);
        if (!bytes) {
                return -ENOMEM;
        }
        for (size_t done = 0; done < size;) {
                ssize_t n = pread(job->data_fd, bytes + done, size - done, (off_t) done);
                if (n <= 0) {
                        g_free(bytes);
                        return n < 0 ? -errno : -EIO;
                }
                done += (size_t) n;
        }
        bytes[size] = '\0';
        *ret = bytes;
        *ret_size = size;
        return 0;
}

static FileReport report_of(ChildJobResult result, int error, const void *report) {
        switch (result) {
        case CHILD_JOB_DONE:
                return *(const FileReport *) report;
        case CHILD_JOB_USER:
                return (FileReport){ .stage = FILE_STAGE_USER, .error = error };
        case CHILD_JOB_LOST:
        default:
                return (FileReport){ .stage = FILE_STAGE_LOST, .error = error };
        }
}

static void on_done(void *userdata, ChildJobResult result, int error, const void *report) {
        FileJob *job = userdata;
        FileReport told = report_of(result, error, report);
        g_autofree char *bytes = NULL;
        size_t size = 0;

        if (told.error == 0 && job->data_fd >= 0) {
                int r = take_data(job, &bytes, &size);
                if (r < 0) {
                        told = (FileReport){ .stage = FILE_STAGE_READ, .error = -r };
                }
        }
        job->handler(job->userdata, &told, &bytes, size);
        job_free(job);
}

static int job_start(
                sd_event *event,
                const ChildJobPlan *plan,
                FileJobHandler handler,
                void *userdata,
                FileJob **ret) {
        FileJob *job = g_new0(FileJob, 1);

        job->handler = handler;
        job->userdata = userdata;
        job->data_fd = plan->fd;
        int r = child_job_start(event, plan, on_done, job, &job->child);
        if (r < 0) {
                job_free(job);
                return r;
        }
        *ret = job;
        return 0;
}

static void replace(const void *what, void *ret_report) {
        *(FileReport *) ret_report = file_replace(what);
}

int file_job_replace(
                sd_event *event,
                const FileReplacement *replacement,
                const ExecUser *user,
                FileJobHandler handler,
                void *userdata,
                FileJob **ret) {
        const ChildJobPlan plan = {
                .work = replace,
                .what = replacement,
                .report_bytes = sizeof(FileReport),
                .fd = -EBADF,
                .user = user,
        };

        return job_start(event, &plan, handler, userdata, ret);
}

typedef struct Reading {
        const char *path;
        size_t limit;
} Reading;

static void copy_out(const void *what, void *ret_report) {
        const Reading *reading = what;

        *(FileReport *) ret_report = file_copy_out(reading->path, reading->limit, CHILD_JOB_FD);
}

int file_job_read(
                sd_event *event,
                const char *path,
                size_t limit,
                const ExecUser *user,
                FileJobHandler handler,
                void *userdata,
                FileJob **ret) {
        const Reading reading = { .path = path, .limit = limit };
        const ChildJobPlan plan = {
                .work = copy_out,
                .what = &reading,
                .report_bytes = sizeof(FileReport),
                .fd = memfd_create("pm2d-file", MFD_CLOEXEC),
                .user = user,
        };

        return plan.fd < 0 ? -errno : job_start(event, &plan, handler, userdata, ret);
}

void file_job_cancel(FileJob *job) {
        if (job) {
                child_job_cancel(job->child);
                job_free(job);
        }
}

char *file_report_describe(const FileReport *report) {
        static const char *const texts[_FILE_STAGE_MAX] = {
                [FILE_STAGE_USER] = "the rights of its user cannot be taken",
                [FILE_STAGE_FOLDER] = "its folder cannot be opened",
                [FILE_STAGE_OPEN] = "cannot be opened",
                [FILE_STAGE_READ] = "cannot be read",
                [FILE_STAGE_WRITE] = "cannot be written",
                [FILE_STAGE_SYNC] = "cannot be synced",
                [FILE_STAGE_KEEP] = "its previous copy cannot be kept",
                [FILE_STAGE_RENAME] = "cannot be replaced",
                [FILE_STAGE_LOST] = "the child that was at it was killed",
        };
        bool known = report->stage >= 0 && report->stage < _FILE_STAGE_MAX;
        const char *why = report->error == ELOOP   ? "it is a symbolic link"
                          : report->error == ENXIO ? "it is not a regular file"
                          : report->error == EFBIG ? "it is too large"
                                                   : g_strerror(report->error);

        return g_strdup_printf("%s: %s", known ? texts[report->stage] : "failed", why);
}
