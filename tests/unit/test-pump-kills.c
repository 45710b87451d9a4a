/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Supervisors are killed one after the other while lines go from two pipes to three files, at any instant
 * and at each fault point. The parent is the app: it writes pieces of any size. In the end each file has
 * every line once and in order. */

#include "platform/log-pump.h"

#include "fault-points-on.h"

#include "basic/fault-point.h"
#include "core/log-lines.h"
#include "event-fixture.h"
#include "fixture.h"
#include "platform/exec-child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        PIECE_MAX = 70000,
};

/* Of the parent. */
typedef struct Kills {
        char *folder;
        char *paths[EXEC_LOGS];
        int store_fd;
        int pipes[PUMP_STREAMS], ours[PUMP_STREAMS], files_fd;
        pid_t parent;
        GRand *random;
        GString *written[PUMP_STREAMS];
        unsigned number[PUMP_STREAMS];
        GString *unsent[PUMP_STREAMS];
        bool one_file; /* both streams go to the same one as well */
        bool long_lines;
} Kills;

/* In a supervisor: dies at this passage of any point. */
static unsigned passages_left;

static void pass(void) {
        if (passages_left > 0 && --passages_left == 0) {
                (void) kill(getpid(), SIGKILL);
        }
}

void fault_before(const char *name) {
        pass();
}

void fault_after(const char *name) {
        pass();
}

static PumpLines on_format(
                void *userdata, int stream, const PumpSource *source, char *out, size_t out_size) {
        const LogLineStyle style = { .before = stream == 0 ? "0> " : "1> ", .facts = "" };
        const LogLineInput input = { source->bytes, source->size, source->in_line, source->end };

        LogLineOutput made = log_lines_format(&style, &input, out, out_size);
        return (PumpLines){ made.taken, made.made, made.in_line };
}

static void on_lost(void *userdata, int stream, uint64_t bytes) {
        g_assert_not_reached();
}

static void on_trouble(void *userdata, PumpSink sink, int error) {
        g_assert_cmpint(error, ==, 0);
}

static void on_end(void *userdata) {
        sd_event *event = userdata;
        g_assert_cmpint(sd_event_exit(event, 0), >=, 0);
}

