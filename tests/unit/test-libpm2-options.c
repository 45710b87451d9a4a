/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The options builder, and values read from messages: what is appended is read back. */

#include "libpm2/options.h"
#include "libpm2/value-bus.h"

#include "basic/sd-cleanup.h"

#include <glib.h>
#include <string.h>
#include <sys/socket.h>

static sd_bus *bus;
static int other_end;

static void setup(void) {
        int ends[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
        g_assert_cmpint(sd_bus_new(&bus), ==, 0);
        g_assert_cmpint(sd_bus_set_fd(bus, ends[0], ends[0]), >=, 0);
        g_assert_cmpint(sd_bus_negotiate_fds(bus, true), >=, 0);
        g_assert_cmpint(sd_bus_start(bus), >=, 0);
        other_end = ends[1];
}

static sd_bus_message *new_message(void) {
        sd_bus_message *message = NULL;
        g_assert_cmpint(sd_bus_message_new_method_call(bus, &message, NULL, "/x", "x.y", "Z"), >=, 0);
        return message;
}

/* Seal the message and compare what is read from it, as JSON. */
static void assert_message(sd_bus_message *message, const char *expected) {
        pm2_value *value = NULL;
        char *text = NULL;

        int r = sd_bus_message_seal(message, 1, 0);
        g_assert_true(r >= 0 || r == -EPERM); /* is sealed already */
        g_assert_cmpint(sd_bus_message_rewind(message, true), >=, 0);
        g_assert_cmpint(value_read(message, &value), ==, 0);
        g_assert_cmpint(pm2_value_to_json(value, PM2_JSON_SHORT, &text), ==, 0);
        g_assert_cmpstr(text, ==, expected);
        (void) pm2_value_free(value);
        g_assert_cmpint(value_read(message, &value), ==, -ENXIO);
        free(text);
}

static void assert_options(const pm2_options *options, const char *expected) {
        _cleanup_bus_message_ sd_bus_message *message = new_message();
        g_assert_cmpint(options_append(options, message), >=, 0);
        assert_message(message, expected);
}

static void test_types(void) {
        _cleanup_options_ pm2_options *options = NULL;

        g_assert_cmpint(pm2_options_new(&options), ==, 0);
        assert_options(options, "{}");
        assert_options(NULL, "{}");
        g_assert_cmpint(pm2_options_set_string(options, "name", "äpi"), ==, 0);
        g_assert_cmpint(pm2_options_set_bool(options, "wait", false), ==, 0);
        g_assert_cmpint(pm2_options_set_int(options, "int", INT64_MIN), ==, 0);
        g_assert_cmpint(pm2_options_set_uint(options, "timeout", UINT64_MAX), ==, 0);
        g_assert_cmpint(pm2_options_set_double(options, "double", 0.5), ==, 0);
        g_assert_cmpint(pm2_options_set_strv(options, "args", (const char *const[]){ "a", "", "b c", NULL }),
                        ==,
                        0);
        g_assert_cmpint(pm2_options_set_map(
                                        options,
                                        "env",
                                        (const char *const[]){ "A=1", "B=x=y", "A=2", "C=", NULL }),
                        ==,
                        0);
        assert_options(options,
                       "{\"name\":\"äpi\",\"wait\":false,\"int\":-9223372036854775808,"
                       "\"timeout\":18446744073709551615,\"double\":0.5,\"args\":[\"a\",\"\",\"b c\"],"
                       "\"env\":{\"A\":\"2\",\"B\":\"x=y\",\"C\":\"\"}}");
        g_assert_true(pm2_options_has(options, "env"));
        g_assert_false(pm2_options_has(options, "en"));
        g_assert_false(pm2_options_has(NULL, "env"));
}

static void test_replace_and_copy(void) {
        _cleanup_options_ pm2_options *options = NULL, *copy = NULL, *empty = NULL;

        g_assert_cmpint(pm2_options_new(&options), ==, 0);
        g_assert_cmpint(pm2_options_set_string(options, "a", "old"), ==, 0);
        g_assert_cmpint(pm2_options_set_bool(options, "b", true), ==, 0);
        g_assert_cmpint(pm2_options_set_strv(options, "a", (const char *const[]){ "new", NULL }), ==, 0);
        g_assert_cmpint(options_copy(options, &copy), ==, 0);
        g_assert_cmpint(pm2_options_set_bool(options, "a", true), ==, 0);
        assert_options(options, "{\"a\":true,\"b\":true}");
        assert_options(copy, "{\"a\":[\"new\"],\"b\":true}");
        g_assert_cmpint(options_copy(NULL, &empty), ==, 0);
        assert_options(empty, "{}");
}

static void test_refused(void) {
        _cleanup_options_ pm2_options *options = NULL;

        g_assert_cmpint(pm2_options_new(&options), ==, 0);
        g_assert_cmpint(pm2_options_set_bool(options, "", true), ==, -EINVAL);
        g_assert_cmpint(pm2_options_set_string(options, "\xff", "x"), ==, -EINVAL);
        static const char *const wrong[] = { "A", "=x", "\xff=B" };
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                const char *const map[] = { "OK=1", wrong[i], NULL };
                g_assert_cmpint(pm2_options_set_map(options, "env", map), ==, -EINVAL);
        }
        assert_options(options, "{}");
}

