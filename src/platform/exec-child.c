/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* no fault points here: this is another process */

#include "platform/exec-child.h"

#include "platform/exec-credentials.h"
#include "platform/exec-environment.h"
#include "platform/stdin-line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
        CHILD_FAILED_STATUS = 127,
        LOG_MODE = 0666,
        FOLDER_MODE = 0777,
};

static void close_all_but(unsigned first, int a, int b) {
        unsigned low = (unsigned) (a < b ? a : b), high = (unsigned) (a < b ? b : a);

        if (low > first) {
                (void) syscall(SYS_close_range, first, low - 1, 0U);
        }
        if (high > low + 1) {
                (void) syscall(SYS_close_range, low + 1, high - 1, 0U);
        }
        (void) syscall(SYS_close_range, high + 1, ~0U, 0U);
}

static int move_out_of_the_way(int fd) {
        return fd == EXEC_CHANNEL_FD ? fcntl(fd, F_DUPFD_CLOEXEC, EXEC_CHANNEL_FD + 1) : fd;
}

/* What is inherited: the standard streams, and the channel in its place. */
static void keep_fds(const ExecPlan *plan, int *gate_fd, int *result_fd) {
        if (plan->channel_fd <= 0) {
                close_all_but(EXEC_CHANNEL_FD, *gate_fd, *result_fd);
                return;
        }
        *gate_fd = move_out_of_the_way(*gate_fd);
        *result_fd = move_out_of_the_way(*result_fd);
        if (plan->channel_fd == EXEC_CHANNEL_FD) {
                (void) fcntl(EXEC_CHANNEL_FD, F_SETFD, 0);
        } else {
                (void) dup2(plan->channel_fd, EXEC_CHANNEL_FD);
        }
        close_all_but(EXEC_CHANNEL_FD + 1, *gate_fd, *result_fd);
}

static void reset_signals(void) {
        struct sigaction action = { .sa_handler = SIG_DFL };

        for (int i = 1; i < _NSIG; i++) {
                (void) sigaction(i, &action, NULL);
        }
}

static void report(int result_fd, const ExecReport *text) {
        ssize_t n = write(result_fd, text, sizeof(*text));
        (void) n;
}

static _Noreturn void fail_with(int result_fd, const ExecReport *text) {
        report(result_fd, text);
        _exit(CHILD_FAILED_STATUS);
}

static _Noreturn void fail(int result_fd, ExecStage stage, int error) {
        fail_with(result_fd, &(ExecReport){ .stage = (int32_t) stage, .error = error });
}

static bool wait_at_gate(int gate_fd) {
        char byte;
        ssize_t n;

        do {
                n = read(gate_fd, &byte, 1);
        } while (n < 0 && errno == EINTR);
        return n == 1;
}

/* Open a file that a user named: no waiting on FIFOs and devices, no following of a link in its last part,
 * nothing but regular files. Returns the fd or a negative error. */
static int open_regular(const char *path, int flags) {
        flags |= O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        int fd = open(path, flags, LOG_MODE);
        if (fd < 0 && errno == ENOENT) {
                child_make_parents(path, FOLDER_MODE);
                fd = open(path, flags, LOG_MODE);
        }
        if (fd < 0) {
                return errno == ENXIO ? -EXEC_NOT_REGULAR : -errno;
        }
        struct stat status;
        if (fstat(fd, &status) < 0) {
                return -errno;
        }
        if (!S_ISREG(status.st_mode)) {
                return -EXEC_NOT_REGULAR;
        }
        if (fcntl(fd, F_SETFL, flags & O_APPEND) < 0) {
                return -errno;
        }
        return fd;
}

