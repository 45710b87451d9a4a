/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/spawn.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Without clone3(2), as in older sandboxes and under valgrind: born here, then moved while at the gate. */
static pid_t fork_and_move(int cgroup_fd, int *ret_pidfd) {
        pid_t pid = CHANGE("child-fork", fork());
        if (pid <= 0) {
                return pid;
        }
        *ret_pidfd = pidfd_open(pid, 0);
        if (cgroup_fd >= 0 && *ret_pidfd >= 0) {
                char text[16];
                (void) snprintf(text, sizeof(text), "%d", pid);
                int r = CHANGE("child-move-in", write_file(cgroup_fd, "cgroup.procs", text));
                if (r < 0) {
                        *ret_pidfd = close_fd(*ret_pidfd);
                        errno = -r;
                }
        }
        return pid;
}

static pid_t clone_child(int cgroup_fd, int *ret_pidfd) {
        static bool clone3_missing;
        struct clone_args arguments = {
                .flags = CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uint64_t) (uintptr_t) ret_pidfd,
                .exit_signal = SIGCHLD,
                .cgroup = cgroup_fd >= 0 ? (uint64_t) cgroup_fd : 0,
        };

        if (!clone3_missing) {
                pid_t pid = (pid_t) CHANGE(
                                "child-clone", syscall(SYS_clone3, &arguments, sizeof(arguments)));
                if (pid >= 0 || errno != ENOSYS) {
                        return pid;
                }
                clone3_missing = true;
        }
        return fork_and_move(cgroup_fd, ret_pidfd);
}

int spawn_gated(const ExecPlan *plan, int cgroup_fd, GatedChild *ret) {
        int gate[2], result[2];

        if (pipe2(gate, O_CLOEXEC) < 0) {
                return -errno;
        }
        _cleanup_close_ int gate_read = gate[0], gate_write = gate[1];
        if (pipe2(result, O_CLOEXEC | O_NONBLOCK) < 0) {
                return -errno;
        }
        _cleanup_close_ int result_read = result[0], result_write = result[1];

        sigset_t all, before;
        int pidfd = -EBADF;
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = clone_child(cgroup_fd, &pidfd);
        if (pid == 0) {
                exec_child_run(plan, gate_read, result_write);
        }
        int r = pid < 0 || pidfd < 0 ? -errno : 0;
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        if (r < 0) {
                return r; /* a child that could not be moved ends at its gate */
        }
        *ret = (GatedChild){
                .pid = pid,
                .pidfd = pidfd,
                .gate_fd = steal_fd(&gate_write),
                .result_fd = steal_fd(&result_read),
        };
        return 0;
}

int spawn_open_gate(GatedChild *child) {
        ssize_t n = CHANGE("gate-open", write(child->gate_fd, "", 1));
        int r = n < 0 ? -errno : 0;

        child->gate_fd = close_fd(child->gate_fd);
        return r;
}

void gated_child_done(GatedChild *child) {
        child->gate_fd = close_fd(child->gate_fd);
        child->result_fd = close_fd(child->result_fd);
        child->pidfd = close_fd(child->pidfd);
        child->pid = 0;
}