/* What is not UTF-8 travels as bytes. */
static void test_bytes(void) {
        _cleanup_options_ pm2_options *options = NULL;
        _cleanup_bus_message_ sd_bus_message *message = new_message();

        g_assert_cmpint(pm2_options_new(&options), ==, 0);
        g_assert_cmpint(pm2_options_set_string(options, "s", "\xff\x61"), ==, 0);
        g_assert_cmpint(pm2_options_set_strv(options, "v", (const char *const[]){ "ok", "\xfe", NULL }),
                        ==,
                        0);
        g_assert_cmpint(options_append(options, message), >=, 0);
        g_assert_cmpint(sd_bus_message_seal(message, 1, 0), >=, 0);
        g_assert_cmpint(sd_bus_message_rewind(message, true), >=, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{sv}"), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'e', "sv"), >, 0);
        g_assert_cmpint(sd_bus_message_skip(message, "s"), >=, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'v', "ay"), >, 0);
        const void *bytes = NULL;
        size_t size = 0;
        g_assert_cmpint(sd_bus_message_read_array(message, 'y', &bytes, &size), >, 0);
        g_assert_cmpmem(bytes, size, "\xff\x61", 2);
        assert_message(message, "{\"s\":\"\xef\xbf\xbd\x61\",\"v\":[\"ok\",\"\xef\xbf\xbd\"]}");
}

