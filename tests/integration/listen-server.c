/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A server as sd_listen_fds(3) means it: says what it was given, then answers each connection to the first
 * socket with its pid. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

int main(void) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names);

        (void) printf("%d", n);
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                (void) printf(" %s=%s",
                              names[i],
                              sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0   ? "stream"
                              : sd_is_socket(fd, AF_UNSPEC, SOCK_DGRAM, -1) > 0 ? "datagram"
                                                                                : "other");
        }
        (void) puts("");
        (void) fflush(stdout);
        while (n > 0) {
                int fd = accept(SD_LISTEN_FDS_START, NULL, NULL);
                if (fd < 0) {
                        return errno == EINTR ? EXIT_SUCCESS : EXIT_FAILURE;
                }
                (void) dprintf(fd, "%d\n", (int) getpid());
                (void) close(fd);
        }
        return EXIT_FAILURE;
}
