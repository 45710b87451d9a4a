/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The message bus of the library: JSON as values, lines as packets, and who is called for them. */

#include "libpm2/client.h"

#include <glib.h>
#include <locale.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void assert_reads(const char *text, const char *expected) {
        pm2_value *value = NULL;
        char *json = NULL;

        int r = pm2_value_from_json(text, strlen(text), &value);
        g_autofree char *escaped = g_strescape(text, NULL);
        g_test_message("%s: %d", escaped, r);
        if (!expected) {
                g_assert_cmpint(r, ==, -EBADMSG);
                g_assert_null(value);
                return;
        }
        g_assert_cmpint(r, ==, 0);
        g_assert_cmpint(pm2_value_to_json(value, PM2_JSON_SHORT, &json), ==, 0);
        g_assert_cmpstr(json, ==, expected);
        free(json);
        (void) pm2_value_free(value);
}

static void test_json(void) {
        static const struct {
                const char *text, *expected; /* NULL: refused */
        } cases[] = {
                { "null", "null" },
                { " true ", "true" },
                { "false", "false" },
                { "0", "0" },
                { "-0", "0" },
                { "18446744073709551615", "18446744073709551615" },
                { "-9223372036854775808", "-9223372036854775808" },
                { "18446744073709551616", "1.8446744073709552e+19" },
                { "1.5e3", "1500" },
                { "-0.25", "-0.25" },
                { "1E-2", "0.01" },
                { "\"\"", "\"\"" },
                { "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"a\\\"\\\\/\\b\\f\\n\\r\\t\"" },
                { "\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"", "\"Aä€😀\"" },
                { "\"x\\u0000\\ud800y\\udc00\\ud800\\u0041\"", "\"x\ufffd\ufffdy\ufffd\ufffdA\"" },
                { "\"ä€😀\"", "\"ä€😀\"" },
                { "[]", "[]" },
                { "[ 1 , [2],{} ]", "[1,[2],{}]" },
                { "{}", "{}" },
                { "{ \"a\" : 1 , \"b\":{\"c\":[null]} }", "{\"a\":1,\"b\":{\"c\":[null]}}" },
                { "", NULL },
                { " ", NULL },
                { "nul", NULL },
                { "truex", NULL },
                { "01", NULL },
                { "-", NULL },
                { "+1", NULL },
                { "1.", NULL },
                { ".5", NULL },
                { "1e", NULL },
                { "1e+", NULL },
                { "1e999", NULL },
                { "0x10", NULL },
                { "NaN", NULL },
                { "Infinity", NULL },
                { "\"", NULL },
                { "\"\\\"", NULL },
                { "\"\\x\"", NULL },
                { "\"\\u12\"", NULL },
                { "\"\\u12g4\"", NULL },
                { "\"\\ud800\\u12\"", NULL },
                { "\"a\nb\"", NULL },
                { "\"\xff\"", NULL },
                { "[1,]", NULL },
                { "[1 2]", NULL },
                { "[", NULL },
                { "]", NULL },
                { "{\"a\"}", NULL },
                { "{\"a\":}", NULL },
                { "{a:1}", NULL },
                { "{\"a\":1,}", NULL },
                { "{1:1}", NULL },
                { "'a'", NULL },
                { "1 1", NULL },
                { "[1]]", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                assert_reads(cases[i].text, cases[i].expected);
        }
}

static void test_json_depth(void) {
        g_autofree char *open = g_strnfill(100000, '['), *close = g_strnfill(VALUE_NESTED_MAX, ']');
        pm2_value *value = NULL;

        g_assert_cmpint(pm2_value_from_json(open, 100000, &value), ==, -ELOOP);
        g_autofree char *most = g_strndup(open, VALUE_NESTED_MAX);
        g_autofree char *text = g_strconcat(most, close, NULL), *more = g_strconcat("[", text, "]", NULL);
        g_assert_cmpint(pm2_value_from_json(text, strlen(text), &value), ==, 0);
        (void) pm2_value_free(value);
        g_assert_cmpint(pm2_value_from_json(more, strlen(more), &value), ==, -ELOOP);
}

/* Nothing behind its end is looked at. */
static void test_json_end(void) {
        pm2_value *value = NULL;
        uint64_t number = 0;

        g_assert_cmpint(pm2_value_from_json("1234", 2, &value), ==, 0);
        g_assert_cmpint(pm2_value_get_uint64(value, "", &number), ==, 0);
        g_assert_cmpuint(number, ==, 12);
        (void) pm2_value_free(value);
        g_assert_cmpint(pm2_value_from_json("\"ab\"", 3, &value), ==, -EBADMSG);
        g_assert_cmpint(pm2_value_from_json("1\0", 2, &value), ==, -EBADMSG);
}

typedef struct Test {
        pm2_bus *bus;
        int writer;
        GString *heard;
} Test;

static Test test_new(void) {
        Test test = { .heard = g_string_new(NULL) };
        int fds[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
        g_assert_cmpint(bus_new(fds[0], &test.bus), ==, 0);
        g_assert_cmpint(pm2_bus_get_fd(test.bus), ==, fds[0]);
        test.writer = fds[1];
        return test;
}

static void test_done(Test *test) {
        g_assert_null(pm2_bus_close(test->bus));
        (void) close(test->writer);
        (void) g_string_free(test->heard, TRUE);
}

static void say(const Test *test, const char *text) {
        g_assert_cmpint(write(test->writer, text, strlen(text)), ==, (ssize_t) strlen(text));
}

static void assert_heard(Test *test, const char *expected) {
        g_assert_cmpstr(test->heard->str, ==, expected);
        g_string_truncate(test->heard, 0);
}

static void hear(const char *event, const pm2_value *packet, void *userdata) {
        Test *test = userdata;
        const char *inside = NULL;

        g_assert_cmpint(pm2_value_get_string(packet, "event", &inside), ==, 0);
        g_assert_cmpstr(inside, ==, event);
        g_string_append_printf(test->heard, "%s ", event);
}

static void hear_too(const char *event, const pm2_value *packet, void *userdata) {
        g_string_append(((Test *) userdata)->heard, "too ");
}

static void hear_once(const char *event, const pm2_value *packet, void *userdata) {
        Test *test = userdata;

        g_string_append(test->heard, "once ");
        pm2_bus_off(test->bus, "a", hear_once);
        g_assert_cmpint(pm2_bus_on(test->bus, "a", hear_too, test), ==, 0);
}

/* Each packet, however the lines arrive. */
static void test_lines(void) {
        Test test = test_new();

        g_assert_cmpint(pm2_bus_on(test.bus, "*", hear, &test), ==, 0);
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 0);
        g_assert_cmpint(pm2_bus_wait(test.bus, 0), ==, 0);
        say(&test, "{\"event\":\"a\"}\n{\"event\":");
        g_assert_cmpint(pm2_bus_wait(test.bus, UINT64_MAX), ==, 1);
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 1);
        assert_heard(&test, "a ");
        say(&test, "\"b\"");
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 0);
        say(&test, "}\n{\"event\":\"c\"}\n{\"event\":\"d\"}\n");
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 3);
        assert_heard(&test, "b c d ");
        /* what is no packet is left out, and nothing else */
        say(&test, "{\"event\":\"e\"}\n[]\n{\"event\":1}\nx\n{\"event\":\"f\"}\n");
        g_assert_cmpint(pm2_bus_process(test.bus), ==, -EBADMSG);
        assert_heard(&test, "e f ");
        say(&test, "{\"event\":\"g\"}\n{\"event\":\"h\"}");
        g_assert_cmpint(shutdown(test.writer, SHUT_WR), ==, 0);
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 1);
        g_assert_cmpint(pm2_bus_process(test.bus), ==, -ECONNRESET);
        g_assert_cmpint(pm2_bus_process(test.bus), ==, -ECONNRESET);
        assert_heard(&test, "g ");
        test_done(&test);
}

