/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where no descriptor is to be had, whoever wants to connect stays in the kernel's queue, which keeps the
 * socket readable: so for a moment it is not looked at. */

#include "compat/listener.h"

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/epoll.h>

enum {
        TURN_CLIENTS_MAX = 64, /* before others have their turn */
        PAUSE_MSEC = 100,
};

struct Listener {
        sd_event *event;
        sd_event_source *io;    /* NULL: no fd */
        sd_event_source *pause; /* armed: io is off */
        bool troubled;          /* and it was said */
        ListenerOptions options;
};

static bool has_gone(int fd) {
        char byte;

        return recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Takes the fd. */
static void admit(const Listener *listener, int fd) {
        const ListenerOptions *options = &listener->options;
        struct ucred peer;
        socklen_t length = sizeof(peer);

        if (has_gone(fd)) {
                (void) close_fd(fd);
                return;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
            (!options->any_user && peer.uid != options->own_uid && peer.uid != 0)) {
                log_debug("%s: a client of another user is refused", options->name);
                (void) close_fd(fd);
                return;
        }
        options->on_client(options->userdata, fd, &peer);
}

static void take_pause(Listener *listener, int error) {
        if (!listener->troubled) {
                listener->troubled = true;
                (void) log_warning_errno(error, "%s: clients have to wait: %m", listener->options.name);
        }
        /* Without the timer it would turn for ever, so then it stays off. */
        (void) sd_event_source_set_enabled(listener->io, SD_EVENT_OFF);
        (void) sd_event_source_set_time_relative(listener->pause, PAUSE_MSEC * USEC_PER_MSEC);
        (void) sd_event_source_set_enabled(listener->pause, SD_EVENT_ONESHOT);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        const Listener *listener = userdata;

        if (listener->io) {
                (void) sd_event_source_set_enabled(listener->io, SD_EVENT_ON);
        }
        return 0;
}

static int on_listen(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata) {
        Listener *listener = userdata;

        for (unsigned i = 0; i < TURN_CLIENTS_MAX; i++) {
                int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd >= 0) {
                        admit(listener, fd);
                } else if (errno == EAGAIN) {
                        listener->troubled = false;
                        return 0;
                } else if (errno == EMFILE && listener->options.on_full(listener->options.userdata)) {
                        continue;
                } else if (errno != EINTR && errno != ECONNABORTED) {
                        take_pause(listener, errno);
                        return 0;
                }
        }
        return 0;
}

int listener_new(sd_event *event, const ListenerOptions *options, Listener **ret) {
        Listener *listener = g_new0(Listener, 1);

        listener->event = sd_event_ref(event);
        listener->options = *options;
        int r = sd_event_add_time_relative(
                        event,
                        &listener->pause,
                        CLOCK_MONOTONIC,
                        0,
                        PAUSE_MSEC * USEC_PER_MSEC / 10,
                        on_pause_over,
                        listener);
        if (r >= 0) {
                r = sd_event_source_set_enabled(listener->pause, SD_EVENT_OFF);
        }
        if (r < 0) {
                listener_free(listener);
                return r;
        }
        *ret = listener;
        return 0;
}

void listener_free(Listener *listener) {
        if (listener) {
                (void) sd_event_source_disable_unref(listener->io);
                (void) sd_event_source_disable_unref(listener->pause);
                (void) sd_event_unref(listener->event);
                g_free(listener);
        }
}

int listener_set_fd(Listener *listener, int fd) {
        listener->io = sd_event_source_disable_unref(listener->io);
        (void) sd_event_source_set_enabled(listener->pause, SD_EVENT_OFF);
        listener->troubled = false;
        if (fd < 0) {
                return 0;
        }
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
                return -errno;
        }
        return sd_event_add_io(listener->event, &listener->io, fd, EPOLLIN, on_listen, listener);
}
