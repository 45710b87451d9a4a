/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The request socket: what clients get, good and bad ones. */

#include "basic/time-util.h"
#include "event-fixture.h"
#include "fixture.h"
#include "platform/proc-stat.h"
#include "rpc-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_ping(void) {
        static const char request[] = "\x12\0\0\0\x2dj:{\"type\":\"call\",\"method\":\"ping\",\"args\":[{}]}"
                                      "\0\0\0\x08s:4242:0";
        static const char expected[] = "\x12\0\0\0\x1bj:{\"args\":[{\"msg\":\"pong\"}]}\0\0\0\x08s:4242:0";
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        char reply[sizeof(expected)];

        test_peer_send(peer, request, sizeof(request) - 1);
        struct timeval limit = { .tv_sec = 10 };
        g_assert_cmpint(setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), ==, 0);
        test_event_drain(service->event);
        ssize_t n = recv(peer->fd, reply, sizeof(reply), 0);
        g_assert_cmpint(n, ==, sizeof(expected) - 1);
        g_assert_cmpmem(reply, (size_t) n, expected, sizeof(expected) - 1);
        test_peer_free(peer);
        test_service_free(service);
}

static void test_ids(void) {
        static const char *const ids[] = { "s:4242:0", "j:{\"a\": 1}", "j:nonsense", "raw", "s:", "\xff\x01",
                                           "" };
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
                test_peer_request(peer, TEST_PING, ids[i]);
                test_peer_assert_next(peer, "j:{\"args\":[{\"msg\":\"pong\"}]}", ids[i]);
        }
        test_peer_free(peer);
        test_service_free(service);
}

static void test_replies(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        g_autofree char *who = g_strdup_printf("{\"args\":[%u,%u,\"pm2-socket\"]}", geteuid(), getegid());

        test_peer_assert_reply(peer, "{\"method\":\"echo\",\"args\":[\"hey\"]}", "{\"args\":[\"hey\",2]}");
        test_peer_assert_reply(peer, "{\"method\":\"who\",\"args\":[]}", who);
        /* as PM2's clients do not do: too few of them are the method's business */
        test_peer_assert_reply(
                        peer,
                        "{\"method\":\"echo\",\"args\":[]}",
                        "{\"error\":\"echo needs a string\",\"stack\":\"echo needs a string\"}");
        test_peer_assert_reply(
                        peer,
                        "{\"method\":\"fail\",\"args\":[]}",
                        "{\"error\":\"no \\\"luck\\\"\\u000a\xef\xbf\xbd today\","
                        "\"stack\":\"no \\\"luck\\\"\\u000a\xef\xbf\xbd today\"}");
        test_peer_request(peer, "{\"method\":\"drop\",\"args\":[]}", "s:1");
        test_peer_assert_quiet(peer);
        test_peer_free(peer);
        test_service_free(service);
}

static void test_introspection(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_assert_reply(
                        peer,
                        "{\"type\":\"methods\"}",
                        "{\"methods\":{\"ping\":{\"name\":\"ping\",\"params\":[\"env\",\"cb\"]},"
                        "\"hold\":{\"name\":\"hold\",\"params\":[\"cb\"]},"
                        "\"fail\":{\"name\":\"fail\",\"params\":[\"opts\",\"cb\"]},"
                        "\"drop\":{\"name\":\"drop\",\"params\":[]},"
                        "\"large\":{\"name\":\"large\",\"params\":[\"cb\"]},"
                        "\"echo\":{\"name\":\"echo\",\"params\":[\"text\",\"cb\"]},"
                        "\"who\":{\"name\":\"who\",\"params\":[\"cb\"]},"
                        "\"quit\":{\"name\":\"quit\",\"params\":[\"pid\",\"cb\"]},"
                        "\"end\":{\"name\":\"end\",\"params\":[\"cb\"]}}}");
        test_peer_free(peer);
        test_service_free(service);
}

