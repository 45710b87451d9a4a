/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the client sends to processes, as a supervisor of a few lines at the other end of a socket pair gets
 * it, and what becomes of its answers. */

#include "libpm2/client.h"

#include "basic/sd-cleanup.h"

#include <glib.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int server_list(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(
                        message, "aa{sv}", 1, 2, "name", "s", "five", "pm_id", "u", (uint32_t) 5);
}

/* What came is told in the error's text. */
static int tell(sd_bus_error *error, const char *name, uint32_t id, const char *first, const char *second) {
        return sd_bus_error_setf(error, name, "%u %s %s", id, first, second);
}

static int server_data(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *type, *data;
        uint32_t id;

        g_assert_cmpint(sd_bus_message_read(message, "uss", &id, &type, &data), >, 0);
        return id == 5 ? sd_bus_reply_method_return(message, "")
                       : tell(error, ERROR_PREFIX "NoChannel", id, type, data);
}

static int server_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *target, *json;

        g_assert_cmpint(sd_bus_message_read(message, "ss", &target, &json), >, 0);
        return strcmp(target, "five") == 0 ? sd_bus_reply_method_return(message, "ao", 1, PROCESS_PATH "5")
                                           : tell(error, ERROR_PREFIX "InvalidData", 0, target, json);
}

static int server_line(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *line;
        uint32_t id;

        g_assert_cmpint(sd_bus_message_read(message, "us", &id, &line), >, 0);
        return id == 5 ? sd_bus_reply_method_return(message, "")
                       : tell(error, ERROR_PREFIX "LimitExceeded", id, line, "");
}

static int server_trigger(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *target, *action, *params;

        g_assert_cmpint(sd_bus_message_read(message, "sss", &target, &action, &params), >, 0);
        if (strcmp(target, "nobody") == 0) {
                return tell(error, ERROR_PREFIX "NoSuchAction", 0, action, params);
        }
        return sd_bus_reply_method_return(
                        message,
                        "a(uss)",
                        5,
                        (uint32_t) 0,
                        "",
                        "{\"a\":[1,\"x\"]}",
                        (uint32_t) 1,
                        "NoChannel",
                        "it has none",
                        (uint32_t) 2,
                        "",
                        "",
                        (uint32_t) 3,
                        "",
                        "1e999",
                        (uint32_t) 4,
                        "",
                        "null");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("List", "", "aa{sv}", server_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SendData", "uss", "", server_data, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SendMessage", "ss", "ao", server_message, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SendLine", "us", "", server_line, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Trigger", "sssa{sv}", "a(uss)", server_trigger, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static sd_bus *new_bus(int fd, bool server) {
        sd_id128_t id = { .bytes = { 1 } };
        sd_bus *bus = NULL;

        g_assert_cmpint(sd_bus_new(&bus), ==, 0);
        g_assert_cmpint(sd_bus_set_fd(bus, fd, fd), >=, 0);
        if (server) {
                g_assert_cmpint(sd_bus_set_server(bus, true, id), >=, 0);
        }
        g_assert_cmpint(sd_bus_start(bus), >=, 0);
        return bus;
}

static void serve(int fd) {
        _cleanup_bus_ sd_bus *bus = new_bus(fd, true);

        g_assert_cmpint(sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, MANAGER_INTERFACE, vtable, NULL),
                        >=,
                        0);
        for (;;) {
                int r = sd_bus_process(bus, NULL);
                if (r < 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0)) {
                        return;
                }
        }
}

