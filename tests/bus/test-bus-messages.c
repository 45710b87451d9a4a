/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The signal ProcessMessage: who hears how much of what children say. The message bus is a real one. */

#include "bus-fixture.h"

#include "event-fixture.h"
#include "fixture.h"
#include "manager/manager-internal.h"
#include "manager/observers.h"
#include "manager/publish.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANAGER "org.pm2.Manager"

enum {
        SHARE = 200,
};

/* What one client has heard. */
typedef struct Heard {
        sd_bus_slot *slot;
        unsigned messages, logs, told, lost; /* told: how often */
        GString *order;                      /* the first letter of each type, or the event in brackets */
} Heard;

static void hear_event(Heard *heard, sd_bus_message *message) {
        const char *path, *name, *event, *key;
        int manually;
        uint32_t id, count;

        g_assert_cmpint(sd_bus_message_read(message, "oussb", &path, &id, &name, &event, &manually), >, 0);
        g_string_append_printf(heard->order, "[%s]", event);
        if (strcmp(event, "lost") == 0) {
                g_assert_false(manually);
                g_assert_cmpint(sd_bus_message_read(message, "a{sv}", 1, &key, "u", &count), >, 0);
                g_assert_cmpstr(key, ==, "count");
                heard->told++;
                heard->lost += count;
        }
}

static void hear_log(Heard *heard, sd_bus_message *message) {
        const char *path, *name, *stream;
        const void *data;
        uint64_t at_usec;
        uint32_t id;
        size_t length;

        g_assert_cmpint(sd_bus_message_read(message, "ousst", &path, &id, &name, &stream, &at_usec), >, 0);
        g_assert_cmpint(sd_bus_message_read_array(message, 'y', &data, &length), >, 0);
        g_assert_cmpstr(path, ==, "/org/pm2/Process/0");
        g_assert_cmpstr(name, ==, "app");
        g_assert_cmpstr(stream, ==, "err");
        g_assert_cmpuint(at_usec, ==, 1234567);
        g_assert_cmpmem(data, length, "a\xff\n", 3);
        heard->logs++;
}

static int on_heard(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Heard *heard = userdata;
        const char *path, *name, *type, *data;
        uint32_t id;

        if (sd_bus_message_is_signal(message, MANAGER, "ProcessEvent")) {
                hear_event(heard, message);
        } else if (sd_bus_message_is_signal(message, MANAGER, "ProcessMessage")) {
                g_assert_cmpint(sd_bus_message_read(message, "ousss", &path, &id, &name, &type, &data),
                                >,
                                0);
                g_assert_cmpstr(path, ==, "/org/pm2/Process/0");
                g_assert_cmpuint(id, ==, 0);
                g_assert_cmpstr(name, ==, "app");
                g_string_append_c(heard->order, type[0]);
                heard->messages++;
        } else if (sd_bus_message_is_signal(message, MANAGER, "Log")) {
                hear_log(heard, message);
        } else if (sd_bus_message_is_signal(
                                   message, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved")) {
                g_string_append(heard->order, "[removed]");
        }
        return 0;
}

static Heard *listen_to(sd_bus *client) {
        Heard *heard = g_new0(Heard, 1);

        heard->order = g_string_new(NULL);
        g_assert_cmpint(sd_bus_add_filter(client, &heard->slot, on_heard, heard), >=, 0);
        return heard;
}

static void heard_free(Heard *heard) {
        (void) sd_bus_slot_unref(heard->slot);
        (void) g_string_free(heard->order, TRUE);
        g_free(heard);
}

static void publish(TestService *service, unsigned count, const char *type, size_t size) {
        Process *process = registry_get(manager_registry(service->manager), 0);
        g_autofree char *data = g_strnfill(size, '7');

        for (unsigned i = 0; i < count; i++) {
                g_assert_cmpint(manager_publish(service->manager, process, type, data, size), ==, 0);
        }
}

static void log_lines(TestService *service, unsigned count) {
        const LogSource source = {
                .process = registry_get(manager_registry(service->manager), 0),
                .error = true,
        };
        const LogLines lines = {
                .sources = &source,
                .n_sources = 1,
                .at_realtime_usec = 1234567,
                .bytes = "a\xff\n",
                .length = 3,
        };

        for (unsigned i = 0; i < count; i++) {
                observers_tell_log(service->manager, &lines);
        }
}

/* What a plain listener has of so many messages that began to come at a time: its share, and the rest as a
 * number. On a slow day a second second has begun meanwhile. */
static void assert_share(TestService *service, Heard *heard, unsigned count, int64_t since) {
        while (heard->messages + heard->lost < count) {
                g_assert_cmpint(sd_event_run(service->event, UINT64_MAX), >=, 0);
        }
        bool quick = g_get_monotonic_time() - since < 3 * G_USEC_PER_SEC;
        g_assert_cmpuint(heard->messages + heard->lost, ==, count);
        g_assert_cmpuint(heard->messages, <=, quick ? 3 * SHARE : count);
}

static bool is_told(void *userdata) {
        return ((const Heard *) userdata)->told > 0;
}

static void subscribe(TestService *service, sd_bus *client, const char *member) {
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, member, NULL));
}

