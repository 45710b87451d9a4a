/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every method of both interfaces, called as it must not be. The source tree is given as argument. */

#include "bus-fixture.h"
#include "fixture.h"
#include "interface-fixture.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *source_root;

static const char *const wrong_signatures[] = {
        "",   "s",      "ss",    "sss",   "u",      "i",       "us",  "b",        "o",      "v", "as",
        "sv", "sa{ss}", "a{ss}", "a{sv}", "sa{sv}", "ssa{sv}", "(s)", "(sa{sv})", "aa{sv}", "h", "t",
};

/* Something for each part of a signature. */
static void append_arguments(sd_bus_message *message, const char *signature) {
        static const char *const parts[] = { "a{sv}", "a{ss}", "aa{sv}", "as", "(sa{sv})", "(s)" };

        while (*signature) {
                size_t length = 1;
                int r = 0;
                for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
                        if (g_str_has_prefix(signature, parts[i])) {
                                length = MAX(length, strlen(parts[i]));
                        }
                }
                g_autofree char *part = g_strndup(signature, length);
                if (part[0] == 'a') {
                        r = sd_bus_message_append(message, part, 0);
                } else if (strcmp(part, "s") == 0 || strcmp(part, "(s)") == 0) {
                        r = sd_bus_message_append(message, part, "x");
                } else if (part[0] == 'o') {
                        r = sd_bus_message_append(message, part, "/");
                } else if (part[0] == 'v') {
                        r = sd_bus_message_append(message, part, "s", "x");
                } else if (part[0] == 't') {
                        r = sd_bus_message_append(message, part, UINT64_C(0));
                } else if (part[0] == '(') {
                        r = sd_bus_message_append(message, part, "x", 0);
                } else {
                        r = sd_bus_message_append(message, part, 0); /* b i u, and h: standard input */
                }
                g_assert_cmpint(r, >=, 0);
                signature += length;
        }
}

static void call_wrongly(
                TestService *service,
                sd_bus *client,
                const char *path,
                const char *interface,
                const char *method,
                const char *signature) {
        sd_bus_message *message = test_message_new(client, path, interface, method);
        g_autofree char *quoted = g_strdup_printf("'%s'", signature);

        append_arguments(message, signature);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, quoted);
}

static void call_all_wrongly(TestService *service, sd_bus *client, const char *path, const char *name) {
        g_autoptr(TestInterface) interface = test_interface_read(source_root, name);
        GHashTableIter iterator;
        void *method, *signature;
        unsigned calls = 0;

        g_hash_table_iter_init(&iterator, interface->methods);
        while (g_hash_table_iter_next(&iterator, &method, &signature)) {
                g_autofree char *too_much = g_strconcat(signature, "s", NULL);
                call_wrongly(service, client, path, name, method, too_much);
                for (size_t i = 0; i < G_N_ELEMENTS(wrong_signatures); i++) {
                        if (strcmp(wrong_signatures[i], signature) != 0) {
                                call_wrongly(service, client, path, name, method, wrong_signatures[i]);
                                calls++;
                        }
                }
        }
        g_assert_cmpuint(calls, >, 50);
        /* and it all had no effect */
        g_assert_cmpuint(registry_count(manager_registry(service->manager)), ==, 1);
        g_assert_false(manager_is_shutting_down(service->manager));
}

static void test_methods(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        (void) test_register(service, client, "app");
        call_all_wrongly(service, client, MANAGER_PATH, "org.pm2.Manager");
        call_all_wrongly(service, client, "/org/pm2/Process/0", "org.pm2.Process");
        test_client_free(client);
        test_service_free(service);
}