/* What is wrong is said, and the connection goes on. */
static void test_bad_requests(void) {
        static const struct {
                const char *request, *error;
        } cases[] = {
                { "{}", ".method required" },
                { "{\"method\":null,\"args\":[]}", ".method required" },
                { "{\"method\":\"\",\"args\":[]}", ".method required" },
                { "{\"type\":\"call\",\"args\":[]}", ".method required" },
                { "{\"type\":7}", ".method required" },
                { "{\"method\":5,\"args\":[]}", ".method must be a string, not a number" },
                { "{\"method\":{},\"args\":[]}", ".method must be a string, not an object" },
                { "{\"method\":\"nope\",\"args\":[]}", "method \\\"nope\\\" does not exist" },
                { "{\"method\":\"nope\"}", "method \\\"nope\\\" does not exist" },
                { "{\"method\":\"toString\",\"args\":[]}", "method \\\"toString\\\" does not exist" },
                { "{\"method\":\"a\\nb\\\"\",\"args\":[]}", "method \\\"a\\u000ab\\\"\\\" does not exist" },
                { "{\"method\":\"ping\"}", ".args required" },
                { "{\"method\":\"ping\",\"args\":null}", ".args required" },
                { "{\"method\":\"ping\",\"args\":{}}", ".args must be an array, not an object" },
                { "{\"method\":\"ping\",\"args\":\"x\"}", ".args must be an array, not a string" },
                { "{\"method\":\"ping\",\"args\":true}", ".args must be an array, not a boolean" },
                { "null", "the first argument must be an object, not null" },
                { "1", "the first argument must be an object, not a number" },
                { "\"ping\"", "the first argument must be an object, not a string" },
                { "[{}]", "the first argument must be an object, not an array" },
        };
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *reply = g_strdup_printf("{\"error\":\"%s\"}", cases[i].error);
                g_test_message("%s", cases[i].request);
                test_peer_assert_reply(peer, cases[i].request, reply);
        }
        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        g_assert_cmpuint(service->pings, ==, 1);
        test_peer_free(peer);
        test_service_free(service);
}

static void test_bad_json(void) {
        static const struct {
                const char *argument, *words;
        } cases[] = {
                { "j:", "empty" },
                { "j:{", "line 1" },
                { "j:{\"method\":\"ping\",\n\"args\":[}", "line 2" },
                { "j:{\"method\":\"ping\",\"args\":[]} x", "line 1" },
                { "j:{'method':1}", "line 1" },
                { "j:{\"method\":\"a\",\"method\":\"b\"}", "twice" },
                { "j:{\"method\":\"\xff\"}", "UTF-8" },
                { "j:nonsense", "line 1" },
                { "j:1e400", "range" },
                { "s:{\"method\":\"ping\",\"args\":[]}", "must be JSON" },
                { "{\"method\":\"ping\",\"args\":[]}", "must be JSON" },
                { "", "must be JSON" },
                { "j", "must be JSON" },
        };
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        g_autoptr(GString) deep = g_string_new("j:{\"method\":\"ping\",\"args\":");

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                const char *const arguments[] = { cases[i].argument, "s:1" };
                g_test_message("case %zu", i);
                test_peer_send_frame(peer, 2, arguments);
                test_peer_assert_error(peer, cases[i].words);
        }
        for (unsigned i = 0; i < 100000; i++) {
                g_string_append_c(deep, '[');
        }
        test_peer_send_frame(peer, 2, (const char *const[]){ deep->str, "s:1" });
        test_peer_assert_error(peer, "deep");
        g_assert_cmpuint(service->pings, ==, 0);
        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        test_peer_free(peer);
        test_service_free(service);
}

static void test_bad_counts(void) {
        static const char call[] = "j:{\"method\":\"ping\",\"args\":[{}]}";
        const char *const many[AMP_ARGUMENTS_MAX] = {
                call, "s:1", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
        };
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_send_frame(peer, 1, many); /* without an id: as PM2, nothing */
        test_peer_assert_quiet(peer);
        for (size_t count = 3; count <= AMP_ARGUMENTS_MAX; count++) {
                test_peer_send_frame(peer, count, many);
                test_peer_assert_error(peer, "two arguments");
        }
        g_assert_cmpuint(service->pings, ==, 0);
        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        test_peer_send(peer, "\x10", 1);
        test_peer_assert_closed(peer);
        test_peer_free(peer);
        test_service_assert_alive(service);
        test_service_free(service);
}

