/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Starting a private supervisor: a daemon of its own session that keeps nothing of this process but its
 * environment and, if it is to end with us, the reading end of a pipe. This library lives in other people's
 * programs, threads included: all is prepared before the fork, and between fork and exec nothing is called
 * that a signal handler might not call. */

#include "client.h"

#include "basic/fd-util.h"
#include "basic/parse-util.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_FD          3
#define LIFELINE_FD       4
#define FIRST_SPARE_FD    10
#define READY_TIMEOUT_SEC 60
#define ANSWER_MAX        1024

typedef struct Plan {
        const char *program;
        char *log_path;
        char **environment;
        int null_fd, log_fd, ready_fd;
        int lifeline_fd; /* the daemon's end; negative: it outlives us */
} Plan;

/* What a service manager or a shell's parent said to us is not said to the supervisor. */
static bool is_ours_alone(const char *assignment) {
        static const char *const names[] = {
                "NOTIFY_SOCKET=", "LISTEN_PID=",    "LISTEN_FDS=",      "LISTEN_FDNAMES=",   "WATCHDOG_PID=",
                "WATCHDOG_USEC=", "INVOCATION_ID=", "JOURNAL_STREAM=",  "SYSTEMD_EXEC_PID=", "MAINPID=",
                "MANAGERPID=",    "FDSTORE=",       "NODE_CHANNEL_FD=", "NODE_UNIQUE_ID=",
        };
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                if (strncmp(assignment, names[i], strlen(names[i])) == 0) {
                        return true;
                }
        }
        return false;
}

/* The strings stay the environment's. */
static char **daemon_environment(void) {
        size_t length = 0, used = 0;

        while (environ && environ[length]) {
                length++;
        }
        char **environment = calloc(length + 1, sizeof(*environment));
        for (size_t i = 0; environment && i < length; i++) {
                if (!is_ours_alone(environ[i])) {
                        environment[used++] = environ[i];
                }
        }
        return environment;
}

/* Away from the numbers that the daemon's own descriptors will have. */
static int move_high(int *fd) {
        int high = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_SPARE_FD);
        if (high < 0) {
                return -errno;
        }
        (void) close_fd(*fd);
        *fd = high;
        return 0;
}

static _Noreturn void child_fail(int ready_fd, int error) {
        char text[] = "EXEC 00000\n";

        for (size_t i = sizeof(text) - 3; error > 0 && i > 4; i--, error /= 10) {
                text[i] = (char) ('0' + error % 10);
        }
        (void) !write(ready_fd, text, sizeof(text) - 1);
        _exit(127);
}

static void child_reset_signals(void) {
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int number = 1; number < NSIG; number++) {
                (void) sigaction(number, &action, NULL);
        }
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_exec(const Plan *plan) {
        static char option_private[] = "--private", option_ready[] = "--ready-fd=3";
        static char option_lifeline[] = "--lifeline=4";
        bool with_lifeline = plan->lifeline_fd >= 0;
        char *arguments[] = {
                (char *) plan->program,
                option_private,
                option_ready,
                with_lifeline ? option_lifeline : NULL,
                NULL,
        };
        int first_unused = with_lifeline ? LIFELINE_FD + 1 : READY_FD + 1;

        child_reset_signals();
        if (chdir("/") < 0 || dup2(plan->null_fd, STDIN_FILENO) < 0 ||
            dup2(plan->log_fd, STDOUT_FILENO) < 0 || dup2(plan->log_fd, STDERR_FILENO) < 0 ||
            dup2(plan->ready_fd, READY_FD) < 0 ||
            (with_lifeline && dup2(plan->lifeline_fd, LIFELINE_FD) < 0)) {
                child_fail(plan->ready_fd, errno);
        }
        if (close_range((unsigned) first_unused, ~0U, 0) < 0) {
                for (int fd = first_unused; fd < 65536; fd++) {
                        (void) close(fd);
                }
        }
        (void) execve(plan->program, arguments, plan->environment);
        child_fail(READY_FD, errno);
}

/* The first child starts a session and forks again, so that the daemon is nobody's child and never gets a
 * terminal. */
static _Noreturn void child_detach(const Plan *plan) {
        if (setsid() < 0) {
                child_fail(plan->ready_fd, errno);
        }
        pid_t pid = fork();
        if (pid < 0) {
                child_fail(plan->ready_fd, errno);
        }
        if (pid > 0) {
                _exit(0);
        }
        child_exec(plan);
}

static int fork_daemon(const Plan *plan) {
        sigset_t all, before;
        int error = 0;

        /* No handler of the program may run in the child. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t pid = fork();
        if (pid == 0) {
                child_detach(plan);
        }
        if (pid < 0) {
                error = -errno;
        }
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (pid > 0) {
                /* ECHILD where the program has its children reaped otherwise. */
                while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
                }
        }
        return error;
}

