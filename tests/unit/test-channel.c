/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lines in and out of a channel, what is dropped, what it costs; and a successor between any two bytes. What
 * kills leave is in test-channel-kills.c. */

#include "platform/channel.h"

#include "basic/cleanup.h"
#include "channel-fixture.h"
#include "event-fixture.h"
#include "store-fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        SMALL_LINE_MAX = 40,
        LINE_MAX_USUAL = CHANNEL_LINE_BYTES_MAX,
        /* What a channel may hold on to when nothing is in it: the words, 64 KiB for each direction, and
         * pages that are used in part. */
        IDLE_BYTES_MAX = (64 + 64 + 16) * 1024,
        TURN_BYTES = 256 * 1024,
        WINDOWS_AT = 64 * 1024, /* in the store */
};

static const char mixed[] = "{\"a\":1}\n\n2\r\n\"drei \xc3\xa4\"\nnu\0ll\n[]\n" /* 6 lines, 2 dropped */
                            "0123456789012345678901234567890123456789\n"        /* as long as may be */
                            "01234567890123456789012345678901234567890\n"       /* too long */
                            "ba\xff\n12345678901234567890123456789012345678901234567890"
                            "12345678901234567890123456789012345678901234567890\nlast\n";
static const char mixed_lines[] = "[{\"a\":1}][2\r][\"drei \xc3\xa4\"][[]]"
                                  "[0123456789012345678901234567890123456789][last]";

static void assert_mixed(const TestChannel *test) {
        test_channel_assert_lines(test, mixed_lines);
        g_assert_cmpuint(test->troubles[CHANNEL_TROUBLE_EMPTY], ==, 1);
        g_assert_cmpuint(test->troubles[CHANNEL_TROUBLE_TOO_LONG], ==, 2);
        g_assert_cmpuint(test->troubles[CHANNEL_TROUBLE_GARBAGE], ==, 2);
        g_assert_cmpuint(test->closed, ==, 0);
}

static void test_lines(void) {
        TestChannel *test = test_channel_new(SMALL_LINE_MAX);

        test_channel_feed(test, mixed, sizeof(mixed) - 1);
        assert_mixed(test);
        test_channel_free(test);
        channel_free(NULL);
        channel_store_free(NULL);
}

/* Cut at each byte, and one byte at a time. */
static void test_cuts(void) {
        for (size_t cut = 1; cut < sizeof(mixed) - 1; cut++) {
                TestChannel *test = test_channel_new(SMALL_LINE_MAX);
                test_channel_feed(test, mixed, cut);
                test_channel_feed(test, mixed + cut, sizeof(mixed) - 1 - cut);
                assert_mixed(test);
                test_channel_free(test);
        }
        TestChannel *test = test_channel_new(SMALL_LINE_MAX);
        for (size_t i = 0; i < sizeof(mixed) - 1; i++) {
                test_channel_feed(test, mixed + i, 1);
        }
        assert_mixed(test);
        test_channel_free(test);
}

/* A successor at each byte: it neither counts nor hands out anew what the first one has. */
static void test_successors(void) {
        for (size_t cut = 0; cut < sizeof(mixed) - 1; cut++) {
                TestChannel *test = test_channel_new(SMALL_LINE_MAX);
                test_channel_feed(test, mixed, cut);
                uint64_t before = test->troubles[0] + test->troubles[1] + test->troubles[2];
                test_channel_renew(test);
                test_channel_feed(test, mixed + cut, sizeof(mixed) - 1 - cut);
                test_channel_assert_lines(test, mixed_lines);
                g_assert_cmpuint(before + test->troubles[0] + test->troubles[1] + test->troubles[2], ==, 5);
                test_channel_free(test);
        }
        TestChannel *test = test_channel_new(SMALL_LINE_MAX);
        for (size_t i = 0; i < sizeof(mixed) - 1; i++) {
                test_channel_feed(test, mixed + i, 1);
                test_channel_renew(test);
        }
        test_channel_assert_lines(test, mixed_lines);
        test_channel_free(test);
}

