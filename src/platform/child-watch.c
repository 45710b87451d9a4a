/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Exits of own children. A plain io source on the pidfd rather than sd_event_add_child_pidfd(): that one
 * ends the loop for what is not a child (any more), and must not be mixed with adopted processes. */

#include "platform/child-watch.h"

#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/macro.h"
#include "basic/time-util.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

/* Linux 6.13 linux/pidfd.h, which older headers lack. */
struct pidfd_exit_info {
        uint64_t mask;
        uint64_t cgroupid;
        uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
        int32_t exit_code;
};

#define PIDFD_EXIT_INFO_MASK  UINT64_C(8)
#define PIDFD_EXIT_INFO_IOCTL _IOWR(0xFF, 11, struct pidfd_exit_info)
/* A lazy init reaps late or never: then the status stays unknown. */
#define REAP_TIMEOUT_USEC     (1 * USEC_PER_SEC)

struct ChildWatch {
        int pidfd;
        sd_event_source *reaped_source, *timer;
        sd_event_source *source;
        ChildExitHandler handler;
        void *userdata;
};

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ChildWatch *watch = userdata;
        siginfo_t info = { 0 };
        int r = RET_NERRNO(CHANGE("child-reap", waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG)));

        if (r == 0 && info.si_pid == 0) {
                return 0;
        }
        watch->source = sd_event_source_disable_unref(watch->source);
        /* ECHILD: somebody reaped it before us; ended, status unknown. */
        watch->handler(watch->userdata, r < 0 ? 0 : info.si_code, r < 0 ? 0 : info.si_status);
        return 0;
}

int child_watch_new(sd_event *event, int pidfd, ChildExitHandler handler, void *userdata, ChildWatch **ret) {
        ChildWatch *watch = calloc(1, sizeof(*watch));

        if (!watch) {
                return -ENOMEM;
        }
        watch->handler = handler;
        watch->userdata = userdata;
        int r = sd_event_add_io(event, &watch->source, pidfd, EPOLLIN, on_readable, watch);
        if (r < 0) {
                child_watch_free(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

static int on_unwanted_end(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        siginfo_t info = { 0 };

        /* no fault point: orphans.c does as much for who has no other watcher, and comes first */
        (void) waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG);
        (void) sd_event_source_disable_unref(source); /* the reference of the loop */
        return 0;
}

void child_watch_reap_later(sd_event *event, int pidfd) {
        sd_event_source *source = NULL;

        if (pidfd < 0) {
                return;
        }
        int r = sd_event_add_io(event, &source, pidfd, EPOLLIN, on_unwanted_end, NULL);
        if (r < 0) {
                (void) close_fd(pidfd); /* it stays a zombie until our own end */
                return;
        }
        (void) sd_event_source_set_io_fd_own(source, true);
        (void) sd_event_source_set_floating(source, true);
        (void) sd_event_source_unref(source);
}

static void end_adopted(ChildWatch *watch, int code, int status) {
        watch->source = sd_event_source_disable_unref(watch->source);
        watch->reaped_source = sd_event_source_disable_unref(watch->reaped_source);
        watch->timer = sd_event_source_disable_unref(watch->timer);
        watch->handler(watch->userdata, code, status);
}

/* The status can be read once the process has been reaped, by whom ever. */
static void report_adopted(ChildWatch *watch) {
        struct pidfd_exit_info info = { .mask = PIDFD_EXIT_INFO_MASK };
        int code = 0, status = 0;

        if (ioctl(watch->pidfd, PIDFD_EXIT_INFO_IOCTL, &info) >= 0 && info.mask & PIDFD_EXIT_INFO_MASK) {
                bool exited = WIFEXITED(info.exit_code);
                code = exited ? CLD_EXITED : CLD_KILLED;
                status = exited ? WEXITSTATUS(info.exit_code) : WTERMSIG(info.exit_code);
        }
        end_adopted(watch, code, status);
}

/* Its parent may have ended and left it to us (PR_SET_CHILD_SUBREAPER): then nobody else reaps it. */
static bool reap_inherited(ChildWatch *watch) {
        siginfo_t info = { 0 };
        int r = RET_NERRNO(CHANGE(
                        "inherited-reap", waitid(P_PIDFD, (id_t) watch->pidfd, &info, WEXITED | WNOHANG)));

        if (r < 0 || info.si_pid == 0) {
                return false;
        }
        end_adopted(watch, info.si_code, info.si_status);
        return true;
}

static int on_reaped(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        report_adopted(userdata);
        return 0;
}

static int on_reap_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        if (!reap_inherited(userdata)) {
                report_adopted(userdata);
        }
        return 0;
}

static int on_zombie(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ChildWatch *watch = userdata;

        if (revents & EPOLLHUP) {
                report_adopted(watch);
                return 0;
        }
        if (reap_inherited(watch)) {
                return 0;
        }
        return sd_event_add_time_relative(
                        sd_event_source_get_event(source),
                        &watch->timer,
                        CLOCK_BOOTTIME,
                        REAP_TIMEOUT_USEC,
                        USEC_PER_MSEC,
                        on_reap_timeout,
                        watch);
}

/* EPOLLIN comes with the zombie and stays, so it is armed once; EPOLLHUP, which is always told, comes when
 * it has been reaped. One fd cannot be watched twice by an epoll: the second source has a copy. */
int child_watch_new_adopted(
                sd_event *event, int pidfd, ChildExitHandler handler, void *userdata, ChildWatch **ret) {
        ChildWatch *watch = calloc(1, sizeof(*watch));
        int copy = watch ? fcntl(pidfd, F_DUPFD_CLOEXEC, 3) : -1;

        if (copy < 0) {
                free(watch);
                return -ENOMEM;
        }
        watch->pidfd = pidfd;
        watch->handler = handler;
        watch->userdata = userdata;
        int r = sd_event_add_io(event, &watch->reaped_source, copy, 0, on_reaped, watch);
        if (r < 0) {
                (void) close_fd(copy);
        } else {
                r = sd_event_source_set_io_fd_own(watch->reaped_source, true);
        }
        if (r >= 0) {
                r = sd_event_add_io(event, &watch->source, pidfd, EPOLLIN, on_zombie, watch);
        }
        if (r >= 0) {
                r = sd_event_source_set_enabled(watch->source, SD_EVENT_ONESHOT);
        }
        if (r < 0) {
                child_watch_free(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

static int on_gone(sd_event_source *source, void *userdata) {
        report_adopted(userdata);
        return 0;
}

int child_watch_new_gone(sd_event *event, ChildExitHandler handler, void *userdata, ChildWatch **ret) {
        ChildWatch *watch = calloc(1, sizeof(*watch));

        if (!watch) {
                return -ENOMEM;
        }
        watch->pidfd = -EBADF;
        watch->handler = handler;
        watch->userdata = userdata;
        int r = sd_event_add_defer(event, &watch->source, on_gone, watch);
        if (r < 0) {
                child_watch_free(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

void child_watch_free(ChildWatch *watch) {
        if (watch) {
                (void) sd_event_source_disable_unref(watch->reaped_source);
                (void) sd_event_source_disable_unref(watch->timer);
                (void) sd_event_source_disable_unref(watch->source);
                free(watch);
        }
}
