/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cluster/listen-address.h"

#include "fixture.h"

#include <string.h>
#include <sys/socket.h>

static const struct {
        const char *text;
        ListenKind kind;
        int family;
        const char *host;
        uint16_t port;
        const char *path;
        bool ipv6_only;
        const char *name;
        const char *normal; /* NULL: the text itself */
} good[] = {
        { "tcp:8080", LISTEN_STREAM, AF_UNSPEC, NULL, 8080, NULL, false, NULL, NULL },
        { "tcp:0", LISTEN_STREAM, AF_UNSPEC, NULL, 0, NULL, false, NULL, NULL },
        { "tcp:1", LISTEN_STREAM, AF_UNSPEC, NULL, 1, NULL, false, NULL, NULL },
        { "tcp:65535", LISTEN_STREAM, AF_UNSPEC, NULL, 65535, NULL, false, NULL, NULL },
        { "tcp:080", LISTEN_STREAM, AF_UNSPEC, NULL, 80, NULL, false, NULL, "tcp:80" },
        { "tcp4:80", LISTEN_STREAM, AF_INET, NULL, 80, NULL, false, NULL, NULL },
        { "tcp6:80", LISTEN_STREAM, AF_INET6, NULL, 80, NULL, true, NULL, NULL },
        { "udp:53", LISTEN_DATAGRAM, AF_UNSPEC, NULL, 53, NULL, false, NULL, NULL },
        { "udp4:53", LISTEN_DATAGRAM, AF_INET, NULL, 53, NULL, false, NULL, NULL },
        { "udp6:53", LISTEN_DATAGRAM, AF_INET6, NULL, 53, NULL, true, NULL, NULL },
        { "tcp:127.0.0.1:80", LISTEN_STREAM, AF_INET, "127.0.0.1", 80, NULL, false, NULL, NULL },
        { "tcp4:127.0.0.1:80",
          LISTEN_STREAM,
          AF_INET,
          "127.0.0.1",
          80,
          NULL,
          false,
          NULL,
          "tcp:127.0.0.1:80" },
        { "tcp:0.0.0.0:80", LISTEN_STREAM, AF_INET, NULL, 80, NULL, false, NULL, "tcp4:80" },
        { "udp:10.0.0.1:5", LISTEN_DATAGRAM, AF_INET, "10.0.0.1", 5, NULL, false, NULL, NULL },
        { "tcp:[::1]:80", LISTEN_STREAM, AF_INET6, "::1", 80, NULL, false, NULL, NULL },
        { "tcp:[0:0::0:1]:80", LISTEN_STREAM, AF_INET6, "::1", 80, NULL, false, NULL, "tcp:[::1]:80" },
        { "tcp:[FE80::A]:80",
          LISTEN_STREAM,
          AF_INET6,
          "fe80::a",
          80,
          NULL,
          false,
          NULL,
          "tcp:[fe80::a]:80" },
        { "tcp6:[::1]:80", LISTEN_STREAM, AF_INET6, "::1", 80, NULL, true, NULL, "tcp:[::1]:80" },
        { "tcp:[::]:80", LISTEN_STREAM, AF_INET6, NULL, 80, NULL, false, NULL, NULL },
        { "tcp6:[::]:80", LISTEN_STREAM, AF_INET6, NULL, 80, NULL, true, NULL, "tcp6:80" },
        { "tcp:[fe80::1%eth0]:80", LISTEN_STREAM, AF_INET6, "fe80::1%eth0", 80, NULL, false, NULL, NULL },
        { "unix:/run/x.sock", LISTEN_STREAM, AF_UNIX, NULL, 0, "/run/x.sock", false, NULL, NULL },
        { "unix:/a=b:c d", LISTEN_STREAM, AF_UNIX, NULL, 0, "/a=b:c d", false, NULL, NULL },
        { "web=tcp:80", LISTEN_STREAM, AF_UNSPEC, NULL, 80, NULL, false, "web", "tcp:80" },
        { "a.b-c_1!=unix:/x", LISTEN_STREAM, AF_UNIX, NULL, 0, "/x", false, "a.b-c_1!", "unix:/x" },
};

static void test_good(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                g_auto(ListenAddress) address = { 0 }, copy = { 0 };
                g_auto(Error) error = { 0 };
                g_autofree char *name = NULL;
                int r = listen_address_parse(good[i].text, &address, &name, &error);

                g_test_message("%s: %s", good[i].text, r < 0 ? error.message : "taken");
                g_assert_cmpint(r, ==, 0);
                g_assert_cmpint(address.kind, ==, good[i].kind);
                g_assert_cmpint(address.family, ==, good[i].family);
                g_assert_cmpstr(address.host, ==, good[i].host);
                g_assert_cmpuint(address.port, ==, good[i].port);
                g_assert_cmpstr(address.path, ==, good[i].path);
                g_assert_cmpint(address.ipv6_only, ==, good[i].ipv6_only);
                g_assert_false(address.reuse_address || address.readable_all || address.writable_all);
                g_assert_cmpint(address.backlog, ==, 0);
                g_assert_cmpstr(name, ==, good[i].name);
                listen_address_copy(&address, &copy);
                g_autofree char *normal = listen_address_to_text(&copy);
                g_assert_cmpstr(normal, ==, good[i].normal ? good[i].normal : good[i].text);
        }
}