/* What is received while nobody is there. */
static void test_while_away(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);

        test_channel_feed_text(test, "first\nbeg");
        int fd = test_channel_leave(test);
        g_assert_cmpint(send(test->peer, "un\nsecond\nth", 12, 0), ==, 12);
        test_channel_adopt(test, fd);
        test_event_drain(test->event);
        test_channel_feed_text(test, "ird\n");
        test_channel_assert_lines(test, "[first][begun][second][third]");
        test_channel_free(test);
}

/* Lines that were received, and then there was no time to hand them out: nothing new comes. */
static void test_left_lying(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        char text[4096];

        for (size_t i = 0; i < sizeof(text); i += 2) {
                text[i] = '1';
                text[i + 1] = '\n';
        }
        g_assert_cmpint(send(test->peer, text, sizeof(text), 0), ==, sizeof(text));
        g_assert_cmpint(sd_event_run(test->event, 0), >, 0);
        g_assert_cmpuint(test->lines->len, ==, sizeof(text) / 4);
        test_channel_renew(test);
        test_event_drain(test->event);
        g_assert_cmpuint(test->lines->len, ==, sizeof(text) / 2);
        test_channel_free(test);
}

/* One line after another: after some turns those that come wait for each other, and are taken at once. */
static void test_batches(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);

        test->batch_usec = 200 * 1000;
        test_channel_renew(test);
        for (unsigned i = 0; i < 100; i++) {
                g_assert_cmpint(send(test->peer, "1\n", 2, 0), ==, 2);
                test_event_drain(test->event);
        }
        g_assert_cmpuint(test->lines->len, <, 50);
        while (test->lines->len < 100) {
                g_assert_cmpint(sd_event_run(test->event, UINT64_MAX), >=, 0);
        }
        test_channel_free(test);
}

static void test_many_lines(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < 5000; i++) { /* more than one turn hands out */
                g_string_append_printf(text, "{\"n\":%u}\n", i);
        }
        g_assert_cmpint(send(test->peer, text->str, text->len, 0), ==, (ssize_t) text->len);
        test_event_drain(test->event);
        g_assert_cmpuint(test->lines->len, ==, 5000);
        for (unsigned i = 0; i < 5000; i++) {
                g_autofree char *expected = g_strdup_printf("{\"n\":%u}", i);
                GBytes *line = test->lines->pdata[i];
                g_assert_cmpmem(g_bytes_get_data(line, NULL),
                                g_bytes_get_size(line),
                                expected,
                                strlen(expected));
        }
        test_channel_free(test);
}

static void assert_line(const TestChannel *test, guint index, unsigned seed, size_t length) {
        g_autofree char *expected = test_channel_text(seed, length);

        g_assert_cmpuint(index, <, test->lines->len);
        GBytes *line = test->lines->pdata[index];
        g_assert_cmpuint(g_bytes_get_size(line), ==, length);
        g_assert_cmpint(memcmp(g_bytes_get_data(line, NULL), expected, length), ==, 0);
}

/* Lines of any size behind each other, some larger than a read and than what is left of a half. */
static void test_huge_lines(void) {
        static const size_t lengths[] = {
                1,      4094,   4095,           4096,   4097,   32767,   32768,  32769, 65536,  70000,
                300000, 500000, LINE_MAX_USUAL, 700000, 900000, 1000000, 999999, 3,     400000, 1,
        };
        for (unsigned renewals = 0; renewals < 2; renewals++) {
                TestChannel *test = test_channel_new(LINE_MAX_USUAL);
                for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
                        g_autofree char *text = test_channel_text(i, lengths[i]);
                        test_channel_feed(test, text, lengths[i] / 2);
                        if (renewals) {
                                test_channel_renew(test);
                        }
                        test_channel_feed(test, text + lengths[i] / 2, lengths[i] - lengths[i] / 2);
                        test_channel_feed(test, "\nx\ny", 4);
                        test_channel_feed(test, "\n", 1);
                        assert_line(test, 3 * i, i, lengths[i]);
                }
                g_assert_cmpuint(test->lines->len, ==, 3 * G_N_ELEMENTS(lengths));
                test_channel_free(test);
        }
}

