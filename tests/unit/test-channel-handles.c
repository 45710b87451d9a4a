/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lines that carry an fd: with their first byte, never within another, and all at once. */

#include "channel-fixture.h"

#include "event-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        LINE_MAX_USUAL = CHANNEL_LINE_BYTES_MAX,
};

/* What one read of the child gives, and how many fds with it. */
static char *take(int peer, unsigned *ret_fds) {
        char bytes[64 * 1024];
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(16 * sizeof(int))];
        } control;
        struct iovec space = { bytes, sizeof(bytes) };
        struct msghdr message = {
                .msg_iov = &space,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);

        *ret_fds = 0;
        if (n < 0) {
                g_assert_cmpint(errno, ==, EAGAIN);
                return NULL;
        }
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
                for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int fd;
                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
                        g_assert_cmpint(close(fd), ==, 0);
                        (*ret_fds)++;
                }
        }
        return g_strndup(bytes, (size_t) n);
}

static int null_fd(void) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

/* Each of them ends a read of the child, which so knows what belongs to what. */
static void test_between_lines(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        int fd = null_fd();
        unsigned fds;

        g_assert_cmpint(channel_send(test->channel, "a", 1), ==, 0);
        g_assert_cmpint(channel_send_handle(test->channel, "one", 3, fd), ==, 0);
        g_assert_cmpint(channel_send_handle(test->channel, "two", 3, fd), ==, 0);
        g_assert_cmpint(channel_send(test->channel, "b", 1), ==, 0);
        g_autoptr(GString) all = g_string_new(NULL);
        unsigned count = 0;
        for (char *text; (text = take(test->peer, &fds)); g_free(text)) {
                g_assert_cmpuint(fds, <=, 1);
                count += fds;
                g_string_append(all, text);
        }
        g_assert_cmpstr(all->str, ==, "a\none\ntwo\nb\n");
        g_assert_cmpuint(count, ==, 2);
        g_assert_cmpint(fcntl(fd, F_GETFD), >=, 0); /* it was borrowed */
        g_assert_cmpint(close(fd), ==, 0);
        test_channel_free(test);
}

/* Behind all that waits, and then the caller is told when it may try again. */
static void test_no_room(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 900000);
        int fd = null_fd();
        unsigned fds;

        g_assert_cmpint(channel_send(test->channel, text, 900000), ==, 0);
        g_assert_cmpuint(channel_queued_bytes(test->channel), >, 0);
        g_assert_cmpint(channel_send_handle(test->channel, "one", 3, fd), ==, -EAGAIN);
        test_event_drain(test->event);
        g_assert_cmpuint(test->room, ==, 0);
        g_autofree char *got = test_channel_drink(test, 900001);
        g_assert_cmpint(memcmp(got, text, 900000), ==, 0);
        while (test->room == 0) {
                g_assert_cmpint(sd_event_run(test->event, UINT64_MAX), >=, 0);
        }
        test_event_drain(test->event);
        g_assert_cmpuint(test->room, ==, 1);
        g_assert_cmpint(channel_send_handle(test->channel, "one", 3, fd), ==, 0);
        g_autofree char *line = take(test->peer, &fds);
        g_assert_cmpstr(line, ==, "one\n");
        g_assert_cmpuint(fds, ==, 1);
        g_assert_cmpint(close(fd), ==, 0);
        test_channel_free(test);
}

/* A full socket takes none of it: the whole line comes later, with its fd. */
static void test_full_socket(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(2, 20000);
        int fd = null_fd();
        unsigned sent = 0, fds;
        int r;

        while ((r = channel_send_handle(test->channel, text, 20000, fd)) == 0) {
                sent++;
        }
        g_assert_cmpint(r, ==, -EAGAIN);
        g_assert_cmpuint(sent, >, 1);
        for (unsigned i = 0; i < sent; i++) {
                g_autofree char *line = take(test->peer, &fds);
                g_assert_cmpuint(strlen(line), ==, 20001);
                g_assert_cmpuint(fds, ==, 1);
        }
        g_autofree char *rest = take(test->peer, &fds);
        g_assert_null(rest);
        test->free_at_room = true;
        while (!test->channel_gone) {
                g_assert_cmpint(sd_event_run(test->event, UINT64_MAX), >=, 0);
        }
        g_assert_cmpint(close(fd), ==, 0);
        test_channel_free(test);
}

static void test_refused(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 40000);
        int fd = null_fd();

        g_assert_cmpint(channel_send_handle(test->channel, text, 40000, fd), ==, -EMSGSIZE);
        g_assert_cmpint(channel_send_handle(test->channel, "a\nb", 3, fd), ==, -EINVAL);
        g_assert_cmpint(channel_send_handle(test->channel, "", 0, fd), ==, -EINVAL);
        g_assert_cmpint(close(test->peer), ==, 0);
        test->peer = -1;
        g_assert_cmpint(channel_send_handle(test->channel, "x", 1, fd), ==, -EPIPE);
        test_event_drain(test->event);
        g_assert_cmpuint(test->closed, ==, 1);
        g_assert_cmpint(channel_send_handle(test->channel, "x", 1, fd), ==, -EPIPE);
        g_assert_cmpint(close(fd), ==, 0);
        test_channel_free(test);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        g_test_add_func("/platform/channel/handles-between-lines", test_between_lines);
        g_test_add_func("/platform/channel/handles-no-room", test_no_room);
        g_test_add_func("/platform/channel/handles-full-socket", test_full_socket);
        g_test_add_func("/platform/channel/handles-refused", test_refused);
        return g_test_run();
}
