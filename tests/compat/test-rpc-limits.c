/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The request socket: what clients cannot do to it, however many they are. */

#include "event-fixture.h"
#include "rpc-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* So many are worked on; the next is looked at when one is done. */
static void test_in_flight(void) {
        enum {
                REQUESTS = 3 * RPC_CALLS_MAX,
        };
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        AmpFrame frame;

        for (unsigned i = 0; i < REQUESTS; i++) {
                test_peer_request(peer, TEST_HOLD, "s:1");
        }
        test_peer_assert_quiet(peer);
        g_assert_cmpuint(service->held->len, ==, RPC_CALLS_MAX);
        test_service_assert_alive(service);
        for (unsigned i = 0; i < REQUESTS; i++) {
                rpc_call_reply(test_service_take_held(service), "", 0);
                test_event_drain(service->event);
                g_assert_cmpuint(service->held->len, ==, MIN(RPC_CALLS_MAX, REQUESTS - 1 - i));
                g_assert_true(test_peer_next(peer, &frame));
        }
        test_peer_free(peer);
        test_service_free(service);
}

/* However many clients one user has, what they have in flight is bounded, also when they have gone. */
static void test_in_flight_of_user(void) {
        TestService *service = test_service_new();
        unsigned clients = RPC_USER_CALLS_MAX / RPC_CALLS_MAX;

        for (unsigned i = 0; i < clients; i++) {
                TestPeer *peer = test_peer_new(service->socket);
                for (unsigned k = 0; k < RPC_CALLS_MAX; k++) {
                        test_peer_request(peer, TEST_HOLD, "s:1");
                }
                test_event_drain(service->event);
                test_peer_free(peer);
        }
        test_event_drain(service->event);
        g_assert_cmpuint(service->held->len, ==, RPC_USER_CALLS_MAX);
        TestPeer *peer = test_peer_new(service->socket);
        test_peer_request(peer, TEST_HOLD, "s:1");
        test_peer_assert_error(peer, "too many requests");
        rpc_call_drop(test_service_take_held(service));
        test_peer_request(peer, TEST_HOLD, "s:1");
        test_peer_assert_quiet(peer);
        g_assert_cmpuint(service->held->len, ==, RPC_USER_CALLS_MAX);
        test_peer_free(peer);
        test_service_free(service);
}

static void test_large_arguments_in_flight(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        g_autofree char *text = g_strnfill(1000 * 1000, 'x');
        g_autofree char *request = g_strdup_printf("{\"method\":\"hold\",\"args\":[\"%s\"]}", text);
        AmpFrame frame;

        /* more than are kept; the socket holds the rest */
        for (unsigned i = 0; i < 8; i++) {
                test_peer_request(peer, request, "s:1");
        }
        test_event_drain(service->event);
        g_assert_cmpuint(service->held->len, <=, 9);
        unsigned before = service->held->len;
        rpc_call_reply(test_service_take_held(service), "", 0);
        g_assert_true(test_peer_next(peer, &frame));
        g_assert_cmpuint(before, >=, 7);
        test_peer_free(peer);
        test_service_free(service);
}

static void set_large(TestService *service, size_t bytes) {
        (void) g_string_set_size(service->large, bytes);
        memset(service->large->str, 'z', bytes);
        service->large->str[0] = service->large->str[bytes - 1] = '"';
}

/* A reply that is larger than any buffer on the way, read slowly. */
static void test_large_reply(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        AmpFrame frame;

        set_large(service, 80 * 1024 * 1024);
        test_peer_request(peer, "{\"method\":\"large\",\"args\":[]}", "s:1");
        test_peer_request(peer, TEST_PING, "s:2");
        test_service_assert_alive(service);
        g_assert_true(test_peer_next(peer, &frame));
        size_t extra = strlen("j:{\"args\":[]}");
        g_assert_cmpuint(frame.arguments[0].length, ==, service->large->len + extra);
        g_assert_cmpint(memcmp(frame.arguments[0].bytes + strlen("j:{\"args\":["),
                               service->large->str,
                               service->large->len),
                        ==,
                        0);
        test_peer_assert_next(peer, "j:{\"args\":[{\"msg\":\"pong\"}]}", "s:2");
        test_peer_free(peer);
        test_service_free(service);
}