/* Larger than what is read at once; and what never ends is not kept for ever. */
static void test_long_lines(void) {
        enum {
                SIZE = 1000000,
        };
        Test test = test_new();
        g_autofree char *filling = g_strnfill(SIZE, 'x');
        g_autofree char *line = g_strdup_printf("{\"event\":\"a\",\"data\":\"%s\"}\n", filling);
        size_t length = strlen(line), written = 0;
        int r = 0;

        g_assert_cmpint(pm2_bus_on(test.bus, "a", hear, &test), ==, 0);
        for (unsigned i = 0; i < 3; i++) {
                for (written = 0; written < length; r = pm2_bus_process(test.bus)) {
                        ssize_t n = send(test.writer, line + written, length - written, MSG_DONTWAIT);
                        written += n > 0 ? (size_t) n : 0;
                }
                while (r == 0) {
                        r = pm2_bus_process(test.bus);
                }
                g_assert_cmpint(r, ==, 1);
                assert_heard(&test, "a ");
        }
        for (r = 0; r == 0; r = pm2_bus_process(test.bus)) {
                (void) send(test.writer, filling, SIZE, MSG_DONTWAIT);
                g_assert_cmpuint(written++, <, 10 * length);
        }
        g_assert_cmpint(r, ==, -EMSGSIZE);
        test_done(&test);
}