/* Who only listens gets a share of what one process says in a second, and is told what it missed; who has
 * subscribed gets all. */
static void test_share(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *plain = test_client_new(service), *subscribed = test_client_new(service);
        Heard *some = listen_to(plain), *all = listen_to(subscribed);

        (void) test_register(service, plain, "app");
        subscribe(service, subscribed, "Subscribe");
        subscribe(service, subscribed, "Subscribe");
        int64_t since = g_get_monotonic_time();
        for (unsigned i = 0; i < 10; i++) { /* as much as a peer may have waiting */
                publish(service, 100, "x", 10);
                test_event_drain(service->event);
        }
        g_assert_cmpuint(all->messages, ==, 1000);
        assert_share(service, some, 1000, since);
        g_assert_cmpuint(some->messages, >=, SHARE);
        g_assert_cmpuint(all->told, ==, 0);
        g_assert_cmpuint(some->told, <=, 3);
        subscribe(service, subscribed, "Unsubscribe");
        all->messages = all->lost = 0;
        for (unsigned i = 0; i < 10; i++) {
                publish(service, 100, "x", 10);
                test_event_drain(service->event);
        }
        while (all->messages + all->lost < 1000) {
                g_assert_cmpint(sd_event_run(service->event, UINT64_MAX), >=, 0);
        }
        g_assert_cmpuint(all->lost, >, 0);
        heard_free(some);
        heard_free(all);
        test_client_free(plain);
        test_client_free(subscribed);
        test_service_free(service);
}

/* In the order in which things happened, with the events of the process. */
static void test_order(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Heard *heard = listen_to(client);

        (void) test_register(service, client, "app");
        Process *process = registry_get(manager_registry(service->manager), 0);
        publish(service, 2, "a", 1);
        manager_emit(service->manager, process, EVENT_ONLINE, false);
        publish(service, 1, "b", 1);
        manager_emit(service->manager, process, EVENT_EXIT, false);
        manager_emit(service->manager, process, EVENT_RESTART, false);
        publish(service, 1, "c", 1);
        test_event_drain(service->event);
        g_assert_cmpstr(heard->order->str, ==, "aa[online]b[exit][restart]c");
        heard_free(heard);
        test_client_free(client);
        test_service_free(service);
}

/* Too large for a signal, for subscribers as well; and what is missing is told before the process goes. */
static void test_large(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Heard *heard = listen_to(client);

        (void) test_register(service, client, "app");
        subscribe(service, client, "Subscribe");
        publish(service, 1, "a", (size_t) 64 * 1024);
        publish(service, 2, "b", (size_t) 64 * 1024 + 1);
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "Delete", "sa{sv}", "app", 0));
        g_assert_cmpstr(heard->order->str, ==, "a[delete][lost][removed]");
        g_assert_cmpuint(heard->lost, ==, 2);
        heard_free(heard);
        test_client_free(client);
        test_service_free(service);
}

