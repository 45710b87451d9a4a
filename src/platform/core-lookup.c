/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* no fault points here: all of it is done by children, which leave nothing behind */

#include "platform/core-lookup.h"

#include "basic/cleanup.h"
#include "basic/fd-util.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/program-lookup.h"

#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of the system: no folder of a user. */
#define SEARCH_PATH   "/usr/local/bin:/usr/bin:/bin"
#define TIMEOUT_USEC  (60 * USEC_PER_SEC)
#define WAIT_MIN_MSEC 500

enum {
        TRIES_MAX = 6, /* with waits that double: a large core takes its time to be compressed */
        NUMBER_BYTES = 64,
};

typedef struct Lookup {
        const char *program;
        pid_t pid;
        uint64_t since_sec;
} Lookup;

/* core(5): "|/lib/systemd/systemd-coredump ..." is a program. */
int core_lookup_find_program(char **ret) {
        char pattern[256];
        _cleanup_close_ int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);

        if (fd < 0 || read_fd_text(fd, pattern, sizeof(pattern)) < 0 || pattern[0] != '|' ||
            !strstr(pattern, "/systemd-coredump")) {
                return -ENOENT;
        }
        return program_find("coredumpctl", SEARCH_PATH, ret);
}

/* In the child of the child. */
static _Noreturn void execute(const Lookup *lookup, int out_fd) {
        char pid[NUMBER_BYTES], since[NUMBER_BYTES];
        char *const argv[] = { (char *) lookup->program,
                               (char *) "--json=short",
                               (char *) "--no-pager",
                               (char *) "--quiet",
                               (char *) "-1",
                               since,
                               (char *) "list",
                               pid,
                               NULL };
        char *const envp[] = { (char *) "LC_ALL=C.UTF-8", NULL };
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        sigset_t none;

        (void) snprintf(pid, sizeof(pid), "%d", lookup->pid);
        (void) snprintf(since, sizeof(since), "--since=@%" PRIu64, lookup->since_sec);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 && dup2(null_fd, STDERR_FILENO) >= 0 &&
            dup2(out_fd, STDOUT_FILENO) >= 0) {
                (void) syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0U);
                (void) execve(lookup->program, argv, envp);
        }
        _exit(EXIT_FAILURE);
}

static size_t read_answer(int fd, char *text, size_t size) {
        size_t used = 0;
        ssize_t n;

        while (used < size && (n = read(fd, text + used, size - used)) > 0) {
                used += (size_t) n;
        }
        return used;
}

/* False: it says nothing, or too much. */
static bool ask(const Lookup *lookup, CoreReport *report) {
        int ends[2], status;

        if (pipe2(ends, O_CLOEXEC) < 0) {
                return false;
        }
        pid_t pid = fork();
        if (pid == 0) {
                execute(lookup, ends[1]);
        }
        (void) close(ends[1]);
        size_t used = pid < 0 ? 0 : read_answer(ends[0], report->text, sizeof(report->text));
        (void) close(ends[0]);
        /* may block: this is a child, whose supervisor waits for events */
        bool done = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
                    WEXITSTATUS(status) == 0;
        if (!done || used == sizeof(report->text)) {
                used = 0;
        }
        report->text[used] = '\0';
        return strchr(report->text, '{');
}

static void look_up(const void *what, void *ret_report) {
        const Lookup *lookup = what;

        for (unsigned i = 0; i < TRIES_MAX; i++) {
                uint64_t msec = (uint64_t) WAIT_MIN_MSEC << i;
                const struct timespec delay = { .tv_sec = (time_t) (msec / 1000),
                                                .tv_nsec = (long) (msec % 1000) * 1000000 };
                (void) nanosleep(&delay, NULL); /* may block: this is a child */
                if (ask(lookup, ret_report)) {
                        return;
                }
        }
}

int core_lookup_start(
                sd_event *event,
                const char *program,
                pid_t pid,
                uint64_t since_sec,
                ChildJobHandler handler,
                void *userdata,
                ChildJob **ret) {
        const Lookup lookup = { .program = program, .pid = pid, .since_sec = since_sec };
        const ChildJobPlan plan = {
                .work = look_up,
                .what = &lookup,
                .report_bytes = sizeof(CoreReport),
                .fd = -EBADF,
                .timeout_usec = TIMEOUT_USEC,
        };

        return child_job_start(event, &plan, handler, userdata, ret);
}