static void test_too_long(void) {
        static const size_t lengths[] = { 4097, 5000, 40000, 1000000, 5000000 };

        for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
                TestChannel *test = test_channel_new(4096);
                g_autofree char *text = test_channel_text(i, lengths[i]);
                test_channel_feed_text(test, "before\n");
                test_channel_feed(test, text, lengths[i]);
                if (lengths[i] > 3 * 4096) { /* it is said before its end is there */
                        g_assert_cmpuint(test->troubles[CHANNEL_TROUBLE_TOO_LONG], ==, 1);
                }
                test_channel_feed_text(test, "\nafter\n");
                test_channel_assert_lines(test, "[before][after]");
                g_assert_cmpuint(test->troubles[CHANNEL_TROUBLE_TOO_LONG], ==, 1);
                test_channel_feed(test, text, lengths[i]);
                test_channel_renew(test);
                test_channel_feed(test, text, lengths[i]);
                test_channel_feed_text(test, "\nend\n");
                test_channel_assert_lines(test, "[before][after][end]");
                test_channel_free(test);
        }
}

/* A NUL that was received, and then its replacement did not take place any more. */
static void test_nul_left_behind(void) {
        static const char left[] = "good\nba\0d\nfine\nha";
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        size_t at = WINDOWS_AT + test->slot * (size_t) CHANNEL_WINDOW_BYTES + CHANNEL_HALVES_AT;

        int fd = test_channel_leave(test);
        test_file_set(channel_store_get_fd(test->store), at, left, sizeof(left)); /* and a NUL at the end */
        test_channel_adopt(test, fd);
        test_event_drain(test->event);
        test_channel_feed_text(test, "lf\n");
        test_channel_assert_lines(test, "[good][fine][half]");
        g_assert_cmpuint(test->troubles[CHANNEL_TROUBLE_GARBAGE], ==, 1);
        test_channel_free(test);
}

static void test_end_of_file(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);

        g_assert_cmpint(send(test->peer, "one\n\ntwo\nhal", 12, 0), ==, 12);
        (void) close(test->peer);
        test->peer = -1;
        test_event_drain(test->event);
        test_channel_assert_lines(test, "[one][two]");
        g_assert_cmpuint(test->troubles[CHANNEL_TROUBLE_EMPTY], ==, 1);
        g_assert_cmpuint(test->closed, ==, 1);
        g_assert_cmpint(channel_send(test->channel, "1", 1), ==, -EPIPE);
        test_channel_renew(test);
        test_event_drain(test->event);
        g_assert_cmpuint(test->closed, ==, 2); /* by the successor */
        g_assert_cmpuint(test->lines->len, ==, 2);
        test_channel_free(test);
}

/* It ends with what we sent unread, while lines of it are there. */
static void test_reset(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);

        g_assert_cmpint(channel_send(test->channel, "unread", 6), ==, 0);
        g_assert_cmpint(send(test->peer, "one\n", 4, 0), ==, 4);
        (void) close(test->peer);
        test->peer = -1;
        g_assert_cmpint(channel_send(test->channel, "1", 1), ==, -EPIPE);
        test_event_drain(test->event);
        test_channel_assert_lines(test, "[one]");
        g_assert_cmpuint(test->closed, ==, 1);
        test_channel_free(test);
}

typedef struct Busy {
        size_t received_max; /* in one turn of the loop */
        guint lines_before;
        TestChannel *test;
} Busy;

static void look_at_turn(Busy *busy) {
        size_t received = 0;

        for (guint i = busy->lines_before; i < busy->test->lines->len; i++) {
                received += g_bytes_get_size(busy->test->lines->pdata[i]) + 1;
        }
        busy->lines_before = busy->test->lines->len;
        busy->received_max = MAX(busy->received_max, received);
}