static _Noreturn void supervise(const Kills *kills, bool first, unsigned passages) {
        sd_event *event = test_event_new();
        LogPumpOptions options = {
                .userdata = event,
                .format = on_format,
                .on_trouble = on_trouble,
                .on_lost = on_lost,
                .on_end = on_end,
        };
        PumpStore *store = NULL;
        PumpWindow window;
        LogPump *pump = NULL;
        uint32_t slot = 0;

        /* Not to outlive a test that has failed. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != kills->parent) {
                _exit(EXIT_FAILURE);
        }
        for (int i = 0; i < PUMP_STREAMS; i++) {
                (void) close(kills->pipes[i]);
        }
        g_assert_cmpint(pump_store_new(kills->store_fd, &store), ==, 0);
        if (first) {
                g_assert_cmpint(pump_store_take_slot(store, &slot, &window), ==, 0);
                pump_window_use(&window);
        } else {
                g_assert_cmpint(pump_store_open_slot(store, slot, &window), ==, 1);
        }
        passages_left = passages;
        g_assert_cmpint(log_pump_new(event, &window, kills->ours, kills->files_fd, &options, &pump), ==, 0);
        log_pump_recover(pump);
        g_assert_cmpint(sd_event_loop(event), ==, 0);
        passages_left = 0;
        g_assert_true(log_pump_has_ended(pump));
        _exit(EXIT_SUCCESS);
}

/* The parent. */

static void write_more(Kills *kills, int stream) {
        GString *unsent = kills->unsent[stream];

        while (unsent->len < PIECE_MAX) {
                size_t start = unsent->len;
                unsigned number = kills->number[stream]++;
                size_t length = number * 7919 % (kills->long_lines && number % 50 == 0 ? 300000 : 150);
                g_string_append_printf(unsent, "%u ", number);
                while (length-- > 0) {
                        g_string_append_c(unsent, (char) ('a' + number % 26));
                }
                g_string_append_c(unsent, '\n');
                g_string_append_len(
                                kills->written[stream], unsent->str + start, (gssize) (unsent->len - start));
        }
}

static void send_piece(Kills *kills, int stream) {
        GString *unsent = kills->unsent[stream];
        size_t piece = (size_t) g_rand_int_range(kills->random, 1, PIECE_MAX);
        ssize_t n = write(kills->pipes[stream], unsent->str, MIN(piece, unsent->len));

        if (n < 0) {
                g_assert_cmpint(errno, ==, EAGAIN);
                return;
        }
        (void) g_string_erase(unsent, 0, n);
}

/* The life of one supervisor. lifetime_usec: 0: it ends by itself. */
static void live(Kills *kills, bool first, unsigned passages, gint64 lifetime_usec) {
        int ends[2], status;

        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                supervise(kills, first, passages);
        }
        (void) close(ends[1]);
        gint64 end = g_get_monotonic_time() + lifetime_usec;
        struct pollfd fds[] = { { .fd = ends[0] },
                                { .fd = kills->pipes[0], .events = POLLOUT },
                                { .fd = kills->pipes[1], .events = POLLOUT } };
        while (!fds[0].revents) {
                g_assert_cmpint(poll(fds, 3, lifetime_usec > 0 ? 1 : -1), >=, 0);
                for (int i = 0; i < PUMP_STREAMS; i++) {
                        if (fds[i + 1].revents & POLLOUT) {
                                write_more(kills, i);
                                send_piece(kills, i);
                        }
                }
                if (lifetime_usec > 0 && g_get_monotonic_time() >= end) {
                        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                        break;
                }
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        (void) close(ends[0]);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static Kills kills_new(unsigned seed, bool one_file, bool long_lines) {
        static const char *const names[EXEC_LOGS] = { "out", "err", "all" };
        int ends[2], fds[EXEC_LOGS], error = 0;
        Kills kills = {
                .random = g_rand_new_with_seed(seed),
                .parent = getpid(),
                .folder = test_folder_new(),
                .store_fd = memfd_create("test", MFD_CLOEXEC),
                .one_file = one_file,
                .long_lines = long_lines,
        };
        ExecLogPlan plan = { 0 };

        for (int i = 0; i < EXEC_LOGS; i++) {
                plan.paths[i] = kills.paths[i] = test_path(kills.folder, names[i]);
        }
        plan.paths[2] = one_file ? plan.paths[2] : NULL;
        g_assert_cmpint(exec_logs_open(&plan, fds, &error), ==, -1);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
        g_assert_cmpint(exec_logs_send(ends[1], fds), ==, 0);
        (void) close(ends[1]);
        kills.files_fd = ends[0];
        for (int i = 0; i < EXEC_LOGS; i++) {
                (void) close(fds[i]);
        }
        for (int i = 0; i < PUMP_STREAMS; i++) {
                g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
                g_assert_cmpint(fcntl(ends[1], F_SETFL, O_NONBLOCK), ==, 0);
                kills.ours[i] = ends[0];
                kills.pipes[i] = ends[1];
                kills.written[i] = g_string_new(NULL);
                kills.unsent[i] = g_string_new(NULL);
        }
        return kills;
}

static char *read_log(const Kills *kills, int index, gsize *ret_length) {
        char *text = NULL;
        g_assert_true(g_file_get_contents(kills->paths[index], &text, ret_length, NULL));
        return text;
}

/* The lines of a stream in a file, without what was put before them; a line that is too long may be divided
 * where another stream writes to the file, too. */
static GString *lines_of(const char *text, gsize length, int stream) {
        const char prefix[] = { (char) ('0' + stream), '>', ' ' }, *end = text + length;
        GString *lines = g_string_new(NULL);

        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t) (end - text));
                g_assert_nonnull(newline);
                if (memcmp(text, prefix, sizeof(prefix)) == 0) {
                        g_string_append_len(
                                        lines,
                                        text + sizeof(prefix),
                                        newline + 1 - text - (gssize) sizeof(prefix));
                }
                text = newline + 1;
        }
        return lines;
}

