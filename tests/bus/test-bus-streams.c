/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Streams of OpenBus: what is in them, for whom, and what a reader costs that does not read. */

#include "stream-fixture.h"

#include "bus/bus-filter.h"
#include "event-fixture.h"
#include "fixture.h"
#include "manager/publish.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MANAGER "org.pm2.Manager"

enum {
        BACKLOG = 64 * 1024,
};

static Process *process_of(const TestService *service, uint32_t id) {
        Process *process = registry_get(manager_registry(service->manager), id);

        g_assert_nonnull(process);
        return process;
}

static Process *register_named(TestService *service, sd_bus *client, const char *name) {
        return process_of(service, test_register(service, client, name));
}

static void publish(TestService *service, Process *process, const char *type, const char *data) {
        /* where it ends is said, not written there */
        g_autofree char *unended = g_strconcat(data, "\n\"behind\"", NULL);

        g_assert_cmpint(manager_publish(service->manager, process, type, unended, strlen(data)), ==, 0);
}

static void assert_next(TestReader *reader, const char *event, const char *data) {
        g_autofree char *line = test_reader_next(reader);
        g_autofree char *start = g_strdup_printf("{\"event\":\"%s\",\"at\":", event);
        g_autofree char *end = g_strdup_printf("},\"data\":%s}", data);

        g_test_message("%s", line);
        g_assert_true(g_str_has_prefix(line, start));
        g_assert_true(g_str_has_suffix(line, end));
}

