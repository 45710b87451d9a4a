/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus-fixture.h"

#include "basic/log.h"
#include "event-fixture.h"
#include "fixture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
        CALL_TIMEOUT_SEC = 120,
};

static void set_folder(const char *variable, const char *folder, const char *name) {
        g_autofree char *path = test_path(folder, name);

        g_assert_cmpint(make_directories(path, 0700), ==, 0);
        g_assert_cmpint(setenv(variable, path, 1), ==, 0);
}

TestService *test_service_new(uint64_t limit_pending, uint64_t limit_peers) {
        TestService *service = g_new0(TestService, 1);

        log_set_max_level(LOG_CRIT);
        service->folder = test_folder_new();
        set_folder("HOME", service->folder, "home");
        set_folder("XDG_STATE_HOME", service->folder, "state");
        set_folder("XDG_RUNTIME_DIR", service->folder, "run");
        set_folder("XDG_CONFIG_HOME", service->folder, "config");
        g_assert_cmpint(instance_paths_init(&service->paths), ==, 0);
        g_assert_cmpint(make_directories(service->paths.runtime_dir, 0700), ==, 0);
        settings_init(&service->settings);
        g_free(service->settings.isolation);
        service->settings.isolation = g_strdup("none");
        service->settings.pending_calls_max =
                        limit_pending ? limit_pending : service->settings.pending_calls_max;
        service->settings.peers_max = limit_peers ? limit_peers : service->settings.peers_max;
        service->event = test_event_new();
        const ManagerOptions options = { .settings = &service->settings, .paths = &service->paths };
        g_assert_cmpint(manager_new(service->event, &options, &service->manager), ==, 0);
        int r = bus_server_new(
                        service->event, service->manager, service->paths.socket_path, &service->server);
        g_assert_cmpint(r, >=, 0);
        return service;
}

static bool has_no_peers(void *userdata) {
        return ((const TestService *) userdata)->server->connections->len == 0;
}

void test_service_free(TestService *service) {
        test_event_wait(service->event, has_no_peers, service, "the clients of the test are gone");
        sd_bus *client = test_client_new(service);

        test_assert_return(test_call(
                        service, client, MANAGER_PATH, "org.pm2.Manager", "Delete", "sa{sv}", "all", 0));
        g_assert_cmpuint(registry_count(manager_registry(service->manager)), ==, 0);
        test_client_free(client);
        test_event_drain(service->event);
        bus_server_free(service->server);
        g_assert_false(g_file_test(service->paths.socket_path, G_FILE_TEST_EXISTS));
        manager_free(service->manager);
        (void) sd_event_unref(service->event);
        settings_done(&service->settings);
        instance_paths_done(&service->paths);
        test_folder_remove(service->folder);
        g_free(service);
}

static bool is_ready(void *userdata) {
        return sd_bus_is_ready(userdata) > 0;
}

sd_bus *test_client_new(TestService *service) {
        g_autofree char *address = g_strdup_printf("unix:path=%s", service->paths.socket_path);
        sd_bus *client = NULL;

        g_assert_cmpint(sd_bus_new(&client), >=, 0);
        g_assert_cmpint(sd_bus_set_address(client, address), >=, 0);
        g_assert_cmpint(sd_bus_set_close_on_exit(client, 0), >=, 0);
        g_assert_cmpint(sd_bus_negotiate_fds(client, 1), >=, 0);
        g_assert_cmpint(sd_bus_start(client), >=, 0);
        g_assert_cmpint(sd_bus_attach_event(client, service->event, SD_EVENT_PRIORITY_NORMAL), >=, 0);
        test_event_wait(service->event, is_ready, client, "the client is connected");
        return client;
}

void test_client_free(sd_bus *client) {
        (void) sd_bus_detach_event(client);
        (void) sd_bus_close_unref(client);
}

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        *(sd_bus_message **) userdata = sd_bus_message_ref(message);
        return 0;
}

static bool has_reply(void *userdata) {
        return *(sd_bus_message **) userdata;
}