static int open_log(const char *path) {
        return path ? open_regular(path, O_APPEND) : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

/* As open(2) may give one of 0-2, put what is wanted there by way of a copy above them. */
static int move_up(int fd) {
        return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void open_streams(const ExecPlan *plan, int result_fd) {
        int in_fd = move_up(plan->stdin_pipe ? stdin_pipe_open() : open("/dev/null", O_RDONLY | O_CLOEXEC));
        int out_fd = move_up(open_log(plan->out_path));
        if (out_fd < 0) {
                fail(result_fd, EXEC_STAGE_OUT_FILE, -out_fd);
        }
        bool same = plan->out_path && plan->error_path && strcmp(plan->out_path, plan->error_path) == 0;
        int error_fd = same ? out_fd : move_up(open_log(plan->error_path));
        if (error_fd < 0) {
                fail(result_fd, EXEC_STAGE_ERROR_FILE, -error_fd);
        }
        if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
            dup2(error_fd, STDERR_FILENO) < 0) {
                fail(result_fd, EXEC_STAGE_OUT_FILE, errno);
        }
}

/* Decimal and without newline, as PM2 writes it. */
static int write_pid_file(const char *path) {
        char digits[12];
        size_t start = sizeof(digits);
        int fd = open_regular(path, 0);

        if (fd < 0) {
                return -fd;
        }
        for (pid_t pid = getpid(); pid > 0; pid /= 10) {
                digits[--start] = (char) ('0' + pid % 10);
        }
        size_t length = sizeof(digits) - start;
        if (ftruncate(fd, 0) < 0 || write(fd, digits + start, length) != (ssize_t) length) {
                return errno;
        }
        (void) close(fd);
        return 0;
}

/* The files that the app is given, read; returns its environment. */
static char *const *read_files(const ExecPlan *plan, int result_fd) {
        ExecReport failure = { .stage = EXEC_STAGE_ENV_FILE };
        char *const *envp = exec_environment_make(plan, &failure);

        if (!envp) {
                fail_with(result_fd, &failure);
        }
        failure = (ExecReport){ .stage = EXEC_STAGE_CREDENTIALS };
        if (!exec_credentials_copy(plan, &failure)) {
                fail_with(result_fd, &failure);
        }
        return envp;
}

/* As the user who will have them: nobody gets more than that user may. Last, for they hold for us as well.
 */
static void set_limits(const ExecPlan *plan, int result_fd) {
        for (size_t i = 0; i < plan->n_limits; i++) {
                if (setrlimit(plan->limits[i].resource, &plan->limits[i].limit) < 0) {
                        fail_with(result_fd,
                                  &(ExecReport){ .stage = EXEC_STAGE_LIMITS,
                                                 .error = errno,
                                                 .item = plan->limits[i].resource });
                }
        }
}

_Noreturn void exec_child_run(const ExecPlan *plan, int gate_fd, int result_fd) {
        sigset_t none;
        int error;

        (void) setsid();
        reset_signals();
        keep_fds(plan, &gate_fd, &result_fd);
        if (!wait_at_gate(gate_fd)) {
                _exit(EXEC_GATE_CLOSED_STATUS);
        }
        (void) setrlimit(RLIMIT_NOFILE, &plan->nofile);
        /* Once it is another user, its files in /proc are root's; who may lower it is looked at when it
         * writes. */
        int score_fd = plan->oom_score_adjust ? open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -1;
        if (plan->oom_score_adjust && score_fd < 0) {
                fail(result_fd, EXEC_STAGE_OOM_SCORE, errno);
        }
        error = exec_credentials_make_folder(plan);
        if (error != 0) {
                fail(result_fd, EXEC_STAGE_CREDENTIALS_FOLDER, error);
        }
        error = plan->user ? child_become_user(plan->user) : 0;
        if (error != 0) {
                fail(result_fd, EXEC_STAGE_USER, error);
        }
        if (score_fd >= 0 && write(score_fd, plan->oom_score_adjust, strlen(plan->oom_score_adjust)) < 0) {
                fail(result_fd, EXEC_STAGE_OOM_SCORE, errno);
        }
        if (chdir(plan->cwd) < 0) {
                fail(result_fd, EXEC_STAGE_CWD, errno);
        }
        char *const *envp = read_files(plan, result_fd);
        open_streams(plan, result_fd);
        error = plan->pid_path ? write_pid_file(plan->pid_path) : 0;
        if (error != 0) {
                fail(result_fd, EXEC_STAGE_PID_FILE, error);
        }
        set_limits(plan, result_fd);
        report(result_fd, &(ExecReport){ .stage = EXEC_STAGE_EXECUTE });
        /* All signals are blocked: one that a supervisor left by dying waits, and is forgotten by this. */
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) execve(plan->path, plan->argv, envp);
        fail(result_fd, EXEC_STAGE_EXECUTE, errno);
}
