/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes lines of 100 bytes to its standard output: log-writer GATE TOTAL_BYTES WRITE_BYTES. It begins when
 * the FIFO GATE is opened by somebody who writes, ends with a line of "END" and the microseconds of
 * processor time that it took, and stays until its standard output is of no use or it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINE_BYTES 100

static bool write_all(const char *bytes, size_t size) {
        while (size > 0) {
                ssize_t n = write(STDOUT_FILENO, bytes, size);
                if (n < 0 && errno == EINTR) {
                        continue;
                }
                if (n <= 0) {
                        return false;
                }
                bytes += n;
                size -= (size_t) n;
        }
        return true;
}

int main(int argc, char **argv) {
        struct rusage usage;
        char end[64];

        if (argc != 4) {
                return 2;
        }
        unsigned long long left = strtoull(argv[2], NULL, 10);
        size_t size = (size_t) strtoull(argv[3], NULL, 10) / LINE_BYTES * LINE_BYTES;
        char *buffer = size > 0 ? malloc(size) : NULL;
        if (!buffer) {
                return 2;
        }
        memset(buffer, 'x', size);
        for (size_t at = LINE_BYTES; at <= size; at += LINE_BYTES) {
                buffer[at - 1] = '\n';
        }
        if (open(argv[1], O_RDONLY | O_CLOEXEC) < 0) {
                return 1;
        }
        for (; left >= size; left -= size) {
                if (!write_all(buffer, size)) {
                        return 1;
                }
        }
        (void) getrusage(RUSAGE_SELF, &usage);
        long usec = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec +
                    usage.ru_stime.tv_usec;
        int length = snprintf(end, sizeof(end), "END %ld\n", usec);
        if (!write_all(end, (size_t) length)) {
                return 1;
        }
        for (;;) {
                (void) pause();
        }
}
