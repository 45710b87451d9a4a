/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/child-job.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/child-watch.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
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
        CHILD_FD_SPARE = 10,
};

struct ChildJob {
        ChildJobHandler handler; /* NULL: was called, and only the child is waited for */
        void *userdata;
        int pidfd;
        int report_fd;
        size_t report_bytes;
        ChildWatch *watch;
        sd_event_source *timer;
};

/* What goes through the pipe, at once. */
typedef struct Answer {
        int32_t result; /* of ChildJobResult */
        int32_t error;
        _Alignas(max_align_t) char report[CHILD_JOB_REPORT_MAX];
} Answer;

static size_t answer_bytes(size_t report_bytes) {
        return offsetof(Answer, report) + report_bytes;
}

static void job_free(ChildJob *job) {
        child_watch_free(job->watch);
        (void) sd_event_source_disable_unref(job->timer);
        (void) close_fd(job->pidfd);
        (void) close_fd(job->report_fd);
        g_free(job);
}

static void finish(ChildJob *job, const Answer *answer) {
        ChildJobHandler handler = job->handler;
        bool done = answer->result == CHILD_JOB_DONE;

        job->handler = NULL;
        if (handler) {
                handler(job->userdata,
                        (ChildJobResult) answer->result,
                        answer->error,
                        done ? answer->report : NULL);
        }
}

static void on_child_exit(void *userdata, int code, int status) {
        ChildJob *job = userdata;
        Answer answer;

        ssize_t n = read(job->report_fd, &answer, sizeof(answer));
        if (n != (ssize_t) answer_bytes(job->report_bytes)) {
                answer = (Answer){ .result = CHILD_JOB_LOST, .error = ECHILD };
        }
        finish(job, &answer);
        job_free(job);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        ChildJob *job = userdata;

        /* no fault point: it would end with us in any case */
        (void) pidfd_send_signal(job->pidfd, SIGKILL, NULL, 0);
        finish(job, &(Answer){ .result = CHILD_JOB_LOST, .error = ETIMEDOUT });
        return 0; /* on_child_exit() frees it, if the kernel ever lets go of the child */
}

/* Only these two of our descriptors go on, at fixed numbers. */
static int keep_descriptors(int report_fd, int fd) {
        int report_copy = fcntl(report_fd, F_DUPFD, CHILD_FD_SPARE);
        int copy = fd >= 0 ? fcntl(fd, F_DUPFD, CHILD_FD_SPARE) : -EBADF;

        if (report_copy < 0 || dup2(report_copy, CHILD_REPORT_FD) < 0) {
                return -errno;
        }
        if (fd >= 0 && dup2(copy, CHILD_JOB_FD) < 0) {
                return -errno;
        }
        unsigned first = fd >= 0 ? CHILD_JOB_FD + 1 : CHILD_REPORT_FD + 1;
        /* no fault point: in the child alone */
        return RET_NERRNO((int) syscall(SYS_close_range, first, ~0U, 0U));
}

static void work(const ChildJobPlan *plan, pid_t parent, Answer *answer) {
        int error = plan->user ? child_become_user(plan->user) : 0;
        if (error != 0) {
                answer->result = CHILD_JOB_USER;
                answer->error = error;
                return;
        }
        /* After the change of the user, which forgets it: half a save is not finished behind a successor. */
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* no fault point: in the child alone */
        if (getppid() != parent) {
                answer->result = CHILD_JOB_LOST;
                answer->error = ECHILD;
                return;
        }
        (void) umask(0077);
        plan->work(plan->what, answer->report);
}

/* Every signal stays blocked: a stop of the whole unit lets a save come to its end. What is in our memory is
 * for no debugger of the user. */
static _Noreturn void child_main(const ChildJobPlan *plan, pid_t parent, int report_fd) {
        Answer answer = { .result = CHILD_JOB_DONE };
        size_t size = answer_bytes(plan->report_bytes);

        (void) prctl(PR_SET_DUMPABLE, 0); /* no fault point: in the child alone */
        (void) signal(SIGPIPE, SIG_IGN);
        if (keep_descriptors(report_fd, plan->fd) < 0) {
                _exit(EXIT_FAILURE);
        }
        work(plan, parent, &answer);
        ssize_t n = write(CHILD_REPORT_FD, &answer, size); /* no fault point: in the child alone */
        _exit(n == (ssize_t) size ? EXIT_SUCCESS : EXIT_FAILURE);
}

static pid_t fork_child(const ChildJobPlan *plan, int report_fd) {
        sigset_t all, before;
        pid_t parent = getpid();

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = CHANGE("file-fork", fork());
        if (pid == 0) {
                child_main(plan, parent, report_fd);
        }
        int error = errno;
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        errno = error;
        return pid;
}

static int watch_job(ChildJob *job, sd_event *event, uint64_t timeout_usec) {
        int r = child_watch_new(event, job->pidfd, on_child_exit, job, &job->watch);

        if (r < 0) {
                return r;
        }
        return sd_event_add_time_relative(
                        event,
                        &job->timer,
                        CLOCK_BOOTTIME,
                        timeout_usec > 0 ? timeout_usec : JOB_TIMEOUT_USEC,
                        USEC_PER_SEC,
                        on_timeout,
                        job);
}

int child_job_start(
                sd_event *event,
                const ChildJobPlan *plan,
                ChildJobHandler handler,
                void *userdata,
                ChildJob **ret) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
                return -errno;
        }
        _cleanup_close_ int report_write = ends[1];
        ChildJob *job = g_new0(ChildJob, 1);
        job->handler = handler;
        job->userdata = userdata;
        job->report_bytes = plan->report_bytes;
        job->pidfd = -EBADF;
        job->report_fd = ends[0];
        pid_t pid = fork_child(plan, report_write);
        int r = pid < 0 ? -errno : 0;
        if (r >= 0) {
                job->pidfd = pidfd_open(pid, 0);
                r = job->pidfd < 0 ? -errno : watch_job(job, event, plan->timeout_usec);
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

void child_job_cancel(ChildJob *job) {
        if (job) {
                /* no fault point: it would end with us in any case */
                (void) pidfd_send_signal(job->pidfd, SIGKILL, NULL, 0);
                child_watch_reap_later(sd_event_source_get_event(job->timer), steal_fd(&job->pidfd));
                job_free(job);
        }
}