/* What is not there: members, interfaces, objects, properties. */
static void test_unknown(void) {
        static const char *const properties = "org.freedesktop.DBus.Properties";
        static const char *const paths[] = {
                "/org/pm2/Process/1",
                "/org/pm2/Process/x",
                "/org/pm2/Process/4294967296",
                "/org/pm2/Process/99999999999999999999",
                "/org/pm2/Process/00",
                "/org/pm2/Nothing",
                "/nothing",
        };
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        (void) test_register(service, client, "app");
        test_assert_error(
                        test_call(service, client, MANAGER_PATH, "org.pm2.Manager", "Explode", NULL),
                        SD_BUS_ERROR_UNKNOWN_METHOD,
                        "Explode");
        test_assert_error(
                        test_call(service, client, MANAGER_PATH, "org.pm2.Nothing", "List", NULL),
                        SD_BUS_ERROR_UNKNOWN_METHOD,
                        "org.pm2.Nothing");
        for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
                test_assert_error(
                                test_call(service, client, paths[i], "org.pm2.Process", "Stop", "a{sv}", 0),
                                SD_BUS_ERROR_UNKNOWN_OBJECT,
                                paths[i]);
        }
        test_assert_error(
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  properties,
                                  "Get",
                                  "ss",
                                  "org.pm2.Manager",
                                  "No"),
                        SD_BUS_ERROR_UNKNOWN_PROPERTY,
                        "No");
        test_assert_error(
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  properties,
                                  "Set",
                                  "ssv",
                                  "org.pm2.Manager",
                                  "Version",
                                  "s",
                                  "2"),
                        SD_BUS_ERROR_PROPERTY_READ_ONLY,
                        "Version");
        test_client_free(client);
        test_service_free(service);
}

static sd_bus_message *stop_message(sd_bus *client) {
        sd_bus_message *message = test_message_new(client, MANAGER_PATH, "org.pm2.Manager", "Stop");

        g_assert_cmpint(sd_bus_message_append(message, "s", "app"), >=, 0);
        return message;
}

static sd_bus_message *start_message(sd_bus *client) {
        sd_bus_message *message = test_message_new(client, MANAGER_PATH, "org.pm2.Manager", "Start");

        g_assert_cmpint(sd_bus_message_append(message, "s", "/bin/sh"), >=, 0);
        return message;
}

/* Values that no option can have, and options of the wrong kind. */
static void test_options(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        sd_bus_message *message;

        (void) test_register(service, client, "app");
        message = stop_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "nonsense", "b", 1), >=, 0);
        test_assert_error(
                        test_call_message(service, client, message),
                        SD_BUS_ERROR_INVALID_ARGS,
                        "'nonsense'");
        message = stop_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "wait", "s", "soon"), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "wait");
        message = stop_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "timeout", "i", -1), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "timeout");
        message = stop_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "timeout", "t", UINT64_MAX), >=, 0);
        test_assert_error(
                        test_call_message(service, client, message),
                        SD_BUS_ERROR_INVALID_ARGS,
                        "out of range");
        message = stop_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 2, "wait", "b", 1, "wait", "b", 1), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "twice");
        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "name", "(ss)", "a", "b"), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "struct");
        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "name", "h", STDIN_FILENO), >=, 0);
        test_assert_error(
                        test_call_message(service, client, message),
                        SD_BUS_ERROR_INVALID_ARGS,
                        "descriptor");
        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "env", "a{us}", 1, 5, "x"), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "strings");
        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "nonsense", "b", 1), >=, 0);
        test_assert_error(test_call_message(service, client, message), "InvalidConfig", "nonsense");
        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "kill_signal", "s", "SIGFOO"), >=, 0);
        test_assert_error(test_call_message(service, client, message), "InvalidConfig", "'SIGFOO'");
        message = start_message(client);
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "kill_signal", "u", 32), >=, 0);
        test_assert_error(test_call_message(service, client, message), "InvalidConfig", "'32'");
        g_assert_cmpuint(registry_count(manager_registry(service->manager)), ==, 1);
        test_client_free(client);
        test_service_free(service);
}

/* Variants in variants, deeper than anybody needs. */
static void test_deep_options(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        sd_bus_message *message = start_message(client);

        g_assert_cmpint(sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}"), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(message, "s", "name"), >=, 0);
        for (int i = 0; i < 100; i++) {
                g_assert_cmpint(sd_bus_message_open_container(
                                                message, SD_BUS_TYPE_VARIANT, i < 99 ? "v" : "s"),
                                >=,
                                0);
        }
        g_assert_cmpint(sd_bus_message_append(message, "s", "x"), >=, 0);
        for (int i = 0; i < 102; i++) {
                g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
        }
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "deep");
        test_client_free(client);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        source_root = argc > 1 ? argv[1] : ".";
        g_test_add_func("/bus/signatures/methods", test_methods);
        g_test_add_func("/bus/signatures/unknown", test_unknown);
        g_test_add_func("/bus/signatures/options", test_options);
        g_test_add_func("/bus/signatures/deep-options", test_deep_options);
        return g_test_run();
}