/* A subscriber that does not read is not closed for that, nor does it cost more than a bound. */
static void test_slow(void) {
        static const struct {
                size_t size;
                unsigned queued_max;
        } cases[] = { { 10, 256 }, { 60000, 16 } };
        TestService *service = test_service_new(0, 0);
        sd_bus *other = test_client_new(service), *slow = test_client_new(service);
        Heard *heard = listen_to(slow);

        (void) test_register(service, other, "app");
        subscribe(service, slow, "Subscribe");
        test_event_drain(service->event);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                heard->messages = heard->told = heard->lost = 0;
                g_assert_cmpint(sd_bus_detach_event(slow), >=, 0);
                unsigned published = 0;
                /* the kernel takes some megabytes first */
                while (test_queued_writes(service) < cases[i].queued_max) {
                        g_assert_cmpuint(published, <, 100000);
                        publish(service, 10, "x", cases[i].size);
                        published += 10;
                        test_event_drain(service->event);
                }
                publish(service, 1000, "x", cases[i].size);
                published += 1000;
                g_assert_cmpuint(test_queued_writes(service), ==, cases[i].queued_max);
                g_assert_cmpuint(service->server->connections->len, ==, 2);
                g_assert_cmpint(sd_bus_attach_event(slow, service->event, SD_EVENT_PRIORITY_NORMAL), >=, 0);
                test_event_wait(service->event, is_told, heard, "what was left out is told");
                g_test_message("%u messages, %u lost", heard->messages, heard->lost);
                g_assert_cmpuint(heard->messages + heard->lost, ==, published);
                g_assert_cmpuint(heard->lost, >=, 1000);
        }
        heard_free(heard);
        test_client_free(slow);
        test_client_free(other);
        test_service_free(service);
}

/* Each process has a share of its own, and none has a timer while nothing is left out. */
static void test_nothing_lost(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        (void) test_register(service, client, "app");
        (void) test_register(service, client, "other");
        Process *other = registry_get(manager_registry(service->manager), 1);
        publish(service, SHARE, "x", 10);
        test_event_drain(service->event);
        for (unsigned i = 0; i < SHARE; i++) {
                g_assert_cmpint(manager_publish(service->manager, other, "x", "1", 1), ==, 0);
        }
        test_event_drain(service->event);
        const BusConnection *connection = service->server->connections->pdata[0];
        g_assert_null(connection->lost);
        publish(service, 1, "x", 10);
        g_assert_cmpuint(g_hash_table_size(connection->lost), ==, 1);
        test_client_free(client);
        test_service_free(service);
}

/* A message bus: its daemon, us on it, and clients. */
typedef struct TestBus {
        TestService *service;
        GPid pid;
        char *address;
        BusConnection *connection;
        char *name; /* ours */
} TestBus;

static bool is_ready(void *userdata) {
        return sd_bus_is_ready(userdata) > 0;
}

static sd_bus *join(TestBus *test) {
        sd_bus *bus = NULL;

        g_assert_cmpint(sd_bus_new(&bus), >=, 0);
        g_assert_cmpint(sd_bus_set_address(bus, test->address), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(bus, 1), >=, 0);
        g_assert_cmpint(sd_bus_set_close_on_exit(bus, 0), >=, 0);
        g_assert_cmpint(sd_bus_start(bus), >=, 0);
        return bus;
}

static int ignore(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return 0;
}

/* A client of the bus that has asked for all signals of ours. */
static sd_bus *join_as_client(TestBus *test) {
        sd_bus *client = join(test);

        g_assert_cmpint(sd_bus_attach_event(client, test->service->event, SD_EVENT_PRIORITY_NORMAL), >=, 0);
        test_event_wait(test->service->event, is_ready, client, "the client is on the bus");
        g_assert_cmpint(sd_bus_match_signal_async(
                                        client, NULL, NULL, MANAGER_PATH, MANAGER, NULL, ignore, NULL, NULL),
                        >=,
                        0);
        return client;
}

static void call_over_bus(TestBus *test, sd_bus *client, const char *member) {
        sd_bus_message *message = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(
                                        client, &message, test->name, MANAGER_PATH, MANAGER, member),
                        >=,
                        0);
        test_assert_return(test_call_message(test->service, client, message));
}

