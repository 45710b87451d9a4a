/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* no fault points here: this is another process */

#include "platform/exec-child.h"

#include "platform/exec-credentials.h"
#include "platform/exec-environment.h"
#include "platform/stdin-line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
        CHILD_FAILED_STATUS = 127,
        LOG_MODE = 0666,
        FOLDER_MODE = 0777,
};

/* What a child needs until it is executed. */
typedef enum KeptFd {
        KEPT_GATE,
        KEPT_RESULT,
        KEPT_LOGS,
        KEPT_STREAMS, /* EXEC_STREAMS of them */
        KEPT_COUNT = KEPT_STREAMS + EXEC_STREAMS,
} KeptFd;

static void close_all_but(unsigned first, const int fds[KEPT_COUNT]) {
        for (;;) {
                unsigned next = ~0U;
                for (int i = 0; i < KEPT_COUNT; i++) {
                        unsigned fd = (unsigned) fds[i];
                        next = fds[i] >= 0 && fd >= first && fd < next ? fd : next;
                }
                if (next > first) {
                        (void) syscall(SYS_close_range, first, next == ~0U ? next : next - 1, 0U);
                }
                if (next == ~0U) {
                        return;
                }
                first = next + 1;
        }
}

/* Above all that the program inherits. Where it cannot be had dup2(2) says so. */
static int move_above(int fd, int low) {
        return fd >= 0 && fd < low ? fcntl(fd, F_DUPFD_CLOEXEC, low) : fd;
}

/* What is inherited: the standard streams, the sockets, and the channel, each in its place. An errno, 0 on
 * success. */