/* What no frame can be ends the connection, at once and for nobody else. */
static void test_giant_frames(void) {
        static const struct {
                const char *bytes;
                size_t length;
        } cases[] = {
                { "\x12\xff\xff\xff\xff", 5 },
                { "\x12\0\x20\0\0", 5 }, /* 2 MiB, and the frame is larger */
                { "\x12\0\0\0\1x\x7f\xff\xff\xff", 10 },
                { "GET / HTTP/1.1\r\n\r\n", 18 },
        };
        TestService *service = test_service_new();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                TestPeer *peer = test_peer_new(service->socket);
                test_peer_send(peer, cases[i].bytes, cases[i].length);
                test_peer_assert_closed(peer);
                test_peer_free(peer);
        }
        test_service_assert_alive(service);
        test_service_free(service);
}

/* The largest frame that is taken: its JSON is refused as too large, and that is said. */
static void test_largest_frame(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        size_t head = 1 + 4 + 4 + strlen("s:1");
        g_autofree char *argument = g_strnfill(RPC_FRAME_BYTES_MAX - head, ' ');

        memcpy(argument, "j:", 2);
        test_peer_send_frame(peer, 2, (const char *const[]){ argument, "s:1" });
        test_peer_assert_error(peer, "1048576");
        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        test_peer_free(peer);
        test_service_free(service);
}

/* Requests in one piece, in pieces of every size, and together with the beginning of the next. */
static void test_pieces(void) {
        enum {
                REQUESTS = 200,
        };
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);
        g_autoptr(GString) stream = g_string_new(NULL);
        AmpFrame frame;

        for (unsigned i = 0; i < REQUESTS; i++) {
                char bytes[256];
                char *out = amp_write_head(bytes, 2);
                out = amp_write_argument(out, AMP_JSON, TEST_PING, strlen(TEST_PING));
                out = amp_write_argument(out, AMP_STRING, "7", 1);
                g_string_append_len(stream, bytes, out - bytes);
        }
        test_peer_send(peer, stream->str, stream->len); /* more than one turn takes */
        for (unsigned i = 0; i < REQUESTS; i++) {
                g_assert_true(test_peer_next(peer, &frame));
        }
        size_t position = 0;
        for (size_t piece = 1; position < stream->len; piece++) {
                size_t length = MIN(piece, stream->len - position);
                test_peer_send(peer, stream->str + position, length);
                test_event_drain(service->event);
                position += length;
        }
        for (unsigned i = 0; i < REQUESTS; i++) {
                g_assert_true(test_peer_next(peer, &frame));
        }
        test_peer_assert_quiet(peer);
        g_assert_cmpuint(service->pings, ==, 2 * REQUESTS);
        test_peer_free(peer);
        test_service_free(service);
}

static void test_completion_order(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_request(peer, TEST_HOLD, "s:first");
        test_peer_request(peer, TEST_HOLD, "s:second");
        test_peer_request(peer, TEST_PING, "s:third");
        test_peer_assert_next(peer, "j:{\"args\":[{\"msg\":\"pong\"}]}", "s:third");
        RpcCall *first = test_service_take_held(service), *second = test_service_take_held(service);
        rpc_call_reply(second, "2", 1);
        test_peer_assert_next(peer, "j:{\"args\":[2]}", "s:second");
        rpc_call_reply(first, "1", 1);
        test_peer_assert_next(peer, "j:{\"args\":[1]}", "s:first");
        test_peer_free(peer);
        test_service_free(service);
}

