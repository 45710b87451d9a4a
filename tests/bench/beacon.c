/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says when it began to run, and stays: one datagram of "PID NANOSECONDS" (CLOCK_MONOTONIC) to the socket
 * that its argument names. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timespec now;
        char text[64];

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path)) {
                return 2;
        }
        (void) stpcpy(address.sun_path, argv[1]);
        int length = snprintf(
                        text, sizeof(text), "%d %lld", getpid(), now.tv_sec * 1000000000LL + now.tv_nsec);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 ||
            sendto(fd, text, (size_t) length, 0, (struct sockaddr *) &address, sizeof(address)) < 0) {
                return 1;
        }
        for (;;) {
                (void) pause();
        }
}