/* So do the values of a map, each that is not; its names cannot. */
static void test_bytes_of_map(void) {
        _cleanup_options_ pm2_options *options = NULL;
        _cleanup_bus_message_ sd_bus_message *message = new_message();
        const char *const map[] = { "A=\xff=", "B=b", NULL };
        const char *key = NULL, *text = NULL;
        const void *bytes = NULL;
        size_t size = 0;

        g_assert_cmpint(pm2_options_new(&options), ==, 0);
        g_assert_cmpint(pm2_options_set_map(options, "m", map), ==, 0);
        g_assert_cmpint(options_append(options, message), >=, 0);
        g_assert_cmpint(sd_bus_message_seal(message, 1, 0), >=, 0);
        g_assert_cmpint(sd_bus_message_rewind(message, true), >=, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{sv}"), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'e', "sv"), >, 0);
        g_assert_cmpint(sd_bus_message_skip(message, "s"), >=, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'v', "a{sv}"), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{sv}"), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'e', "sv"), >, 0);
        g_assert_cmpint(sd_bus_message_read(message, "s", &key), >, 0);
        g_assert_cmpstr(key, ==, "A");
        g_assert_cmpint(sd_bus_message_enter_container(message, 'v', "ay"), >, 0);
        g_assert_cmpint(sd_bus_message_read_array(message, 'y', &bytes, &size), >, 0);
        g_assert_cmpmem(bytes, size, "\xff=", 2);
        g_assert_cmpint(sd_bus_message_exit_container(message), >=, 0);
        g_assert_cmpint(sd_bus_message_exit_container(message), >=, 0);
        g_assert_cmpint(sd_bus_message_read(message, "{sv}", &key, "s", &text), >, 0);
        g_assert_cmpstr(key, ==, "B");
        g_assert_cmpstr(text, ==, "b");
}

static void test_environment(void) {
        _cleanup_options_ pm2_options *options = NULL;
        char first[] = "A=1", second[] = "A=2", no_assignment[] = "X", no_key[] = "=C:=x",
             no_name[] = "B\xff=x", last[] = "Z=ü";
        char *environment[] = { first, no_assignment, second, no_key, no_name, last, NULL };

        g_assert_cmpint(pm2_options_new(&options), ==, 0);
        g_assert_cmpint(options_set_environment(options, "caller_env", environment), ==, 0);
        g_assert_cmpint(options_set_environment(options, "none", NULL), ==, 0);
        assert_options(options, "{\"caller_env\":{\"A\":\"1\",\"Z\":\"ü\"},\"none\":{}}");
}

/* Every type of D-Bus, wherever it stands. */
static void test_read_types(void) {
        _cleanup_bus_message_ sd_bus_message *message = new_message();

        g_assert_cmpint(sd_bus_message_append(
                                        message,
                                        "(ybnqiuxtdsogvh)",
                                        (uint8_t) 200,
                                        1,
                                        (int16_t) -3,
                                        (uint16_t) 65535,
                                        INT32_MIN,
                                        UINT32_MAX,
                                        INT64_C(-5),
                                        UINT64_C(5),
                                        1.5,
                                        "text",
                                        "/org/pm2",
                                        "a{sv}",
                                        "a{us}",
                                        2,
                                        7U,
                                        "seven",
                                        8U,
                                        "eight",
                                        other_end),
                        >=,
                        0);
        assert_message(message,
                       "[200,true,-3,65535,-2147483648,4294967295,-5,5,1.5,\"text\",\"/org/pm2\",\"a{sv}\","
                       "{\"7\":\"seven\",\"8\":\"eight\"},null]");
}

static void test_read_bytes(void) {
        static const struct {
                const char *bytes;
                size_t size;
                const char *json;
        } samples[] = {
                { "", 0, "\"\"" },
                { "abc", 3, "\"abc\"" },
                { "a\0b", 3, "\"a\xef\xbf\xbd\x62\"" },
                { "\xe2\x82\xac!", 4, "\"€!\"" },
                { "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
                { "\xf0\x9f\x99\x82", 4, "\"🙂\"" },
        };
        for (size_t i = 0; i < ELEMENTS(samples); i++) {
                _cleanup_bus_message_ sd_bus_message *message = new_message();
                g_assert_cmpint(sd_bus_message_append_array(message, 'y', samples[i].bytes, samples[i].size),
                                >=,
                                0);
                assert_message(message, samples[i].json);
        }
}

/* Deeply nested, empty and odd containers. */
static void test_read_nested(void) {
        _cleanup_bus_message_ sd_bus_message *message = new_message();
        enum {
                LEVELS = 15
        };

        for (int i = 0; i < LEVELS; i++) {
                g_assert_cmpint(sd_bus_message_open_container(message, 'v', "av"), >=, 0);
                g_assert_cmpint(sd_bus_message_open_container(message, 'a', "v"), >=, 0);
        }
        for (int i = 0; i < LEVELS; i++) {
                g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
        }
        GString *expected = g_string_new(NULL);
        for (int i = 0; i < LEVELS; i++) {
                g_string_prepend(expected, "[");
                g_string_append(expected, "]");
        }
        assert_message(message, expected->str);
        (void) g_string_free(expected, true);
        _cleanup_bus_message_ sd_bus_message *empty = new_message();
        g_assert_cmpint(sd_bus_message_append(empty, "a(sa{u(ii)})", 1, "x", 0), >=, 0);
        assert_message(empty, "[[\"x\",{}]]");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        setup();
        g_test_add_func("/libpm2/options/types", test_types);
        g_test_add_func("/libpm2/options/replace-and-copy", test_replace_and_copy);
        g_test_add_func("/libpm2/options/refused", test_refused);
        g_test_add_func("/libpm2/options/bytes", test_bytes);
        g_test_add_func("/libpm2/options/bytes-of-map", test_bytes_of_map);
        g_test_add_func("/libpm2/options/environment", test_environment);
        g_test_add_func("/libpm2/value-bus/types", test_read_types);
        g_test_add_func("/libpm2/value-bus/bytes", test_read_bytes);
        g_test_add_func("/libpm2/value-bus/nested", test_read_nested);
        int status = g_test_run();
        (void) sd_bus_unref(bus);
        (void) close_fd(other_end);
        return status;
}