/* A message as a line, exactly. */
static void test_line(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "a\"p\\iß");
        TestReader *reader = test_reader_new(service, client, NULL, NULL);

        int64_t before = g_get_real_time() / 1000;
        publish(service, process, "my \"type\"", "{\"x\": [1,2]}");
        g_autofree char *line = test_reader_next(reader);
        g_autofree char *at = test_between(line, "\"at\":", ",");
        g_autofree char *expected = g_strdup_printf(
                        "{\"event\":\"my \\\"type\\\"\",\"at\":%s,\"process\":{\"pm_id\":0,\"name\":"
                        "\"a\\\"p\\\\iß\",\"namespace\":\"default\",\"unique_id\":\"%s\",\"pid\":0},"
                        "\"data\":"
                        "{\"x\": [1,2]}}",
                        at,
                        process->unique_id);
        g_assert_cmpstr(line, ==, expected);
        g_assert_cmpint(g_ascii_strtoll(at, NULL, 10), >=, before);
        g_assert_cmpint(g_ascii_strtoll(at, NULL, 10), <=, g_get_real_time() / 1000);
        publish(service, process, "process:msg", "\"ready\"");
        assert_next(reader, "process:msg", "\"ready\"");
        test_reader_assert_nothing(reader);
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* Nobody speaks in the name of the supervisor. */
static void test_reserved(void) {
        static const char *const types[] = { "process:event", "lost", "pm2:kill", "log:out" };
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        TestReader *reader = test_reader_new(service, client, NULL, NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
                g_autofree char *data =
                                g_strdup_printf("{\"type\":\"%s\",\"data\":{\"event\":\"exit\"}}", types[i]);
                publish(service, process, types[i], "{\"event\":\"exit\"}");
                assert_next(reader, "process:msg", data);
        }
        publish(service, process, "process:events", "1");
        assert_next(reader, "process:events", "1");
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* What would break a line, or is too much, never gets that far. */
static void test_refused(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        TestReader *reader = test_reader_new(service, client, NULL, NULL);
        g_autofree char *long_type = g_strnfill(MESSAGE_TYPE_BYTES_MAX + 1, 'x');
        g_autofree char *long_data = g_strnfill(MESSAGE_DATA_BYTES_MAX + 1, '1');
        const struct {
                const char *type, *data;
                size_t length;
                int expected;
        } cases[] = {
                { "x", "1\n", 2, -EINVAL },
                { "x", "\"\xff\"", 3, -EINVAL },
                { "\xc0\x80", "1", 1, -EINVAL },
                { "", "1", 1, -EINVAL },
                { "x", "", 0, -EINVAL },
                { long_type, "1", 1, -EMSGSIZE },
                { "x", long_data, MESSAGE_DATA_BYTES_MAX + 1, -EMSGSIZE },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                int r = manager_publish(
                                service->manager, process, cases[i].type, cases[i].data, cases[i].length);
                g_assert_cmpint(r, ==, cases[i].expected);
        }
        test_reader_assert_nothing(reader);
        g_assert_cmpint(manager_publish(service->manager, process, long_type + 1, long_data + 1, 1), ==, 0);
        g_autofree char *line = test_reader_next(reader);
        g_assert_true(g_str_has_suffix(line, "\"data\":1}"));
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* Events and messages in the order in which they came, and there before the reply to what caused them. */
static void test_order(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        TestReader *reader = test_reader_new(service, client, NULL, NULL);
        static const char *const expected[] = {
                "\"event\":\"online\",\"manually\":false,\"restart_time\":0",
                "\"event\":\"start\",\"manually\":true,\"restart_time\":0",
                "\"event\":\"exit\",\"manually\":false,\"restart_time\":0,\"exit_code\":",
                "\"event\":\"stop\",\"manually\":true,\"restart_time\":0,\"reason\":\"",
                "\"data\":\"said\"",
                "\"event\":\"delete\",\"manually\":true",
        };

        test_assert_return(
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  MANAGER,
                                  "Start",
                                  "sa{sv}",
                                  "/bin/sleep",
                                  2,
                                  "args",
                                  "s",
                                  "1000",
                                  "name",
                                  "s",
                                  "app"));
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "Stop", "sa{sv}", "app", 0));
        publish(service, process_of(service, 0), "x", "\"said\"");
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "Delete", "sa{sv}", "app", 0));
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                g_autofree char *line = test_reader_peek(reader);
                g_test_message("%s", line);
                test_assert_contains(line, expected[i]);
                if (i == 2) {
                        test_assert_contains(line, "\"signal\":\"SIGINT\"");
                }
        }
        test_reader_assert_nothing(reader);
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* By name, and by what begins so. */
static void test_event_filter(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        TestReader *reader = test_reader_new(service, client, "exact axm:* a*b", NULL);
        TestReader *events = test_reader_new(service, client, "process:event", NULL);

        publish(service, process, "exac", "1");
        publish(service, process, "exact", "2");
        publish(service, process, "exactly", "3");
        publish(service, process, "axm:", "4");
        publish(service, process, "axm:reply", "5");
        publish(service, process, "axm", "6");
        publish(service, process, "axb", "7");
        publish(service, process, "a*b", "8");
        assert_next(reader, "exact", "2");
        assert_next(reader, "axm:", "4");
        assert_next(reader, "axm:reply", "5");
        assert_next(reader, "a*b", "8");
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "Delete", "sa{sv}", "app", 0));
        test_reader_assert_nothing(reader);
        g_autofree char *line = test_reader_next(events);
        test_assert_contains(line, "\"event\":\"delete\"");
        test_reader_assert_nothing(events);
        test_reader_free(events);
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* Of processes that come later, too; and what a target means does not outlive what it was asked of. */
static void test_target_filter(void) {
        static const struct {
                const char *target;
                bool api, apis, web; /* ids 0, 1, 2 */
        } cases[] = {
                { "api", true, false, true }, /* also the namespace of the third */
                { "name:api", true, false, false }, { "ns:api", false, false, true },
                { "id:1", false, true, false },     { "1", false, true, false },
                { "/^a/", true, true, false },      { "/org/pm2/Process/2", false, false, true },
                { "all", true, true, true },        { "nothing", false, false, false },
        };
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        TestReader *readers[G_N_ELEMENTS(cases)];

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                readers[i] = test_reader_new(service, client, "x", cases[i].target);
        }
        Process *processes[] = { register_named(service, client, "api"),
                                 register_named(service, client, "apis"),
                                 NULL };
        test_assert_return(
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  MANAGER,
                                  "Start",
                                  "sa{sv}",
                                  "/bin/sh",
                                  3,
                                  "name",
                                  "s",
                                  "web",
                                  "namespace",
                                  "s",
                                  "api",
                                  "start",
                                  "b",
                                  0));
        processes[2] = process_of(service, 2);
        for (unsigned round = 0; round < 2; round++) {
                publish(service, processes[0], "x", "0");
                publish(service, processes[1], "x", "1");
                publish(service, processes[2], "x", "2");
                for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                        g_test_message("%s", cases[i].target);
                        if (cases[i].api) {
                                assert_next(readers[i], "x", "0");
                        }
                        if (cases[i].apis) {
                                assert_next(readers[i], "x", "1");
                        }
                        if (cases[i].web) {
                                assert_next(readers[i], "x", "2");
                        }
                        test_reader_assert_nothing(readers[i]);
                }
        }
        /* the same id, and with luck the same memory, are another process */
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "Delete", "sa{sv}", "all", 0));
        Process *other = register_named(service, client, "other");
        g_assert_cmpuint(other->id, ==, 0);
        publish(service, other, "x", "3");
        test_reader_assert_nothing(readers[0]);
        test_reader_assert_nothing(readers[5]);
        assert_next(readers[7], "x", "3");
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                test_reader_free(readers[i]);
        }
        test_client_free(client);
        test_service_free(service);
}

