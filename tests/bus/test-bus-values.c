/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Attributes in every type that D-Bus has for them, and read back. */

#include "bus-fixture.h"
#include "fixture.h"

#include <string.h>

#define MANAGER "org.pm2.Manager"

static sd_bus_message *start_message(sd_bus *client) {
        sd_bus_message *message = test_message_new(client, MANAGER_PATH, MANAGER, "Start");

        g_assert_cmpint(sd_bus_message_append(message, "s", "/bin/sh"), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(message, "{sv}{sv}", "name", "s", "app", "start", "b", 0),
                        >=,
                        0);
        return message;
}

/* Register the app, and give its config back. The process is removed again. */
static AppConfig *register_app(TestService *service, sd_bus *client, sd_bus_message *message) {
        g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
        test_assert_return(test_call_message(service, client, message));
        AppConfig *config = app_config_ref(registry_at(manager_registry(service->manager), 0)->config);
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "Delete", "sa{sv}", "app", 0));
        return config;
}

static void test_numbers(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        const uint8_t y = 200;
        const int16_t n = 200;
        const uint64_t t = 200;
        const double d = 200;
        const struct {
                const char *type;
                const void *value;
        } samples[] = {
                { "y", &y }, { "n", &n }, { "q", &n }, { "i", &t },    { "u", &t },
                { "x", &t }, { "t", &t }, { "d", &d }, { "s", "200" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                sd_bus_message *message = start_message(client);
                g_assert_cmpint(sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv"), >=, 0);
                g_assert_cmpint(sd_bus_message_append(message, "s", "kill_timeout"), >=, 0);
                g_assert_cmpint(sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, samples[i].type),
                                >=,
                                0);
                int r = sd_bus_message_append_basic(message, samples[i].type[0], samples[i].value);
                g_assert_cmpint(r, >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
                g_test_message("%s", samples[i].type);
                g_autoptr(AppConfig) config = register_app(service, client, message);
                g_assert_cmpuint(config->kill_timeout_usec, ==, 200000);
        }
        test_client_free(client);
        test_service_free(service);
}

/* Strings, bytes that are not UTF-8, and lists of any scalars. */
static void test_lists(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        sd_bus_message *message = start_message(client);

        g_assert_cmpint(sd_bus_message_append(message, "{sv}", "args", "as", 2, "one", "two three"), >=, 0);
        g_autoptr(AppConfig) strings = register_app(service, client, message);
        g_assert_cmpuint(g_strv_length(strings->args), ==, 2);
        g_assert_cmpstr(strings->args[1], ==, "two three");

        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "{sv}", "args", "ai", 2, -5, 7), >=, 0);
        g_autoptr(AppConfig) numbers = register_app(service, client, message);
        g_assert_cmpstr(numbers->args[0], ==, "-5");

        message = start_message(client);
        int r = sd_bus_message_append(
                        message, "{sv}", "args", "av", 3, "s", "a", "b", 1, "u", UINT32_C(4000000000));
        g_assert_cmpint(r, >=, 0);
        g_autoptr(AppConfig) variants = register_app(service, client, message);
        g_assert_cmpstr(variants->args[1], ==, "true");
        g_assert_cmpstr(variants->args[2], ==, "4000000000");

        message = start_message(client);
        r = sd_bus_message_append(message, "{sv}", "args", "aay", 2, 3, 'a', 0xff, 'b', 1, 'c');
        g_assert_cmpint(r, >=, 0);
        g_autoptr(AppConfig) bytes = register_app(service, client, message);
        g_assert_cmpstr(bytes->args[0],
                        ==,
                        "a\xff"
                        "b");
        g_assert_cmpstr(bytes->args[1], ==, "c");

        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "{sv}", "args", "as", 0), >=, 0);
        g_autoptr(AppConfig) empty = register_app(service, client, message);
        g_assert_cmpuint(g_strv_length(empty->args), ==, 0);
        test_client_free(client);
        test_service_free(service);
}

static void test_environments(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        sd_bus_message *message = start_message(client);

        g_assert_cmpint(sd_bus_message_append(message, "{sv}", "env", "a{ss}", 2, "A", "1", "B", "two"),
                        >=,
                        0);
        g_autoptr(AppConfig) strings = register_app(service, client, message);
        g_assert_cmpstr(environment_get(strings->env, "B"), ==, "two");

        message = start_message(client);
        int r = sd_bus_message_append(
                        message,
                        "{sv}",
                        "env",
                        "a{sv}",
                        3,
                        "A",
                        "i",
                        1,
                        "B",
                        "b",
                        1,
                        "C",
                        "ay",
                        2,
                        'x',
                        0xff);
        g_assert_cmpint(r, >=, 0);
        g_autoptr(AppConfig) variants = register_app(service, client, message);
        g_assert_cmpstr(environment_get(variants->env, "A"), ==, "1");
        g_assert_cmpstr(environment_get(variants->env, "B"), ==, "true");
        g_assert_cmpstr(environment_get(variants->env, "C"), ==, "x\xff");
        test_client_free(client);
        test_service_free(service);
}

/* What is no text for the bus is made so on its way out; nothing breaks off. */
static void test_bytes_are_readable(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        sd_bus_message *message = start_message(client);

        int r = sd_bus_message_append(
                        message,
                        "{sv}{sv}",
                        "args",
                        "aay",
                        1,
                        2,
                        'a',
                        0xff,
                        "env",
                        "a{sv}",
                        1,
                        "X",
                        "ay",
                        2,
                        0xc3,
                        '(');
        g_assert_cmpint(r, >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
        test_assert_return(test_call_message(service, client, message));
        static const char *const path = "/org/pm2/Process/0";
        test_assert_return(test_call(service, client, path, "org.pm2.Process", "GetConfig", NULL));
        test_assert_return(test_call(service, client, path, "org.pm2.Process", "GetEnvironment", NULL));
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "Describe", "s", "app"));
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "List", NULL));
        test_assert_return(
                        test_call(service,
                                  client,
                                  path,
                                  "org.freedesktop.DBus.Properties",
                                  "GetAll",
                                  "s",
                                  "org.pm2.Process"));
        test_client_free(client);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bus/values/numbers", test_numbers);
        g_test_add_func("/bus/values/lists", test_lists);
        g_test_add_func("/bus/values/environments", test_environments);
        g_test_add_func("/bus/values/bytes-are-readable", test_bytes_are_readable);
        return g_test_run();
}
