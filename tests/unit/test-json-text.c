/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* RFC 8259, and nothing of what json-glib takes beside. */

#include "config/json-text.h"

#include "fixture.h"
#include "value-fixture.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The text as a buffer of just its length, so that the sanitizers see what is read behind it. */
static int decode(const char *text, size_t length, Value **ret, Error *error) {
        g_autofree char *exact = g_memdup2(text, length);

        return json_text_decode(length > 0 ? exact : "", length, ret, error);
}

static void assert_decoded(const char *text, const char *expected) {
        g_autoptr(Value) value = NULL;
        g_auto(Error) error = { 0 };

        if (decode(text, strlen(text), &value, &error) < 0) {
                g_error("%s: %s", text, error.message);
        }
        g_autofree char *got = test_value_to_text(value);
        g_assert_cmpstr(got, ==, expected);
}

static void assert_refused_bytes(const char *text, size_t length, const char *part) {
        g_autoptr(Value) value = NULL;
        g_auto(Error) error = { 0 };
        g_autofree char *quoted = error_quote(text);

        g_test_message("%s", quoted);
        g_assert_cmpint(decode(text, length, &value, &error), ==, -ECANCELED);
        g_assert_null(value);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
        test_assert_contains(error.message, part);
        g_assert_cmpint(decode(text, length, &value, NULL), ==, -ECANCELED);
}

static void assert_refused(const char *text, const char *part) {
        assert_refused_bytes(text, strlen(text), part);
}

static void test_good(void) {
        static const char *const samples[][2] = {
                { "null", "null" },
                { "true", "true" },
                { "false", "false" },
                { "0", "i:0" },
                { "-0", "i:0" },
                { "42", "i:42" },
                { "-42", "i:-42" },
                { "999999999999999999", "i:999999999999999999" },
                { "-999999999999999999", "i:-999999999999999999" },
                { "1.5", "d:1.5" },
                { "-1.5", "d:-1.5" },
                { "1e3", "d:1000" },
                { "1E3", "d:1000" },
                { "1e+3", "d:1000" },
                { "15e-1", "d:1.5" },
                { "1e308", "d:1e+308" },
                { "123456789012345678901234567890.0", "d:1.23456789012346e+29" },
                { "\"\"", "s:" },
                { "\"text\"", "s:text" },
                { "\"zähl 日 😀\"", "s:zähl 日 😀" },
                { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s:\"\\/\b\f\n\r\t" },
                { "\"\\u0041\\u00e4\\u65e5\"", "s:Aä日" },
                { "\"\\uD83D\\uDE00\"", "s:😀" },
                { "\"\\\\u0000\"", "s:\\u0000" }, /* a backslash and text, no NUL */
                { "\"[{,:'/*//\"", "s:[{,:'/*//" },
                { "[]", "[]" },
                { "{}", "{}" },
                { " [ 1 , \"a\" , null , [ ] , { } ] ", "[i:1, s:a, null, [], {}]" },
                { "\t{\r\n\"b\": 1, \"a\": {\"b\": [2]}}\n", "{b: i:1, a: {b: [i:2]}}" },
                { "[{\"k\": 1}, {\"k\": 2}]", "[{k: i:1}, {k: i:2}]" }, /* one key, two objects */
                { "{\"\": 1}", "{: i:1}" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_test_message("%s", samples[i][0]);
                assert_decoded(samples[i][0], samples[i][1]);
        }
}

static const char *const bad_syntax[] = {
        "{",
        "}",
        "[",
        "]",
        "[}",
        "{]",
        "[[]",
        "[]]",
        "{}}",
        "{{}}",
        ",",
        ":",
        "[,]",
        "{,}",
        "[1,]",
        "[,1]",
        "[1,,2]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{null:1}",
        "{a:1}",
        "{\"a\",1}",
        "[\"a\":1]",
        "[1:2]",
        "1 2",
        "[1]2",
        "[],",
        "{}x",
        "\"a\" \"b\"",
        "{\"a\":1}]",
        "nul",
        "nulll",
        "tru",
        "truefalse",
        "True",
        "NULL",
        "undefined",
        "a",
        "'a'",
        "['a']",
        "{'a': 1}",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "/* c */ 1",
        "// c\n1",
        "[1, /* c */ 2]",
        "# c\n1",
        "[1] // c",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "[NaN]",
        "+1",
        "--1",
        "-",
        ".5",
        "1e",
        "1e+",
        "08",
        "0x10",
        "1_000",
        "1,000",
        "1-2",
        "1+2",
        "0.1.2",
        "1e2e3",
        "var a = 1;",
        "a = 1",
        "{\"a\": 1};",
        "<json/>",
        "\\u0041",
        "\xef\xbb\xbf[]",
};

static void test_bad_syntax(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(bad_syntax); i++) {
                assert_refused(bad_syntax[i], "JSON");
        }
}