/* A process that is given another name. */
static void test_renamed(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "before");
        TestReader *reader = test_reader_new(service, client, "x", "name:after");
        g_autoptr(AppConfig) config = app_config_copy(process->config);

        publish(service, process, "x", "1");
        test_reader_assert_nothing(reader);
        g_free(config->name);
        config->name = g_strdup("after");
        process_set_config(process, config);
        publish(service, process, "x", "2");
        assert_next(reader, "x", "2");
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

static void test_bad_filters(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        GString *many = g_string_new("x");
        g_autofree char *long_name = g_strnfill(257, 'x');
        sd_bus_message *message;

        for (unsigned i = 0; i < 64; i++) {
                g_string_append(many, " x");
        }
        const struct {
                const char *events, *target, *error, *part;
        } cases[] = {
                { many->str, NULL, SD_BUS_ERROR_INVALID_ARGS, "1 to 64 names, got 65" },
                { long_name, NULL, SD_BUS_ERROR_INVALID_ARGS, "256" },
                { "a  b", NULL, SD_BUS_ERROR_INVALID_ARGS, "events" },
                { NULL, "", SD_BUS_ERROR_INVALID_ARGS, "target" },
                { NULL, "/(/", "InvalidData", "regular expression" },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                message = test_open_message(client, cases[i].events, cases[i].target);
                test_assert_error(
                                test_call_message(service, client, message), cases[i].error, cases[i].part);
        }
        message = test_message_new(client, MANAGER_PATH, MANAGER, "OpenBus");
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "event", "s", "x"), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "'event'");
        message = test_message_new(client, MANAGER_PATH, MANAGER, "OpenBus");
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "events", "s", "x"), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "array");
        message = test_message_new(client, MANAGER_PATH, MANAGER, "OpenBus");
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "events", "as", 0), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "got 0");
        message = test_message_new(client, MANAGER_PATH, MANAGER, "OpenBus");
        g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "events", "au", 1, 5), >=, 0);
        test_assert_error(test_call_message(service, client, message), SD_BUS_ERROR_INVALID_ARGS, "string");
        (void) g_string_free(many, TRUE);
        test_client_free(client);
        test_service_free(service);
}