static void test_handlers(void) {
        Test test = test_new();

        g_assert_cmpint(pm2_bus_on(test.bus, "", hear, &test), ==, -EINVAL);
        g_assert_cmpint(pm2_bus_on(test.bus, NULL, hear, &test), ==, -EINVAL);
        g_assert_cmpint(pm2_bus_on(test.bus, "a", NULL, &test), ==, -EINVAL);
        g_assert_cmpint(pm2_bus_on(test.bus, "a", hear, &test), ==, 0);
        g_assert_cmpint(pm2_bus_on(test.bus, "axm:*", hear, &test), ==, 0);
        g_assert_cmpint(pm2_bus_on(test.bus, "a", hear_too, &test), ==, 0);
        say(&test, "{\"event\":\"a\"}\n{\"event\":\"axm:b\"}\n{\"event\":\"axm\"}\n{\"event\":\"ab\"}\n");
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 4);
        assert_heard(&test, "a too axm:b ");
        pm2_bus_off(test.bus, "a", hear_too);
        pm2_bus_off(test.bus, "axm:*", NULL);
        pm2_bus_off(test.bus, "nothing", NULL);
        say(&test, "{\"event\":\"a\"}\n{\"event\":\"axm:b\"}\n");
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 2);
        assert_heard(&test, "a ");
        pm2_bus_off(test.bus, NULL, NULL);
        /* from within: what is added is for the next packet */
        g_assert_cmpint(pm2_bus_on(test.bus, "a", hear_once, &test), ==, 0);
        g_assert_cmpint(pm2_bus_on(test.bus, "a", hear, &test), ==, 0);
        say(&test, "{\"event\":\"a\"}\n{\"event\":\"a\"}\n");
        g_assert_cmpint(pm2_bus_process(test.bus), ==, 2);
        assert_heard(&test, "once a a too ");
        test_done(&test);
        g_assert_null(pm2_bus_close(NULL));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/libpm2/bus/json", test_json);
        g_test_add_func("/libpm2/bus/json-depth", test_json_depth);
        g_test_add_func("/libpm2/bus/json-end", test_json_end);
        g_test_add_func("/libpm2/bus/lines", test_lines);
        g_test_add_func("/libpm2/bus/long-lines", test_long_lines);
        g_test_add_func("/libpm2/bus/handlers", test_handlers);
        return g_test_run();
}