/* Who floods has its share of each turn and no more. */
static void test_fairness(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        Busy busy = { .test = test };
        int size = 4 * 1024 * 1024;
        g_autofree char *line = test_channel_text(1, 999);

        line[998] = '\n';
        (void) setsockopt(test->peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        size_t sent = 0;
        while (sent < 8 * TURN_BYTES) {
                ssize_t n = send(test->peer, line, 999, 0);
                if (n < 0) {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        break;
                }
                g_assert_cmpint(n, ==, 999);
                sent += (size_t) n;
                if (sent > 400000) {
                        g_assert_cmpint(sd_event_run(test->event, 0), >=, 0);
                        look_at_turn(&busy);
                }
        }
        while (sd_event_run(test->event, 0) > 0) {
                look_at_turn(&busy);
        }
        g_assert_cmpuint(test->lines->len, ==, sent / 999);
        g_assert_cmpuint(busy.received_max, <=, TURN_BYTES + 33 * 1024);
        test_channel_free(test);
}

/* Many lines in few bytes. */
static void test_fairness_of_lines(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        char text[20000];
        guint most = 0;

        for (size_t i = 0; i < sizeof(text); i += 2) {
                text[i] = '1';
                text[i + 1] = '\n';
        }
        g_assert_cmpint(send(test->peer, text, sizeof(text), 0), ==, sizeof(text));
        for (guint before = 0; sd_event_run(test->event, 0) > 0; before = test->lines->len) {
                most = MAX(most, test->lines->len - before);
        }
        g_assert_cmpuint(test->lines->len, ==, sizeof(text) / 2);
        g_assert_cmpuint(most, ==, 1024);
        test_channel_free(test);
}

static void test_send(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);

        g_assert_cmpint(channel_send(test->channel, "{\"a\":1}", 7), ==, 0);
        g_assert_cmpint(channel_send(test->channel, "2", 1), ==, 0);
        g_assert_cmpuint(channel_queued_bytes(test->channel), ==, 0);
        g_assert_cmpint(channel_send(test->channel, "", 0), ==, -EINVAL);
        g_assert_cmpint(channel_send(test->channel, "a\nb", 3), ==, -EINVAL);
        g_assert_cmpint(channel_send(test->channel, "a\n", 2), ==, -EINVAL);
        g_assert_cmpint(channel_send(test->channel, "a\0b", 3), ==, -EINVAL);
        g_autofree char *got = test_channel_drink(test, 10);
        g_assert_cmpstr(got, ==, "{\"a\":1}\n2\n");
        test_channel_free(test);
}

/* Everything out of sizes about all borders, with a successor now and then; the child reads late. */
static void test_order(void) {
        static const size_t lengths[] = {
                1, 100, 32766, 32767, 32768, 32769, 5, 300000, 4095, 4096, 1, 65536, 900000, 17, 200000,
        };
        for (unsigned way = 0; way < 3; way++) {
                TestChannel *test = test_channel_new(LINE_MAX_USUAL);
                g_autoptr(GString) expected = g_string_new(NULL);
                for (unsigned turn = 0; turn < 12; turn++) {
                        for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
                                g_autofree char *text = test_channel_text(turn * 31 + i, lengths[i]);
                                g_assert_cmpint(channel_send(test->channel, text, lengths[i]), ==, 0);
                                g_string_append_len(expected, text, (gssize) lengths[i]);
                                g_string_append_c(expected, '\n');
                                if (way == 1 || (way == 2 && i % 4 == 0)) {
                                        test_channel_renew(test);
                                }
                        }
                        /* Not all: the ring comes round with something in it. */
                        size_t wanted = turn < 11 ? expected->len - 50000 : expected->len;
                        g_autofree char *got = test_channel_drink(test, wanted);
                        g_assert_cmpint(memcmp(got, expected->str, wanted), ==, 0);
                        (void) g_string_erase(expected, 0, (gssize) wanted);
                }
                g_assert_cmpuint(channel_queued_bytes(test->channel), ==, 0);
                test_event_drain(test->event);
                g_assert_cmpuint(test_held_bytes(channel_store_get_fd(test->store)), <=, IDLE_BYTES_MAX);
                test_channel_free(test);
        }
}

static size_t ring_at(const TestChannel *test) {
        return WINDOWS_AT + test->slot * (size_t) CHANNEL_WINDOW_BYTES + CHANNEL_RING_AT;
}

