/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bus socket: everybody gets every event, and nobody can hold it up. */

#include "compat/pub-server.h"

#include "compat-fixture.h"
#include "event-fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        BACKLOG = 256 * 1024,
        SUBSCRIBERS_MAX = 20,
};

typedef struct Service {
        sd_event *event;
        TestSocket *socket;
        PubServer *server;
} Service;

static Service *service_new_for(uid_t own_uid) {
        Service *service = g_new0(Service, 1);
        const PubServerOptions options = {
                .backlog_bytes_max = BACKLOG,
                .subscribers_max = SUBSCRIBERS_MAX,
                .own_uid = own_uid,
        };

        service->event = test_event_new();
        service->socket = test_socket_new(service->event);
        g_assert_cmpint(pub_server_new(service->event, &options, &service->server), ==, 0);
        g_assert_cmpint(pub_server_listen(service->server, service->socket->fd), ==, 0);
        return service;
}

static Service *service_new(void) {
        return service_new_for(geteuid());
}

static void service_free(Service *service) {
        pub_server_free(service->server);
        test_socket_free(service->socket);
        (void) sd_event_unref(service->event);
        g_free(service);
}

static TestPeer *subscribe(Service *service) {
        TestPeer *peer = test_peer_new(service->socket);

        test_event_drain(service->event);
        return peer;
}

static void publish(Service *service, const char *event, const char *payload) {
        /* where it ends is said, not written there */
        g_autofree char *unended = g_strconcat(payload, "x", NULL);

        pub_server_send(service->server, event, unended, strlen(payload));
}

static void test_frame(void) {
        static const char expected[] = "\x12\0\0\0\x09s:log:out\0\0\0\x09j:{\"a\":1}";
        Service *service = service_new();
        TestPeer *peer = subscribe(service);
        char bytes[sizeof(expected)];

        publish(service, "log:out", "{\"a\":1}");
        test_event_drain(service->event);
        ssize_t n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        g_assert_cmpint(n, ==, sizeof(expected) - 1);
        g_assert_cmpmem(bytes, (size_t) n, expected, sizeof(expected) - 1);
        test_peer_free(peer);
        service_free(service);
}

/* From then on, in order, each of them. */
static void test_all(void) {
        Service *service = service_new();

        g_assert_true(pub_server_is_idle(service->server));
        publish(service, "before", "1");
        TestPeer *one = subscribe(service);
        g_assert_false(pub_server_is_idle(service->server));
        publish(service, "first", "1");
        TestPeer *other = subscribe(service);
        publish(service, "second", "[2]");
        publish(service, "third", "null");
        test_peer_assert_next(one, "s:first", "j:1");
        test_peer_assert_next(one, "s:second", "j:[2]");
        test_peer_assert_next(one, "s:third", "j:null");
        test_peer_assert_next(other, "s:second", "j:[2]");
        test_peer_assert_next(other, "s:third", "j:null");
        test_peer_assert_quiet(one);
        test_peer_free(one);
        test_event_drain(service->event);
        g_assert_false(pub_server_is_idle(service->server));
        test_peer_free(other);
        test_event_drain(service->event);
        g_assert_true(pub_server_is_idle(service->server));
        service_free(service);
}

/* What was sent before the end is read before it. */
static void test_end_of_server(void) {
        Service *service = service_new();
        TestPeer *peer = subscribe(service);

        publish(service, "pm2:kill", "{\"msg\":\"pm2 has been killed via SIGINT\"}");
        g_clear_pointer(&service->server, pub_server_free);
        test_peer_assert_next(peer, "s:pm2:kill", "j:{\"msg\":\"pm2 has been killed via SIGINT\"}");
        test_peer_assert_closed(peer);
        test_peer_free(peer);
        service_free(service);
}

/* What they write is nothing. */
static void test_written_to(void) {
        Service *service = service_new();
        TestPeer *peer = subscribe(service);
        g_autofree char *bytes = g_malloc0(1024 * 1024);

        for (unsigned i = 0; i < 8; i++) {
                test_peer_send(peer, bytes, 1024 * 1024);
        }
        publish(service, "x", "1");
        test_peer_assert_next(peer, "s:x", "j:1");
        g_assert_cmpint(shutdown(peer->fd, SHUT_WR), ==, 0);
        test_peer_assert_closed(peer);
        g_assert_true(pub_server_is_idle(service->server));
        test_peer_free(peer);
        service_free(service);
}

/* Take so many events, by what comes or is told to be lost; how many of them came. They have numbers. */
static unsigned take(TestPeer *peer, unsigned count) {
        uint64_t expected = 0;
        unsigned events = 0;
        AmpFrame frame;

        while (expected < count) {
                g_assert_true(test_peer_next(peer, &frame));
                g_autofree char *name = g_strndup(frame.arguments[0].bytes, frame.arguments[0].length);
                g_autofree char *json = g_strndup(frame.arguments[1].bytes, frame.arguments[1].length);
                if (strcmp(name, "s:lost") == 0) {
                        g_assert_true(g_str_has_prefix(json, "j:{\"count\":"));
                        uint64_t lost = g_ascii_strtoull(json + strlen("j:{\"count\":"), NULL, 10);
                        g_assert_cmpuint(lost, >, 0);
                        g_autofree char *exact =
                                        g_strdup_printf("j:{\"count\":%" G_GUINT64_FORMAT "}", lost);
                        g_assert_cmpstr(json, ==, exact);
                        expected += lost;
                } else {
                        g_assert_cmpstr(name, ==, "s:n");
                        g_assert_cmpuint(g_ascii_strtoull(json + strlen("j:["), NULL, 10), ==, expected);
                        expected++;
                        events++;
                }
        }
        g_assert_cmpuint(expected, ==, count);
        return events;
}

