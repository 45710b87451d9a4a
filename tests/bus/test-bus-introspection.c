/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The running objects against introspection/: both ways, on names, types, directions, argument names, access
 * and annotations. The source tree is given as argument. */

#include "bus-fixture.h"
#include "fixture.h"
#include "interface-fixture.h"

#include <string.h>

#define PROPERTIES     "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

static const char *source_root;

static char *introspect(TestService *service, sd_bus *client, const char *path) {
        sd_bus_message *reply = test_call(
                        service, client, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        const char *xml = NULL;

        g_assert_cmpint(sd_bus_message_read(reply, "s", &xml), >, 0);
        char *copy = g_strdup(xml);
        (void) sd_bus_message_unref(reply);
        return copy;
}

static unsigned say_missing(const TestInterface *in, const TestInterface *from, const char *what) {
        unsigned missing = 0;

        for (guint i = 0; i < in->facts->len; i++) {
                if (!g_ptr_array_find_with_equal_func(from->facts, in->facts->pdata[i], g_str_equal, NULL)) {
                        g_test_message("%s: %s", what, (char *) in->facts->pdata[i]);
                        missing++;
                }
        }
        return missing;
}

static void compare(TestService *service, sd_bus *client, const char *path, const char *name) {
        g_autofree char *xml = introspect(service, client, path);
        g_autoptr(TestInterface) running = test_interface_parse(xml, name);
        g_autoptr(TestInterface) declared = test_interface_read(source_root, name);
        unsigned missing = say_missing(declared, running, "declared, not there");
        unsigned extra = say_missing(running, declared, "there, not declared");

        g_assert_cmpuint(missing, ==, 0);
        g_assert_cmpuint(extra, ==, 0);
        g_assert_cmpuint(running->facts->len, ==, declared->facts->len);
        g_assert_cmpuint(running->facts->len, >, 10);
}

static void test_interfaces(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        (void) test_register(service, client, "app");
        compare(service, client, MANAGER_PATH, "org.pm2.Manager");
        compare(service, client, "/org/pm2/Process/0", "org.pm2.Process");
        test_client_free(client);
        test_service_free(service);
}

/* The tree can be walked from the root to each process, as busctl does. */
static void test_tree(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        (void) test_register(service, client, "one");
        (void) test_register(service, client, "two");
        g_autofree char *root = introspect(service, client, "/");
        test_assert_contains(root, "<node name=\"org");
        g_autofree char *objects = introspect(service, client, OBJECTS_PATH);
        test_assert_contains(objects, "<node name=\"Manager\"/>");
        test_assert_contains(objects, "<node name=\"Process");
        test_assert_contains(objects, OBJECT_MANAGER);
        g_autofree char *processes = introspect(service, client, PROCESS_PATH);
        test_assert_contains(processes, "<node name=\"0\"/>");
        test_assert_contains(processes, "<node name=\"1\"/>");
        test_assert_error(
                        test_call(service,
                                  client,
                                  "/org/pm2/Process/2",
                                  "org.pm2.Process",
                                  "Stop",
                                  "a{sv}",
                                  0),
                        SD_BUS_ERROR_UNKNOWN_OBJECT,
                        "/org/pm2/Process/2");
        test_client_free(client);
        test_service_free(service);
}

/* The properties in an a{sv} at the read position: exactly those declared, of their types. */
static void check_properties(sd_bus_message *reply, const TestInterface *declared) {
        unsigned count = 0;

        g_assert_cmpint(sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "{sv}"), >, 0);
        while (sd_bus_message_enter_container(reply, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
                const char *name, *contents;
                char type;
                g_assert_cmpint(sd_bus_message_read(reply, "s", &name), >, 0);
                g_assert_cmpint(sd_bus_message_peek_type(reply, &type, &contents), >, 0);
                g_test_message("%s %s", name, contents);
                g_assert_cmpstr(contents, ==, g_hash_table_lookup(declared->properties, name));
                g_assert_cmpint(sd_bus_message_skip(reply, "v"), >, 0);
                g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
                count++;
        }
        g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
        g_assert_cmpuint(count, ==, g_hash_table_size(declared->properties));
}

static void test_get_all(void) {
        static const char *const names[] = { "org.pm2.Manager", "org.pm2.Process" };
        static const char *const paths[] = { MANAGER_PATH, "/org/pm2/Process/0" };
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        (void) test_register(service, client, "app");
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(TestInterface) declared = test_interface_read(source_root, names[i]);
                sd_bus_message *reply =
                                test_call(service, client, paths[i], PROPERTIES, "GetAll", "s", names[i]);
                check_properties(reply, declared);
                (void) sd_bus_message_unref(reply);
        }
        test_client_free(client);
        test_service_free(service);
}

/* GetManagedObjects: every process with its interface and all properties, and the Manager. */
static void test_managed_objects(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        g_autoptr(TestInterface) process = test_interface_read(source_root, "org.pm2.Process");
        g_autoptr(TestInterface) manager = test_interface_read(source_root, "org.pm2.Manager");
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        const char *path, *name;

        (void) test_register(service, client, "one");
        (void) test_register(service, client, "two");
        sd_bus_message *reply =
                        test_call(service, client, OBJECTS_PATH, OBJECT_MANAGER, "GetManagedObjects", NULL);
        g_assert_cmpint(sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}"), >, 0);
        while (sd_bus_message_enter_container(reply, SD_BUS_TYPE_DICT_ENTRY, "oa{sa{sv}}") > 0) {
                g_assert_cmpint(sd_bus_message_read(reply, "o", &path), >, 0);
                g_assert_true(g_hash_table_add(seen, g_strdup(path)));
                g_assert_cmpint(sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "{sa{sv}}"), >, 0);
                while (sd_bus_message_enter_container(reply, SD_BUS_TYPE_DICT_ENTRY, "sa{sv}") > 0) {
                        g_assert_cmpint(sd_bus_message_read(reply, "s", &name), >, 0);
                        if (strcmp(name, "org.pm2.Process") == 0) {
                                check_properties(reply, process);
                        } else if (strcmp(name, "org.pm2.Manager") == 0) {
                                check_properties(reply, manager);
                        } else {
                                g_assert_cmpint(sd_bus_message_skip(reply, "a{sv}"), >, 0);
                        }
                        g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
                }
                g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
                g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
        }
        g_assert_true(g_hash_table_contains(seen, "/org/pm2/Process/0"));
        g_assert_true(g_hash_table_contains(seen, "/org/pm2/Process/1"));
        g_assert_true(g_hash_table_contains(seen, MANAGER_PATH));
        g_assert_cmpuint(g_hash_table_size(seen), ==, 3);
        (void) sd_bus_message_unref(reply);
        test_client_free(client);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        source_root = argc > 1 ? argv[1] : ".";
        g_test_add_func("/bus/introspection/interfaces", test_interfaces);
        g_test_add_func("/bus/introspection/tree", test_tree);
        g_test_add_func("/bus/introspection/get-all", test_get_all);
        g_test_add_func("/bus/introspection/managed-objects", test_managed_objects);
        return g_test_run();
}