/* Of others' processes nothing is heard, whatever the target. */
static void test_rights(void) {
        const Caller user = { .uid = 1000, .gid = 1000, .via = "test" };
        const Caller root = { .uid = 0, .via = "test" };
        g_autoptr(Value) options = value_new_map();
        g_autoptr(BusFilter) of_user = NULL, of_root = NULL;
        g_autoptr(AppConfig) config = app_config_new();
        char unique_id[33] = "0123456789abcdef0123456789abcdef";
        Process *own = process_new(0, unique_id, 1000, 0, 0), *other = process_new(1, unique_id, 1001, 0, 0);
        ProcessPlan plan = { 0 };

        config->name = g_strdup("app");
        process_configure(own, config, NULL, &plan);
        process_configure(other, config, NULL, &plan);
        value_set(options, "target", value_new_string("all"));
        g_assert_cmpint(bus_filter_new(&user, options, &of_user, NULL), ==, 0);
        g_assert_cmpint(bus_filter_new(&root, options, &of_root, NULL), ==, 0);
        g_assert_true(bus_filter_takes(of_user, own, "x"));
        g_assert_false(bus_filter_takes(of_user, other, "x"));
        g_assert_true(bus_filter_takes(of_root, own, "x"));
        g_assert_true(bus_filter_takes(of_root, other, "x"));
        process_free(own);
        process_free(other);
}

typedef struct Gap {
        unsigned told, lost, gaps;
} Gap;

/* Take lines that count up until the last one is there; what is missing in between was told. */
static Gap read_counted(TestReader *reader, unsigned last) {
        Gap gap = { 0 };
        unsigned next = 0;

        while (next <= last) {
                g_autofree char *line = test_reader_next(reader);
                if (g_str_has_prefix(line, "{\"event\":\"lost\",\"at\":")) {
                        g_autofree char *count = test_between(line, "\"data\":{\"count\":", "}}");
                        next += (unsigned) g_ascii_strtoull(count, NULL, 10);
                        gap.lost += (unsigned) g_ascii_strtoull(count, NULL, 10);
                        gap.gaps++;
                } else {
                        g_autofree char *number = test_between(line, "\"data\":[", ",");
                        g_assert_cmpuint(g_ascii_strtoull(number, NULL, 10), ==, next);
                        g_assert_true(g_str_has_suffix(line, "]}"));
                        next++;
                        gap.told++;
                }
        }
        return gap;
}

static void publish_counted(
                TestService *service, Process *process, unsigned from, unsigned to, size_t size) {
        g_autofree char *filling = g_strnfill(size, '7');

        for (unsigned i = from; i < to; i++) {
                g_autofree char *data = g_strdup_printf("[%u,%s]", i, filling);
                publish(service, process, "x", data);
        }
}

/* Who does not read loses whole lines and is told how many, where they are missing; others lose nothing. */
static void test_slow_reader(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        service->settings.stream_backlog_max = BACKLOG;
        TestReader *slow = test_reader_new(service, client, NULL, NULL);
        TestReader *quick = test_reader_new(service, client, NULL, NULL);
        Gap quick_sum = { 0 };

        for (unsigned i = 0; i < 100; i++) {
                publish_counted(service, process, i * 100, (i + 1) * 100, i % 10 == 0 ? 1000 : 60);
                for (unsigned line = 0; line < 100; line++) {
                        g_autofree char *text = test_reader_next(quick);
                        quick_sum.told++;
                        test_assert_contains(text, "\"event\":\"x\"");
                }
        }
        g_assert_cmpuint(quick_sum.told, ==, 10000);
        /* it reads on: the gap, and what happens after it */
        Gap gap = { 0 };
        unsigned next = 0;
        while (gap.gaps == 0) {
                g_autofree char *line = test_reader_next(slow);
                if (g_str_has_prefix(line, "{\"event\":\"lost\"")) {
                        g_autofree char *count = test_between(line, "\"count\":", "}");
                        gap.lost = (unsigned) g_ascii_strtoull(count, NULL, 10);
                        gap.gaps++;
                } else {
                        g_autofree char *number = test_between(line, "\"data\":[", ",");
                        g_assert_cmpuint(g_ascii_strtoull(number, NULL, 10), ==, next++);
                }
        }
        g_test_message("%u lines, then a gap of %u", next, gap.lost);
        g_assert_cmpuint(next + gap.lost, ==, 10000);
        publish_counted(service, process, 0, 100, 60);
        gap = read_counted(slow, 99);
        g_assert_cmpuint(gap.told, ==, 100);
        test_reader_assert_nothing(slow);
        test_reader_free(slow);
        test_reader_free(quick);
        test_client_free(client);
        test_service_free(service);
}