static int open_plan(pm2_client *client, const InstancePaths *paths, Plan *plan) {
        plan->environment = daemon_environment();
        if (!plan->environment || asprintf(&plan->log_path, "%s/pm2d.log", paths->state_dir) < 0) {
                plan->log_path = NULL;
                return -ENOMEM;
        }
        plan->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (plan->null_fd < 0 || move_high(&plan->null_fd) < 0) {
                return client_fail(client, -errno, "cannot open /dev/null: %m");
        }
        plan->log_fd =
                        open(plan->log_path,
                             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
                             0600);
        if (plan->log_fd < 0 || move_high(&plan->log_fd) < 0) {
                return client_fail(client, -errno, "cannot open %s: %m", plan->log_path);
        }
        return 0;
}

static int64_t now_msec(void) {
        struct timespec now;
        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Read the daemon's one line, without its newline; "" if it ended without a word. */
static int read_answer(int fd, char answer[static ANSWER_MAX]) {
        int64_t deadline = now_msec() + (int64_t) READY_TIMEOUT_SEC * 1000;
        size_t used = 0;

        for (;;) {
                int64_t left = deadline - now_msec();
                struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
                int r = poll(&poll_fd, 1, left > 0 ? (int) left : 0);
                if (r == 0) {
                        return -ETIMEDOUT;
                }
                ssize_t n = r < 0 ? -1 : read(fd, answer + used, ANSWER_MAX - 1 - used);
                if (n < 0 && errno == EINTR) {
                        continue;
                }
                if (n < 0) {
                        return -errno;
                }
                used += (size_t) n;
                answer[used] = '\0';
                char *newline = strchr(answer, '\n');
                if (newline || n == 0 || used == ANSWER_MAX - 1) {
                        if (newline) {
                                *newline = '\0';
                        }
                        return 0;
                }
        }
}

static int judge_answer(pm2_client *client, const Plan *plan, const char *answer) {
        uint32_t error = 0;

        if (strcmp(answer, "READY") == 0) {
                return 0;
        }
        if (strncmp(answer, "EXEC ", 5) == 0 && parse_uint32(answer + 5, &error) == 0) {
                (void) client_fail(client, -(int) error, "cannot start %s: %m", plan->program);
                return -ECONNREFUSED;
        }
        if (strncmp(answer, "ERROR ", 6) == 0) {
                (void) client_fail(client, -ECONNREFUSED, "pm2d cannot start: %s", answer + 6);
                return strcasestr(answer, "already") ? -EALREADY : -ECONNREFUSED;
        }
        return client_fail(client, -ECONNREFUSED, "pm2d ended before it was ready, see %s", plan->log_path);
}

static int run_plan(pm2_client *client, Plan *plan) {
        char answer[ANSWER_MAX] = "";
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0) {
                return client_fail(client, -errno, "cannot make a pipe: %m");
        }
        _cleanup_close_ int read_end = ends[0];
        plan->ready_fd = ends[1];
        if (move_high(&plan->ready_fd) < 0) {
                return client_fail(client, -errno, "cannot start pm2d: %m");
        }
        int r = fork_daemon(plan);
        plan->ready_fd = close_fd(plan->ready_fd);
        if (r < 0) {
                return client_fail(client, r, "cannot start pm2d: %m");
        }
        r = read_answer(read_end, answer);
        if (r < 0) {
                return client_fail(client, r, "pm2d does not get ready: %m");
        }
        return judge_answer(client, plan, answer);
}

/* Nobody writes to it: its closing, by whatever means, is the message. */
static int open_lifeline(pm2_client *client, Plan *plan, int *ret) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0) {
                return client_fail(client, -errno, "cannot make a pipe: %m");
        }
        plan->lifeline_fd = ends[0];
        *ret = ends[1];
        int r = move_high(&plan->lifeline_fd);
        if (r >= 0) {
                r = move_high(ret);
        }
        return r < 0 ? client_fail(client, r, "cannot start pm2d: %m") : 0;
}

int client_spawn(pm2_client *client, const InstancePaths *paths) {
        const char *program = secure_getenv("PM2D_PATH");
        Plan plan = {
                .program = program && program[0] ? program : PM2D_LIBEXEC_PATH,
                .null_fd = -EBADF,
                .log_fd = -EBADF,
                .ready_fd = -EBADF,
                .lifeline_fd = -EBADF,
        };
        _cleanup_close_ int lifeline_fd = -EBADF;

        int r = open_plan(client, paths, &plan);
        if (r >= 0 && (client->flags & PM2_CONNECT_NO_DAEMON)) {
                r = open_lifeline(client, &plan, &lifeline_fd);
        }
        if (r >= 0) {
                r = run_plan(client, &plan);
        }
        if (r >= 0) {
                (void) close_fd(client->lifeline_fd); /* of one that is no more */
                client->lifeline_fd = steal_fd(&lifeline_fd);
        }
        free(plan.environment);
        free(plan.log_path);
        (void) close_fd(plan.null_fd);
        (void) close_fd(plan.log_fd);
        (void) close_fd(plan.ready_fd);
        (void) close_fd(plan.lifeline_fd);
        return r;
}
