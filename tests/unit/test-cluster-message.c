/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What workers of Node, Bun and Deno say, what nobody says, and what the primary answers. */

#include "cluster/cluster-message.h"

#include "config/json-text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define CLUSTER(more) "{\"cmd\":\"NODE_CLUSTER\"" more "}"
#define QUERY(more)   CLUSTER(",\"act\":\"queryServer\",\"seq\":1" more)

/* The line as a buffer of just its length, for the sanitizers. */
static int parse(const char *line, ClusterMessage *ret) {
        g_autofree char *exact = g_memdup2(line, strlen(line));

        int r = cluster_message_parse(exact, strlen(line), ret, NULL);
        if (r >= 0) {
                ret->data = (JsonSpan){ 0 }; /* it is in the buffer */
        }
        return r;
}

static void test_kinds(void) {
        static const struct {
                const char *line;
                ClusterKind kind;
        } cases[] = {
                { "{\"cmd\":\"NODE_HANDLE_ACK\"}", CLUSTER_HANDLE_ACK },
                { "{\"cmd\":\"NODE_HANDLE_NACK\"}", CLUSTER_HANDLE_NACK },
                { "{\"cmd\":\"NODE_PM2D\",\"accepted\":3}", CLUSTER_COUNT },
                { CLUSTER(",\"act\":\"online\",\"seq\":0"), CLUSTER_ONLINE },
                { QUERY(""), CLUSTER_QUERY_SERVER },
                { CLUSTER(",\"act\":\"listening\""), CLUSTER_LISTENING },
                { CLUSTER(",\"act\":\"close\",\"key\":\"k\""), CLUSTER_CLOSE },
                { CLUSTER(",\"act\":\"exitedAfterDisconnect\",\"seq\":4"), CLUSTER_LEAVE },
                { CLUSTER(",\"ack\":1,\"accepted\":true,\"seq\":3"), CLUSTER_ANSWER },
                { CLUSTER(",\"ack\":-1"), CLUSTER_OTHER },
                { CLUSTER(",\"ack\":null"), CLUSTER_OTHER },
                { CLUSTER(",\"ack\":1,\"act\":\"unknown\""), CLUSTER_OTHER },
                { CLUSTER(",\"act\":5"), CLUSTER_OTHER },
                { CLUSTER(""), CLUSTER_OTHER },
                { CLUSTER(",\"act\":\"close\",\"act\":\"online\""), CLUSTER_ONLINE },
                { CLUSTER(",\"\\u0061ct\":\"\\u006fnline\""), CLUSTER_ONLINE },
                { "{\"cmd\":\"NODE_CLUSTER2\",\"act\":\"online\"}", CLUSTER_OTHER },
                { "{\"act\":\"online\"}", CLUSTER_OTHER },
                { "{\"cmd\":{\"x\":1}}", CLUSTER_OTHER },
                { "[]", CLUSTER_OTHER },
                { "5", CLUSTER_OTHER },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(ClusterMessage) message = { 0 };
                g_test_message("%s", cases[i].line);
                g_assert_cmpint(parse(cases[i].line, &message), ==, 0);
                g_assert_cmpint(message.kind, ==, cases[i].kind);
        }
        for (const char *const *bad = (const char *const[]){ "", "{", "x", "{}{}", "\x02{}", NULL }; *bad;
             bad++) {
                g_auto(ClusterMessage) message = { 0 };
                g_assert_cmpint(parse(*bad, &message), <, 0);
        }
}

