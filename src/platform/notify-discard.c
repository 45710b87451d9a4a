/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A datagram with descriptors closes them when it goes, and if they were the last of their kind that takes
 * as long as the sender likes: a TCP socket that lingers (SO_LINGER of socket(7)), a huge file without a
 * name. So a child lets it go. It makes no descriptors of its own of them: to close those could wait even
 * for a file system of the sender's. Killed, it waits for nothing. */

#include "platform/notify-discard.h"

#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "platform/child-watch.h"

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct NotifyDiscard {
        void (*on_done)(void *userdata); /* NULL: nobody waits */
        void *userdata;
        int pidfd;
        ChildWatch *watch;
};

/* Those under way, for the end of everything: nobody may hold them any more. */
static GQueue under_way = G_QUEUE_INIT;

static void discard_free(NotifyDiscard *discard) {
        (void) g_queue_remove(&under_way, discard);
        child_watch_free(discard->watch);
        (void) close_fd(discard->pidfd);
        g_free(discard);
}

void notify_discard_end(void) {
        while (!g_queue_is_empty(&under_way)) {
                NotifyDiscard *discard = g_queue_peek_head(&under_way);
                notify_discard_cancel(discard);
                discard_free(discard);
        }
}

static void on_child_exit(void *userdata, int code, int status) {
        NotifyDiscard *discard = userdata;
        void (*on_done)(void *userdata) = discard->on_done;
        void *of_caller = discard->userdata;

        discard_free(discard);
        if (on_done) {
                on_done(of_caller);
        }
}

/* Nothing else of ours stays open in it: neither the lock nor anything whose end is waited for. */
static _Noreturn void child_main(int socket_fd, bool hold, pid_t parent) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* no fault point: in the child alone */
        if (getppid() != parent || dup2(socket_fd, STDIN_FILENO) != STDIN_FILENO) {
                _exit(EXIT_FAILURE);
        }
        (void) syscall(SYS_close_range, 1U, ~0U, 0U); /* no fault point: in the child alone */
        if (hold) {
                for (;;) {
                        (void) pause(); /* may block: a child that is to be killed */
                }
        }
        (void) recv(STDIN_FILENO, NULL, 0, MSG_DONTWAIT | MSG_TRUNC);
        _exit(EXIT_SUCCESS);
}

static pid_t fork_child(int socket_fd, bool hold) {
        pid_t parent = getpid();
        sigset_t all, before;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = CHANGE("notify-discard-fork", fork());
        if (pid == 0) {
                child_main(socket_fd, hold, parent);
        }
        int error = errno;
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        errno = error;
        return pid;
}

static int discard_new(sd_event *event, int socket_fd, bool hold, NotifyDiscard **ret) {
        pid_t pid = fork_child(socket_fd, hold);
        if (pid < 0) {
                return -errno;
        }
        NotifyDiscard *discard = g_new0(NotifyDiscard, 1);
        discard->pidfd = pidfd_open(pid, 0);
        int r = discard->pidfd < 0 ? -errno
                                   : child_watch_new(event,
                                                     discard->pidfd,
                                                     on_child_exit,
                                                     discard,
                                                     &discard->watch);
        if (r < 0) {
                (void) kill(pid, SIGKILL); /* no fault point: it would end with us */
                /* may block: it has just been killed; no fault point: so will it be by init */
                (void) waitpid(pid, NULL, 0);
                (void) close_fd(discard->pidfd);
                g_free(discard);
                return r;
        }
        g_queue_push_tail(&under_way, discard);
        *ret = discard;
        return 0;
}

int notify_discard_next(
                sd_event *event,
                int socket_fd,
                void (*on_done)(void *userdata),
                void *userdata,
                NotifyDiscard **ret) {
        int r = discard_new(event, socket_fd, false, ret);
        if (r < 0) {
                return r;
        }
        (*ret)->on_done = on_done;
        (*ret)->userdata = userdata;
        return 0;
}

void notify_discard_cancel(NotifyDiscard *discard) {
        if (discard) {
                discard->on_done = NULL;
                /* no fault point: it would end with us in any case */
                (void) pidfd_send_signal(discard->pidfd, SIGKILL, NULL, 0);
        }
}

/* The child has the last descriptor of it, and is killed only when it has. */
void notify_discard_socket(sd_event *event, int socket_fd) {
        NotifyDiscard *holder = NULL;

        (void) discard_new(event, socket_fd, true, &holder);
        (void) close_fd(socket_fd);
        notify_discard_cancel(holder);
}
