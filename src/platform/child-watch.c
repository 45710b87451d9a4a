/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Exits of own children. A plain io source on the pidfd rather than sd_event_add_child_pidfd(): that one
 * ends the loop for what is not a child (any more), and must not be mixed with adopted processes. */

#include "platform/child-watch.h"

#include "basic/macro.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>

struct ChildWatch {
        sd_event_source *source;
        ChildExitHandler handler;
        void *userdata;
};

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ChildWatch *watch = userdata;
        siginfo_t info = { 0 };
        int r = RET_NERRNO(waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG));

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

void child_watch_free(ChildWatch *watch) {
        if (watch) {
                (void) sd_event_source_disable_unref(watch->source);
                free(watch);
        }
}