/* What it is written as means the same, and is written as itself. */
static void test_normal_form_is_stable(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                g_auto(ListenAddress) first = { 0 }, second = { 0 };
                g_autofree char *first_name = NULL, *second_name = NULL;
                g_assert_cmpint(listen_address_parse(good[i].text, &first, &first_name, NULL), ==, 0);
                g_autofree char *normal = listen_address_to_text(&first);
                g_assert_cmpint(listen_address_parse(normal, &second, &second_name, NULL), ==, 0);
                g_autofree char *again = listen_address_to_text(&second);
                g_assert_cmpstr(again, ==, normal);
        }
}

static const struct {
        const char *text, *why;
} bad[] = {
        { "", "does not begin with" },
        { "8080", "does not begin with" },
        { "http:80", "does not begin with" },
        { "tcp", "does not begin with" },
        { "TCP:80", "does not begin with" },
        { " tcp:80", "does not begin with" },
        { "tcp5:80", "does not begin with" },
        { ":80", "does not begin with" },
        { "tcp:", "the port is no number" },
        { "tcp:-1", "the port is no number" },
        { "tcp:+1", "the port is no number" },
        { "tcp: 1", "the port is no number" },
        { "tcp:65536", "the port is no number" },
        { "tcp:4294967376", "the port is no number" },
        { "tcp:99999999999999999999", "the port is no number" },
        { "tcp:80x", "the port is no number" },
        { "tcp:0x50", "the port is no number" },
        { "tcp:http", "the port is no number" },
        { "tcp:127.0.0.1:", "the port is no number" },
        { "tcp:[::1]:", "the port is no number" },
        { "tcp:127.0.0.1", "the port is no number" },
        { "tcp::80", "no IPv4 address" },
        { "tcp:*:80", "no IPv4 address" },
        { "tcp:localhost:80", "no IPv4 address" },
        { "tcp:127.0.0:80", "no IPv4 address" },
        { "tcp:127.0.0.256:80", "no IPv4 address" },
        { "tcp:::1:80", "stands in brackets" },
        { "tcp:fe80::1:80", "no IPv4 address" },
        { "tcp:[::1]", "\"[address]:port\"" },
        { "tcp:[::1]80", "\"[address]:port\"" },
        { "tcp:[::1:80", "\"[address]:port\"" },
        { "tcp:[]:80", "in brackets is no IPv6" },
        { "tcp:[127.0.0.1]:80", "in brackets is no IPv6" },
        { "tcp:[::1%]:80", "in brackets is no IPv6" },
        { "tcp:[::1%a b]:80", "in brackets is no IPv6" },
        { "tcp:[::1%interface-too-long]:80", "in brackets is no IPv6" },
        { "tcp4:[::1]:80", "a word for IPv4" },
        { "udp4:[::]:80", "a word for IPv4" },
        { "tcp6:127.0.0.1:80", "no IPv6 address in brackets" },
        { "unix:", "not absolute" },
        { "unix:x.sock", "not absolute" },
        { "unix:@abstract", "not absolute" },
        { "unix:/", "ends in a slash" },
        { "unix:/run/", "ends in a slash" },
        { "=tcp:80", "the name before" },
        { "a b=tcp:80", "the name before" },
        { "\x01=tcp:80", "the name before" },
        { "n\xc3\xa4me=tcp:80", "the name before" },
        { "a=b=tcp:80", "does not begin with" },
        { "web=", "does not begin with" },
        { "web=8080", "does not begin with" },
};

static void test_bad(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                ListenAddress address = { 0 };
                g_auto(Error) error = { 0 };
                char *name = NULL;

                g_test_message("<%s>", bad[i].text);
                g_assert_cmpint(listen_address_parse(bad[i].text, &address, &name, &error), ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                test_assert_contains(error.message, bad[i].why);
                g_assert_null(address.host);
                g_assert_null(address.path);
                g_assert_null(name);
        }
}

/* The longest that are taken, and one more. */
static void test_lengths(void) {
        for (size_t more = 0; more < 2; more++) {
                g_auto(ListenAddress) by_path = { 0 }, by_name = { 0 };
                g_autofree char *filler = g_strnfill(LISTEN_PATH_BYTES_MAX - 1 + more, 'x');
                g_autofree char *path = g_strconcat("unix:/", filler, NULL);
                g_autofree char *long_name = g_strnfill(LISTEN_NAME_BYTES_MAX + more, 'n');
                g_autofree char *named = g_strconcat(long_name, "=tcp:80", NULL);
                g_autofree char *name = NULL, *none = NULL;
                int expected = more ? -ECANCELED : 0;

                g_assert_cmpint(listen_address_parse(path, &by_path, &none, NULL), ==, expected);
                g_assert_cmpint(listen_address_parse(named, &by_name, &name, NULL), ==, expected);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/cluster/listen-address/good", test_good);
        g_test_add_func("/cluster/listen-address/normal-form-is-stable", test_normal_form_is_stable);
        g_test_add_func("/cluster/listen-address/bad", test_bad);
        g_test_add_func("/cluster/listen-address/lengths", test_lengths);
        return g_test_run();
}