/* What json-glib takes and the guard lets through so far: to be moved up as it is refused. */
static void test_lenient_numbers(void) {
        static const char *const samples[] = {
                "01", "-01", "00", "010", "- 1", "1.", "1.e3", "[-.5]",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) value = NULL;
                g_test_message("%s", samples[i]);
                g_assert_cmpint(decode(samples[i], strlen(samples[i]), &value, NULL), !=, 0);
        }
}

/* json-glib would take the first and leak it. */
static void test_second_document(void) {
        static const char *const samples[] = {
                "[] []",    "{} {}",   "{} []",  "1[]",      "[]1", "[]\n[]",
                "{}[[[]]]", "\"a\"{}", "null{}", "nullnull", "1 2",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                assert_refused(samples[i], "JSON");
        }
}

/* json-glib takes escapes of C, among them another way to write NUL and bytes that are not UTF-8. */
static void test_escapes(void) {
        static const char *const samples[] = {
                "\"\\x\"",        "\"\\'\"",
                "\"\\a\"",        "\"\\0\"",
                "\"a\\0b\"",      "\"\\012\"",
                "\"\\377\"",      "\"\\U0041\"",
                "\"\\u12g4\"",    "\"\\u\"",
                "\"\\u004\"",     "\"\\ud800x\"",
                "\"\\udc00x\"",   "\"\\ud800\\ud800\"",
                "\"\\ud800\\n\"", "{\"\\ud800\": 1}",
                "\"\\ud800\\u",   "\"\\",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                assert_refused(samples[i], "JSON");
        }
}

static void test_empty(void) {
        assert_refused("", "empty");
        assert_refused("   ", "empty");
        assert_refused("\n\t\r\n", "empty");
}

static void test_numbers_out_of_range(void) {
        static const char *const samples[] = {
                "1e400",
                "-1e400",
                "[1e999999999]",
                "9223372036854775808",
                "-9223372036854775809",
                "123456789012345678901234567890",
                "[1, 1000000000000000000]",
                "{\"a\": 99999999999999999999}",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                assert_refused(samples[i], "out of range");
        }
}

static void test_duplicate_keys(void) {
        static const char *const samples[] = {
                "{\"a\": 1, \"a\": 1}",
                "{\"a\": 1, \"b\": 2, \"a\": 3}",
                "{\"a\": 1, \"\\u0061\": 2}", /* the same in another spelling */
                "[[{\"x\": {\"a\": 1, \"a\": 2}}]]",
                "{\"x\": {\"a\": 1, \"a\": 2}, \"y\": {}}",
                "{\"x\": {\"a\": 1}, \"x\": {\"b\": 2}}",
                "{\"a\": {}, \"b\": [{\"c\": null, \"c\": null}], \"d\": 1}",
                "{\"\": 1, \"\": 2}",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                assert_refused(samples[i], "stands twice");
        }
}

