/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a line says to Node, as JSON.parse() and Node's own test for internal messages have it. */

#include "config/ipc-message.h"

#include "core/value.h"
#include "fixture.h"

#include <errno.h>
#include <string.h>

/* The text as a buffer of just its length, so that the sanitizers see what is read behind it. */
static int scan(const char *text, size_t length, IpcMessage *ret, char **ret_exact, Error *error) {
        char *exact = g_memdup2(text, length);

        int r = ipc_message_scan(length > 0 ? exact : "", length, ret, error);
        *ret_exact = exact;
        return r;
}

static void assert_refused_bytes(const char *text, size_t length, const char *part) {
        g_autofree char *exact = NULL;
        g_auto(Error) error = { 0 };
        IpcMessage message;

        g_assert_cmpint(scan(text, length, &message, &exact, &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
        test_assert_contains(error.message, part);
        g_assert_true(g_utf8_validate(error.message, -1, NULL));
}

static void assert_refused(const char *text, const char *part) {
        assert_refused_bytes(text, strlen(text), part);
}

/* What one text comes to: kind, then what is there of internal, ready, cmd, type, data, node_version. */
static char *describe_bytes(const char *text, size_t length) {
        static const char *const kinds[] = { "null", "bool", "number", "string", "array", "object" };
        g_autofree char *exact = NULL;
        g_autoptr(GString) said = g_string_new(NULL);
        g_auto(Error) error = { 0 };
        IpcMessage message;

        memset(&message, 0xee, sizeof(message));
        if (scan(text, length, &message, &exact, &error) < 0) {
                return g_strdup(error.message);
        }
        g_string_append(said, kinds[message.kind]);
        g_string_append(said, message.internal ? " internal" : "");
        g_string_append(said, message.ready ? " ready" : "");
        if (*message.cmd) {
                g_string_append_printf(said, " cmd=%s", message.cmd);
        }
        const IpcMember *members[] = { &message.type, &message.data, &message.node_version };
        static const char *const names[] = { "type", "data", "node_version" };
        for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
                if (members[i]->json.start) {
                        g_string_append_printf(
                                        said,
                                        " %s:%s%s=%.*s",
                                        names[i],
                                        kinds[members[i]->kind],
                                        members[i]->truthy ? "" : "(falsy)",
                                        (int) members[i]->json.length,
                                        members[i]->json.start);
                }
        }
        if (*message.type_text) {
                g_string_append_printf(said, " \"%s\"", message.type_text);
        }
        return g_strdup(said->str);
}

static void assert_said(const char *text, const char *expected) {
        g_autofree char *said = describe_bytes(text, strlen(text));

        g_assert_cmpstr(said, ==, expected);
}

typedef struct Sample {
        const char *text, *said;
} Sample;

static void assert_samples(const Sample *samples, size_t n) {
        for (size_t i = 0; i < n; i++) {
                assert_said(samples[i].text, samples[i].said);
        }
}

static void test_kinds(void) {
        static const Sample samples[] = {
                { "null", "null" },
                { "true", "bool" },
                { "false", "bool" },
                { "0", "number" },
                { "-1.5e3", "number" },
                { "\"\"", "string" },
                { "[]", "array" },
                { "{}", "object" },
                { " \t{} \r", "object" },
                { "[{\"cmd\":\"NODE_Z\",\"type\":\"a\",\"data\":1}]", "array" },
                { "{\"a\":{\"cmd\":\"NODE_Z\",\"type\":\"a\",\"data\":1}}", "object" },
        };

        assert_samples(samples, G_N_ELEMENTS(samples));
}

static void test_internal(void) {
        static const Sample samples[] = {
                { "{\"cmd\":\"NODE_mine\"}", "object internal cmd=NODE_mine" },
                { "{\"cmd\":\"NODE_X\"}", "object internal cmd=NODE_X" },
                { "{\"cmd\":\"NODE_\"}", "object cmd=NODE_" },
                { "{\"cmd\":\"NODE\"}", "object cmd=NODE" },
                { "{\"cmd\":\"node_x\"}", "object cmd=node_x" },
                { "{\"cmd\":\" NODE_X\"}", "object cmd= NODE_X" },
                { "{\"cmd\":\"XNODE_X\"}", "object cmd=XNODE_X" },
                { "{\"cmd\":\"\"}", "object" },
                { "{\"cmd\":5}", "object" },
                { "{\"cmd\":[\"NODE_X\"]}", "object" },
                { "{\"cmd\":{\"cmd\":\"NODE_X\"}}", "object" },
                { "{\"Cmd\":\"NODE_X\"}", "object" },
                { "{\"cmd \":\"NODE_X\"}", "object" },
                { "{\"cm\":\"NODE_X\",\"cmds\":\"NODE_X\"}", "object" },
                { "{\"__proto__\":{\"cmd\":\"NODE_X\"}}", "object" }, /* JSON.parse() sets no prototype */
                { " {\t\"cmd\" :\r\"NODE_X\" } ", "object internal cmd=NODE_X" },
                { "{\"a\":[1,{\"b\":\"}\"}],\"cmd\":\"NODE_X\",\"c\":null}", "object internal cmd=NODE_X" },
                /* escaped */
                { "{\"\\u0063md\":\"NODE_X\"}", "object internal cmd=NODE_X" },
                { "{\"\\u0063\\u006D\\u0064\":\"\\u004eODE\\u005f!\"}", "object internal cmd=NODE_!" },
                { "{\"cmd\":\"NODE_\\u0000\"}", "object internal cmd=NODE_\xef\xbf\xbd" },
                { "{\"cmd\":\"NODE\\u0000_X\"}", "object cmd=NODE\xef\xbf\xbd_X" },
                { "{\"cmd\":\"NODE_\\ud800\"}", "object internal cmd=NODE_\xef\xbf\xbd" },
                { "{\"cmd\":\"NODE_\\n\"}", "object internal cmd=NODE_\n" },
                { "{\"cmd\\u0000\":\"NODE_X\"}", "object" },
                { "{\"\\ncmd\":\"NODE_X\"}", "object" },
                { "{\"c\\\\md\":\"NODE_X\"}", "object" },
                { "{\"cmd\\ud800\":\"NODE_X\"}", "object" },
                { "{\"c\xef\xbd\x8d\x64\":\"NODE_X\"}", "object" }, /* a letter that only looks like it */
                /* the last counts */
                { "{\"cmd\":\"a\",\"cmd\":\"NODE_X\"}", "object internal cmd=NODE_X" },
                { "{\"cmd\":\"NODE_X\",\"cmd\":\"a\"}", "object cmd=a" },
                { "{\"cmd\":\"NODE_X\",\"cmd\":null}", "object" },
                { "{\"cmd\":\"NODE_X\",\"\\u0063md\":1}", "object" },
                { "{\"cmd\":1,\"\\u0063md\":\"NODE_X\",\"a\":1}", "object internal cmd=NODE_X" },
        };

        assert_samples(samples, G_N_ELEMENTS(samples));
}

static void test_ready(void) {
        static const Sample samples[] = {
                { "\"ready\"", "string ready" },
                { " \"ready\" \r", "string ready" },
                { "\"\\u0072eady\"", "string ready" },
                { "\"Ready\"", "string" },
                { "\"ready \"", "string" },
                { "\"read\"", "string" },
                { "\"readyready\"", "string" },
                { "\"ready\\u0000\"", "string" },
                { "[\"ready\"]", "array" },
                { "{\"ready\":\"ready\"}", "object" },
        };

        assert_samples(samples, G_N_ELEMENTS(samples));
}

static void test_members(void) {
        static const Sample samples[] = {
                { "{\"type\":\"t\",\"data\":1}", "object type:string=\"t\" data:number=1 \"t\"" },
                { "{\"type\" : \"t\" , \"data\" : [ 1 , {} ] }",
                  "object type:string=\"t\" data:array=[ 1 , {} ] \"t\"" },
                { "{\"type\":\"\",\"data\":{}}", "object type:string(falsy)=\"\" data:object={}" },
                { "{\"type\":1}", "object type:number=1" },
                { "{\"type\":null,\"data\":null}", "object type:null(falsy)=null data:null(falsy)=null" },
                { "{\"type\":[\"a\"]}", "object type:array=[\"a\"]" },
                { "{\"type\":\"process:\\u00e4\\t\\\"\"}",
                  "object type:string=\"process:\\u00e4\\t\\\"\" \"process:\xc3\xa4\t\"\"" },
                { "{\"type\":\"a\\ud83d\\ude00b\\ud83dc\\ude00\"}",
                  "object type:string=\"a\\ud83d\\ude00b\\ud83dc\\ude00\" "
                  "\"a\xf0\x9f\x98\x80"
                  "b\xef\xbf\xbd"
                  "c\xef\xbf\xbd\"" },
                { "{\"type\":\"\\u0000\"}", "object type:string=\"\\u0000\" \"\xef\xbf\xbd\"" },
                { "{\"node_version\":\"v20.1.0\"}", "object node_version:string=\"v20.1.0\"" },
                { "{\"node_versio\\u006e\":\"20\",\"node_versions\":1}",
                  "object node_version:string=\"20\"" },
                { "{\"type\":\"a\",\"type\":\"b\",\"data\":1,\"d\\u0061ta\":2}",
                  "object type:string=\"b\" data:number=2 \"b\"" },
                { "{\"type\":\"a\",\"type\":false}", "object type:bool(falsy)=false" },
        };

        assert_samples(samples, G_N_ELEMENTS(samples));
}

static void test_truth(void) {
        static const struct {
                const char *value;
                bool truthy;
        } values[] = {
                { "0", false },          { "-0", false },       { "0.0", false },
                { "0e5", false },        { "-0.00E-7", false }, { "1e-400", false },
                { "-1e-999999", false }, { "\"\"", false },     { "null", false },
                { "false", false },      { "1", true },         { "-1", true },
                { "0.1", true },         { "1e-300", true },    { "1e400", true },
                { "-1e400", true },      { "0.0000001", true }, { "99999999999999999999999", true },
                { "\"0\"", true },       { "\" \"", true },     { "\"\\u0000\"", true },
                { "\"false\"", true },   { "true", true },      { "[]", true },
                { "{}", true },          { "[0]", true },       { "5e-324", true },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
                g_autofree char *text = g_strdup_printf(
                                "{\"data\": %s ,\"type\":%s}", values[i].value, values[i].value);
                IpcMessage message;
                g_assert_cmpint(ipc_message_scan(text, strlen(text), &message, NULL), ==, 0);
                g_assert_true(message.data.truthy == values[i].truthy);
                g_assert_true(message.type.truthy == values[i].truthy);
                g_assert_cmpmem(message.data.json.start,
                                message.data.json.length,
                                values[i].value,
                                strlen(values[i].value));
        }
}

/* Of a long name the beginning, cut between characters; what it is called in full is in the text. */
static void test_long_texts(void) {
        for (size_t length = IPC_TYPE_BYTES_MAX - 4; length < IPC_TYPE_BYTES_MAX + 5; length++) {
                g_autofree char *start = g_strnfill(length, 'x');
                g_autofree char *text = g_strdup_printf(
                                "{\"type\":\"%s\xe2\x82\xac\",\"cmd\":\"NODE_%s\"}", start, start);
                g_autofree char *escaped = g_strdup_printf("{\"type\":\"%s\\u20ac\"}", start);
                g_autofree char *expected =
                                g_strdup_printf("%.*s%s",
                                                IPC_TYPE_BYTES_MAX,
                                                start,
                                                length + 3 <= IPC_TYPE_BYTES_MAX ? "\xe2\x82\xac" : "");
                IpcMessage message;
                g_assert_cmpint(ipc_message_scan(text, strlen(text), &message, NULL), ==, 0);
                g_assert_cmpstr(message.type_text, ==, expected);
                g_assert_cmpuint(message.type.json.length, ==, length + 5);
                g_assert_true(message.internal);
                g_assert_cmpuint(strlen(message.cmd), ==, IPC_CMD_BYTES_MAX);
                g_assert_cmpint(ipc_message_scan(escaped, strlen(escaped), &message, NULL), ==, 0);
                g_assert_cmpstr(message.type_text, ==, expected);
        }
}

/* JSON that our own decoder refuses, and Node does not. */
static void test_as_json_parse(void) {
        static const Sample samples[] = {
                { "{\"a\":1,\"a\":2}", "object" },
                { "1e400", "number" },
                { "123456789012345678901234567890", "number" },
                { "\"\\u0000\"", "string" },
                { "\"\\ud800\"", "string" },
                { "\"\\udc00\\ud800\"", "string" },
                { "\"\\ud800\\ud800\\udc00\"", "string" },
                { "{\"\\udfff\":\"\xf0\x9f\x98\x80\"}", "object" },
                { "\"\x7f\"", "string" },
                { "\"\xe2\x80\xa8\"", "string" }, /* U+2028 */
        };

        assert_samples(samples, G_N_ELEMENTS(samples));
        g_autoptr(GString) many = g_string_new("[0");
        for (unsigned i = 0; i < 2 * VALUE_COUNT_MAX; i++) {
                g_string_append(many, ",0");
        }
        g_string_append(many, "]");
        assert_said(many->str, "array");
}

static void test_refused(void) {
        static const char *const texts[] = {
                "{",
                "}",
                "[1,]",
                "{\"a\":1,}",
                "{\"a\"}",
                "{a:1}",
                "nul",
                "nulll",
                "tru",
                "True",
                "undefined",
                "NaN",
                "-Infinity",
                "'a'",
                "01",
                "+1",
                "1.",
                ".5",
                "1e",
                "- 1",
                "--1",
                "1 2",
                "{} {}",
                "\"a",
                "\"\\x41\"",
                "\"\\u12g4\"",
                "\"\\u004\"",
                "\"\\",
                "\"\\u\"",
                "\"a\tb\"",
                "\"a\nb\"",
                "/* */1",
                "1//",
                "[1}",
                "{]",
                "\"\\ud800\\u12\"",
                "\"\\ud800\\uzzzz\"",
                "{\"cmd\":\"NODE_X\"",
                "{\"cmd\":\"NODE_X\"}}",
                "\xef\xbb\xbf"
                "1",
                "\xc2\xa0"
                "1",
                "{\"cmd\":\"NODE_X\",\"a\":\"\\'\"}",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                assert_refused(texts[i], "JSON");
        }
        assert_refused("", "empty");
        assert_refused(" \t", "empty");
        assert_refused("{\"a\":'1'}", "line 1, column 6");
        assert_refused_bytes("\"a\0b\"", 5, "NUL");
        assert_refused_bytes("1\0", 2, "NUL");
        assert_refused("\"\xff\"", "UTF-8");
        assert_refused("\"\xed\xa0\x80\"", "UTF-8"); /* a surrogate */
        assert_refused("\"\xc0\xaf\"", "UTF-8");
        assert_refused("\"\xc3", "UTF-8");
        /* Any text cut short is none. */
        static const char whole[] =
                        "{\"type\":\"\\ud83d\\ude00\",\"data\":[true,false,null,-1.5e+3,{\"a\":\"b\"}]}";
        for (size_t length = 0; length < sizeof(whole) - 1; length++) {
                assert_refused_bytes(whole, length, "JSON");
        }
        assert_said(whole,
                    "object type:string=\"\\ud83d\\ude00\" "
                    "data:array=[true,false,null,-1.5e+3,{\"a\":\"b\"}] "
                    "\"\xf0\x9f\x98\x80\"");
}

static char *nested(unsigned depth, const char *open, const char *close) {
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < depth; i++) {
                g_string_append(text, open);
        }
        g_string_append(text, "1");
        for (unsigned i = 0; i < depth; i++) {
                g_string_append(text, close);
        }
        return g_string_free(text, FALSE);
}

