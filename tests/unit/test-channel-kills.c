/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Supervisors are killed one after the other while lines go both ways, at any instant, and at each fault
 * point. The parent is their child: its end of the channel stays open, as do the socket and the store. Each
 * line has a number that says how long it is and what stands in it. No line may be torn, lost or out of
 * order; of each killed supervisor one may come twice in each direction, but never an answer. */

#include "platform/channel.h"

#include "fault-points-on.h"

#include "basic/fault-point.h"
#include "channel-fixture.h"
#include "event-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        LONGEST = 300000,
        NUMBER_DIGITS = 10,
        PIECE_MAX = 70000,
        BACKLOG_BYTES = 1500000, /* what a supervisor lets wait */
        LAST_LINES = 50,         /* after the last kill */
        UNANSWERED_MAX = 100,
        SLOT = 5,
};

/* What a supervisor has written down, as the state store does. */
typedef struct Notes {
        unsigned next_in, next_out;
        unsigned end_in, end_out; /* where the last one ends by itself */
        bool last;
} Notes;

/* Of the parent. */
typedef struct Kills {
        ChannelStore *store;
        int ours, peer;
        pid_t parent;
        Notes *notes;
        GRand *random;
        unsigned size_class;        /* 0: small lines, 1: small and huge ones */
        unsigned next_in, next_out; /* what it writes, what it reads next */
        GString *unsent, *unread;   /* parts of lines */
        unsigned kills, repeated;   /* since the last successor */
        unsigned repeated_in_all;
        bool may_write;
        bool answers; /* each line is sent back, and nothing else is sent */
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

static size_t length_of(unsigned number, unsigned size_class) {
        if (size_class == 0) {
                return NUMBER_DIGITS + number * 7919U % 150;
        }
        switch (number % 50) {
        case 7:
        case 8:
                return LONGEST - number % 1000;
        case 20:
                return 32766 + number / 50 % 4;
        case 30:
                return 5000 + number * 7919U % 60000;
        default:
                return NUMBER_DIGITS + number * 7919U % 400;
        }
}

static char *text_of(unsigned number, unsigned size_class) {
        size_t length = length_of(number, size_class);
        char *text = test_channel_text(number, length);
        char digits[NUMBER_DIGITS + 1];

        (void) g_snprintf(digits, sizeof(digits), "%010u", number);
        memcpy(text, digits, NUMBER_DIGITS);
        return text;
}

/* The number of a line, which must be just as it was written. */
static unsigned check_line(const char *line, size_t length, unsigned size_class) {
        char digits[NUMBER_DIGITS + 1] = { 0 };

        g_assert_cmpuint(length, >=, NUMBER_DIGITS);
        memcpy(digits, line, NUMBER_DIGITS);
        unsigned number = (unsigned) strtoul(digits, NULL, 10);
        g_assert_cmpuint(length, ==, length_of(number, size_class));
        g_autofree char *expected = text_of(number, size_class);
        g_assert_cmpint(memcmp(line, expected, length), ==, 0);
        return number;
}

/* The supervisor. */

typedef struct Supervisor {
        Notes *notes;
        unsigned size_class;
        Channel *channel;
        bool first;
        bool answers;
} Supervisor;

static void on_line(void *userdata, const char *line, size_t length) {
        Supervisor *supervisor = userdata;
        unsigned number = check_line(line, length, supervisor->size_class);
        unsigned expected = supervisor->notes->next_in;

        if (number != expected) {
                g_assert_true(supervisor->first);
                g_assert_cmpuint(number + 1, ==, expected);
        }
        supervisor->first = false;
        supervisor->notes->next_in = number + 1;
        if (supervisor->answers) {
                g_autofree char *answer = g_strndup(line, length);
                g_assert_cmpint(channel_answer(supervisor->channel, answer, length), ==, 0);
        }
}

static void on_closed(void *userdata) {
        g_error("closed");
}

static void on_trouble(void *userdata, ChannelTrouble trouble, uint64_t count) {
        g_error("trouble %d", trouble);
}

static void send_some(const Supervisor *supervisor) {
        Notes *notes = supervisor->notes;

        for (unsigned i = 0;
             i < 3 && !supervisor->answers && !(notes->last && notes->next_out == notes->end_out);
             i++) {
                if (channel_queued_bytes(supervisor->channel) > BACKLOG_BYTES) {
                        return;
                }
                g_autofree char *text = text_of(notes->next_out, supervisor->size_class);
                g_assert_cmpint(channel_send(supervisor->channel,
                                             text,
                                             length_of(notes->next_out, supervisor->size_class)),
                                ==,
                                0);
                notes->next_out++;
        }
}

static bool is_done(const Supervisor *supervisor) {
        const Notes *notes = supervisor->notes;

        return notes->last && notes->next_in == notes->end_in &&
               (supervisor->answers || notes->next_out == notes->end_out) &&
               channel_queued_bytes(supervisor->channel) == 0;
}

static _Noreturn void supervise(const Kills *kills, unsigned passages) {
        Supervisor supervisor = {
                .notes = kills->notes,
                .size_class = kills->size_class,
                .first = true,
                .answers = kills->answers,
        };
        ChannelOptions options = {
                .line_bytes_max = CHANNEL_LINE_BYTES_MAX,
                .userdata = &supervisor,
                .on_line = on_line,
                .on_closed = on_closed,
                .on_trouble = on_trouble,
        };
        sd_event *event = test_event_new();
        ChannelStore *store = NULL;

        /* Not to outlive a test that has failed. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != kills->parent) {
                _exit(EXIT_FAILURE);
        }
        passages_left = passages;
        g_assert_cmpint(channel_store_new(channel_store_get_fd(kills->store), &store), ==, 0);
        g_assert_cmpint(channel_adopt(event, store, SLOT, kills->ours, &options, &supervisor.channel),
                        ==,
                        0);
        while (!is_done(&supervisor)) {
                send_some(&supervisor);
                bool waits = supervisor.answers ||
                             channel_queued_bytes(supervisor.channel) > BACKLOG_BYTES ||
                             (supervisor.notes->last &&
                              supervisor.notes->next_out == supervisor.notes->end_out);
                g_assert_cmpint(sd_event_run(event, waits && !is_done(&supervisor) ? UINT64_MAX : 0), >=, 0);
        }
        _exit(EXIT_SUCCESS);
}

/* The parent. */

static void take_lines(Kills *kills) {
        const char *start = kills->unread->str, *newline;

        while ((newline = memchr(start, '\n', kills->unread->len - (size_t) (start - kills->unread->str)))) {
                unsigned number = check_line(start, (size_t) (newline - start), kills->size_class);
                if (number != kills->next_out) {
                        g_assert_cmpuint(number + 1, ==, kills->next_out);
                        g_assert_false(kills->answers);
                        g_assert_cmpuint(++kills->repeated, <=, kills->kills);
                        kills->repeated_in_all++;
                }
                kills->next_out = number + 1;
                start = newline + 1;
        }
        (void) g_string_erase(kills->unread, 0, start - kills->unread->str);
}

static bool read_some(Kills *kills) {
        static char bytes[PIECE_MAX];
        ssize_t n =
                        recv(kills->peer,
                             bytes,
                             (size_t) g_rand_int_range(kills->random, 1, PIECE_MAX),
                             MSG_DONTWAIT);

        if (n < 0) {
                g_assert_cmpint(errno, ==, EAGAIN);
                return false;
        }
        g_assert_cmpint(n, >, 0);
        g_string_append_len(kills->unread, bytes, n);
        take_lines(kills);
        return true;
}

static void write_some(Kills *kills) {
        bool may_write = kills->may_write &&
                         (!kills->answers || kills->next_in - kills->next_out < UNANSWERED_MAX);

        if (kills->unsent->len == 0 && may_write) {
                for (unsigned i = 0; i < 4; i++, kills->next_in++) {
                        g_autofree char *text = text_of(kills->next_in, kills->size_class);
                        g_string_append_len(
                                        kills->unsent,
                                        text,
                                        (gssize) length_of(kills->next_in, kills->size_class));
                        g_string_append_c(kills->unsent, '\n');
                }
        }
        size_t piece = (size_t) g_rand_int_range(kills->random, 1, PIECE_MAX);
        if (kills->unsent->len > 0) {
                ssize_t n =
                                send(kills->peer,
                                     kills->unsent->str,
                                     MIN(piece, kills->unsent->len),
                                     MSG_DONTWAIT);
                if (n < 0) {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        return;
                }
                (void) g_string_erase(kills->unsent, 0, n);
        }
}

/* The life of one supervisor. lifetime_usec: 0: it ends by itself. */
static void live(Kills *kills, unsigned passages, gint64 lifetime_usec) {
        int ends[2];

        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                supervise(kills, passages);
        }
        (void) close(ends[1]);
        gint64 end = g_get_monotonic_time() + lifetime_usec;
        struct pollfd fds[] = { { .fd = ends[0] }, { .fd = kills->peer } };
        do {
                short wanted = kills->unsent->len > 0 || kills->may_write ? POLLIN | POLLOUT : POLLIN;
                fds[1].events = wanted;
                g_assert_cmpint(poll(fds, 2, lifetime_usec > 0 ? 1 : -1), >=, 0);
                if (fds[1].revents & POLLIN) {
                        (void) read_some(kills);
                }
                if (fds[1].revents & POLLOUT) {
                        write_some(kills);
                }
                if (lifetime_usec > 0 && g_get_monotonic_time() >= end) {
                        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                        break;
                }
        } while (!fds[0].revents);
        int status;
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        (void) close(ends[0]);
        if (kills->notes->last) {
                g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
        } else {
                g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
                kills->kills++;
        }
}

static Kills kills_new(unsigned seed, unsigned size_class) {
        int ends[2];
        Kills kills = {
                .random = g_rand_new_with_seed(seed),
                .parent = getpid(),
                .size_class = size_class,
                .unsent = g_string_new(NULL),
                .unread = g_string_new(NULL),
                .may_write = true,
        };

        g_assert_cmpint(channel_store_new(-1, &kills.store), ==, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        kills.ours = ends[0];
        kills.peer = ends[1];
        kills.notes = mmap(NULL, sizeof(Notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        g_assert_true(kills.notes != MAP_FAILED);
        return kills;
}

/* The last supervisor brings everything to its end. */
static void finish(Kills *kills) {
        kills->may_write = false;
        kills->notes->last = true;
        kills->notes->end_in = kills->next_in;
        kills->notes->end_out = kills->answers ? kills->next_in : kills->notes->next_out + LAST_LINES;
        live(kills, 0, 0);
        while (read_some(kills)) {
        }
        g_assert_cmpuint(kills->notes->next_in, ==, kills->next_in);
        g_assert_cmpuint(kills->next_out, ==, kills->notes->end_out);
        g_assert_cmpuint(kills->unread->len, ==, 0);
        g_assert_cmpuint(kills->unsent->len, ==, 0);
        g_test_message("%u kills, %u lines in, %u lines out, %u of them twice",
                       kills->kills,
                       kills->next_in,
                       kills->next_out,
                       kills->repeated_in_all);
        (void) g_string_free(kills->unsent, TRUE);
        (void) g_string_free(kills->unread, TRUE);
        (void) munmap(kills->notes, sizeof(Notes));
        g_rand_free(kills->random);
        channel_store_free(kills->store);
        (void) close(kills->ours);
        (void) close(kills->peer);
}

/* How many are killed; fewer where each takes its time. */
static unsigned number_of_kills(unsigned usual) {
        const char *factor = g_getenv("PM2D_TEST_CHANNEL_KILLS");

        if (g_getenv("PM2D_TEST_VALGRIND")) {
                usual /= 10;
        }
        return factor ? usual * (unsigned) strtoul(factor, NULL, 10) : usual;
}

static void test_any_time(const void *size_class) {
        Kills kills = kills_new(1, GPOINTER_TO_UINT(size_class));

        for (unsigned i = number_of_kills(250); i > 0; i--) {
                live(&kills, 0, g_rand_int_range(kills.random, 100, 6000));
        }
        finish(&kills);
}

/* Each supervisor comes a point further than the one before it. */
static void test_points(const void *size_class) {
        Kills kills = kills_new(2, GPOINTER_TO_UINT(size_class));

        for (unsigned i = 1; i <= number_of_kills(500); i++) {
                live(&kills, i, 0);
        }
        finish(&kills);
}

/* Few points each: what one was killed at, the next one finds and is killed at as well. */
static void test_in_rows(const void *size_class) {
        Kills kills = kills_new(3, GPOINTER_TO_UINT(size_class));

        for (unsigned i = number_of_kills(500); i > 0; i--) {
                live(&kills, (unsigned) g_rand_int_range(kills.random, 1, 30), 0);
        }
        finish(&kills);
}

/* However little there is between what a successor finds and where it is killed in turn. */
static void test_answers(const void *size_class) {
        Kills kills = kills_new(4, GPOINTER_TO_UINT(size_class));

        kills.answers = true;
        for (unsigned i = 1; i <= number_of_kills(400); i++) {
                live(&kills, i, 0);
                live(&kills, (unsigned) g_rand_int_range(kills.random, 1, 20), 0);
        }
        finish(&kills);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_data_func("/platform/channel-kills/any-time/small", GUINT_TO_POINTER(0), test_any_time);
        g_test_add_data_func("/platform/channel-kills/any-time/huge", GUINT_TO_POINTER(1), test_any_time);
        g_test_add_data_func("/platform/channel-kills/points/small", GUINT_TO_POINTER(0), test_points);
        g_test_add_data_func("/platform/channel-kills/points/huge", GUINT_TO_POINTER(1), test_points);
        g_test_add_data_func("/platform/channel-kills/in-rows/small", GUINT_TO_POINTER(0), test_in_rows);
        g_test_add_data_func("/platform/channel-kills/in-rows/huge", GUINT_TO_POINTER(1), test_in_rows);
        g_test_add_data_func("/platform/channel-kills/answers/small", GUINT_TO_POINTER(0), test_answers);
        g_test_add_data_func("/platform/channel-kills/answers/huge", GUINT_TO_POINTER(1), test_answers);
        return g_test_run();
}
