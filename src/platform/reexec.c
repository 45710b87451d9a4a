/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/reexec.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
        FIRST_FD = 3,
        CHECK_FAILED_STATUS = 127,
};

struct Handover {
        GArray *fds;
        GPtrArray *names;
};

Handover *handover_new(void) {
        Handover *handover = g_new0(Handover, 1);

        handover->fds = g_array_new(FALSE, FALSE, sizeof(int));
        handover->names = g_ptr_array_new_with_free_func(g_free);
        return handover;
}

void handover_free(Handover *handover) {
        if (handover) {
                for (guint i = 0; i < handover->fds->len; i++) {
                        (void) close_fd(g_array_index(handover->fds, int, i));
                }
                g_array_unref(handover->fds);
                g_ptr_array_unref(handover->names);
                g_free(handover);
        }
}

void handover_take(Handover *handover, const char *name, int fd) {
        g_array_append_val(handover->fds, fd);
        g_ptr_array_add(handover->names, g_strdup(name));
}

int reexec_own_path(char **ret) {
        g_autoptr(GError) error = NULL;
        char *path = g_file_read_link("/proc/self/exe", &error);

        if (!path) {
                return -ENOENT;
        }
        if (g_str_has_suffix(path, " (deleted)")) { /* proc(5): replaced by an upgrade */
                path[strlen(path) - strlen(" (deleted)")] = '\0';
        }
        *ret = path;
        return 0;
}

/* An fd of this number or above in place of one that may lie anywhere. */
static int lift(int *fd, int lowest) {
        if (*fd < lowest) {
                int high = RET_NERRNO(fcntl(*fd, F_DUPFD_CLOEXEC, lowest));
                if (high < 0) {
                        return high;
                }
                (void) close_fd(*fd);
                *fd = high;
        }
        return 0;
}

/* Each to its number: those that lie in that range are lifted out of it first. */
static int line_up(Handover *handover) {
        int first_free = FIRST_FD + (int) handover->fds->len;

        for (guint i = 0; i < handover->fds->len; i++) {
                int r = lift(&g_array_index(handover->fds, int, i), first_free);
                if (r < 0) {
                        return r;
                }
        }
        for (guint i = 0; i < handover->fds->len; i++) {
                int *fd = &g_array_index(handover->fds, int, i);
                if (dup2(*fd, FIRST_FD + (int) i) < 0) {
                        return -errno;
                }
                (void) close_fd(*fd);
                *fd = FIRST_FD + (int) i;
        }
        return 0;
}

static void set_number(const char *name, long number) {
        g_autofree char *text = g_strdup_printf("%ld", number);

        (void) g_setenv(name, text, TRUE);
}

/* The command and one or two arguments more; the strings are borrowed. */
static char **with_last_arguments(char *const *command, char *first, char *second) {
        size_t n = g_strv_length((char **) command);
        char **argv = g_new0(char *, n + 3);

        memcpy(argv, command, n * sizeof(*argv));
        argv[n] = first;
        argv[n + 1] = second;
        return argv;
}

/* An fd that an option names rather than LISTEN_FDNAMES, behind those that are there. */
static char *take_for_option(Handover *handover, const char *option, int fd) {
        char *argument = g_strdup_printf("--%s=%d", option, FIRST_FD + (int) handover->fds->len);

        handover_take(handover, option, fd);
        return argument;
}

int reexec(char *const *command, Handover *handover, int lock_fd, int lifeline_fd) {
        g_autoptr(GString) names = g_string_new(NULL);
        guint n_fds = handover->fds->len;
        g_autofree char *lock = take_for_option(handover, "lock-fd", lock_fd);
        g_autofree char *lifeline =
                        lifeline_fd >= 0 ? take_for_option(handover, "lifeline", lifeline_fd) : NULL;

        int r = line_up(handover);
        if (r < 0) {
                return r;
        }
        for (guint i = 0; i < n_fds; i++) {
                g_string_append_printf(
                                names, "%s%s", i > 0 ? ":" : "", (const char *) handover->names->pdata[i]);
        }
        set_number("LISTEN_FDS", (long) n_fds);
        set_number("LISTEN_PID", getpid());
        (void) g_setenv("LISTEN_FDNAMES", names->str, TRUE);
        g_autofree char **argv = with_last_arguments(command, lock, lifeline);
        (void) CHANGE("reexec", execv(argv[0], argv)); /* what comes after it: main.c */
        return -errno;
}

static _Noreturn void run_check(char *const *argv, pid_t parent, int slots_fd, int blobs_fd, int out_fd) {
        sigset_t none;

        /* It may hang, and nobody else would end it. no fault point: in the child alone. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) {
                _exit(CHECK_FAILED_STATUS);
        }
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        int slots = fcntl(slots_fd, F_DUPFD_CLOEXEC, 10), blobs = fcntl(blobs_fd, F_DUPFD_CLOEXEC, 10);
        int out = fcntl(out_fd, F_DUPFD_CLOEXEC, 10);
        if (slots >= 0 && blobs >= 0 && out >= 0 && dup2(slots, 3) >= 0 && dup2(blobs, 4) >= 0 &&
            dup2(out, STDOUT_FILENO) >= 0) {
                /* no fault point: in the child alone */
                (void) execv(argv[0], argv);
        }
        _exit(CHECK_FAILED_STATUS);
}

int reexec_check(char *const *command, int slots_fd, int blobs_fd, int *ret_pidfd, int *ret_fd) {
        g_autofree char **argv = with_last_arguments(command, (char *) "--check-state=3,4", NULL);
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
                return -errno;
        }
        _cleanup_close_ int ours = ends[0], theirs = ends[1];
        pid_t parent = getpid(), pid = CHANGE("check-fork", fork());
        if (pid < 0) {
                return -errno;
        }
        if (pid == 0) {
                run_check(argv, parent, slots_fd, blobs_fd, theirs);
        }
        int pidfd = RET_NERRNO(pidfd_open(pid, 0));
        if (pidfd < 0) {
                return pidfd;
        }
        *ret_pidfd = pidfd;
        *ret_fd = steal_fd(&ours);
        return 0;
}