static void test_bad_text(void) {
        assert_refused("\"\\u0000\"", "NUL");
        assert_refused("{\"a\\u0000b\": 1}", "NUL");
        assert_refused_bytes("\"a\0b\"", 5, "line 1, column 3: a NUL character");
        assert_refused_bytes("[]\0", 3, "a NUL character");
        assert_refused_bytes("[1,\n \"\xc3\xa4\xff\"]", 10, "line 2, column 4: is not valid UTF-8");
        assert_refused("\"\xff\"", "UTF-8");
        assert_refused("\"\xc0\x80\"", "UTF-8");
        assert_refused("\"\xed\xa0\x80\"", "UTF-8");
        assert_refused("[\xc3", "UTF-8");
}

/* Arrays or objects of this depth around nothing. */
static char *nested(unsigned depth, const char *open, const char *close) {
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < depth; i++) {
                g_string_append(text, i + 1 < depth || open[0] == '[' ? open : "{");
        }
        for (unsigned i = 0; i < depth; i++) {
                g_string_append(text, close);
        }
        return g_string_free(text, FALSE);
}

static void test_depth(void) {
        static const char *const brackets[][2] = { { "[", "]" }, { "{\"k\":", "}" } };

        for (size_t i = 0; i < G_N_ELEMENTS(brackets); i++) {
                g_autofree char *fits = nested(64, brackets[i][0], brackets[i][1]);
                g_autofree char *too_deep = nested(65, brackets[i][0], brackets[i][1]);
                g_autofree char *absurd = nested(100000, brackets[i][0], brackets[i][1]);
                g_autoptr(Value) value = NULL;
                g_assert_cmpint(decode(fits, strlen(fits), &value, NULL), ==, 0);
                assert_refused(too_deep, "nested too deeply");
                assert_refused(absurd, "nested too deeply");
        }
        g_autofree char *unclosed = g_strnfill(100000, '[');
        assert_refused(unclosed, "nested too deeply");
        /* Brackets in strings and closed ones do not count. */
        g_autofree char *in_string = g_strnfill(1000, '[');
        g_autofree char *quoted = g_strdup_printf("\"%s\"", in_string);
        g_autoptr(Value) string = NULL;
        g_assert_cmpint(decode(quoted, strlen(quoted), &string, NULL), ==, 0);
        g_autoptr(GString) side_by_side = g_string_new("[[]");
        for (int i = 0; i < 1000; i++) {
                g_string_append(side_by_side, ",[]");
        }
        g_string_append_c(side_by_side, ']');
        g_autoptr(Value) array = NULL;
        g_assert_cmpint(decode(side_by_side->str, side_by_side->len, &array, NULL), ==, 0);
        g_assert_cmpuint(value_count(array), ==, 1001);
}

static void test_size(void) {
        g_autofree char *text = g_strnfill(JSON_BYTES_MAX + 1, ' ');
        g_autoptr(Value) value = NULL;

        text[0] = '7';
        g_assert_cmpint(json_text_decode(text, JSON_BYTES_MAX, &value, NULL), ==, 0);
        g_assert_cmpint(value->integer, ==, 7);
        assert_refused(text, "over 1048576 bytes");
}

/* Each number is one value, and so is each array. */
static void test_count(void) {
        g_autoptr(GString) text = g_string_new("[0");
        g_autoptr(Value) value = NULL;

        for (int i = 2; i < VALUE_COUNT_MAX; i++) {
                g_string_append(text, ",0");
        }
        g_autofree char *fits = g_strdup_printf("%s]", text->str);
        g_autofree char *too_many = g_strdup_printf("%s,0]", text->str);
        g_assert_cmpint(decode(fits, strlen(fits), &value, NULL), ==, 0);
        g_assert_cmpuint(value_count(value), ==, VALUE_COUNT_MAX - 1);
        assert_refused(too_many, "over 65536 values");
}

/* The line that a person looks for. */
static void test_lines(void) {
        assert_refused("{\n\"a\": 1,\n'b': 2\n}", "line 3");
        assert_refused("[\n\n\n99999999999999999999\n]", "line 4");
        assert_refused("[\n\"\\u0000\"]", "line 2");
        assert_refused("[1,\n2,\n,]", "line 3, column 1: [2]: expected a value, got ','");
}

