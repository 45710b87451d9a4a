/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Clients that behave badly cost only themselves. */

#include "bus-fixture.h"
#include "event-fixture.h"
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MANAGER     "org.pm2.Manager"
#define BYTES(text) (text), sizeof(text) - 1

enum {
        PENDING_MAX = 4,
        CALLS = 20,
};

static void assert_works(TestService *service, sd_bus *client) {
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "List", NULL));
}

/* Answers to calls that were made without waiting for them. */
typedef struct Answers {
        unsigned count, returned, busy, others;
} Answers;

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Answers *answers = userdata;

        answers->count++;
        if (!sd_bus_message_is_method_error(message, NULL)) {
                answers->returned++;
        } else if (sd_bus_message_is_method_error(message, "org.pm2.Error.Busy")) {
                answers->busy++;
                test_assert_contains(sd_bus_message_get_error(message)->message, "pending_calls_max");
        } else {
                answers->others++;
        }
        return 0;
}

static void send_stop(sd_bus *client, Answers *answers) {
        int r = sd_bus_call_method_async(
                        client,
                        NULL,
                        NULL,
                        MANAGER_PATH,
                        MANAGER,
                        "Stop",
                        on_answer,
                        answers,
                        "sa{sv}",
                        "app",
                        0);
        g_assert_cmpint(r, >=, 0);
}

/* An app that does not care for being asked to end. */
static void start_deaf(TestService *service, sd_bus *client) {
        g_autofree char *mark = test_path(service->folder, "deaf");
        sd_bus_message *reply =
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  MANAGER,
                                  "Start",
                                  "sa{sv}",
                                  "/bin/sh",
                                  4,
                                  "name",
                                  "s",
                                  "app",
                                  "args",
                                  "as",
                                  2,
                                  "-c",
                                  "trap '' INT; touch deaf; exec sleep 1000",
                                  "cwd",
                                  "s",
                                  service->folder,
                                  "kill_timeout",
                                  "s",
                                  "1h");
        test_assert_return(reply);
        while (!g_file_test(mark, G_FILE_TEST_EXISTS)) {
                g_assert_cmpint(sd_event_run(service->event, 10000), >=, 0);
        }
}

static void kill_app(TestService *service, sd_bus *client) {
        test_assert_return(test_call(
                        service, client, MANAGER_PATH, MANAGER, "SendSignal", "ssa{sv}", "app", "KILL", 0));
}

static bool busy_is_said(void *userdata) {
        return ((const Answers *) userdata)->busy == CALLS - PENDING_MAX;
}

static bool all_is_said(void *userdata) {
        return ((const Answers *) userdata)->count == CALLS;
}

/* More calls than a client may have pending are refused by name; the others are answered in time, and
 * another client has its own allowance. */
static void test_flood(void) {
        TestService *service = test_service_new(PENDING_MAX, 0);
        sd_bus *flooder = test_client_new(service), *other = test_client_new(service);
        Answers flood = { 0 }, mine = { 0 };

        start_deaf(service, other);
        for (int i = 0; i < CALLS; i++) {
                send_stop(flooder, &flood);
        }
        test_event_wait(service->event, busy_is_said, &flood, "Busy");
        g_assert_cmpuint(flood.returned, ==, 0);
        send_stop(other, &mine);
        assert_works(service, other);
        assert_works(service, flooder); /* what needs no waiting is answered all the same */
        g_assert_cmpuint(mine.count, ==, 0);
        kill_app(service, other);
        test_event_wait(service->event, all_is_said, &flood, "the pending calls");
        g_assert_cmpuint(flood.returned, ==, PENDING_MAX);
        g_assert_cmpuint(flood.others, ==, 0);
        test_event_drain(service->event);
        g_assert_cmpuint(mine.returned, ==, 1);
        /* and then it may call again */
        test_assert_return(test_call(service, flooder, MANAGER_PATH, MANAGER, "Stop", "sa{sv}", "app", 0));
        test_client_free(flooder);
        test_client_free(other);
        test_service_free(service);
}

static bool is_alone(void *userdata) {
        const TestService *service = userdata;
        return service->server->connections->len == 1;
}

