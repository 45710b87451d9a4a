/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spawn-fixture.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        WAIT_MSEC = 60 * 1000,
};

void test_shell_plan_init(ShellPlan *shell, const char *command, const char *cwd) {
        static char shell_name[] = "sh", shell_option[] = "-c", variable[] = "GREETING=hello";
        static char path[] = "PATH=/usr/bin:/bin";

        *shell = (ShellPlan){
                .argv = { shell_name, shell_option, (char *) command, NULL },
                .envp = { path, variable, NULL },
        };
        shell->plan = (ExecPlan){
                .path = "/bin/sh",
                .argv = shell->argv,
                .envp = shell->envp,
                .cwd = cwd,
                .nofile = { .rlim_cur = 512, .rlim_max = 1024 },
        };
}

SpawnOutcome test_spawn_finish(GatedChild *child) {
        SpawnOutcome outcome = { 0 };
        siginfo_t info = { 0 };

        for (;;) {
                struct pollfd poll_fd = { .fd = child->result_fd, .events = POLLIN };
                ExecReport report;
                g_assert_cmpint(poll(&poll_fd, 1, WAIT_MSEC), ==, 1);
                ssize_t n = read(child->result_fd, &report, sizeof(report));
                if (n == 0) {
                        break;
                }
                g_assert_cmpint(n, ==, sizeof(report));
                g_assert_cmpint(report.stage, >=, 0);
                g_assert_cmpint(report.stage, <, _EXEC_STAGE_MAX);
                outcome.n_reports++;
                outcome.last = report;
                outcome.executing = outcome.executing || report.error == 0;
        }
        g_assert_cmpint(waitid(P_PIDFD, (id_t) child->pidfd, &info, WEXITED), ==, 0);
        g_assert_cmpint(info.si_pid, ==, child->pid);
        outcome.code = info.si_code;
        outcome.status = info.si_status;
        gated_child_done(child);
        return outcome;
}

SpawnOutcome test_spawn_run(const ExecPlan *plan) {
        GatedChild child = GATED_CHILD_NONE;

        g_assert_cmpint(spawn_gated(plan, -EBADF, &child), ==, 0);
        g_assert_cmpint(child.pid, >, 0);
        g_assert_cmpint(spawn_open_gate(&child), ==, 0);
        g_assert_cmpint(child.gate_fd, ==, -EBADF);
        return test_spawn_finish(&child);
}