/* The message whole: line, column in characters, the path of the key, what is wrong. */
static void test_paths(void) {
        static const char *const samples[][2] = {
                { "{\"apps\": [{\"env\": {\"A\": 1,\n  \"A\": 2}}]}",
                  "JSON, line 2, column 3: apps[0].env.A: the key stands twice in this object" },
                { "{\"apps\": [{}, {\"name\": 'x'}]}",
                  "JSON, line 1, column 24: apps[1].name: strings and keys stand in double quotes" },
                { "{\"a b\": tru}",
                  "JSON, line 1, column 9: 'a b': a word that JSON has not: text stands in double quotes" },
                { "{\"ä\": \"日本\", b: 1}",
                  "JSON, line 1, column 13: expected a key in double quotes, got 'b'" },
                { "{\"a\": [1, 2", "JSON, line 1, column 12: a: expected ',' or ']', but the text ends" },
                { "{\"a\": {\"b\": \"x\n\"}}",
                  "JSON, line 1, column 15: a.b: a string is not closed on its line" },
                { "[[], [1e400]]", "JSON, line 1, column 12: [1][0]: a number is out of range" },
                { "{\"a\": 1,}", "JSON, line 1, column 9: expected a key in double quotes, got '}'" },
                { "// c\n1", "JSON, line 1, column 1: comments are not JSON" },
                { "{\"a\" 1}", "JSON, line 1, column 6: a: expected ':', got '1'" },
                { "[1] 2", "JSON, line 1, column 5: expected the end, got '2'" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) value = NULL;
                g_auto(Error) error = { 0 };
                g_assert_cmpint(decode(samples[i][0], strlen(samples[i][0]), &value, &error),
                                ==,
                                -ECANCELED);
                g_assert_cmpstr(error.message, ==, samples[i][1]);
        }
}

static int decode_relaxed(const char *text, Value **ret, Error *error) {
        g_autofree char *exact = g_memdup2(text, strlen(text));

        return json_text_decode_relaxed(*text ? exact : "", strlen(text), ret, error);
}

/* As people write it. */
static void test_relaxed(void) {
        static const char *const samples[][2] = {
                { "{\"a\": 1,}", "{a: i:1}" },
                { "[1, 2, ]", "[i:1, i:2]" },
                { "[[1,],{\"a\":[],},]", "[[i:1], {a: []}]" },
                { "// first\n{ // second\n\"a\": 1 // third\n} // last", "{a: i:1}" },
                { "/* a */ [ /* b\n * c */ 1 /**/, /***/ 2 /* , */ ] /* d */", "[i:1, i:2]" },
                { "[1, // one\n 2, /* two */\n // three\n]", "[i:1, i:2]" },
                { "{\"a\" /* b */ : /* c */ 1}", "{a: i:1}" },
                { "[\"// no\", \"/* comment */\", \",]\"]", "[s:// no, s:/* comment */, s:,]]" },
                { "[1 /* ünï // 日 */, 2]", "[i:1, i:2]" },
                { "\xef\xbb\xbf{\"a\": 1}", "{a: i:1}" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) value = NULL;
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i][0]);
                g_assert_cmpint(decode_relaxed(samples[i][0], &value, &error), ==, 0);
                g_autofree char *text = test_value_to_text(value);
                g_assert_cmpstr(text, ==, samples[i][1]);
        }
}