static void publish_number(Service *service, unsigned number) {
        g_autofree char *padding = g_strnfill(1000, ' ');
        g_autofree char *payload = g_strdup_printf("[%u,%s0]", number, padding);

        publish(service, "n", payload);
}

/* Who does not read loses whole events and is told how many, in their place; others lose nothing. */
static void test_slow(void) {
        enum {
                EVENTS = 2000,
        };
        Service *service = service_new();
        TestPeer *slow = subscribe(service), *quick = subscribe(service);

        for (unsigned i = 0; i < EVENTS; i++) {
                AmpFrame frame;
                publish_number(service, i);
                g_assert_true(test_peer_next(quick, &frame));
                g_assert_cmpuint(frame.arguments[0].length, ==, strlen("s:n"));
        }
        test_event_drain(service->event); /* nothing turns for ever */
        unsigned events = take(slow, EVENTS);
        g_assert_cmpuint(events, >=, BACKLOG / 1200);
        g_assert_cmpuint(events, <, EVENTS);
        publish(service, "next", "1");
        test_peer_assert_next(slow, "s:next", "j:1");
        test_peer_assert_next(quick, "s:next", "j:1");
        test_peer_free(slow);
        test_peer_free(quick);
        service_free(service);
}

/* More at once than is kept, again and again, and all read in between: nothing is unaccounted for. */
static void test_bursts(void) {
        enum {
                BURSTS = 20,
                EVENTS = 1500,
        };
        Service *service = service_new();
        TestPeer *peer = subscribe(service);

        for (unsigned i = 0; i < BURSTS; i++) {
                for (unsigned k = 0; k < EVENTS; k++) {
                        publish_number(service, k);
                }
                g_assert_cmpuint(take(peer, EVENTS), <, EVENTS);
        }
        test_peer_assert_quiet(peer);
        test_peer_free(peer);
        service_free(service);
}

/* An event that is larger than all that may wait is lost alone. */
static void test_giant_event(void) {
        Service *service = service_new();
        TestPeer *peer = subscribe(service);
        g_autofree char *giant = g_strnfill(BACKLOG + 1, '1');

        publish(service, "giant", giant);
        publish(service, "next", "1");
        test_peer_assert_next(peer, "s:lost", "j:{\"count\":1}");
        test_peer_assert_next(peer, "s:next", "j:1");
        test_peer_free(peer);
        service_free(service);
}

/* The next takes the place of the oldest of whoever has the most. */
static void test_crowd(void) {
        Service *service = service_new();
        TestPeer *peers[SUBSCRIBERS_MAX + 5];

        for (unsigned i = 0; i < G_N_ELEMENTS(peers); i++) {
                peers[i] = subscribe(service);
        }
        publish(service, "x", "1");
        for (unsigned i = 0; i < G_N_ELEMENTS(peers); i++) {
                if (i < G_N_ELEMENTS(peers) - SUBSCRIBERS_MAX) {
                        test_peer_assert_closed(peers[i]);
                } else {
                        test_peer_assert_next(peers[i], "s:x", "j:1");
                }
                test_peer_free(peers[i]);
        }
        service_free(service);
}

static void test_connect_and_close(void) {
        Service *service = service_new();
        unsigned before = test_count_fds();

        for (unsigned i = 0; i < 500; i++) {
                (void) close(test_connect(service->socket));
        }
        test_event_drain(service->event);
        g_assert_true(pub_server_is_idle(service->server));
        g_assert_cmpuint(test_count_fds(), ==, before);
        service_free(service);
}

/* They go while there is something for them, some before and some while it is written. */
static void test_going(void) {
        Service *service = service_new();
        g_autofree char *large = g_strnfill(100 * 1000, '1');

        for (unsigned i = 0; i < 200; i++) {
                TestPeer *one = subscribe(service), *other = subscribe(service);
                publish(service, "x", large);
                if (i % 2 > 0) {
                        test_event_drain(service->event);
                }
                test_peer_free(one);
                publish(service, "x", large);
                publish(service, "x", large);
                test_event_drain(service->event);
                g_assert_false(pub_server_is_idle(service->server));
                test_peer_free(other);
                test_event_drain(service->event);
                g_assert_true(pub_server_is_idle(service->server));
        }
        service_free(service);
}

static void test_foreigners(void) {
        Service *service = service_new_for(geteuid() + 1);
        TestPeer *peer = subscribe(service);

        if (geteuid() != 0) {
                test_peer_assert_closed(peer);
        }
        g_assert_true(pub_server_is_idle(service->server) == (geteuid() != 0));
        test_peer_free(peer);
        service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/pub-server/frame", test_frame);
        g_test_add_func("/pub-server/all", test_all);
        g_test_add_func("/pub-server/end-of-server", test_end_of_server);
        g_test_add_func("/pub-server/written-to", test_written_to);
        g_test_add_func("/pub-server/slow", test_slow);
        g_test_add_func("/pub-server/bursts", test_bursts);
        g_test_add_func("/pub-server/giant-event", test_giant_event);
        g_test_add_func("/pub-server/crowd", test_crowd);
        g_test_add_func("/pub-server/connect-and-close", test_connect_and_close);
        g_test_add_func("/pub-server/going", test_going);
        g_test_add_func("/pub-server/foreigners", test_foreigners);
        return g_test_run();
}