/* What was sent may be on its way still: a successor gives those pages back as well, and no others. */
static void test_sent_pages(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        int store_fd = channel_store_get_fd(test->store);
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        g_autofree char *text = test_channel_text(1, 500000), *queued = g_malloc(500000);

        g_assert_cmpint(channel_send(test->channel, text, 500000), ==, 0);
        size_t sent = 500001 - channel_queued_bytes(test->channel);
        g_assert_cmpuint(sent, >, page);
        int fd = test_channel_leave(test);
        /* As if it had been killed right behind the sending. */
        test_file_set(store_fd, ring_at(test), text, sent);
        test_channel_adopt(test, fd);
        test_file_assert_zeros(store_fd, ring_at(test), ring_at(test) + sent / page * page);
        g_assert_cmpint(pread(store_fd, queued, 500000 - sent, (off_t) (ring_at(test) + sent)),
                        ==,
                        (ssize_t) (500000 - sent));
        g_assert_cmpint(memcmp(queued, text + sent, 500000 - sent), ==, 0);
        g_autofree char *got = test_channel_drink(test, 500001);
        g_assert_cmpint(memcmp(got, text, 500000), ==, 0);
        test_channel_free(test);
}

/* Killed where the ring ends, before the head went to its beginning. */
static void test_end_of_ring(void) {
        for (uint64_t tail = 0; tail < 5; tail += 4) {
                TestChannel *test = test_channel_new(LINE_MAX_USUAL);
                int store_fd = channel_store_get_fd(test->store), fd = test_channel_leave(test);
                uint64_t words[] = { 0, ring_at(test) + CHANNEL_RING_BYTES, tail };
                test_file_set(store_fd, ring_at(test), "abc\n", 4);
                test_file_set(store_fd, ring_at(test) - CHANNEL_RING_AT, words, sizeof(words));
                test_channel_adopt(test, fd);
                g_assert_cmpuint(channel_queued_bytes(test->channel), ==, tail);
                g_assert_cmpint(channel_send(test->channel, "def", 3), ==, 0);
                g_autofree char *got = test_channel_drink(test, tail + 4);
                g_assert_cmpstr(got, ==, tail ? "abc\ndef\n" : "def\n");
                test_channel_free(test);
        }
}

/* It ends while much is queued for it. */
static void test_closed_with_queue(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 900000);

        g_assert_cmpint(channel_send(test->channel, text, 900000), ==, 0);
        g_assert_cmpint(channel_send(test->channel, text, 900000), ==, 0);
        g_assert_cmpuint(channel_queued_bytes(test->channel), >, 0);
        (void) close(test->peer);
        test->peer = -1;
        test_event_drain(test->event);
        g_assert_cmpuint(test->closed, ==, 1);
        g_assert_cmpint(channel_send(test->channel, "1", 1), ==, -EPIPE);
        test_channel_free(test);
}

/* It wants to hear nothing more, and goes on talking. */
static void test_half_closed(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 900000);

        g_assert_cmpint(shutdown(test->peer, SHUT_RD), ==, 0);
        test_channel_feed_text(test, "one\n");
        g_assert_cmpint(channel_send(test->channel, "1", 1), ==, -EPIPE);
        g_assert_cmpint(channel_send(test->channel, text, 900000), ==, -EPIPE);
        g_assert_cmpuint(channel_queued_bytes(test->channel), ==, 0);
        test_channel_feed_text(test, "two\n");
        test_channel_assert_lines(test, "[one][two]");
        g_assert_cmpuint(test->closed, ==, 0);
        test_channel_free(test);
}

static unsigned open_fds(void) {
        DIR *folder = opendir("/proc/self/fd");
        unsigned count = 0;

        g_assert_nonnull(folder);
        while (readdir(folder)) {
                count++;
        }
        (void) closedir(folder);
        return count;
}

static void send_with_fds(int socket, const char *text, unsigned n) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(253 * sizeof(int))];
        } control = { 0 };
        struct iovec part = { .iov_base = (void *) text, .iov_len = strlen(text) };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(n * sizeof(int)),
        };

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        for (unsigned i = 0; i < n; i++) {
                memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &socket, sizeof(int));
        }
        g_assert_cmpint(sendmsg(socket, &message, 0), ==, (ssize_t) strlen(text));
}

