/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-fixture.h"

#include "basic/fd-util.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become_cat(int read_fd, const char *const *environment) {
        static char name[] = "cat";
        char *argv[] = { name, NULL };
        char *none[] = { NULL };

        (void) dup2(read_fd, STDIN_FILENO);
        (void) execve("/bin/cat", argv, environment ? (char **) environment : none);
        _exit(127);
}

TestChild test_child_start(const char *const *environment) {
        int hold[2], executed[2];
        char byte;

        g_assert_cmpint(pipe2(hold, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(executed, O_CLOEXEC), ==, 0);
        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                become_cat(hold[0], environment);
        }
        (void) close(hold[0]);
        (void) close(executed[1]);
        g_assert_cmpint(read(executed[0], &byte, 1), ==, 0); /* closed by execve() */
        (void) close(executed[0]);
        return (TestChild){ .pid = pid, .hold_fd = hold[1] };
}

void test_child_end(TestChild *child) {
        siginfo_t info;

        child->hold_fd = close_fd(child->hold_fd);
        g_assert_cmpint(waitid(P_PID, (id_t) child->pid, &info, WEXITED | WNOWAIT), ==, 0);
}

void test_child_reap(TestChild *child) {
        g_assert_cmpint(waitpid(child->pid, NULL, 0), ==, child->pid);
}