/* Who does not read is not read from: its requests stay where they are. */
static void test_never_reading(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        g_autoptr(GString) stream = g_string_new(NULL);
        size_t sent = 0, before;
        unsigned turns = 0;

        set_large(service, 1024 * 1024);
        for (unsigned i = 0; i < 1000; i++) {
                static const char json[] = "{\"method\":\"large\",\"args\":[]}";
                char bytes[128];
                char *out = amp_write_head(bytes, 2);
                out = amp_write_argument(out, AMP_JSON, json, strlen(json));
                out = amp_write_argument(out, AMP_STRING, "1", 1);
                g_string_append_len(stream, bytes, out - bytes);
        }
        do {
                before = sent;
                sent += test_peer_try_send(
                                peer, stream->str + sent % stream->len, stream->len - sent % stream->len);
                test_event_drain(service->event);
                g_assert_cmpuint(service->server->memory_bytes, <, 8 * 1024 * 1024);
        } while (sent > before && ++turns < 1000);
        g_assert_cmpuint(sent, ==, before); /* the kernel's buffer is full, and stays so */
        test_service_assert_alive(service);
        test_event_drain(service->event); /* nothing turns for ever: this comes back */
        test_peer_free(peer);
        test_event_drain(service->event);
        g_assert_cmpuint(service->server->connections.length, ==, 0);
        g_assert_cmpuint(service->server->memory_bytes, ==, 0);
        test_service_free(service);
}

/* Replies that come later than what was looked at then: beyond the bound the client is closed. */
static void test_backlog_bound(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        g_autofree char *value = g_strnfill(4 * 1024 * 1024, '7');
        unsigned replies = 0;

        for (unsigned i = 0; i < RPC_CALLS_MAX; i++) {
                test_peer_request(peer, TEST_HOLD, "s:1");
        }
        test_event_drain(service->event);
        g_assert_cmpuint(service->held->len, ==, RPC_CALLS_MAX);
        while (service->server->connections.length > 0 && service->held->len > 0) {
                rpc_call_reply(test_service_take_held(service), value, strlen(value));
                replies++;
                g_assert_cmpuint(service->server->memory_bytes, <=, RPC_BACKLOG_BYTES_MAX + 1024 * 1024);
        }
        g_assert_cmpuint(replies, >=, 15);
        g_assert_cmpuint(replies, <=, 18);
        g_assert_cmpuint(service->server->memory_bytes, ==, 0);
        test_service_assert_alive(service);
        test_peer_free(peer);
        test_service_free(service);
}

/* Many of these: the memory of all is bounded too. */
static void test_memory_bound(void) {
        enum {
                CLIENTS = 8,
        };
        TestService *service = test_service_new();
        TestPeer *peers[CLIENTS];
        g_autofree char *value = g_strnfill(50 * 1024 * 1024, '7');

        for (unsigned i = 0; i < CLIENTS; i++) {
                peers[i] = test_peer_new(service->socket);
                test_peer_request(peers[i], TEST_HOLD, "s:1");
                rpc_call_reply(test_service_take_held(service), value, strlen(value));
                g_assert_cmpuint(service->server->memory_bytes, <=, RPC_MEMORY_BYTES_MAX);
        }
        g_assert_cmpuint(service->server->connections.length, ==, 5);
        test_service_assert_alive(service);
        for (unsigned i = 0; i < CLIENTS; i++) {
                test_peer_free(peers[i]);
        }
        test_service_free(service);
}

/* What is received is kept while it is needed. */
static void test_idle_memory(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        g_assert_cmpuint(service->server->memory_bytes, ==, 0);
        test_peer_send(peer, "\x12\0\0\0\x20half", 9);
        test_event_drain(service->event);
        g_assert_cmpuint(service->server->memory_bytes, >, 0);
        g_assert_cmpuint(service->server->memory_bytes, <=, 16 * 1024);
        test_peer_free(peer);
        test_event_drain(service->event);
        g_assert_cmpuint(service->server->memory_bytes, ==, 0);
        test_service_free(service);
}

static void test_connect_and_close(void) {
        TestService *service = test_service_new();
        unsigned before = test_count_fds();

        for (unsigned i = 0; i < 1000; i++) {
                (void) close(test_connect(service->socket));
        }
        test_event_drain(service->event);
        g_assert_cmpuint(service->server->connections.length, ==, 0);
        g_assert_cmpuint(g_hash_table_size(service->server->users), ==, 0); /* nothing was made for them */
        g_assert_cmpuint(test_count_fds(), ==, before);
        test_service_assert_alive(service);
        test_service_free(service);
}