/* The client is gone before the reply, with or without others of its calls; nothing is lost with that. */
static void test_reply_after_disconnect(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_request(peer, TEST_HOLD, "s:1");
        test_peer_request(peer, TEST_HOLD, "s:2");
        test_peer_request(peer, TEST_HOLD, "s:3");
        RpcCall *first = test_service_take_held(service), *second = test_service_take_held(service),
                *third = test_service_take_held(service);
        unsigned before = test_count_fds();
        test_peer_free(peer);
        test_event_drain(service->event);
        g_assert_cmpuint(test_count_fds(), ==, before - 2); /* the server has closed its end */
        g_assert_cmpstr(rpc_call_caller(first)->via, ==, "pm2-socket");
        g_assert_cmpuint(value_count(rpc_call_args(first)), ==, 0);
        rpc_call_signal_client(first, getpid(), SIGQUIT);
        rpc_call_reply(first, "1", 1);
        rpc_call_fail(second, "x");
        rpc_call_drop(third);
        test_service_assert_alive(service);
        test_service_free(service);
}

static void test_reply_after_server(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_request(peer, TEST_HOLD, "s:1");
        RpcCall *call = test_service_take_held(service);
        g_clear_pointer(&service->server, rpc_server_free);
        test_peer_assert_closed(peer);
        rpc_call_reply(call, "1", 1);
        test_peer_free(peer);
        test_service_free(service);
}

/* A method that ends the server, with requests behind it. */
static void test_freed_in_call(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket), *other = test_peer_new(service->socket);

        test_peer_assert_reply(other, TEST_PING, TEST_PONG);
        test_peer_request(peer, "{\"method\":\"end\",\"args\":[]}", "s:1");
        test_peer_request(peer, TEST_PING, "s:2");
        test_peer_assert_closed(peer);
        test_peer_assert_closed(other);
        g_assert_cmpuint(service->pings, ==, 1);
        test_peer_free(peer);
        test_peer_free(other);
        test_service_free(service);
}

/* Who writes, closes and does not look: what it asked for is done. */
static void test_fire_and_forget(void) {
        enum {
                REQUESTS = 300, /* more than a turn takes, and than may be in flight */
        };
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        for (unsigned i = 0; i < REQUESTS; i++) {
                test_peer_request(peer, i % 2 > 0 ? TEST_PING : TEST_HOLD, "s:1");
        }
        test_peer_free(peer);
        test_event_drain(service->event);
        g_assert_cmpuint(service->held->len, ==, RPC_CALLS_MAX);
        for (unsigned i = 0; i < REQUESTS / 2; i++) {
                rpc_call_reply(test_service_take_held(service), "", 0);
        }
        test_event_drain(service->event);
        g_assert_cmpuint(service->held->len, ==, 0);
        g_assert_cmpuint(service->pings, ==, REQUESTS / 2);
        test_service_free(service);
}

/* Who has written all that it wants to gets its answers, and then the end. */
static void test_half_close(void) {
        TestService *service = test_service_new();
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_request(peer, TEST_HOLD, "s:1");
        test_peer_request(peer, TEST_PING, "s:2");
        test_peer_send(peer, "\x12\0\0", 3); /* and a part of one */
        g_assert_cmpint(shutdown(peer->fd, SHUT_WR), ==, 0);
        test_peer_assert_next(peer, "j:{\"args\":[{\"msg\":\"pong\"}]}", "s:2");
        test_peer_assert_quiet(peer);
        rpc_call_reply(test_service_take_held(service), "1", 1);
        test_peer_assert_next(peer, "j:{\"args\":[1]}", "s:1");
        test_peer_assert_closed(peer);
        test_peer_free(peer);
        test_service_free(service);
}

/* More connections than there may be, all held open: newcomers are served, and memory and descriptors stay
 * bounded. */
static void test_foreigners(void) {
        TestService *service = test_service_new_for(geteuid() + 1, false);
        TestPeer *peer = test_peer_new(service->socket);

        if (geteuid() == 0) {
                test_peer_assert_reply(peer, TEST_PING, TEST_PONG); /* root may */
        } else {
                test_peer_assert_closed(peer);
        }
        test_peer_free(peer);
        test_service_free(service);
        service = test_service_new_for(geteuid() + 1, true);
        peer = test_peer_new(service->socket);
        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        test_peer_free(peer);
        test_service_free(service);
}

