/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/file-job.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/child-watch.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of a dead disk or network file system: then the caller is answered. */
#define JOB_TIMEOUT_USEC (60 * USEC_PER_SEC)

enum {
        CHILD_REPORT_FD = 3,
        CHILD_DATA_FD = 4,
        CHILD_FD_SPARE = 10,
};

struct FileJob {
        FileJobHandler handler; /* NULL: was called, or nobody asks any more; only the child is waited for */
        void *userdata;
        int pidfd;
        int report_fd;
        int data_fd; /* what was read; negative for a replacement */
        ChildWatch *watch;
        sd_event_source *timer;
};

static void job_free(FileJob *job) {
        child_watch_free(job->watch);
        (void) sd_event_source_disable_unref(job->timer);
        (void) close_fd(job->pidfd);
        (void) close_fd(job->report_fd);
        (void) close_fd(job->data_fd);
        g_free(job);
}

static FileReport read_report(const FileJob *job) {
        FileReport report;
        ssize_t n = read(job->report_fd, &report, sizeof(report));

        return n == sizeof(report) ? report : (FileReport){ .stage = FILE_STAGE_LOST, .error = ECHILD };
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

static void finish(FileJob *job, FileReport report) {
        FileJobHandler handler = job->handler;
        g_autofree char *bytes = NULL;
        size_t size = 0;

        job->handler = NULL;
        if (!handler) {
                return;
        }
        if (report.error == 0 && job->data_fd >= 0) {
                int r = take_data(job, &bytes, &size);
                if (r < 0) {
                        report = (FileReport){ .stage = FILE_STAGE_READ, .error = -r };
                }
        }
        handler(job->userdata, &report, &bytes, size);
}

static void on_child_exit(void *userdata, int code, int status) {
        FileJob *job = userdata;

        finish(job, read_report(job));
        job_free(job);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        FileJob *job = userdata;

        /* no fault point: it would end with us in any case */
        (void) pidfd_send_signal(job->pidfd, SIGKILL, NULL, 0);
        finish(job, (FileReport){ .stage = FILE_STAGE_LOST, .error = ETIMEDOUT });
        return 0; /* on_child_exit() frees it, if the kernel ever lets go of the child */
}

/* Only these two of our descriptors go on, at fixed numbers. */
static int keep_descriptors(int report_fd, int data_fd) {
        int report_copy = fcntl(report_fd, F_DUPFD, CHILD_FD_SPARE);
        int data_copy = data_fd >= 0 ? fcntl(data_fd, F_DUPFD, CHILD_FD_SPARE) : -EBADF;

        if (report_copy < 0 || dup2(report_copy, CHILD_REPORT_FD) < 0) {
                return -errno;
        }
        if (data_fd >= 0 && dup2(data_copy, CHILD_DATA_FD) < 0) {
                return -errno;
        }
        unsigned first = data_fd >= 0 ? CHILD_DATA_FD + 1 : CHILD_REPORT_FD + 1;
        /* no fault point: in the child alone */
        return RET_NERRNO((int) syscall(SYS_close_range, first, ~0U, 0U));
}

typedef struct JobPlan {
        const FileReplacement *replacement; /* NULL: read path */
        const char *path;
        size_t limit;
        const ExecUser *user;
        pid_t parent;
} JobPlan;

static FileReport run_plan(const JobPlan *plan) {
        int error = plan->user ? child_become_user(plan->user) : 0;
        if (error != 0) {
                return (FileReport){ .stage = FILE_STAGE_USER, .error = error };
        }
        /* After the change of the user, which forgets it: half a save is not finished behind a successor. */
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* no fault point: in the child alone */
        if (getppid() != plan->parent) {
                return (FileReport){ .stage = FILE_STAGE_LOST, .error = ECHILD };
        }
        (void) umask(0077);
        return plan->replacement ? file_replace(plan->replacement)
                                 : file_copy_out(plan->path, plan->limit, CHILD_DATA_FD);
}

/* Every signal stays blocked: a stop of the whole unit lets a save come to its end. What is in our memory is
 * for no debugger of the user. */
static _Noreturn void child_main(const JobPlan *plan, int report_fd, int data_fd) {
        (void) prctl(PR_SET_DUMPABLE, 0); /* no fault point: in the child alone */
        (void) signal(SIGPIPE, SIG_IGN);
        if (keep_descriptors(report_fd, data_fd) < 0) {
                _exit(EXIT_FAILURE);
        }
        FileReport report = run_plan(plan);
        ssize_t n = write(CHILD_REPORT_FD, &report, sizeof(report)); /* no fault point: in the child alone */
        _exit(n == sizeof(report) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static pid_t fork_child(const JobPlan *plan, int report_fd, int data_fd) {
        sigset_t all, before;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = CHANGE("file-fork", fork());
        if (pid == 0) {
                child_main(plan, report_fd, data_fd);
        }
        int error = errno;
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        errno = error;
        return pid;
}

static int watch_job(FileJob *job, sd_event *event) {
        int r = child_watch_new(event, job->pidfd, on_child_exit, job, &job->watch);

        if (r >= 0) {
                r = sd_event_add_time_relative(
                                event,
                                &job->timer,
                                CLOCK_BOOTTIME,
                                JOB_TIMEOUT_USEC,
                                USEC_PER_SEC,
                                on_timeout,
                                job);
        }
        return r;
}

static int job_start(sd_event *event, JobPlan *plan, FileJobHandler handler, void *userdata, FileJob **ret) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
                return -errno;
        }
        _cleanup_close_ int report_write = ends[1];
        FileJob *job = g_new0(FileJob, 1);
        job->handler = handler;
        job->userdata = userdata;
        job->pidfd = -EBADF;
        job->report_fd = ends[0];
        job->data_fd = plan->replacement ? -EBADF : memfd_create("pm2d-file", MFD_CLOEXEC);
        plan->parent = getpid();
        int r = plan->replacement || job->data_fd >= 0 ? 0 : -errno;
        pid_t pid = 0;
        if (r >= 0) {
                pid = fork_child(plan, report_write, job->data_fd);
                r = pid < 0 ? -errno : 0;
        }
        if (r >= 0) {
                job->pidfd = pidfd_open(pid, 0);
                r = job->pidfd < 0 ? -errno : watch_job(job, event);
        }
        if (r < 0) {
                if (pid > 0) {
                        (void) kill(pid, SIGKILL); /* no fault point: it would end with us */
                        /* may block: it has just been killed; no fault point: so will it be by init */
                        (void) waitpid(pid, NULL, 0);
                }
                job_free(job);
                return r;
        }
        *ret = job;
        return 0;
}

int file_job_replace(
                sd_event *event,
                const FileReplacement *replacement,
                const ExecUser *user,
                FileJobHandler handler,
                void *userdata,
                FileJob **ret) {
        JobPlan plan = { .replacement = replacement, .user = user };

        return job_start(event, &plan, handler, userdata, ret);
}

int file_job_read(
                sd_event *event,
                const char *path,
                size_t limit,
                const ExecUser *user,
                FileJobHandler handler,
                void *userdata,
                FileJob **ret) {
        JobPlan plan = { .path = path, .limit = limit, .user = user };

        return job_start(event, &plan, handler, userdata, ret);
}

void file_job_cancel(FileJob *job) {
        if (job) {
                /* no fault point: it would end with us in any case */
                (void) pidfd_send_signal(job->pidfd, SIGKILL, NULL, 0);
                job_free(job); /* our end, or that of the reaper of orphans, takes the child */
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