static void test_fds(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        unsigned before = open_fds();
        struct rlimit limit, few;

        send_with_fds(test->peer, "one\n", 1);
        test_channel_feed_text(test, "two\n");
        send_with_fds(test->peer, "three\nfo", 4);
        send_with_fds(test->peer, "ur\n", 253);
        test_event_drain(test->event);
        test_channel_assert_lines(test, "[one][two][three][four]");
        g_assert_cmpuint(open_fds(), ==, before);
        /* More than we may have: what does not fit is closed by the kernel. */
        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        few = (struct rlimit){ .rlim_cur = before + 20, .rlim_max = limit.rlim_max };
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &few), ==, 0);
        send_with_fds(test->peer, "five\n", 200);
        test_channel_feed_text(test, "six\n");
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        test_channel_assert_lines(test, "[one][two][three][four][five][six]");
        g_assert_cmpuint(open_fds(), ==, before);
        g_assert_true(fcntl(channel_get_fd(test->channel), F_GETFD) >= 0);
        test_channel_free(test);
}

static void test_free_in_callbacks(void) {
        for (unsigned which = 0; which < 3; which++) {
                TestChannel *test = test_channel_new(SMALL_LINE_MAX);
                unsigned before = open_fds();
                test->free_at_line = which == 0;
                test->free_at_trouble = which == 1;
                test->free_at_closed = which == 2;
                g_assert_cmpint(channel_send(test->channel, "unread", 6), ==, 0);
                g_assert_cmpint(send(test->peer, mixed, sizeof(mixed) - 1, 0), ==, sizeof(mixed) - 1);
                g_assert_cmpint(shutdown(test->peer, SHUT_WR), ==, 0);
                test_event_drain(test->event);
                g_assert_true(test->channel_gone);
                g_assert_cmpuint(test->lines->len, ==, which == 0 ? 1 : 6);
                g_assert_cmpuint(test->closed, ==, which == 2 ? 1 : 0);
                g_assert_cmpuint(open_fds(), ==, before - 1);
                char bytes[10];
                g_assert_cmpint(recv(test->peer, bytes, 7, 0), ==, 7);
                g_assert_cmpint(recv(test->peer, bytes, 1, 0), ==, 0);
                test_channel_free(test);
        }
}

static void test_memory(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        int fd = channel_store_get_fd(test->store);
        g_autofree char *text = test_channel_text(1, 1000000);

        test_channel_feed_text(test, "small\n");
        g_assert_cmpint(channel_send(test->channel, "small", 5), ==, 0);
        g_assert_cmpuint(test_held_bytes(fd), <=, 3 * (size_t) sysconf(_SC_PAGESIZE)); /* with its header */
        test_channel_feed(test, text, 1000000);
        g_assert_cmpuint(test_held_bytes(fd), >=, 1000000);
        test_channel_feed_text(test, "\n");
        g_assert_cmpuint(test_held_bytes(fd), <=, IDLE_BYTES_MAX);
        test_channel_feed(test, text, 1000000);
        test_channel_renew(test); /* who knows it as well */
        test_channel_feed_text(test, "\n");
        g_assert_cmpuint(test_held_bytes(fd), <=, IDLE_BYTES_MAX);
        for (unsigned i = 0; i < 50; i++) {
                test_channel_feed(test, text, 1000);
                test_channel_feed_text(test, i % 3 ? "x" : "\n");
        }
        g_assert_cmpint(channel_send(test->channel, text, 1000000), ==, 0);
        g_free(test_channel_drink(test, 1000007));
        g_assert_cmpuint(test_held_bytes(fd), <=, IDLE_BYTES_MAX);
        channel_free(test->channel);
        test->channel = NULL;
        g_assert_cmpuint(test_held_bytes(fd), ==, (size_t) sysconf(_SC_PAGESIZE)); /* its header */
        test_channel_free(test);
}

/* What a child of before left in the window of a slot is nothing to the next one. */
static void test_slot_again(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 900000);
        ChannelOptions options = { .line_bytes_max = 1 };
        Channel *channel = NULL;

        test_channel_feed_text(test, "one\ntwo\nhalf");
        g_assert_cmpint(channel_send(test->channel, text, 900000), ==, 0);
        int fd = test_channel_leave(test);
        g_assert_cmpint(channel_new(test->event, test->store, test->slot, fd, &options, &channel), ==, 0);
        g_assert_cmpuint(channel_queued_bytes(channel), ==, 0);
        g_assert_cmpint(channel_leave(channel), ==, fd);
        test_channel_adopt(test, fd);
        test_event_drain(test->event);
        g_assert_cmpuint(channel_queued_bytes(test->channel), ==, 0);
        test_channel_feed_text(test, "again\n");
        test_channel_assert_lines(test, "[one][two][again]");
        test_channel_free(test);
}