/* A real foreigner, where we may become one. */
static void test_other_user(void) {
        if (geteuid() != 0) {
                g_test_skip("only root becomes somebody else");
                return;
        }
        if (test_skip_in_valgrind()) {
                return;
        }
        TestService *service = test_service_new();
        g_assert_cmpint(chmod(service->socket->folder, 0755), ==, 0);
        g_assert_cmpint(chmod(service->socket->path, 0777), ==, 0);
        pid_t pid = fork();
        if (pid == 0) {
                char byte;
                if (setgid(65534) < 0 || setuid(65534) < 0) {
                        _exit(2);
                }
                int fd = test_connect(service->socket);
                struct timeval limit = { .tv_sec = 10 };
                (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
                (void) fcntl(fd, F_SETFL, 0);
                _exit(recv(fd, &byte, 1, 0) == 0 ? 0 : 1);
        }
        int status = -1;
        gint64 deadline = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;
        while (waitpid(pid, &status, WNOHANG) == 0 && g_get_monotonic_time() < deadline) {
                g_assert_cmpint(sd_event_run(service->event, 10000), >=, 0);
        }
        g_assert_cmpint(status, ==, 0);
        g_assert_cmpuint(service->server->connections.length, ==, 0);
        test_service_free(service);
}

/* A child with a connection of its own asks for a signal to a pid: 0 stands for its own. */
static int run_quitter(TestService *service, pid_t victim) {
        pid_t pid = fork();

        if (pid == 0) {
                (void) signal(SIGQUIT, SIG_DFL);
                TestPeer peer = { .fd = test_connect(service->socket) };
                char bytes[256], json[128], reply;
                (void) fcntl(peer.fd, F_SETFL, 0);
                int length =
                                snprintf(json,
                                         sizeof(json),
                                         "{\"method\":\"quit\",\"args\":[%d]}",
                                         victim == 0 ? getpid() : victim);
                char *out = amp_write_head(bytes, 2);
                out = amp_write_argument(out, AMP_JSON, json, (size_t) length);
                out = amp_write_argument(out, AMP_STRING, "1", 1);
                (void) !write(peer.fd, bytes, (size_t) (out - bytes));
                (void) !read(peer.fd, &reply, 1); /* the signal is there before it */
                _exit(0);
        }
        int status = -1;
        gint64 deadline = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;
        while (waitpid(pid, &status, WNOHANG) == 0 && g_get_monotonic_time() < deadline) {
                g_assert_cmpint(sd_event_run(service->event, 10000), >=, 0);
        }
        return status;
}

static volatile sig_atomic_t quits;

static void on_sigquit(int number) {
        quits++;
}

static void test_quit(void) {
        if (test_skip_in_valgrind()) {
                return;
        }
        TestService *service = test_service_new();
        (void) signal(SIGQUIT, on_sigquit);
        int status = run_quitter(service, 0);
        g_assert_true(WIFSIGNALED(status));
        g_assert_cmpint(WTERMSIG(status), ==, SIGQUIT);
        /* nobody else is signalled in its name: not us, not what is no process */
        const pid_t others[] = { getpid(), getppid(), 1, -1, -getpid(), INT32_MAX };
        for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
                g_assert_cmpint(run_quitter(service, others[i]), ==, 0);
        }
        g_assert_cmpint(quits, ==, 0);
        /* and we are, as a client */
        TestPeer *peer = test_peer_new(service->socket);
        g_autofree char *own = g_strdup_printf("{\"method\":\"quit\",\"args\":[%d]}", getpid());
        test_peer_assert_reply(peer, own, "{\"args\":[]}");
        g_assert_cmpint(quits, ==, 1);
        (void) signal(SIGQUIT, SIG_DFL);
        test_peer_free(peer);
        test_service_free(service);
}

/* A pid alone is nobody: who has it must have had it when the client connected. */
static void test_open_client(void) {
        if (test_skip_in_valgrind()) {
                return;
        }
        uint64_t before_usec = now_boottime_usec();
        pid_t pid = fork();
        if (pid == 0) {
                (void) pause();
                _exit(0);
        }
        g_assert_cmpint(rpc_open_client(pid, before_usec), ==, -ESRCH);
        int fd = rpc_open_client(pid, before_usec + 60 * USEC_PER_SEC);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(proc_pid_of_pidfd(fd), ==, pid);
        (void) close(fd);
        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        g_assert_cmpint(rpc_open_client(pid, before_usec + 60 * USEC_PER_SEC), ==, -ESRCH);
        g_assert_cmpint(rpc_open_client(INT32_MAX, UINT64_MAX), ==, -ESRCH);
}