/* Reading slowly, with gaps again and again: every line is told or counted. */
static void test_gaps(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        service->settings.stream_backlog_max = BACKLOG;
        TestReader *reader = test_reader_new(service, client, NULL, NULL);
        unsigned published = 0, next = 0, gaps = 0;

        while (gaps < 3) {
                publish_counted(service, process, published, published + 2000, 300);
                published += 2000;
                for (unsigned i = 0; i < 300; i++) {
                        g_autofree char *line = test_reader_next(reader);
                        if (g_str_has_prefix(line, "{\"event\":\"lost\"")) {
                                g_autofree char *count = test_between(line, "\"count\":", "}");
                                next += (unsigned) g_ascii_strtoull(count, NULL, 10);
                                gaps++;
                        } else {
                                g_autofree char *number = test_between(line, "\"data\":[", ",");
                                g_assert_cmpuint(g_ascii_strtoull(number, NULL, 10), ==, next++);
                        }
                }
        }
        while (next < published) {
                g_autofree char *line = test_reader_next(reader);
                if (g_str_has_prefix(line, "{\"event\":\"lost\"")) {
                        g_autofree char *count = test_between(line, "\"count\":", "}");
                        next += (unsigned) g_ascii_strtoull(count, NULL, 10);
                } else {
                        next++;
                }
        }
        g_assert_cmpuint(next, ==, published);
        test_reader_assert_nothing(reader);
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* Larger than what the kernel takes at once, and than the loop's turn. */
static void test_large(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        TestReader *reader = test_reader_new(service, client, NULL, NULL);
        g_autofree char *data = g_strnfill(MESSAGE_DATA_BYTES_MAX, '1');

        for (unsigned i = 0; i < 6; i++) {
                data[0] = (char) ('1' + i);
                publish(service, process, "x", data);
        }
        unsigned told = 0, lost = 0;
        while (told + lost < 6) {
                g_autofree char *line = test_reader_next(reader);
                if (g_str_has_prefix(line, "{\"event\":\"lost\"")) {
                        lost++; /* the backlog is 4 MiB */
                        test_assert_contains(line, "\"count\":");
                        g_autofree char *count = test_between(line, "\"count\":", "}");
                        lost = (unsigned) g_ascii_strtoull(count, NULL, 10);
                } else {
                        g_autofree char *number = test_between(line, "\"data\":", "}");
                        data[0] = (char) ('1' + told++);
                        g_assert_cmpstr(number, ==, data);
                }
        }
        g_assert_cmpuint(told, >=, 3);
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* Every user may have so many, and one that was closed counts no more. */
static void test_count(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        service->settings.streams_max = 2;
        Process *process = register_named(service, client, "app");
        TestReader *first = test_reader_new(service, client, NULL, NULL);
        TestReader *second = test_reader_new(service, client, NULL, NULL);

        for (unsigned round = 0; round < 3; round++) {
                test_assert_error(
                                test_call_message(service, client, test_open_message(client, NULL, NULL)),
                                "LimitExceeded",
                                "streams_max");
                test_reader_free(first);
                if (round == 1) { /* seen at a write, else by itself */
                        publish(service, process, "x", "1");
                        assert_next(second, "x", "1");
                }
                test_event_drain(service->event);
                first = test_reader_new(service, client, NULL, NULL);
        }
        test_reader_free(second);
        test_reader_free(first);
        test_client_free(client);
        test_service_free(service);
}

/* Many readers of the same, some of which go in the middle of it. */
static void test_many(void) {
        enum {
                COUNT = 64,
        };
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        TestReader *readers[COUNT];

        for (unsigned i = 0; i < COUNT; i++) {
                readers[i] = test_reader_new(service, client, NULL, NULL);
        }
        publish_counted(service, process, 0, 100, 60);
        for (unsigned i = 0; i < COUNT; i += 2) {
                test_reader_free(readers[i]);
        }
        publish_counted(service, process, 100, 200, 60);
        for (unsigned i = 1; i < COUNT; i += 2) {
                Gap gap = read_counted(readers[i], 199);
                g_assert_cmpuint(gap.told, ==, 200);
                test_reader_free(readers[i]);
        }
        test_client_free(client);
        test_service_free(service);
}

/* A reader that sends something, or that closes one direction. */
static void test_odd_readers(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Process *process = register_named(service, client, "app");
        TestReader *reader = test_reader_new(service, client, NULL, NULL);

        g_assert_cmpint(write(reader->fd, "x", 1), ==, -1);
        g_assert_cmpint(errno, ==, EPIPE);
        publish(service, process, "x", "1");
        assert_next(reader, "x", "1");
        test_reader_free(reader);
        test_client_free(client);
        test_service_free(service);
}

/* A client that goes leaves the stream to whoever has its end. */
static void test_outlives_connection(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service), *other = test_client_new(service);
        Process *process = register_named(service, client, "app");
        TestReader *reader = test_reader_new(service, other, NULL, NULL);

        test_client_free(other);
        test_event_drain(service->event);
        publish(service, process, "x", "1");
        assert_next(reader, "x", "1");
        test_client_free(client);
        test_service_free(service);
        /* the end of the supervisor is that of the stream */
        g_autofree char *line = test_reader_peek(reader);
        test_assert_contains(line, "\"event\":\"delete\"");
        g_assert_null(test_reader_peek(reader));
        g_assert_true(reader->ended);
        g_assert_cmpuint(reader->text->len, ==, 0);
        test_reader_free(reader);
}

/* Who cannot be handed a descriptor is told so. */
static void test_no_descriptors(void) {
        TestService *service = test_service_new(0, 0);
        g_autofree char *address = g_strdup_printf("unix:path=%s", service->paths.socket_path);
        sd_bus *client = NULL;

        g_assert_cmpint(sd_bus_new(&client), >=, 0);
        g_assert_cmpint(sd_bus_set_address(client, address), >=, 0);
        g_assert_cmpint(sd_bus_set_close_on_exit(client, 0), >=, 0);
        g_assert_cmpint(sd_bus_negotiate_fds(client, 0), >=, 0);
        g_assert_cmpint(sd_bus_start(client), >=, 0);
        g_assert_cmpint(sd_bus_attach_event(client, service->event, SD_EVENT_PRIORITY_NORMAL), >=, 0);
        test_assert_error(
                        test_call_message(service, client, test_open_message(client, NULL, NULL)),
                        "NotSupported",
                        "descriptors");
        test_client_free(client);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bus/streams/line", test_line);
        g_test_add_func("/bus/streams/reserved", test_reserved);
        g_test_add_func("/bus/streams/refused", test_refused);
        g_test_add_func("/bus/streams/order", test_order);
        g_test_add_func("/bus/streams/event-filter", test_event_filter);
        g_test_add_func("/bus/streams/target-filter", test_target_filter);
        g_test_add_func("/bus/streams/renamed", test_renamed);
        g_test_add_func("/bus/streams/bad-filters", test_bad_filters);
        g_test_add_func("/bus/streams/rights", test_rights);
        g_test_add_func("/bus/streams/slow-reader", test_slow_reader);
        g_test_add_func("/bus/streams/gaps", test_gaps);
        g_test_add_func("/bus/streams/large", test_large);
        g_test_add_func("/bus/streams/count", test_count);
        g_test_add_func("/bus/streams/many", test_many);
        g_test_add_func("/bus/streams/odd-readers", test_odd_readers);
        g_test_add_func("/bus/streams/outlives-connection", test_outlives_connection);
        g_test_add_func("/bus/streams/no-descriptors", test_no_descriptors);
        return g_test_run();
}