static int keep_fds(const ExecPlan *plan, int fds[KEPT_COUNT]) {
        int low = EXEC_FIRST_FD + (int) plan->n_sockets, sockets[EXEC_SOCKETS_MAX];
        int channel_fd = plan->channel_fd > 0 ? plan->channel_fd : -EBADF;
        int end = low + (channel_fd > 0 ? 1 : 0);
        int error = 0;

        for (int i = 0; i < KEPT_COUNT; i++) {
                fds[i] = move_above(fds[i], end);
        }
        channel_fd = move_above(channel_fd, end);
        for (size_t i = 0; i < plan->n_sockets; i++) {
                sockets[i] = move_above(plan->sockets[i], end);
        }
        for (size_t i = 0; i < plan->n_sockets; i++) {
                if (dup2(sockets[i], EXEC_FIRST_FD + (int) i) < 0) {
                        error = errno;
                }
        }
        if (plan->channel_fd > 0 && dup2(channel_fd, low) < 0) {
                error = errno;
        }
        close_all_but((unsigned) end, fds);
        return error;
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

int exec_open_regular(const char *path, int flags) {
        flags |= O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
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

bool exec_file_is_local(int fd) {
        struct statfs system;

        if (fstatfs(fd, &system) < 0) {
                return false;
        }
        switch ((unsigned long) system.f_type) {
        case BTRFS_SUPER_MAGIC:
        case EXT4_SUPER_MAGIC:
        case F2FS_SUPER_MAGIC:
        case OVERLAYFS_SUPER_MAGIC:
        case TMPFS_MAGIC:
        case XFS_SUPER_MAGIC:
                return true;
        default:
                return false;
        }
}

static void identify_log(int fd, ExecLog *ret) {
        struct stat status;

        if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
                *ret = (ExecLog){ .device = status.st_dev,
                                  .inode = status.st_ino,
                                  .local = exec_file_is_local(fd),
                                  .size_bytes = (uint64_t) status.st_size };
        }
}

static int open_log(const char *path) {
        return path ? exec_open_regular(path, O_WRONLY | O_APPEND) : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

/* As open(2) may give one of 0-2, put what is wanted there by way of a copy above them. */
static int move_up(int fd) {
        return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void put_streams(int in_fd, int out_fd, int error_fd, int result_fd) {
        if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
            dup2(error_fd, STDERR_FILENO) < 0) {
                fail(result_fd, EXEC_STAGE_OUT_FILE, errno);
        }
}

/* The supervisor writes the logs. */
static void send_logs(const ExecPlan *plan, int in_fd, const int fds[KEPT_COUNT], ExecLog logs[EXEC_LOGS]) {
        const ExecLogPlan files = { .paths = { plan->out_path, plan->error_path, plan->log_path } };
        const int *pipes = fds + KEPT_STREAMS;
        int null_fd = move_up(open("/dev/null", O_WRONLY | O_CLOEXEC)), log_fds[EXEC_LOGS], error = 0;

        int failed = exec_logs_open(&files, log_fds, &error);
        if (failed >= 0) {
                fail(fds[KEPT_RESULT], EXEC_STAGE_OUT_FILE + (ExecStage) failed, error);
        }
        error = exec_logs_send(fds[KEPT_LOGS], log_fds);
        if (error != 0) {
                fail(fds[KEPT_RESULT], EXEC_STAGE_OUT_FILE, error);
        }
        for (int i = 0; i < EXEC_LOGS; i++) {
                identify_log(log_fds[i], &logs[i]);
        }
        put_streams(in_fd,
                    pipes[0] >= 0 ? pipes[0] : null_fd,
                    pipes[1] >= 0 ? pipes[1] : null_fd,
                    fds[KEPT_RESULT]);
}

static void open_streams(const ExecPlan *plan, const int fds[KEPT_COUNT], ExecLog logs[EXEC_LOGS]) {
        int in_fd = move_up(plan->stdin_pipe ? stdin_pipe_open() : open("/dev/null", O_RDONLY | O_CLOEXEC));
        int result_fd = fds[KEPT_RESULT];

        if (fds[KEPT_LOGS] >= 0) {
                send_logs(plan, in_fd, fds, logs);
                return;
        }
        int out_fd = move_up(open_log(plan->out_path));
        if (out_fd < 0) {
                fail(result_fd, EXEC_STAGE_OUT_FILE, -out_fd);
        }
        bool same = plan->out_path && plan->error_path && strcmp(plan->out_path, plan->error_path) == 0;
        int error_fd = same ? out_fd : move_up(open_log(plan->error_path));
        if (error_fd < 0) {
                fail(result_fd, EXEC_STAGE_ERROR_FILE, -error_fd);
        }
        put_streams(in_fd, out_fd, error_fd, result_fd);
        for (int i = 0; i < EXEC_STREAMS; i++) {
                identify_log(STDOUT_FILENO + i, &logs[i]);
        }
}

/* Our pid in decimal, without a NUL. Returns its length. */
static size_t put_pid(char digits[EXEC_PID_DIGITS]) {
        size_t length = 0;

        for (pid_t pid = getpid(); pid > 0; pid /= 10) {
                length++;
        }
        size_t at = length;
        for (pid_t pid = getpid(); pid > 0; pid /= 10) {
                digits[--at] = (char) ('0' + pid % 10);
        }
        return length;
}

/* Who is meant by the sockets (sd_listen_fds(3)): the environment is read by others, too. */
static void write_listen_pid(char *assignment) {
        char *digits = assignment + strlen(assignment);

        digits[put_pid(digits)] = '\0';
}

/* Decimal and without newline, as PM2 writes it. */
static int write_pid_file(const char *path) {
        char digits[EXEC_PID_DIGITS];
        int fd = exec_open_regular(path, O_WRONLY);

        if (fd < 0) {
                return -fd;
        }
        size_t length = put_pid(digits);
        if (ftruncate(fd, 0) < 0 || write(fd, digits, length) != (ssize_t) length) {
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
        int fds[KEPT_COUNT] = { gate_fd,
                                result_fd,
                                plan->logs_fd > 0 ? plan->logs_fd : -EBADF,
                                plan->logs_fd > 0 ? plan->stream_fds[0] : -EBADF,
                                plan->logs_fd > 0 ? plan->stream_fds[1] : -EBADF };

        (void) setsid();
        reset_signals();
        int sockets_error = keep_fds(plan, fds);
        gate_fd = fds[KEPT_GATE];
        result_fd = fds[KEPT_RESULT];
        if (!wait_at_gate(gate_fd)) {
                _exit(EXEC_GATE_CLOSED_STATUS);
        }
        if (sockets_error != 0) {
                fail(result_fd, EXEC_STAGE_LISTEN, sockets_error);
        }
        if (plan->listen_pid) {
                write_listen_pid(plan->listen_pid);
        }
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
        if (plan->ends_with_us) { /* after the change of the user, which forgets it */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        }
        if (score_fd >= 0 && write(score_fd, plan->oom_score_adjust, strlen(plan->oom_score_adjust)) < 0) {
                fail(result_fd, EXEC_STAGE_OOM_SCORE, errno);
        }
        if (chdir(plan->cwd) < 0) {
                fail(result_fd, EXEC_STAGE_CWD, errno);
        }
        ExecReport executing = { .stage = EXEC_STAGE_EXECUTE };
        char *const *envp = read_files(plan, result_fd);
        open_streams(plan, fds, executing.logs);
        (void) setrlimit(RLIMIT_NOFILE, &plan->nofile); /* descriptors that are under way count */
        error = plan->pid_path ? write_pid_file(plan->pid_path) : 0;
        if (error != 0) {
                fail(result_fd, EXEC_STAGE_PID_FILE, error);
        }
        set_limits(plan, result_fd);
        report(result_fd, &executing);
        /* All signals are blocked: one that a supervisor left by dying waits, and is forgotten by this. */
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) execve(plan->path, plan->argv, envp);
        fail(result_fd, EXEC_STAGE_EXECUTE, errno);
}