/* Channels of one store know nothing of each other. */
static void test_neighbours(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL), *other = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 1000000);
        int fd = test_channel_leave(other);

        channel_store_free(other->store);
        other->store = test->store;
        ChannelOptions options = { .line_bytes_max = 10 };
        g_assert_cmpint(channel_new(other->event,
                                    test->store,
                                    test->slot + 1,
                                    fd,
                                    &options,
                                    &other->channel),
                        ==,
                        0);
        g_assert_cmpint(channel_send(test->channel, text, 1000000), ==, 0);
        g_assert_cmpint(channel_send(other->channel, text, 999999), ==, 0);
        test_channel_feed(test, text, 1000000);
        g_autofree char *got = test_channel_drink(other, 1000000);
        g_assert_cmpint(memcmp(got, text, 999999), ==, 0);
        channel_free(other->channel);
        other->channel = NULL;
        other->store = NULL;
        g_autofree char *own = test_channel_drink(test, 1000001);
        g_assert_cmpint(memcmp(own, text, 1000000), ==, 0);
        test_channel_feed(test, "\n", 1);
        assert_line(test, 0, 1, 1000000);
        test_channel_free(other);
        test_channel_free(test);
}

/* Nothing to do, no wake-up: after lines, a queue, a successor. */
static void test_idle(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 900000);

        test_channel_feed_text(test, "one\nhal");
        g_assert_cmpint(channel_send(test->channel, text, 900000), ==, 0);
        g_free(test_channel_drink(test, 900001));
        test_event_drain(test->event);
        g_assert_cmpint(sd_event_run(test->event, 20000), ==, 0);
        test_channel_renew(test);
        test_event_drain(test->event);
        g_assert_cmpint(sd_event_run(test->event, 20000), ==, 0);
        (void) shutdown(test->peer, SHUT_RDWR);
        test_event_drain(test->event);
        g_assert_cmpuint(test->closed, ==, 1);
        g_assert_cmpint(sd_event_run(test->event, 20000), ==, 0);
        test_channel_free(test);
}

static void test_refused(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        int store_fd = channel_store_get_fd(test->store);
        size_t window = WINDOWS_AT + test->slot * (size_t) CHANNEL_WINDOW_BYTES;
        ChannelOptions options = { .line_bytes_max = CHANNEL_LINE_BYTES_MAX + 1UL };
        Channel *channel = NULL;
        static const uint64_t words[][3] = {
                { UINT64_MAX, 0, 0 },
                { (CHANNEL_HALF_BYTES + 1UL) << 2, 0, 0 },
                { 0, 1, 0 },
                { 0, UINT64_MAX, 0 },
                { 0, 0, CHANNEL_RING_BYTES },
                { 0, 0, CHANNEL_RING_BYTES - 1 },
                { 0, 0, UINT64_MAX },
        };

        int fd = test_channel_leave(test);
        g_assert_cmpint(channel_adopt(test->event, test->store, test->slot, fd, &options, &channel),
                        ==,
                        -EINVAL);
        options.line_bytes_max = 0;
        g_assert_cmpint(channel_new(test->event, test->store, test->slot, fd, &options, &channel),
                        ==,
                        -EINVAL);
        options.line_bytes_max = 10;
        g_assert_cmpint(channel_new(test->event, test->store, UINT32_MAX, fd, &options, &channel),
                        ==,
                        -EINVAL);
        g_assert_cmpint(channel_new(test->event, test->store, 0, -1, &options, &channel), ==, -EBADF);
        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                test_file_set(store_fd, window, words[i], sizeof(words[i]));
                g_assert_cmpint(channel_adopt(test->event, test->store, test->slot, fd, &options, &channel),
                                ==,
                                -EBADMSG);
        }
        g_assert_null(channel);
        g_assert_cmpint(fcntl(fd, F_GETFD), >=, 0); /* still the caller's */
        (void) close(fd);
        test_channel_free(test);
}

