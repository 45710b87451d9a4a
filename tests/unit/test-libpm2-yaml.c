/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* YAML as ecosystem files have it, turned into JSON with everything on its line. */

#include "yaml-json.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

static void assert_json(const char *yaml, const char *expected) {
        char *json = NULL, *message = NULL;

        if (yaml_to_json(yaml, strlen(yaml), &json, &message) < 0) {
                g_error("%s: %s", yaml, message);
        }
        g_assert_cmpstr(json, ==, expected);
        free(json);
}

static void assert_refused_bytes(const char *yaml, size_t length, const char *expected) {
        char *json = NULL, *message = NULL;

        g_assert_cmpint(yaml_to_json(yaml, length, &json, &message), ==, -EBADMSG);
        g_assert_null(json);
        if (!strstr(message, expected)) {
                g_error("'%s' is not in '%s'", expected, message);
        }
        free(message);
}

static void assert_refused(const char *yaml, const char *expected) {
        assert_refused_bytes(yaml, strlen(yaml), expected);
}

static void test_scalars(void) {
        static const char *const samples[][2] = {
                { "~", "null" },
                { "null", "null" },
                { "''", "\"\"" },
                { "\"\"", "\"\"" },
                { "true", "true" },
                { "False", "false" },
                { "yes", "\"yes\"" },
                { "on", "\"on\"" },
                { "tRUE", "\"tRUE\"" },
                { "0", "0" },
                { "-7", "-7" },
                { "+7", "7" },
                { "007", "7" },
                { "-0", "-0" },
                { "0o17", "15" },
                { "0x1F", "31" },
                { "0o8", "\"0o8\"" },
                { "0x", "\"0x\"" },
                { "1.50", "1.50" },
                { "1.", "1" },
                { ".5", "0.5" },
                { "-.5e-3", "-0.5e-3" },
                { "1e3", "1e3" },
                { "00.5", "0.5" },
                { "1e", "\"1e\"" },
                { ".", "\".\"" },
                { "-", "\"-\"" },
                { "1.2.3", "\"1.2.3\"" },
                { "1_000", "\"1_000\"" },
                { "12:30", "\"12:30\"" },
                { "999999999999999999", "999999999999999999" },
                { "'12345678901234567890'", "\"12345678901234567890\"" },
                { "\"1\"", "\"1\"" },
                { "!!str 1", "\"1\"" },
                { "! 1", "\"1\"" },
                { "!!int 1", "1" },
                { "!!float 1", "1" },
                { "!!null ~", "null" },
                { "2024-01-01", "\"2024-01-01\"" },
                { "\"a\\tb\\\"\\\\\"", "\"a\\u0009b\\\"\\\\\"" },
                { "ünï 日", "\"ünï 日\"" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *list = g_strdup_printf("[%s]", samples[i][0]);
                g_autofree char *expected = g_strdup_printf("[%s]", samples[i][1]);
                assert_json(list, expected);
        }
        assert_json("a:", "{\"a\":null}");
        assert_json("7", "7");
}

static void test_lines(void) {
        assert_json("# c\n\napps:\n  - script: a\n    name: b\n\n    env:\n      A: 1\n  - {script: c,\n    "
                    " name: d}\n",
                    "\n\n{\"apps\":[\n{\"script\":\"a\",\n\"name\":\"b\",\n\n\"env\":{\n\"A\":1}},\n{"
                    "\"script\":\"c\","
                    "\n\"name\":\"d\"}]}");
        assert_json("a: |\n  one\n  two\nb: >-\n  x\n  y\n",
                    "{\"a\":\"one\\u000atwo\\u000a\",\n\n\n\"b\":\"x y\"}");
        assert_json("a: 1\r\nb: 2\r\n", "{\"a\":1,\n\"b\":2}");
        assert_json("\xef\xbb\xbf"
                    "a: 1\n",
                    "{\"a\":1}");
        assert_json("--- # one\na: 1\n...\n", "\n{\"a\":1}");
        /* What is not there stands on the last line, not behind it. */
        assert_json("\n---", "\nnull");
        assert_json("- a\r\n-", "[\"a\",\nnull]");
        assert_json("- a\xc2\x85- b\xe2\x80\xa8-", "[\"a\",\n\"b\",\nnull]");
        assert_json("- a\n-\n", "[\"a\",\nnull]");
}

static void test_aliases(void) {
        assert_json("a: &x [1, 2]\nb: *x\n", "{\"a\":[1,2],\n\"b\":[1,2]}");
        assert_json("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\n\"b\":2,\n\"c\":2}");
        assert_json("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n",
                    "{\"x\":{\"a\":1,\"b\":2},\n\"y\":{\n\"a\":1,\n\"b\":3}}");
        assert_json("y: {b: 3, <<: {a: 1, b: 2}}", "{\"y\":{\"b\":3,\"a\":1}}");
        assert_json("y: {<<: [{a: 1}, {a: 2, c: 3}]}", "{\"y\":{\"a\":1,\"c\":3}}");
        assert_json("y: {\"<<\": 1}", "{\"y\":{\"<<\":1}}");
        assert_refused("y: {<<: 1}", "y.<<: expected a map");
        assert_refused("y: {<<: [1]}", "y.<<: expected a list of maps");
        assert_refused("a: *b\n", "line 1, column 4: a: there is no anchor &b");
        assert_refused("a: &a\n  b: *a\n", "line 2, column 6: a.b: *a stands in itself");
        assert_refused("&a [*a]", "[0]: *a stands in itself");
}

/* Nine to the fifth, and each of them again. */
static void test_bomb(void) {
        g_autoptr(GString) text = g_string_new("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");

        for (int i = 1; i < 10; i++) {
                g_string_append_printf(text, "a%d: &a%d [", i, i);
                for (int k = 0; k < 9; k++) {
                        g_string_append_printf(text, "%s*a%d", k ? "," : "", i - 1);
                }
                g_string_append(text, "]\n");
        }
        assert_refused(text->str, "with what aliases stand for there are over 65536 values");
        /* And one that is long rather than wide. */
        g_autofree char *word = g_strnfill(1000, 'x');
        g_autoptr(GString) wide = g_string_new(NULL);
        g_string_append_printf(wide, "a: &a %s\nb: [", word);
        for (int i = 0; i < 2000; i++) {
                g_string_append(wide, "*a,");
        }
        g_string_append(wide, "]\n");
        assert_refused(wide->str, "1048576 bytes");
        /* Depth by aliases. */
        g_autoptr(GString) deep = g_string_new("a0: &a0 [1]\n");
        for (int i = 1; i < 70; i++) {
                g_string_append_printf(deep, "a%d: &a%d [*a%d]\n", i, i, i - 1);
        }
        assert_refused(deep->str, "64 levels");
        g_autoptr(GString) anchors = g_string_new(NULL);
        for (int i = 0; i < 1025; i++) {
                g_string_append_printf(anchors, "- &a%d x\n", i);
        }
        assert_refused(anchors->str, "over 1024 anchors");
}

static void test_refused(void) {
        static const char *const samples[][2] = {
                { "", "the text is empty" },
                { "# nothing\n", "the text is empty" },
                { "a: 1\nb: 2\na: 3\n", "line 3, column 1: a: the key stands twice in this map" },
                { "apps:\n- env:\n    A: 1\n    A: 2\n",
                  "line 4, column 1: apps[0].env.A: the key stands twice" },
                { "a: 1\n---\nb: 2\n", "line 2, column 1: there is a second document" },
                { "? [a]\n: b\n", "a key must be a text" },
                { "a: [1, 2\nb: 3\n", "line 2" },
                { "a: 'x\n", "line 2, column 1: while scanning a quoted scalar that begins on line 1" },
                { "a: b: c\n", "line 1, column 5" },
                { "a:\n\tb: 1\n", "line 2" },
                { "a: !foo x\n", "a: the tag !foo does not fit" },
                { "a: !!int x\n", "does not fit" },
                { "a: !!binary aGk=\n", "does not fit" },
                { "a: !!set {b}\n", "does not fit" },
                { "a: .inf\n", "line 1, column 4: a: the number is out of range; put it in quotes" },
                { "a: -.NaN\n", "out of range" },
                { "a: 12345678901234567890\n", "out of range" },
                { "a: 0xffffffffffffffffff\n", "out of range" },
                { "a: \"x\\0y\"\n", "a: a NUL character" },
                { "\"x\\0y\": 1\n", "a NUL character in a key" },
                { "a: @b\n", "line 1" },
                { "a: \"\\ud800\"\n", "line 1" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                assert_refused(samples[i][0], samples[i][1]);
        }
        assert_refused_bytes("a: 1\nb: \xff\n", 10, "line 2, column 4");
        assert_refused_bytes("a: x\0y\n", 7, "line 1, column 5");
        assert_refused_bytes(
                        "\xff\xfe"
                        "a\0",
                        4,
                        "line 1, column 1");
}

static void test_limits(void) {
        static const unsigned depths[] = { 64, 65, 1000, 100000 };

        for (size_t i = 0; i < G_N_ELEMENTS(depths); i++) {
                g_autofree char *open = g_strnfill(depths[i], '['), *close = g_strnfill(depths[i], ']');
                g_autofree char *text = g_strconcat(open, close, NULL);
                if (depths[i] <= 64) {
                        assert_json(text, text);
                } else {
                        assert_refused(text, "nested too deeply");
                }
        }
        g_autofree char *huge = g_strnfill(10U << 20, ' ');
        assert_refused(huge, "over 1048576 bytes");
        g_autoptr(GString) many = g_string_new("[0");
        for (int i = 1; i < 65536; i++) {
                g_string_append(many, ",0");
        }
        g_string_append_c(many, ']');
        assert_refused(many->str, "over 65536 values");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/libpm2/yaml/scalars", test_scalars);
        g_test_add_func("/libpm2/yaml/lines", test_lines);
        g_test_add_func("/libpm2/yaml/aliases", test_aliases);
        g_test_add_func("/libpm2/yaml/bomb", test_bomb);
        g_test_add_func("/libpm2/yaml/refused", test_refused);
        g_test_add_func("/libpm2/yaml/limits", test_limits);
        return g_test_run();
}