/* In the child: whatever becomes of the test. */
static void end_with_parent(void *userdata) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static bool start_bus(TestBus *test, bool system) {
        g_autofree char *program = g_find_program_in_path("dbus-daemon");
        int out_fd = -1;
        char address[1024];

        if (!program) {
                g_test_skip("there is no dbus-daemon");
                return false;
        }
        test->service = test_service_new(0, 0);
        g_autofree char *listen_at = g_strdup_printf("--address=unix:path=%s/bus", test->service->folder);
        char *const command[] = {
                program, (char *) "--session", (char *) "--nofork", (char *) "--print-address", listen_at,
                NULL
        };
        g_assert_true(g_spawn_async_with_pipes(
                        NULL,
                        (char **) command,
                        NULL,
                        G_SPAWN_DO_NOT_REAP_CHILD,
                        end_with_parent,
                        NULL,
                        &test->pid,
                        NULL,
                        &out_fd,
                        NULL,
                        NULL));
        ssize_t n = read(out_fd, address, sizeof(address) - 1);
        g_assert_cmpint(n, >, 0);
        (void) close(out_fd);
        test->address = g_strndup(address, strcspn(address, ",\n"));
        sd_bus *bus = join(test);
        int r = bus_connection_new_broker(
                        test->service->server, bus, system, ignore, NULL, &test->connection);
        g_assert_cmpint(r, >=, 0);
        test_event_wait(test->service->event, is_ready, bus, "we are on the bus");
        const char *name;
        g_assert_cmpint(sd_bus_get_unique_name(bus, &name), >=, 0);
        test->name = g_strdup(name);
        return true;
}

static void end_bus(TestBus *test) {
        (void) g_ptr_array_remove(test->service->server->connections, test->connection);
        test_service_free(test->service);
        (void) kill(test->pid, SIGTERM);
        (void) waitpid(test->pid, NULL, 0);
        g_free(test->address);
        g_free(test->name);
}

static bool has_no_subscriber(void *userdata) {
        return g_hash_table_size(((const TestBus *) userdata)->connection->subscribers) == 0;
}

/* Half a share at a time, so that the daemon keeps up. */
static void publish_slowly(TestBus *test, sd_bus *client, unsigned count) {
        for (unsigned i = 0; i < count; i += 100) {
                publish(test->service, 100, "x", 10);
                call_over_bus(test, client, "List");
        }
}

/* On the bus of the user everybody hears, and one who subscribes lifts the bound for as long as it is there.
 */
static void test_user_bus(void) {
        TestBus test = { 0 };

        if (!start_bus(&test, false)) {
                return;
        }
        sd_bus *plain = join_as_client(&test), *subscriber = join_as_client(&test);
        Heard *heard = listen_to(plain);
        sd_bus *peer = test_client_new(test.service);
        (void) test_register(test.service, peer, "app");
        test_client_free(peer);
        call_over_bus(&test, plain, "List");
        int64_t since = g_get_monotonic_time();
        publish_slowly(&test, plain, 1000);
        assert_share(test.service, heard, 1000, since);
        g_assert_cmpuint(heard->messages, >=, SHARE);
        call_over_bus(&test, subscriber, "Subscribe");
        heard->messages = 0;
        publish_slowly(&test, plain, 500);
        g_assert_cmpuint(heard->messages, ==, 500);
        test_client_free(subscriber);
        test_event_wait(test.service->event,
                        has_no_subscriber,
                        &test,
                        "it is seen that the subscriber left");
        heard->messages = heard->lost = 0;
        since = g_get_monotonic_time();
        publish_slowly(&test, plain, 1000);
        assert_share(test.service, heard, 1000, since);
        heard_free(heard);
        test_client_free(plain);
        end_bus(&test);
}

/* More than the daemon takes at once is left out and told, and the connection stays. */
static void test_busy_bus(void) {
        TestBus test = { 0 };

        if (!start_bus(&test, false)) {
                return;
        }
        sd_bus *client = join_as_client(&test);
        Heard *heard = listen_to(client);
        sd_bus *peer = test_client_new(test.service);
        (void) test_register(test.service, peer, "app");
        test_client_free(peer);
        call_over_bus(&test, client, "Subscribe");
        uint64_t queued = 0;
        g_assert_cmpint(kill(test.pid, SIGSTOP), ==, 0);
        publish(test.service, 20000, "x", 1000);
        g_assert_cmpint(sd_bus_get_n_queued_write(test.connection->bus, &queued), >=, 0);
        g_assert_cmpuint(queued, ==, 256);
        g_assert_cmpint(kill(test.pid, SIGCONT), ==, 0);
        test_event_wait(test.service->event, is_told, heard, "what was left out is told");
        g_test_message("%u messages, %u lost", heard->messages, heard->lost);
        g_assert_cmpuint(heard->messages + heard->lost, ==, 20000);
        heard_free(heard);
        test_client_free(client);
        end_bus(&test);
}