static void assert_store_refused(int fd, size_t offset, unsigned char bits, int error) {
        _cleanup_close_ int copy = test_file_copy(fd);
        ChannelStore *store = NULL;

        test_file_flip(copy, offset, bits);
        g_assert_cmpint(channel_store_new(copy, &store), ==, error);
        g_assert_null(store);
        g_assert_cmpint(fcntl(copy, F_GETFD), >=, 0);
}

static void test_store(void) {
        ChannelStore *store = NULL, *again = NULL;

        g_assert_cmpint(channel_store_new(-1, &store), ==, 0);
        int fd = channel_store_get_fd(store);
        g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        for (size_t i = 0; i < 8; i++) {
                assert_store_refused(fd, i, 1, -EBADMSG);
                assert_store_refused(fd, 8 + i, 1, -EPROTONOSUPPORT);
                assert_store_refused(fd, 16 + i, 1, -EPROTONOSUPPORT);
        }
        int short_fd = test_file_copy(fd);
        g_assert_cmpint(ftruncate(short_fd, 100), ==, 0);
        g_assert_cmpint(channel_store_new(short_fd, &again), ==, -EBADMSG);
        g_assert_cmpint(ftruncate(short_fd, 0), ==, 0);
        g_assert_cmpint(channel_store_new(short_fd, &again), ==, 0);
        g_assert_cmpint(channel_store_take_fd(again), ==, short_fd);
        channel_store_free(again);
        g_assert_cmpint(fcntl(short_fd, F_GETFD), >=, 0);
        (void) close(short_fd);
        channel_store_free(store);
}

/* A file may not be larger than a limit: an error, where the system would end us by a signal. */
static void test_file_size_limit(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        struct rlimit limit, small;
        Channel *channel = NULL;
        ChannelOptions options = { .line_bytes_max = 10 };

        g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
        small = (struct rlimit){ .rlim_cur = 1024 * 1024, .rlim_max = limit.rlim_max };
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
        int r = channel_new(test->event, test->store, test->slot + 1, test->peer, &options, &channel);
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
        g_assert_cmpint(r, ==, -EFBIG);
        test_channel_free(test);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/channel/lines", test_lines);
        g_test_add_func("/platform/channel/cuts", test_cuts);
        g_test_add_func("/platform/channel/successors", test_successors);
        g_test_add_func("/platform/channel/while-away", test_while_away);
        g_test_add_func("/platform/channel/left-lying", test_left_lying);
        g_test_add_func("/platform/channel/many-lines", test_many_lines);
        g_test_add_func("/platform/channel/huge-lines", test_huge_lines);
        g_test_add_func("/platform/channel/too-long", test_too_long);
        g_test_add_func("/platform/channel/nul-left-behind", test_nul_left_behind);
        g_test_add_func("/platform/channel/end-of-file", test_end_of_file);
        g_test_add_func("/platform/channel/reset", test_reset);
        g_test_add_func("/platform/channel/batches", test_batches);
        g_test_add_func("/platform/channel/fairness", test_fairness);
        g_test_add_func("/platform/channel/fairness-of-lines", test_fairness_of_lines);
        g_test_add_func("/platform/channel/send", test_send);
        g_test_add_func("/platform/channel/order", test_order);
        g_test_add_func("/platform/channel/sent-pages", test_sent_pages);
        g_test_add_func("/platform/channel/end-of-ring", test_end_of_ring);
        g_test_add_func("/platform/channel/closed-with-queue", test_closed_with_queue);
        g_test_add_func("/platform/channel/half-closed", test_half_closed);
        g_test_add_func("/platform/channel/fds", test_fds);
        g_test_add_func("/platform/channel/free-in-callbacks", test_free_in_callbacks);
        g_test_add_func("/platform/channel/memory", test_memory);
        g_test_add_func("/platform/channel/slot-again", test_slot_again);
        g_test_add_func("/platform/channel/neighbours", test_neighbours);
        g_test_add_func("/platform/channel/idle", test_idle);
        g_test_add_func("/platform/channel/refused", test_refused);
        g_test_add_func("/platform/channel/store", test_store);
        g_test_add_func("/platform/channel/file-size-limit", test_file_size_limit);
        return g_test_run();
}