sd_bus_message *test_call_message(TestService *service, sd_bus *client, sd_bus_message *message) {
        sd_bus_message *reply = NULL;
        sd_bus_slot *slot = NULL;

        int r = sd_bus_call_async(
                        client, &slot, message, on_reply, &reply, CALL_TIMEOUT_SEC * UINT64_C(1000000));
        g_assert_cmpint(r, >=, 0);
        test_event_wait(service->event, has_reply, &reply, sd_bus_message_get_member(message));
        (void) sd_bus_slot_unref(slot);
        (void) sd_bus_message_unref(message);
        return reply;
}

sd_bus_message *test_message_new(
                sd_bus *client, const char *path, const char *interface, const char *member) {
        sd_bus_message *message = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(client, &message, NULL, path, interface, member),
                        >=,
                        0);
        return message;
}

sd_bus_message *test_call(
                TestService *service,
                sd_bus *client,
                const char *path,
                const char *interface,
                const char *member,
                const char *types,
                ...) {
        sd_bus_message *message = test_message_new(client, path, interface, member);
        va_list arguments;

        va_start(arguments, types);
        g_assert_true(!types || sd_bus_message_appendv(message, types, arguments) >= 0);
        va_end(arguments);
        return test_call_message(service, client, message);
}

void test_assert_return(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (error) {
                g_error("%s: %s", error->name, error->message);
        }
        (void) sd_bus_message_unref(reply);
}

void test_assert_error(sd_bus_message *reply, const char *name, const char *part) {
        g_autofree char *full =
                        strchr(name, '.') ? g_strdup(name) : g_strconcat("org.pm2.Error.", name, NULL);
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        g_assert_nonnull(error);
        g_test_message("%s: %s", error->name, error->message);
        g_assert_cmpstr(error->name, ==, full);
        test_assert_contains(error->message, part);
        (void) sd_bus_message_unref(reply);
}

uint32_t test_register(TestService *service, sd_bus *client, const char *name) {
        sd_bus_message *reply =
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  "org.pm2.Manager",
                                  "Start",
                                  "sa{sv}",
                                  "/bin/sh",
                                  2,
                                  "name",
                                  "s",
                                  name,
                                  "start",
                                  "b",
                                  0);
        uint32_t id = registry_next_id(manager_registry(service->manager)) - 1;

        test_assert_return(reply);
        return id;
}

static char *basic_to_text(sd_bus_message *message) {
        union {
                int boolean;
                uint32_t u;
                int32_t i;
                uint64_t t;
                double d;
                const char *s;
        } value = { 0 };
        const char *contents;
        char type;

        g_assert_cmpint(sd_bus_message_peek_type(message, &type, &contents), >, 0);
        g_assert_cmpint(sd_bus_message_read_basic(message, type, &value), >, 0);
        switch (type) {
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
                return g_strdup(value.s);
        case SD_BUS_TYPE_UINT32:
                return g_strdup_printf("%" PRIu32, value.u);
        case SD_BUS_TYPE_INT32:
                return g_strdup_printf("%" PRId32, value.i);
        case SD_BUS_TYPE_UINT64:
                return g_strdup_printf("%" PRIu64, value.t);
        case SD_BUS_TYPE_DOUBLE:
                return g_strdup_printf("%g", value.d);
        case SD_BUS_TYPE_BOOLEAN:
                return g_strdup(value.boolean ? "true" : "false");
        default:
                g_error("no text for type %c", type);
        }
}

char *test_property(
                TestService *service,
                sd_bus *client,
                const char *path,
                const char *interface,
                const char *name) {
        sd_bus_message *reply =
                        test_call(service,
                                  client,
                                  path,
                                  "org.freedesktop.DBus.Properties",
                                  "Get",
                                  "ss",
                                  interface,
                                  name);
        const char *contents;
        char type;

        g_assert_null(sd_bus_message_get_error(reply));
        g_assert_cmpint(sd_bus_message_peek_type(reply, &type, &contents), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(reply, SD_BUS_TYPE_VARIANT, contents), >, 0);
        char *text = basic_to_text(reply);
        (void) sd_bus_message_unref(reply);
        return text;
}

uint64_t test_queued_writes(const TestService *service) {
        const GPtrArray *connections = service->server->connections;
        uint64_t queued = 0;

        g_assert_cmpuint(connections->len, >, 0);
        const BusConnection *newest = connections->pdata[connections->len - 1];
        g_assert_cmpint(sd_bus_get_n_queued_write(newest->bus, &queued), >=, 0);
        return queued;
}