static void test_numbers(void) {
        static const struct {
                const char *text;
                int64_t number;
        } cases[] = {
                { "0", 0 },
                { "-0", 0 },
                { "7", 7 },
                { "-9", -9 },
                { "1e3", 1000 },
                { "2.0", 2 },
                { "9007199254740991", CLUSTER_NUMBER_MAX },
                { "9007199254740993", CLUSTER_NUMBER_BAD },
                { "-9007199254740993", CLUSTER_NUMBER_BAD },
                { "1.5", CLUSTER_NUMBER_BAD },
                { "1e400", CLUSTER_NUMBER_BAD },
                { "123456789012345678901234567890123456789012345678901234567890", CLUSTER_NUMBER_BAD },
                { "null", CLUSTER_NUMBER_NONE },
                { "true", CLUSTER_NUMBER_BAD },
                { "\"1\"", CLUSTER_NUMBER_BAD },
                { "[1]", CLUSTER_NUMBER_BAD },
                { "{}", CLUSTER_NUMBER_BAD },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *line = g_strdup_printf(
                                "{\"seq\":%s,\"ack\":%s,\"port\":%s,\"fd\":%s,\"flags\":%s,\"backlog\":%s,"
                                "\"index\":%s,\"accepted\":%s}",
                                cases[i].text,
                                cases[i].text,
                                cases[i].text,
                                cases[i].text,
                                cases[i].text,
                                cases[i].text,
                                cases[i].text,
                                cases[i].text);
                g_auto(ClusterMessage) message = { 0 };
                g_test_message("%s", cases[i].text);
                g_assert_cmpint(parse(line, &message), ==, 0);
                const int64_t numbers[] = { message.seq,   message.ack,           message.port,
                                            message.fd,    message.flags,         message.backlog,
                                            message.index, message.accepted_count };
                for (size_t j = 0; j < G_N_ELEMENTS(numbers); j++) {
                        g_assert_cmpint(numbers[j], ==, cases[i].number);
                }
        }
}

static void test_texts(void) {
        g_autofree char *longest = g_strnfill(CLUSTER_TEXT_BYTES_MAX, 'x');
        g_autofree char *line = g_strdup_printf("{\"key\":\"%s\",\"address\":\"%sx\"}", longest, longest);
        g_auto(ClusterMessage) message = { 0 }, nul = { 0 }, none = { 0 };

        g_assert_cmpint(parse(line, &message), ==, 0);
        g_assert_cmpstr(message.key, ==, longest);
        g_assert_null(message.address);
        g_assert_true(message.bad_address);
        g_assert_cmpint(parse("{\"key\":\"a\\u0000b\",\"address\":\"caf\\u00e9\"}", &nul), ==, 0);
        g_assert_null(nul.key);
        g_assert_cmpstr(nul.address, ==, "caf\xc3\xa9");
        g_assert_cmpint(parse("{\"key\":7,\"address\":null}", &none), ==, 0);
        g_assert_null(none.key);
        g_assert_false(none.bad_address);
}

static void test_data(void) {
        static const char line[] = QUERY(",\"data\":{\"ticketKeys\":\"ab\", \"x\":[1]}");
        g_autofree char *filler = g_strnfill(CLUSTER_DATA_BYTES_MAX - 2, 'x');
        g_auto(ClusterMessage) message = { 0 }, largest = { 0 }, too_large = { 0 };

        g_assert_cmpint(cluster_message_parse(line, strlen(line), &message, NULL), ==, 0);
        g_autofree char *data = g_strndup(message.data.start, message.data.length);
        g_assert_cmpstr(data, ==, "{\"ticketKeys\":\"ab\", \"x\":[1]}");
        g_autofree char *at_most = g_strdup_printf("{\"data\":\"%s\"}", filler);
        g_assert_cmpint(cluster_message_parse(at_most, strlen(at_most), &largest, NULL), ==, 0);
        g_assert_cmpuint(largest.data.length, ==, CLUSTER_DATA_BYTES_MAX);
        g_assert_false(largest.data_too_long);
        g_autofree char *more = g_strdup_printf("{\"data\":\"%sx\"}", filler);
        g_assert_cmpint(cluster_message_parse(more, strlen(more), &too_large, NULL), ==, 0);
        g_assert_null(too_large.data.start);
        g_assert_true(too_large.data_too_long);
}