static void test_relaxed_refused(void) {
        static const char *const samples[][2] = {
                { "[,]", "[0]: expected a value, got ','" },
                { "{,}", "expected a key" },
                { "[1,,]", "[1]: expected a value" },
                { "[1,\n/* a\n b ]", "line 3, column 5: [0]: a comment is not closed" },
                { "// all of it", "empty" },
                { "/* all of it */", "empty" },
                { "", "empty" },
                { "[1] /", "expected the end, got '/'" },
                { "[1 / 2]", "expected ',' or ']', got '/'" },
                { "# c\n[1]", "expected a value, got '#'" },
                { "['a']", "double quotes" },
                { "{a: 1}", "expected a key in double quotes" },
                { "{\"a\": 1, /* \n */ \"a\": 2}", "line 2, column 5: a: the key stands twice" },
                { "[1], ", "expected the end" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) value = NULL;
                g_auto(Error) error = { 0 };
                g_test_message("%s", samples[i][0]);
                g_assert_cmpint(decode_relaxed(samples[i][0], &value, &error), ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
                test_assert_contains(error.message, samples[i][1]);
        }
}

/* Each value has the line of its key, an item that on which it begins. */
static void test_value_lines(void) {
        g_autoptr(Value) root = NULL;
        const char *text = "\n{ // one\n  \"a\":\n    1,\n  \"b\": [\n    2, [\n      3]],\n  /* \n */ "
                           "\"c\": {}}";

        g_assert_cmpint(decode_relaxed(text, &root, NULL), ==, 0);
        const Value *items = value_get(root, "b"), *second = items->items->pdata[1];
        g_assert_cmpuint(root->line, ==, 2);
        g_assert_cmpuint(value_get(root, "a")->line, ==, 3);
        g_assert_cmpuint(items->line, ==, 5);
        g_assert_cmpuint(((const Value *) items->items->pdata[0])->line, ==, 6);
        g_assert_cmpuint(second->line, ==, 6);
        g_assert_cmpuint(((const Value *) second->items->pdata[0])->line, ==, 7);
        g_assert_cmpuint(value_get(root, "c")->line, ==, 9);
}

static void test_append_value(void) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "{ \"a\" : [1, -2.5, true, null, {}], \"b\\n\": \"\\u0001\\u00e9\" }",
                  "{\"a\":[1,-2.5,true,null,{}],\"b\\u000a\":\"\\u0001\xc3\xa9\"}" },
                { "[]", "[]" },
                { "9007199254740993", "9007199254740993" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Value) value = NULL;
                g_autoptr(GString) text = g_string_new(NULL);
                g_assert_cmpint(json_text_decode(cases[i].text, strlen(cases[i].text), &value, NULL), ==, 0);
                json_text_append_value(text, value);
                g_assert_cmpstr(text->str, ==, cases[i].expected);
        }
        g_autoptr(Value) odd = value_new_array();
        g_autoptr(GString) text = g_string_new(NULL);
        value_append(odd, value_new_string("\xff"));
        value_append(odd, value_new_double(NAN));
        json_text_append_value(text, odd);
        g_assert_cmpstr(text->str, ==, "[\"\xef\xbf\xbd\",null]");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/json-text/good", test_good);
        g_test_add_func("/config/json-text/bad-syntax", test_bad_syntax);
        g_test_add_func("/config/json-text/lenient-numbers", test_lenient_numbers);
        g_test_add_func("/config/json-text/second-document", test_second_document);
        g_test_add_func("/config/json-text/escapes", test_escapes);
        g_test_add_func("/config/json-text/empty", test_empty);
        g_test_add_func("/config/json-text/numbers-out-of-range", test_numbers_out_of_range);
        g_test_add_func("/config/json-text/duplicate-keys", test_duplicate_keys);
        g_test_add_func("/config/json-text/bad-text", test_bad_text);
        g_test_add_func("/config/json-text/depth", test_depth);
        g_test_add_func("/config/json-text/size", test_size);
        g_test_add_func("/config/json-text/count", test_count);
        g_test_add_func("/config/json-text/lines", test_lines);
        g_test_add_func("/config/json-text/paths", test_paths);
        g_test_add_func("/config/json-text/relaxed", test_relaxed);
        g_test_add_func("/config/json-text/relaxed-refused", test_relaxed_refused);
        g_test_add_func("/config/json-text/value-lines", test_value_lines);
        g_test_add_func("/config/json-text/append-value", test_append_value);
        return g_test_run();
}
