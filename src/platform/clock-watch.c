/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/clock-watch.h"

#include "basic/fd-util.h"
#include "basic/log.h"

#include <errno.h>
#include <glib.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FAR_SEC INT64_C(253402300799) /* of the year 9999 */

struct ClockWatch {
        int fd;
        sd_event_source *source;
        void (*on_set)(void *userdata);
        void *userdata;
};

/* A timer that never comes, and that the kernel ends when the clock is set: timerfd_create(2). */
static int arm(const ClockWatch *watch) {
        const struct itimerspec far = { .it_value.tv_sec = FAR_SEC };
        int r = timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);

        return r < 0 ? -errno : 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ClockWatch *watch = userdata;
        uint64_t expirations;

        (void) read(fd, &expirations, sizeof(expirations)); /* ECANCELED; it is armed anew in any case */
        int r = arm(watch);
        if (r < 0) {
                (void) log_error_errno(r, "the clock is not watched any more: %m");
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        watch->on_set(watch->userdata);
        return 0;
}

int clock_watch_new(sd_event *event, void (*on_set)(void *userdata), void *userdata, ClockWatch **ret) {
        ClockWatch *watch = g_new0(ClockWatch, 1);

        watch->on_set = on_set;
        watch->userdata = userdata;
        watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        int r = watch->fd < 0 ? -errno : arm(watch);
        if (r >= 0) {
                r = sd_event_add_io(event, &watch->source, watch->fd, EPOLLIN, on_io, watch);
        }
        if (r < 0) {
                clock_watch_free(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

void clock_watch_free(ClockWatch *watch) {
        if (watch) {
                (void) sd_event_source_disable_unref(watch->source);
                (void) close_fd(watch->fd);
                g_free(watch);
        }
}