static void test_crowd(void) {
        enum {
                CLIENTS = RPC_CONNECTIONS_MAX + 500,
        };
        if (!test_need_fds(2 * CLIENTS + 100)) {
                return;
        }
        TestService *service = test_service_new();
        int fds[CLIENTS];
        TestPeer *busy = test_peer_new(service->socket);

        test_peer_request(busy, TEST_HOLD, "s:busy");
        RpcCall *call = test_service_take_held(service);
        for (unsigned i = 0; i < CLIENTS; i++) {
                fds[i] = test_connect(service->socket);
        }
        test_event_drain(service->event);
        g_assert_cmpuint(service->server->connections.length, ==, RPC_CONNECTIONS_MAX);
        test_service_assert_alive(service);
        /* the one that waits for an answer was older than all, and has its place still */
        rpc_call_reply(call, "1", 1);
        test_peer_assert_next(busy, "j:{\"args\":[1]}", "s:busy");
        char byte;
        g_assert_cmpint(recv(fds[0], &byte, 1, MSG_DONTWAIT), ==, 0); /* the oldest has gone */
        g_assert_cmpint(recv(fds[CLIENTS - 2], &byte, 1, MSG_DONTWAIT), ==, -1);
        for (unsigned i = 0; i < CLIENTS; i++) {
                (void) close(fds[i]);
        }
        test_event_drain(service->event);
        g_assert_cmpuint(service->server->connections.length, ==, 1);
        test_peer_free(busy);
        test_service_free(service);
}

enum {
        STRANGERS = 5,
        STRANGER_CLIENTS = 2000,
};

/* A process that connects as often as it can, and holds all of that until it is ended. */
static pid_t fork_stranger(const TestSocket *listening, int done_fd, int hold_fd) {
        pid_t pid = fork();

        if (pid == 0) {
                struct sockaddr_un address = { .sun_family = AF_UNIX };
                char byte = 0;
                (void) g_strlcpy(address.sun_path, listening->path, sizeof(address.sun_path));
                for (unsigned i = 0; i < STRANGER_CLIENTS; i++) {
                        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                        if (fd < 0 || connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                                _exit(1);
                        }
                        if (i % 3 > 0) { /* a part of a frame, or what is none */
                                (void) send(fd, "\x12\0\0\0\7part", i % 3 + 4, MSG_NOSIGNAL);
                        }
                }
                (void) !write(done_fd, &byte, 1);
                (void) !read(hold_fd, &byte, 1);
                _exit(0);
        }
        return pid;
}

typedef struct Strangers {
        int done_fd;
        unsigned done;
} Strangers;

static bool are_done(void *userdata) {
        Strangers *strangers = userdata;
        char bytes[STRANGERS];
        ssize_t n = read(strangers->done_fd, bytes, sizeof(bytes));

        strangers->done += (unsigned) MAX(n, 0);
        return strangers->done == STRANGERS;
}

/* 10,000 connections of others: they take each other's places, and a client that is idle keeps its own. */
static void test_strangers(void) {
        int done[2], hold[2];

        if (!test_need_fds(STRANGER_CLIENTS + 100)) {
                return;
        }
        TestService *service = test_service_new();
        TestPeer *idle = test_peer_new(service->socket);
        pid_t pids[STRANGERS];
        test_peer_assert_reply(idle, TEST_PING, TEST_PONG);
        g_assert_cmpint(pipe2(done, O_CLOEXEC | O_NONBLOCK), ==, 0);
        g_assert_cmpint(pipe2(hold, O_CLOEXEC), ==, 0);
        for (unsigned i = 0; i < STRANGERS; i++) {
                pids[i] = fork_stranger(service->socket, done[1], hold[0]);
        }
        Strangers strangers = { .done_fd = done[0] };
        test_event_wait(service->event, are_done, &strangers, "10,000 connections");
        g_assert_cmpuint(service->server->connections.length, <=, RPC_CONNECTIONS_MAX);
        test_service_assert_alive(service);
        test_peer_assert_reply(idle, TEST_PING, TEST_PONG);
        for (unsigned i = 0; i < STRANGERS; i++) {
                g_assert_cmpint(kill(pids[i], SIGKILL), ==, 0);
                g_assert_cmpint(waitpid(pids[i], NULL, 0), ==, pids[i]);
        }
        (void) close(hold[0]);
        (void) close(hold[1]);
        (void) close(done[0]);
        (void) close(done[1]);
        test_peer_assert_reply(idle, TEST_PING, TEST_PONG);
        test_peer_free(idle);
        test_service_free(service);
}