/* "kind family host port path flags backlog key", or the error. */
static char *describe(const char *line) {
        g_auto(ClusterMessage) message = { 0 };
        g_auto(ListenAddress) address = { 0 };
        g_autofree char *key = NULL;

        g_assert_cmpint(parse(line, &message), ==, 0);
        int r = cluster_message_to_address(&message, &address, &key);
        if (r < 0) {
                g_assert_null(key);
                g_assert_null(address.host);
                return g_strdup_printf("%d", r);
        }
        return g_strdup_printf(
                        "%s %s %s %u %s %s%s%s%s %d [%s]",
                        address.kind == LISTEN_STREAM ? "stream" : "datagram",
                        address.family == AF_INET    ? "4"
                        : address.family == AF_INET6 ? "6"
                        : address.family == AF_UNIX  ? "path"
                                                     : "any",
                        address.host ? address.host : "-",
                        address.port,
                        address.path ? address.path : "-",
                        address.ipv6_only ? "o" : "",
                        address.reuse_address ? "r" : "",
                        address.readable_all ? "R" : "",
                        address.writable_all ? "W" : "",
                        address.backlog,
                        key);
}

/* The table of what scripts produce (Node 18 to 24), and what only somebody else does. */
static void test_addresses(void) {
        static const struct {
                const char *members, *what;
        } cases[] = {
                { ",\"index\":0,\"data\":null,\"address\":null,\"port\":3111,\"addressType\":4,\"backlog\":"
                  "0",
                  "stream any - 3111 -  0 [null:3111:4]" },
                { ",\"index\":2,\"address\":null,\"port\":3111,\"addressType\":4,\"flags\":0",
                  "stream any - 3111 -  0 [null:3111:4]" },
                { ",\"index\":0,\"address\":null,\"port\":0,\"addressType\":4",
                  "stream any - 0 -  0 [null:0:4:0]" },
                { ",\"index\":1,\"address\":null,\"port\":0,\"addressType\":4",
                  "stream any - 0 -  0 [null:0:4:1]" },
                { ",\"address\":\"127.0.0.1\",\"port\":80,\"addressType\":4",
                  "stream 4 127.0.0.1 80 -  0 [127.0.0.1:80:4]" },
                { ",\"address\":\"::\",\"port\":80,\"addressType\":6,\"flags\":1",
                  "stream 6 :: 80 - o 0 [:::80:6]" },
                { ",\"address\":\"fe80::1%eth0\",\"port\":80,\"addressType\":6",
                  "stream 6 fe80::1%eth0 80 -  0 [fe80::1%eth0:80:6]" },
                { ",\"port\":80,\"addressType\":4,\"backlog\":77", "stream any - 80 -  77 [null:80:4]" },
                { ",\"port\":80,\"addressType\":4,\"backlog\":1e15",
                  "stream any - 80 -  2147483647 [null:80:4]" },
                { ",\"port\":80,\"addressType\":4,\"backlog\":\"x\"", "stream any - 80 -  0 [null:80:4]" },
                { ",\"address\":\"/run/x.sock\",\"port\":-1,\"addressType\":-1,\"readableAll\":true,"
                  "\"writableAll\":true",
                  "stream path - 0 /run/x.sock RW 0 [/run/x.sock:0:-1]" },
                { ",\"address\":\"/run/\\u0000x\",\"port\":-1,\"addressType\":-1", "-22" },
                { ",\"address\":\"x.sock\",\"port\":-1,\"addressType\":-1", "-22" },
                { ",\"port\":-1,\"addressType\":-1", "-22" },
                { ",\"address\":null,\"port\":null,\"addressType\":null,\"fd\":7", "-9" },
                { ",\"address\":null,\"port\":80,\"addressType\":4,\"fd\":\"7\"", "-9" },
                { ",\"address\":\"0.0.0.0\",\"port\":3118,\"addressType\":\"udp4\",\"fd\":-1,\"flags\":0",
                  "datagram 4 0.0.0.0 3118 -  0 [0.0.0.0:3118:udp4]" },
                { ",\"address\":\"0.0.0.0\",\"addressType\":\"udp4\",\"fd\":-1,\"flags\":0",
                  "datagram 4 0.0.0.0 0 -  0 [0.0.0.0:0:udp4:0]" },
                { ",\"address\":\"::\",\"port\":5,\"addressType\":\"udp6\",\"fd\":-1,\"flags\":5",
                  "datagram 6 :: 5 - or 0 [:::5:udp6]" },
                { ",\"address\":\"::\",\"port\":5,\"addressType\":\"udp4\"", "-22" },
                { ",\"address\":\"127.0.0.1\",\"port\":5,\"addressType\":6", "-22" },
                { ",\"address\":\"localhost\",\"port\":5,\"addressType\":4", "-22" },
                { ",\"address\":\"127.0.0.1%lo\",\"port\":5,\"addressType\":4", "-22" },
                { ",\"address\":5,\"port\":5,\"addressType\":4", "-22" },
                { ",\"port\":65535,\"addressType\":4", "stream any - 65535 -  0 [null:65535:4]" },
                { ",\"port\":65536,\"addressType\":4", "-22" },
                { ",\"port\":-1,\"addressType\":4", "-22" },
                { ",\"port\":\"80\",\"addressType\":4", "-22" },
                { ",\"port\":80,\"addressType\":4,\"flags\":-1", "-22" },
                { ",\"port\":80,\"addressType\":4,\"flags\":{}", "-22" },
                { ",\"port\":0,\"addressType\":4,\"index\":\"x\"", "-22" },
                { ",\"port\":0,\"addressType\":4,\"index\":-5", "stream any - 0 -  0 [null:0:4:0]" },
                { ",\"port\":80,\"addressType\":5", "-22" },
                { ",\"port\":80,\"addressType\":\"tcp\"", "-22" },
                { "", "-22" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *line = g_strdup_printf(
                                "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"seq\":1%s}",
                                cases[i].members);
                g_test_message("%s", line);
                g_autofree char *what = describe(line);
                g_assert_cmpstr(what, ==, cases[i].what);
        }
}

static void assert_written(char *text, const char *expected) {
        g_autofree char *owned = text;
        g_autoptr(Value) value = NULL;

        g_assert_cmpstr(owned, ==, expected);
        g_assert_null(strchr(owned, '\n'));
        g_assert_cmpint(json_text_decode(owned, strlen(owned), &value, NULL), ==, 0);
}

static void test_written(void) {
        assert_written(cluster_write_answer(1, 0, "null:80:4", NULL, NULL),
                       "{\"cmd\":\"NODE_CLUSTER\",\"errno\":0,\"key\":\"null:80:4\",\"ack\":1,\"data\":"
                       "null}");
        assert_written(cluster_write_answer(CLUSTER_NUMBER_MAX, -EADDRINUSE, NULL, "[1]", "{}"),
                       "{\"cmd\":\"NODE_CLUSTER\",\"errno\":-98,\"key\":null,\"ack\":9007199254740991,"
                       "\"data\":[1],\"sockname\":{}}");
        assert_written(cluster_write_sockname(AF_INET6, "::", 80),
                       "{\"address\":\"::\",\"family\":\"IPv6\",\"port\":80}");
        assert_written(cluster_write_sockname(AF_INET, "0.0.0.0", 65535),
                       "{\"address\":\"0.0.0.0\",\"family\":\"IPv4\",\"port\":65535}");
        assert_written(cluster_write_ack(4), "{\"cmd\":\"NODE_CLUSTER\",\"ack\":4}");
        assert_written(cluster_write_disconnect(), "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\"}");
        g_autofree char *message = cluster_write_connection("a\"\n", 5);
        assert_written(g_strdup(message),
                       "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\",\"key\":\"a\\\"\\u000a\",\"seq\":5}");
        assert_written(cluster_write_envelope(false, message),
                       "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_CLUSTER\","
                       "\"act\":\"newconn\",\"key\":\"a\\\"\\u000a\",\"seq\":5}}");
        assert_written(cluster_write_envelope(true, "1"),
                       "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Native\",\"msg\":1}");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/cluster/message/kinds", test_kinds);
        g_test_add_func("/cluster/message/numbers", test_numbers);
        g_test_add_func("/cluster/message/texts", test_texts);
        g_test_add_func("/cluster/message/data", test_data);
        g_test_add_func("/cluster/message/addresses", test_addresses);
        g_test_add_func("/cluster/message/written", test_written);
        return g_test_run();
}
