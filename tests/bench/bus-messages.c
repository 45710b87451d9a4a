/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a child's message costs the supervisor from its publication to a reader of OpenBus, beside one
 * write(2) for each of the same lines in the same run: our CPU alone, of the reader's only that it keeps up.
 * Prints JSON; the budget is BUDGET_NSEC. One argument: how many messages. */

#include "event-fixture.h"
#include "manager/publish.h"
#include "stream-fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
        MESSAGE_BYTES = 100,
        TURN = 256,    /* messages that come in one turn of the loop */
        BEHIND = 8192, /* that the reader may be */
        BUDGET_NSEC = 5000,
};

static _Atomic uint64_t *lines_read; /* shared with the reader */

static uint64_t cpu_nsec(void) {
        struct timespec now;

        g_assert_cmpint(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), ==, 0);
        return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

/* Another process, which only counts. */
static pid_t read_in_child(int fd) {
        static char buffer[262144];
        pid_t pid = fork();

        g_assert_cmpint(pid, >=, 0);
        if (pid > 0) {
                return pid;
        }
        for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
                uint64_t count = 0;
                for (const char *p = buffer; (p = memchr(p, '\n', (size_t) (buffer + n - p))); p++) {
                        count++;
                }
                atomic_fetch_add(lines_read, count);
        }
        _exit(0);
}

static void wait_for_reader(sd_event *event, uint64_t published, uint64_t behind_max) {
        while (published - atomic_load(lines_read) > behind_max) {
                g_assert_cmpint(sd_event_run(event, 1000), >=, 0);
        }
}

static uint64_t measure_stream(TestService *service, Process *process, int fd, uint64_t count) {
        g_autofree char *data = g_strdup_printf("\"%*s\"", MESSAGE_BYTES - 2, "x");

        atomic_store(lines_read, 0);
        pid_t reader = read_in_child(fd);
        (void) close(fd);
        uint64_t started = cpu_nsec();
        for (uint64_t i = 0; i < count; i += TURN) {
                for (unsigned n = 0; n < TURN; n++) {
                        int r = manager_publish(service->manager, process, "bench", data, MESSAGE_BYTES);
                        g_assert_cmpint(r, ==, 0);
                }
                while (sd_event_run(service->event, 0) > 0) {
                }
                wait_for_reader(service->event, i + TURN, BEHIND);
        }
        uint64_t used = cpu_nsec() - started;
        wait_for_reader(service->event, count, 0);
        (void) kill(reader, SIGKILL);
        (void) waitpid(reader, NULL, 0);
        return used;
}

static uint64_t measure_writes(sd_event *event, size_t line_bytes, uint64_t count) {
        g_autofree char *line = g_strnfill(line_bytes, 'x');
        int fds[2];

        line[line_bytes - 1] = '\n';
        atomic_store(lines_read, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
        pid_t reader = read_in_child(fds[1]);
        uint64_t started = cpu_nsec();
        for (uint64_t i = 0; i < count; i++) {
                g_assert_cmpint(write(fds[0], line, line_bytes), ==, (ssize_t) line_bytes);
        }
        uint64_t used = cpu_nsec() - started;
        wait_for_reader(event, count, 0);
        (void) kill(reader, SIGKILL);
        (void) waitpid(reader, NULL, 0);
        (void) close(fds[0]);
        (void) close(fds[1]);
        return used;
}

int main(int argc, char **argv) {
        uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        uint32_t id = test_register(service, client, "bench");
        Process *process = registry_get(manager_registry(service->manager), id);

        count = (count + TURN - 1) / TURN * TURN;
        lines_read =
                        mmap(NULL,
                             sizeof(*lines_read),
                             PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS,
                             -1,
                             0);
        g_assert_true(lines_read != MAP_FAILED);
        int fd = test_take_fd(
                        test_call_message(service, client, test_open_message(client, NULL, "name:bench")));
        test_client_free(client); /* nobody listens for signals */
        test_event_drain(service->event);
        uint64_t stream = measure_stream(service, process, fd, count) / count;
        uint64_t writes = measure_writes(service->event, MESSAGE_BYTES + 160, count) / count;
        printf("{\"messages\": %" PRIu64 ", \"nsec_per_message\": %" PRIu64 ", \"nsec_per_write\": %" PRIu64
               ", \"ratio\": %.2f, \"budget_nsec\": %d}\n",
               count,
               stream,
               writes,
               (double) stream / (double) writes,
               BUDGET_NSEC);
        test_service_free(service);
        return stream <= BUDGET_NSEC ? 0 : 1;
}