static void test_depth(void) {
        g_autofree char *arrays = nested(VALUE_DEPTH_MAX, "[", "]");
        g_autofree char *objects = nested(VALUE_DEPTH_MAX, "{\"data\":", "}");
        g_autofree char *deep_arrays = nested(VALUE_DEPTH_MAX + 1, "[", "]");
        g_autofree char *deep_objects = nested(VALUE_DEPTH_MAX + 1, "{\"a\":", "}");
        g_autofree char *deepest = nested(300000, "[", "]");
        IpcMessage message;

        assert_said(arrays, "array");
        g_assert_cmpint(ipc_message_scan(objects, strlen(objects), &message, NULL), ==, 0);
        g_assert_cmpuint(message.data.json.length, ==, strlen(objects) - strlen("{\"data\":}"));
        assert_refused(deep_arrays, "too deeply");
        assert_refused(deep_objects, "too deeply");
        assert_refused(deepest, "too deeply");
}

static void test_size(void) {
        g_autofree char *text = g_strnfill(1024UL * 1024 + 1, ' ');

        text[0] = '1';
        assert_refused(text, "over");
        text[1024UL * 1024] = '\0';
        assert_said(text, "number");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/ipc-message/kinds", test_kinds);
        g_test_add_func("/config/ipc-message/internal", test_internal);
        g_test_add_func("/config/ipc-message/ready", test_ready);
        g_test_add_func("/config/ipc-message/members", test_members);
        g_test_add_func("/config/ipc-message/truth", test_truth);
        g_test_add_func("/config/ipc-message/long-texts", test_long_texts);
        g_test_add_func("/config/ipc-message/as-json-parse", test_as_json_parse);
        g_test_add_func("/config/ipc-message/refused", test_refused);
        g_test_add_func("/config/ipc-message/depth", test_depth);
        g_test_add_func("/config/ipc-message/size", test_size);
        return g_test_run();
}