static void check_log(const Kills *kills, int index, int stream) {
        gsize length;
        g_autofree char *text = read_log(kills, index, &length);
        GString *lines = lines_of(text, length, stream);

        g_assert_cmpuint(lines->len, ==, kills->written[stream]->len);
        g_assert_true(memcmp(lines->str, kills->written[stream]->str, lines->len) == 0);
        (void) g_string_free(lines, TRUE);
}

/* The last supervisor brings everything to its end. */
static void finish(Kills *kills) {
        int status;

        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                supervise(kills, false, 0);
        }
        for (int i = 0; i < PUMP_STREAMS; i++) {
                GString *unsent = kills->unsent[i];
                g_assert_cmpint(fcntl(kills->pipes[i], F_SETFL, 0), ==, 0);
                if (unsent->len == 0) {
                        write_more(kills, i);
                }
                /* the newline comes by itself */
                for (size_t at = 0; at < unsent->len - 1;) {
                        ssize_t n = write(kills->pipes[i], unsent->str + at, unsent->len - 1 - at);
                        g_assert_cmpint(n, >, 0);
                        at += (size_t) n;
                }
                (void) close(kills->pipes[i]);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
        for (int i = 0; i < PUMP_STREAMS; i++) {
                check_log(kills, i, i);
                if (kills->one_file) {
                        check_log(kills, EXEC_LOGS - 1, i);
                }
                g_test_message("stream %d: %u lines", i, kills->number[i]);
                (void) close(kills->ours[i]);
                (void) g_string_free(kills->written[i], TRUE);
                (void) g_string_free(kills->unsent[i], TRUE);
        }
        (void) close(kills->files_fd);
        (void) close(kills->store_fd);
        g_rand_free(kills->random);
        for (int i = 0; i < EXEC_LOGS; i++) {
                g_free(kills->paths[i]);
        }
        test_folder_remove(kills->folder);
}

static unsigned number_of_kills(unsigned usual) {
        return g_getenv("PM2D_TEST_VALGRIND") ? usual / 10 : usual;
}

static void test_any_time(void) {
        Kills kills = kills_new(1, true, false);

        for (unsigned i = 0; i < number_of_kills(60); i++) {
                live(&kills, i == 0, 0, i == 0 ? 20000 : g_rand_int_range(kills.random, 500, 8000));
        }
        finish(&kills);
}

/* Each supervisor comes a point further than the one before it. */
static void run_points(unsigned seed, bool one_file, bool long_lines) {
        Kills kills = kills_new(seed, one_file, long_lines);

        for (unsigned i = 1; i <= number_of_kills(60); i++) {
                live(&kills, i == 1, i, 0);
        }
        finish(&kills);
}

static void test_points(void) {
        run_points(2, true, false);
}

/* Lines that are longer than what is kept of one, each in a file of its own. */
static void test_points_of_long_lines(void) {
        run_points(3, false, true);
}

/* Few points each: what one was killed at, the next one finds and is killed at as well. */
static void test_in_rows(void) {
        Kills kills = kills_new(4, true, false);

        for (unsigned i = 0; i < number_of_kills(150); i++) {
                live(&kills, i == 0, (unsigned) g_rand_int_range(kills.random, 1, 15), 0);
        }
        finish(&kills);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_add_func("/platform/pump-kills/any-time", test_any_time);
        g_test_add_func("/platform/pump-kills/points", test_points);
        g_test_add_func("/platform/pump-kills/points-of-long-lines", test_points_of_long_lines);
        g_test_add_func("/platform/pump-kills/in-rows", test_in_rows);
        return g_test_run();
}