typedef struct Fixture {
        pm2_client *client;
        pid_t server;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
        int ends[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
        fixture->server = fork();
        g_assert_cmpint(fixture->server, >=, 0);
        if (fixture->server == 0) {
                (void) close(ends[0]);
                serve(ends[1]);
                _exit(0);
        }
        (void) close(ends[1]);
        g_assert_cmpint(pm2_client_new(&fixture->client), ==, 0);
        fixture->client->bus = new_bus(ends[0], false);
        fixture->client->peer = true;
}

static void tear_down(Fixture *fixture, gconstpointer data) {
        int status = 0;

        (void) pm2_client_free(fixture->client);
        g_assert_cmpint(waitpid(fixture->server, &status, 0), ==, fixture->server);
        g_assert_cmpint(status, ==, 0);
}

static void assert_failure(const pm2_client *client, const char *name, const char *message) {
        g_assert_cmpstr(pm2_last_error_name(client), ==, name);
        g_assert_cmpstr(pm2_last_error_message(client), ==, message);
}

static void test_data(Fixture *fixture, gconstpointer unused) {
        pm2_client *client = fixture->client;
        pm2_value *data = NULL;

        g_assert_cmpint(pm2_value_new_object(&data), ==, 0);
        g_assert_cmpint(pm2_value_add_string(data, "some", "da\"ta"), ==, 0);
        g_assert_cmpint(pm2_send_data_to_process_id(client, 5, "process:msg", data), ==, 0);
        assert_failure(client, "", "");
        g_assert_cmpint(pm2_send_data_to_process_id(client, UINT32_MAX, "t", data), ==, -ENOSTR);
        assert_failure(client, ERROR_PREFIX "NoChannel", "4294967295 t {\"some\":\"da\\\"ta\"}");
        g_assert_cmpint(pm2_send_data_to_process_id(client, 6, "", NULL), ==, -ENOSTR);
        assert_failure(client, ERROR_PREFIX "NoChannel", "6  null");
        g_assert_cmpint(pm2_send_data_to_process_id(client, 5, "\xff", data), ==, -EINVAL);
        assert_failure(client, "", "the type is not UTF-8");
        g_assert_cmpint(pm2_value_add_string(data, "some", "\xff"), ==, 0);
        g_assert_cmpint(pm2_send_data_to_process_id(client, 5, "t", data), ==, -EINVAL);
        assert_failure(client, "", "the data is not UTF-8");
        (void) pm2_value_free(data);
}

static void test_message(Fixture *fixture, gconstpointer unused) {
        pm2_client *client = fixture->client;
        pm2_value *message = NULL, *processes = NULL;

        g_assert_cmpint(pm2_value_new_array(&message), ==, 0);
        g_assert_cmpint(pm2_value_add_double(message, NULL, INFINITY), ==, 0);
        g_assert_cmpint(pm2_send_message(client, "five", message, &processes), ==, 0);
        g_assert_cmpuint(pm2_value_get_length(processes), ==, 1);
        g_assert_cmpstr(pm2_process_get_name(pm2_value_get_item(processes, 0)), ==, "five");
        g_assert_cmpint(pm2_send_message(client, "five", message, NULL), ==, 0);
        g_assert_cmpint(pm2_send_message(client, "six", message, NULL), ==, -EBADMSG);
        assert_failure(client, ERROR_PREFIX "InvalidData", "0 six [null]");
        g_assert_cmpint(pm2_send_message(client, "six", NULL, NULL), ==, -EBADMSG);
        assert_failure(client, ERROR_PREFIX "InvalidData", "0 six null");
        g_assert_cmpint(pm2_send_message_json(client, "six", " [1,\n2", NULL), ==, -EBADMSG);
        assert_failure(client, ERROR_PREFIX "InvalidData", "0 six  [1,\n2");
        g_assert_cmpint(pm2_send_message_json(client, "\xff", "1", NULL), ==, -EINVAL);
        assert_failure(client, "", "the target is not UTF-8");
        g_assert_cmpint(pm2_send_message_json(client, "five", "\"\xff\"", NULL), ==, -EINVAL);
        assert_failure(client, "", "the message is not UTF-8");
        (void) pm2_value_free(message);
        (void) pm2_value_free(processes);
}

static void test_line(Fixture *fixture, gconstpointer unused) {
        pm2_client *client = fixture->client;

        g_assert_cmpint(pm2_send_line(client, 5, ""), ==, 0);
        g_assert_cmpint(pm2_send_line(client, 6, "a line"), ==, -EDQUOT);
        assert_failure(client, ERROR_PREFIX "LimitExceeded", "6 a line ");
        g_assert_cmpint(pm2_send_line(client, 5, "\xff"), ==, -EINVAL);
        assert_failure(client, "", "the line is not UTF-8");
}

/* Each process has an answer of its own, and one that makes no sense is nothing to the others. */
static void test_trigger(Fixture *fixture, gconstpointer unused) {
        static const char expected[] = "[{\"pm_id\":0,\"error\":\"\",\"return\":{\"a\":[1,\"x\"]}},"
                                       "{\"pm_id\":1,\"error\":\"NoChannel\",\"message\":\"it has none\"},"
                                       "{\"pm_id\":2,\"error\":\"\"},"
                                       "{\"pm_id\":3,\"error\":\"InvalidData\","
                                       "\"message\":\"what it returned cannot be read\"},"
                                       "{\"pm_id\":4,\"error\":\"\",\"return\":null}]";
        pm2_client *client = fixture->client;
        pm2_options *options = NULL;
        pm2_value *answers = NULL;
        _cleanup_free_ char *json = NULL;

        g_assert_cmpint(pm2_options_new(&options), ==, 0);
        g_assert_cmpint(pm2_options_set_uint(options, "timeout", 1000000), ==, 0);
        g_assert_cmpint(pm2_trigger(client, "all", "ping", "p", options, &answers), ==, 0);
        g_assert_cmpint(pm2_value_to_json(answers, PM2_JSON_SHORT, &json), ==, 0);
        g_assert_cmpstr(json, ==, expected);
        g_assert_cmpint(pm2_trigger(client, "all", "ping", NULL, NULL, NULL), ==, 0);
        g_assert_cmpint(pm2_trigger(client, "nobody", "ping", NULL, NULL, NULL), ==, -ENOSYS);
        assert_failure(client, ERROR_PREFIX "NoSuchAction", "0 ping ");
        g_assert_cmpint(pm2_trigger(client, "nobody", "ping", "a b", options, NULL), ==, -ENOSYS);
        assert_failure(client, ERROR_PREFIX "NoSuchAction", "0 ping a b");
        g_assert_cmpint(pm2_trigger(client, "all", "ping", "\xff", NULL, NULL), ==, -EINVAL);
        assert_failure(client, "", "the parameter is not UTF-8");
        (void) pm2_options_free(options);
        (void) pm2_value_free(answers);
}

static void test_not_connected(void) {
        pm2_client *client = NULL;

        g_assert_cmpint(pm2_client_new(&client), ==, 0);
        g_assert_cmpint(pm2_send_data_to_process_id(client, 0, "t", NULL), ==, -ENOTCONN);
        g_assert_cmpint(pm2_send_message(client, "x", NULL, NULL), ==, -ENOTCONN);
        g_assert_cmpint(pm2_send_line(client, 0, ""), ==, -ENOTCONN);
        g_assert_cmpint(pm2_trigger(client, "x", "y", NULL, NULL, NULL), ==, -ENOTCONN);
        (void) pm2_client_free(client);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add("/libpm2/send/data", Fixture, NULL, set_up, test_data, tear_down);
        g_test_add("/libpm2/send/message", Fixture, NULL, set_up, test_message, tear_down);
        g_test_add("/libpm2/send/line", Fixture, NULL, set_up, test_line, tear_down);
        g_test_add("/libpm2/send/trigger", Fixture, NULL, set_up, test_trigger, tear_down);
        g_test_add_func("/libpm2/send/not-connected", test_not_connected);
        return g_test_run();
}
