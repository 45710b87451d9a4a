/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat-fixture.h"

#include "event-fixture.h"
#include "fixture.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
        FRAME_BYTES_MAX = 512 * 1024 * 1024,
        READ_BYTES = 64 * 1024,
};

static struct sockaddr_un address_of(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        g_assert_cmpuint(strlen(path), <, sizeof(address.sun_path));
        memcpy(address.sun_path, path, strlen(path));
        return address;
}

TestSocket *test_socket_new(sd_event *event) {
        TestSocket *listening = g_new0(TestSocket, 1);

        listening->event = event;
        listening->folder = test_folder_new();
        listening->path = test_path(listening->folder, "sock");
        listening->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(listening->fd, >=, 0);
        const struct sockaddr_un address = address_of(listening->path);
        g_assert_cmpint(bind(listening->fd, (const struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(listening->fd, SOMAXCONN), ==, 0);
        return listening;
}

void test_socket_free(TestSocket *listening) {
        (void) close(listening->fd);
        test_folder_remove(listening->folder);
        g_free(listening->path);
        g_free(listening);
}

int test_connect(const TestSocket *listening) {
        const struct sockaddr_un address = address_of(listening->path);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        g_assert_cmpint(fd, >=, 0);
        while (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                g_assert_cmpint(errno, ==, EAGAIN); /* the queue is full */
                g_assert_cmpint(sd_event_run(listening->event, 10000), >=, 0);
        }
        return fd;
}

TestPeer *test_peer_new(const TestSocket *listening) {
        TestPeer *peer = g_new0(TestPeer, 1);

        peer->event = listening->event;
        peer->fd = test_connect(listening);
        amp_reader_init(&peer->reader, FRAME_BYTES_MAX, FRAME_BYTES_MAX);
        return peer;
}

void test_peer_free(TestPeer *peer) {
        amp_reader_done(&peer->reader);
        (void) close(peer->fd);
        g_free(peer);
}

size_t test_peer_try_send(TestPeer *peer, const void *bytes, size_t length) {
        ssize_t n = send(peer->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0) {
                g_assert_true(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        }
        return (size_t) MAX(n, 0);
}

typedef struct Sending {
        TestPeer *peer;
        const char *bytes;
        size_t length;
} Sending;

static bool is_sent(void *userdata) {
        Sending *sending = userdata;
        size_t n = test_peer_try_send(sending->peer, sending->bytes, sending->length);

        sending->bytes += n;
        sending->length -= n;
        return sending->length == 0;
}

void test_peer_send(TestPeer *peer, const void *bytes, size_t length) {
        Sending sending = { peer, bytes, length };

        test_event_wait(peer->event, is_sent, &sending, "the server to read");
}

void test_peer_send_frame(TestPeer *peer, size_t count, const char *const *arguments) {
        size_t bytes = AMP_HEAD_BYTES;

        for (size_t i = 0; i < count; i++) {
                bytes += amp_argument_bytes(AMP_RAW, strlen(arguments[i]));
        }
        g_autofree char *frame = g_malloc(bytes);
        char *out = amp_write_head(frame, count);
        for (size_t i = 0; i < count; i++) {
                out = amp_write_argument(out, AMP_RAW, arguments[i], strlen(arguments[i]));
        }
        test_peer_send(peer, frame, bytes);
}

void test_peer_request(TestPeer *peer, const char *json, const char *id) {
        g_autofree char *call = g_strconcat("j:", json, NULL);
        const char *const arguments[] = { call, id };

        test_peer_send_frame(peer, 2, arguments);
}

/* Read what is there. */
static void receive(TestPeer *peer) {
        void *room;
        size_t size;

        while (!peer->ended) {
                g_assert_cmpint(amp_reader_reserve(&peer->reader, READ_BYTES, &room, &size), ==, 0);
                ssize_t n = recv(peer->fd, room, size, MSG_DONTWAIT);
                if (n > 0) {
                        amp_reader_commit(&peer->reader, (size_t) n);
                        return;
                }
                if (n < 0 && errno == EAGAIN) {
                        return;
                }
                g_assert_true(n == 0 || errno == ECONNRESET);
                peer->ended = true;
        }
}

typedef struct Wish {
        TestPeer *peer;
        AmpFrame *frame;
        bool fulfilled;
} Wish;

static bool is_fulfilled(void *userdata) {
        Wish *wish = userdata;
        int r = amp_reader_next(&wish->peer->reader, wish->frame);

        if (r == 0) {
                receive(wish->peer);
                r = amp_reader_next(&wish->peer->reader, wish->frame);
        }
        g_assert_cmpint(r, >=, 0);
        wish->fulfilled = r > 0;
        return wish->fulfilled || wish->peer->ended;
}

bool test_peer_next(TestPeer *peer, AmpFrame *ret) {
        Wish wish = { .peer = peer, .frame = ret };

        test_event_wait(peer->event, is_fulfilled, &wish, "a frame");
        return wish.fulfilled;
}

static void assert_argument(const AmpArgument *argument, const char *expected) {
        g_autofree char *text = g_strndup(argument->bytes, argument->length);

        g_assert_cmpstr(text, ==, expected);
        g_assert_cmpuint(argument->length, ==, strlen(expected));
}

void test_peer_assert_next(TestPeer *peer, const char *first, const char *second) {
        AmpFrame frame;

        g_assert_true(test_peer_next(peer, &frame));
        g_assert_cmpuint(frame.count, ==, 2);
        assert_argument(&frame.arguments[0], first);
        assert_argument(&frame.arguments[1], second);
}

void test_peer_assert_reply(TestPeer *peer, const char *request, const char *reply) {
        g_autofree char *expected = g_strconcat("j:", reply, NULL);

        test_peer_request(peer, request, "s:1:1");
        test_peer_assert_next(peer, expected, "s:1:1");
}

void test_peer_assert_closed(TestPeer *peer) {
        AmpFrame frame;

        g_assert_false(test_peer_next(peer, &frame));
        g_assert_cmpuint(amp_reader_waiting_bytes(&peer->reader), ==, 0);
}

void test_peer_assert_quiet(TestPeer *peer) {
        AmpFrame frame;

        test_event_drain(peer->event);
        receive(peer);
        g_assert_false(peer->ended);
        g_assert_cmpint(amp_reader_next(&peer->reader, &frame), ==, 0);
}

unsigned test_count_fds(void) {
        g_autoptr(GDir) folder = g_dir_open("/proc/self/fd", 0, NULL);
        unsigned count = 0;

        g_assert_nonnull(folder);
        while (g_dir_read_name(folder)) {
                count++;
        }
        return count;
}

bool test_skip_in_valgrind(void) {
        int fd = pidfd_open(getpid(), 0);

        if (fd < 0) {
                g_test_skip("there are no pidfds");
                return true;
        }
        (void) close(fd);
        return false;
}

bool test_need_fds(unsigned count) {
        struct rlimit limit;

        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        if (limit.rlim_max < count) {
                g_test_skip("there are not enough descriptors");
                return false;
        }
        limit.rlim_cur = MAX(limit.rlim_cur, count);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        return true;
}