/* It goes with calls pending: the work goes on, and nobody is answered. */
static void test_gone_with_calls(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *leaver = test_client_new(service), *other = test_client_new(service);
        Answers answers = { 0 };

        start_deaf(service, other);
        for (int i = 0; i < CALLS; i++) {
                send_stop(leaver, &answers);
        }
        g_assert_cmpint(sd_event_run(service->event, 0), >=, 0);
        test_event_drain(service->event);
        test_client_free(leaver);
        test_event_wait(service->event, is_alone, service, "the service sees that it is gone");
        g_assert_cmpuint(answers.returned, ==, 0);
        g_autofree char *status =
                        test_property(service, other, "/org/pm2/Process/0", "org.pm2.Process", "Status");
        g_assert_cmpstr(status, ==, "stopping");
        kill_app(service, other);
        test_assert_return(test_call(service, other, MANAGER_PATH, MANAGER, "Stop", "sa{sv}", "app", 0));
        test_client_free(other);
        test_service_free(service);
}

/* A client that reads nothing of what happens is closed; the other hears everything. */
static void test_never_reads(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *other = test_client_new(service), *deaf = test_client_new(service);
        unsigned rounds = 0;

        g_assert_cmpint(sd_bus_detach_event(deaf), >=, 0);
        g_assert_cmpuint(service->server->connections->len, ==, 2);
        while (!is_alone(service)) {
                g_assert_cmpuint(rounds++, <, 20000);
                (void) test_register(service, other, "app");
                test_assert_return(test_call(
                                service, other, MANAGER_PATH, MANAGER, "Delete", "sa{sv}", "app", 0));
        }
        g_test_message("closed after %u rounds", rounds);
        assert_works(service, other);
        g_assert_cmpuint(test_queued_writes(service), ==, 0);
        test_client_free(deaf);
        test_client_free(other);
        test_service_free(service);
}

/* Nor does it read its replies: it is closed at the next signal, even if that is of a call of its own. */
static void test_never_reads_replies(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *other = test_client_new(service), *deaf = test_client_new(service);

        uint64_t cookie; /* with it a reply is expected */

        (void) test_register(service, other, "app");
        g_assert_cmpint(sd_bus_detach_event(deaf), >=, 0);
        for (unsigned rounds = 0; test_queued_writes(service) <= 4096; rounds++) {
                sd_bus_message *call = test_message_new(deaf, MANAGER_PATH, MANAGER, "List");
                g_assert_cmpuint(rounds, <, 20000);
                g_assert_cmpint(sd_bus_send(deaf, call, &cookie), >=, 0);
                (void) sd_bus_message_unref(call);
                test_event_drain(service->event);
        }
        sd_bus_message *call = test_message_new(deaf, MANAGER_PATH, MANAGER, "Delete");
        g_assert_cmpint(sd_bus_message_append(call, "sa{sv}", "app", 0), >=, 0);
        g_assert_cmpint(sd_bus_send(deaf, call, &cookie), >=, 0);
        (void) sd_bus_message_unref(call);
        test_event_wait(service->event, is_alone, service, "the deaf client is closed");
        assert_works(service, other);
        test_client_free(deaf);
        test_client_free(other);
        test_service_free(service);
}

/* What a client sent comes back in a message: it is text, whatever it was. */
static void test_bad_text_in_document(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        test_assert_error(
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  MANAGER,
                                  "StartJson",
                                  "sa{sv}",
                                  "[\"\\377\" \"b\"]",
                                  0),
                        "InvalidData",
                        "JSON");
        assert_works(service, client);
        test_client_free(client);
        test_service_free(service);
}

static int connect_raw(const TestService *service) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        g_assert_cmpint(fd, >=, 0);
        g_strlcpy(address.sun_path, service->paths.socket_path, sizeof(address.sun_path));
        g_assert_cmpint(connect(fd, (const struct sockaddr *) &address, sizeof(address)), ==, 0);
        return fd;
}

static bool is_hung_up(void *userdata) {
        struct pollfd poll_fd = { .fd = *(const int *) userdata, .events = POLLIN };
        char buffer[4096];

        if (poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLIN) {
                return read(poll_fd.fd, buffer, sizeof(buffer)) == 0;
        }
        return poll_fd.revents & (POLLHUP | POLLERR);
}

