/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A small HTTP server on a socket that it is given (sd_listen_fds(3)): one connection after the other, each
 * for one request. Told to end, it answers what it has accepted and takes nothing more. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* Requests without a body, as the load has them: what comes first is all. */
static void answer(int fd) {
        struct pollfd item = { .fd = fd, .events = POLLIN };
        char request[4096];

        if (poll(&item, 1, 5000) == 1 && recv(fd, request, sizeof(request), 0) > 0) {
                (void) dprintf(fd,
                               "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nx-worker: "
                               "%d\r\n\r\nhello",
                               (int) getpid());
        }
        (void) shutdown(fd, SHUT_WR);
        while (poll(&item, 1, 1000) == 1 && recv(fd, request, sizeof(request), 0) > 0) {
        }
        (void) close(fd);
}

int main(void) {
        struct pollfd items[] = { { .events = POLLIN }, { .fd = SD_LISTEN_FDS_START, .events = POLLIN } };
        sigset_t ends;

        if (sd_listen_fds(1) != 1) {
                (void) fputs("expected one socket\n", stderr);
                return EXIT_FAILURE;
        }
        (void) fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK); /* another process may be faster */
        (void) sigemptyset(&ends);
        (void) sigaddset(&ends, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &ends, NULL);
        items[0].fd = signalfd(-1, &ends, SFD_CLOEXEC);
        (void) sd_notify(0, "READY=1");
        while (poll(items, 2, -1) > 0 && !items[0].revents) {
                int fd = accept(SD_LISTEN_FDS_START, NULL, NULL);
                if (fd >= 0) {
                        answer(fd);
                }
        }
        return EXIT_SUCCESS;
}