/* Any bytes: an answer, the end, or nothing; others are served. */
static void test_random_bytes(void) {
        TestService *service = test_service_new();
        static const uint8_t heads[] = { 0x12, 0x11, 0x10, 0x1f, 0x22, 0x02 };

        for (unsigned i = 0; i < 500; i++) {
                TestPeer *peer = test_peer_new(service->socket);
                uint8_t bytes[300];
                for (size_t k = 0; k < sizeof(bytes); k++) {
                        bytes[k] = (uint8_t) g_test_rand_int();
                }
                if (i % 2 > 0) { /* so that some is frames */
                        bytes[0] = heads[i / 2 % G_N_ELEMENTS(heads)];
                        memset(bytes + 1, 0, 3);
                }
                (void) test_peer_try_send(peer, bytes, (size_t) g_test_rand_int_range(0, sizeof(bytes)));
                test_event_drain(service->event);
                test_peer_free(peer);
        }
        test_service_assert_alive(service);
        test_event_drain(service->event);
        g_assert_cmpuint(service->server->connections.length, ==, 0);
        test_service_free(service);
}

static void test_listen_again(void) {
        TestService *service = test_service_new();
        TestSocket *second = test_socket_new(service->event);
        TestPeer *old = test_peer_new(service->socket);

        test_peer_assert_reply(old, TEST_PING, TEST_PONG);
        g_assert_cmpint(rpc_server_listen(service->server, second->fd), ==, 0);
        TestPeer *peer = test_peer_new(second), *waiting = test_peer_new(service->socket);
        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        test_peer_assert_reply(old, TEST_PING, TEST_PONG); /* who is connected stays */
        test_peer_request(waiting, TEST_PING, "s:1");
        test_peer_assert_quiet(waiting);
        g_assert_cmpint(rpc_server_listen(service->server, -1), ==, 0);
        g_assert_cmpint(rpc_server_listen(service->server, service->socket->fd), ==, 0);
        test_peer_assert_next(waiting, "j:{\"args\":[{\"msg\":\"pong\"}]}", "s:1");
        test_peer_free(old);
        test_peer_free(peer);
        test_peer_free(waiting);
        test_socket_free(second);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rpc-server/ping", test_ping);
        g_test_add_func("/rpc-server/ids", test_ids);
        g_test_add_func("/rpc-server/replies", test_replies);
        g_test_add_func("/rpc-server/introspection", test_introspection);
        g_test_add_func("/rpc-server/bad-requests", test_bad_requests);
        g_test_add_func("/rpc-server/bad-json", test_bad_json);
        g_test_add_func("/rpc-server/bad-counts", test_bad_counts);
        g_test_add_func("/rpc-server/giant-frames", test_giant_frames);
        g_test_add_func("/rpc-server/largest-frame", test_largest_frame);
        g_test_add_func("/rpc-server/pieces", test_pieces);
        g_test_add_func("/rpc-server/completion-order", test_completion_order);
        g_test_add_func("/rpc-server/reply-after-disconnect", test_reply_after_disconnect);
        g_test_add_func("/rpc-server/reply-after-server", test_reply_after_server);
        g_test_add_func("/rpc-server/freed-in-call", test_freed_in_call);
        g_test_add_func("/rpc-server/fire-and-forget", test_fire_and_forget);
        g_test_add_func("/rpc-server/half-close", test_half_close);
        g_test_add_func("/rpc-server/foreigners", test_foreigners);
        g_test_add_func("/rpc-server/other-user", test_other_user);
        g_test_add_func("/rpc-server/quit", test_quit);
        g_test_add_func("/rpc-server/open-client", test_open_client);
        g_test_add_func("/rpc-server/random-bytes", test_random_bytes);
        g_test_add_func("/rpc-server/listen-again", test_listen_again);
        return g_test_run();
}