/* On the bus of the system nobody hears who has not subscribed. */
static void test_system_bus(void) {
        TestBus test = { 0 };

        if (!start_bus(&test, true)) {
                return;
        }
        sd_bus *listener = join_as_client(&test), *subscriber = join_as_client(&test);
        Heard *nothing = listen_to(listener), *all = listen_to(subscriber);
        sd_bus *peer = test_client_new(test.service);
        (void) test_register(test.service, peer, "app");
        test_client_free(peer);
        call_over_bus(&test, subscriber, "Subscribe");
        publish_slowly(&test, listener, 500);
        call_over_bus(&test, subscriber, "List");
        g_assert_cmpuint(all->messages, ==, 500);
        g_assert_cmpuint(nothing->messages, ==, 0);
        g_assert_cmpuint(g_hash_table_size(test.connection->subscribers), ==, 1);
        call_over_bus(&test, subscriber, "Unsubscribe");
        g_assert_true(has_no_subscriber(&test));
        publish_slowly(&test, listener, 100);
        call_over_bus(&test, subscriber, "List");
        g_assert_cmpuint(all->messages, ==, 500);
        call_over_bus(&test, subscriber, "Subscribe");
        heard_free(all);
        test_client_free(subscriber);
        test_event_wait(test.service->event,
                        has_no_subscriber,
                        &test,
                        "it is seen that the subscriber left");
        heard_free(nothing);
        test_client_free(listener);
        end_bus(&test);
}

/* What is logged is for subscribers alone, on either bus, and bounded as messages are. */
static void check_logs_on_bus(bool system) {
        TestBus test = { 0 };

        if (!start_bus(&test, system)) {
                return;
        }
        sd_bus *listener = join_as_client(&test), *subscriber = join_as_client(&test);
        Heard *nothing = listen_to(listener), *all = listen_to(subscriber);
        sd_bus *peer = test_client_new(test.service);
        (void) test_register(test.service, peer, "app");
        test_client_free(peer);
        const Process *process = registry_get(manager_registry(test.service->manager), 0);
        g_assert_false(observers_want_log(test.service->manager, process, false));
        call_over_bus(&test, subscriber, "Subscribe");
        g_assert_true(observers_want_log(test.service->manager, process, false));
        log_lines(test.service, 100);
        call_over_bus(&test, subscriber, "List");
        call_over_bus(&test, listener, "List");
        g_assert_cmpuint(all->logs, ==, 100);
        g_assert_cmpuint(nothing->logs, ==, 0);
        g_assert_cmpint(kill(test.pid, SIGSTOP), ==, 0);
        g_assert_cmpint(waitpid(test.pid, NULL, WUNTRACED), ==, test.pid);
        log_lines(test.service, 40000); /* more than the kernel keeps for us */
        g_assert_cmpint(kill(test.pid, SIGCONT), ==, 0);
        test_event_wait(test.service->event, is_told, all, "what was left out is told");
        g_assert_cmpuint(all->logs + all->lost, ==, 40100);
        call_over_bus(&test, subscriber, "Unsubscribe");
        g_assert_false(observers_want_log(test.service->manager, process, false));
        heard_free(all);
        heard_free(nothing);
        test_client_free(subscriber);
        test_client_free(listener);
        end_bus(&test);
}

static void test_logs_on_bus(void) {
        check_logs_on_bus(false);
        check_logs_on_bus(true);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bus/messages/share", test_share);
        g_test_add_func("/bus/messages/order", test_order);
        g_test_add_func("/bus/messages/logs-on-bus", test_logs_on_bus);
        g_test_add_func("/bus/messages/large", test_large);
        g_test_add_func("/bus/messages/slow", test_slow);
        g_test_add_func("/bus/messages/nothing-lost", test_nothing_lost);
        g_test_add_func("/bus/messages/user-bus", test_user_bus);
        g_test_add_func("/bus/messages/busy-bus", test_busy_bus);
        g_test_add_func("/bus/messages/system-bus", test_system_bus);
        return g_test_run();
}