/* What is no D-Bus, before and after the handshake. */
static void test_garbage(void) {
        g_autofree char *uid = g_strdup_printf("%u", geteuid());
        g_autoptr(GString) hello = g_string_new_len(BYTES("\0AUTH EXTERNAL "));
        static const struct {
                bool after_handshake;
                const char *bytes;
                size_t length;
        } samples[] = {
                { false, BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") },
                { false, BYTES("\0\0\0\0\0\0\0\0\0\0\0\0") },
                { false, BYTES("\0AUTH ANONYMOUS 00\r\nBEGIN\r\nx") },
                { false, BYTES("{\"jsonrpc\": \"2.0\"}\n") },
                { true, BYTES("garbage instead of a message, and enough of it to be a header") },
                { true, BYTES("l\1\0\1\xff\xff\xff\xff\1\0\0\0\xff\xff\xff\xff") }, /* lengths of 4 GiB */
                { true, BYTES("l\1\0\1\0\0\0\0\0\0\0\0\0\0\0\0") }, /* no serial, no fields */
                { true, BYTES("l\1\0\7\0\0\0\0\1\0\0\0\0\0\0\0") }, /* another version */
                { true, BYTES("x\1\0\1\0\0\0\0\1\0\0\0\0\0\0\0") }, /* no byte order */
                { true, BYTES("l\1\0\1\0\0\0\0\1\0\0\0\7\0\0\0\1\1o\0\xff\xff\xff") }, /* a path of 16 MiB */
        };
        TestService *service = test_service_new(0, 0);
        sd_bus *other = test_client_new(service);

        for (const char *c = uid; *c; c++) {
                g_string_append_printf(hello, "%02x", (unsigned) *c);
        }
        g_string_append(hello, "\r\nBEGIN\r\n");
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                int fd = connect_raw(service);
                g_test_message("sample %zu", i);
                if (samples[i].after_handshake) {
                        g_assert_cmpint(write(fd, hello->str, hello->len), ==, (ssize_t) hello->len);
                }
                g_assert_cmpint(write(fd, samples[i].bytes, samples[i].length),
                                ==,
                                (ssize_t) samples[i].length);
                (void) shutdown(fd, SHUT_WR);
                test_event_wait(service->event, is_hung_up, &fd, "the garbage is closed");
                assert_works(service, other);
                (void) close(fd);
        }
        test_event_wait(service->event, is_alone, service, "all are forgotten");
        test_client_free(other);
        test_service_free(service);
}

/* Who connects and says nothing keeps nobody waiting. */
static void test_silence(void) {
        TestService *service = test_service_new(0, 0);
        int fds[50];

        for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
                fds[i] = connect_raw(service);
        }
        sd_bus *other = test_client_new(service);
        (void) test_register(service, other, "app");
        assert_works(service, other);
        for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
                (void) close(fds[i]);
        }
        test_event_wait(service->event, is_alone, service, "all are forgotten");
        test_client_free(other);
        test_service_free(service);
}

/* More connections than peers_max are closed; those that are there go on. */
static void test_too_many(void) {
        TestService *service = test_service_new(0, 3);
        sd_bus *clients[2] = { test_client_new(service), test_client_new(service) };
        int third = connect_raw(service);

        assert_works(service, clients[0]);
        int fourth = connect_raw(service);
        test_event_wait(service->event, is_hung_up, &fourth, "the fourth is closed");
        g_assert_false(is_hung_up(&third));
        assert_works(service, clients[1]);
        (void) close(third);
        (void) close(fourth);
        test_client_free(clients[0]);
        test_client_free(clients[1]);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bus/peers/flood", test_flood);
        g_test_add_func("/bus/peers/gone-with-calls", test_gone_with_calls);
        g_test_add_func("/bus/peers/never-reads", test_never_reads);
        g_test_add_func("/bus/peers/never-reads-replies", test_never_reads_replies);
        g_test_add_func("/bus/peers/bad-text-in-document", test_bad_text_in_document);
        g_test_add_func("/bus/peers/garbage", test_garbage);
        g_test_add_func("/bus/peers/silence", test_silence);
        g_test_add_func("/bus/peers/too-many", test_too_many);
        return g_test_run();
}