/* Take all descriptors that this process may have, of 200 at most. */
static GArray *take_descriptors(int fd, struct rlimit *ret_limit) {
        GArray *taken = g_array_new(FALSE, FALSE, sizeof(int));
        struct rlimit small;
        int copy;

        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, ret_limit), ==, 0);
        small = *ret_limit;
        small.rlim_cur = 200;
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &small), ==, 0);
        while ((copy = dup(fd)) >= 0) {
                g_array_append_val(taken, copy);
        }
        return taken;
}

static void give_descriptors_back(GArray *taken, const struct rlimit *limit) {
        for (guint i = 0; i < taken->len; i++) {
                (void) close(g_array_index(taken, int, i));
        }
        g_array_unref(taken);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, limit), ==, 0);
}

/* Not a descriptor is left for a client: one that was not used for a while gives its own, and each is served
 * before it is the next one's turn. */
static void test_no_descriptors(void) {
        if (test_skip_in_valgrind()) {
                return;
        }
        TestService *service = test_service_new();
        TestPeer *idle = test_peer_new(service->socket);
        struct rlimit limit;

        test_peer_assert_reply(idle, TEST_PING, TEST_PONG);
        TestPeer *late = test_peer_new(service->socket), *later = test_peer_new(service->socket);
        GArray *taken = take_descriptors(service->socket->fd, &limit);
        test_peer_request(late, TEST_PING, "s:1");
        test_peer_request(later, TEST_PING, "s:2");
        test_peer_assert_closed(idle);
        test_peer_assert_next(late, "j:{\"args\":[{\"msg\":\"pong\"}]}", "s:1");
        test_peer_assert_next(later, "j:{\"args\":[{\"msg\":\"pong\"}]}", "s:2");
        test_peer_assert_closed(late);
        g_assert_cmpuint(service->server->connections.length, ==, 1);
        give_descriptors_back(taken, &limit);
        test_service_assert_alive(service);
        test_peer_free(idle);
        test_peer_free(late);
        test_peer_free(later);
        test_service_free(service);
}

/* With nobody to close it waits, is accepted later, and until then costs no turns of the loop. */
static void test_pause(void) {
        if (test_skip_in_valgrind()) {
                return;
        }
        TestService *service = test_service_new();
        TestPeer *late = test_peer_new(service->socket);
        struct rlimit limit;
        unsigned turns = 0;

        GArray *taken = take_descriptors(service->socket->fd, &limit);
        test_peer_request(late, TEST_PING, "s:1");
        gint64 end = g_get_monotonic_time() + 350 * 1000;
        while (g_get_monotonic_time() < end) {
                turns += sd_event_run(service->event, 100 * 1000) > 0;
        }
        g_assert_cmpuint(turns, >=, 2);
        g_assert_cmpuint(turns, <=, 12); /* a try and a timer each 100 ms */
        give_descriptors_back(taken, &limit);
        test_peer_assert_next(late, "j:{\"args\":[{\"msg\":\"pong\"}]}", "s:1");
        test_peer_free(late);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rpc-limits/in-flight", test_in_flight);
        g_test_add_func("/rpc-limits/in-flight-of-user", test_in_flight_of_user);
        g_test_add_func("/rpc-limits/large-arguments-in-flight", test_large_arguments_in_flight);
        g_test_add_func("/rpc-limits/large-reply", test_large_reply);
        g_test_add_func("/rpc-limits/never-reading", test_never_reading);
        g_test_add_func("/rpc-limits/backlog-bound", test_backlog_bound);
        g_test_add_func("/rpc-limits/memory-bound", test_memory_bound);
        g_test_add_func("/rpc-limits/idle-memory", test_idle_memory);
        g_test_add_func("/rpc-limits/connect-and-close", test_connect_and_close);
        g_test_add_func("/rpc-limits/crowd", test_crowd);
        g_test_add_func("/rpc-limits/strangers", test_strangers);
        g_test_add_func("/rpc-limits/no-descriptors", test_no_descriptors);
        g_test_add_func("/rpc-limits/pause", test_pause);
        return g_test_run();
}
