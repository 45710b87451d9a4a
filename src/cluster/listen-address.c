/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cluster/listen-address.h"

#include "basic/parse-util.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The words before the colon. */
static const struct {
        const char *word;
        ListenKind kind;
        int family;
        bool ipv6_only;
} schemes[] = {
        { "tcp", LISTEN_STREAM, AF_UNSPEC, false },  { "tcp4", LISTEN_STREAM, AF_INET, false },
        { "tcp6", LISTEN_STREAM, AF_INET6, true },   { "udp", LISTEN_DATAGRAM, AF_UNSPEC, false },
        { "udp4", LISTEN_DATAGRAM, AF_INET, false }, { "udp6", LISTEN_DATAGRAM, AF_INET6, true },
        { "unix", LISTEN_STREAM, AF_UNIX, false },
};

void listen_address_done(ListenAddress *address) {
        g_free(address->host);
        g_free(address->path);
        *address = (ListenAddress){ 0 };
}

void listen_address_copy(const ListenAddress *address, ListenAddress *ret) {
        *ret = *address;
        ret->host = g_strdup(address->host);
        ret->path = g_strdup(address->path);
}

static int refuse(Error *error, const char *text, const char *why) {
        g_autofree char *quoted = error_quote(text);
        return error_set(error, ERROR_INVALID_CONFIG, "%s: %s", quoted, why);
}

/* What systemd takes as the name of a descriptor (FileDescriptorName= of systemd.socket(5)): no colons, for
 * they part the names. */
static bool name_is_valid(const char *name, size_t length) {
        for (size_t i = 0; i < length; i++) {
                if (name[i] <= ' ' || name[i] > '~' || name[i] == ':') {
                        return false;
                }
        }
        return length > 0 && length <= LISTEN_NAME_BYTES_MAX;
}

static int parse_port(const char *text, uint16_t *ret) {
        uint32_t port;

        if (!g_ascii_isdigit(text[0]) || parse_uint32(text, &port) < 0 || port > UINT16_MAX) {
                return -EINVAL;
        }
        *ret = (uint16_t) port;
        return 0;
}

/* In the form that the system writes. NULL: it is no address of this family. "%eth0" is for addresses of one
 * link alone; whether there is such an interface the bind says. */
static char *normalize_host(int family, const char *text) {
        unsigned char bytes[sizeof(struct in6_addr)];
        char canonical[INET6_ADDRSTRLEN];
        const char *scope = family == AF_INET6 ? strchr(text, '%') : NULL;
        g_autofree char *bare = scope ? g_strndup(text, (gsize) (scope - text)) : g_strdup(text);

        if (inet_pton(family, bare, bytes) != 1 || !inet_ntop(family, bytes, canonical, sizeof(canonical))) {
                return NULL;
        }
        if (scope && (scope[1] == '\0' || strlen(scope + 1) >= IF_NAMESIZE ||
                      !name_is_valid(scope + 1, strlen(scope + 1)))) {
                return NULL;
        }
        return g_strconcat(canonical, scope, NULL);
}

/* Any address is no address. */
static void take_host(ListenAddress *address, char *host) {
        if (strcmp(host, address->family == AF_INET ? "0.0.0.0" : "::") == 0) {
                g_free(host);
        } else {
                address->host = host;
        }
}

static int parse_host(
                const char *text, const char *host, bool brackets, ListenAddress *address, Error *error) {
        int family = brackets ? AF_INET6 : AF_INET;

        if (address->family != AF_UNSPEC && address->family != family) {
                return refuse(error,
                              text,
                              brackets ? "an IPv6 address with a word for IPv4"
                                       : "the address is no IPv6 address in brackets");
        }
        char *normal = normalize_host(family, host);
        if (!normal) {
                return refuse(error,
                              text,
                              brackets ? "what is in brackets is no IPv6 address"
                                       : "the host is no IPv4 address (an IPv6 address stands in brackets)");
        }
        address->family = family;
        take_host(address, normal);
        return 0;
}

/* "8080", "127.0.0.1:8080", "[::1]:8080" */
static int parse_internet(const char *text, const char *rest, ListenAddress *address, Error *error) {
        const char *port = rest;

        if (rest[0] == '[') {
                const char *end = strchr(rest, ']');
                if (!end || end[1] != ':') {
                        return refuse(error, text, "an IPv6 address is \"[address]:port\"");
                }
                g_autofree char *host = g_strndup(rest + 1, (gsize) (end - rest - 1));
                int r = parse_host(text, host, true, address, error);
                if (r < 0) {
                        return r;
                }
                port = end + 2;
        } else if (strchr(rest, ':')) {
                port = strchr(rest, ':') + 1;
                g_autofree char *host = g_strndup(rest, (gsize) (port - rest - 1));
                int r = parse_host(text, host, false, address, error);
                if (r < 0) {
                        return r;
                }
        }
        return parse_port(port, &address->port) < 0
                               ? refuse(error, text, "the port is no number from 0 to 65535")
                               : 0;
}

static int parse_path(const char *text, const char *path, ListenAddress *address, Error *error) {
        size_t length = strlen(path);

        if (path[0] != '/') {
                return refuse(error, text, "the path is not absolute");
        }
        if (length > LISTEN_PATH_BYTES_MAX) {
                return refuse(error, text, "the path of a socket has at most 107 bytes");
        }
        if (path[length - 1] == '/') {
                return refuse(error, text, "the path ends in a slash");
        }
        address->path = g_strdup(path);
        return 0;
}

static int parse_address(const char *text, const char *address_text, ListenAddress *ret, Error *error) {
        size_t length = strcspn(address_text, ":");

        for (size_t i = 0; i < ELEMENTS(schemes) && address_text[length] == ':'; i++) {
                if (strlen(schemes[i].word) != length ||
                    memcmp(schemes[i].word, address_text, length) != 0) {
                        continue;
                }
                const char *rest = address_text + length + 1;
                ret->kind = schemes[i].kind;
                ret->family = schemes[i].family;
                ret->ipv6_only = schemes[i].ipv6_only;
                return ret->family == AF_UNIX ? parse_path(text, rest, ret, error)
                                              : parse_internet(text, rest, ret, error);
        }
        return refuse(error, text, "does not begin with tcp:, tcp4:, tcp6:, udp:, udp4:, udp6: or unix:");
}

int listen_address_parse(const char *text, ListenAddress *ret, char **ret_name, Error *error) {
        g_auto(ListenAddress) address = { 0 };
        size_t length = strcspn(text, "=:");
        bool named = text[length] == '=';

        if (named && !name_is_valid(text, length)) {
                return refuse(error,
                              text,
                              "the name before \"=\" is not one of 1 to 255 printable characters without "
                              "blanks and colons");
        }
        int r = parse_address(text, named ? text + length + 1 : text, &address, error);
        if (r < 0) {
                return r;
        }
        *ret_name = named ? g_strndup(text, length) : NULL;
        *ret = address;
        address = (ListenAddress){ 0 };
        return 0;
}

char *listen_address_to_text(const ListenAddress *address) {
        const char *kind = address->kind == LISTEN_DATAGRAM ? "udp" : "tcp";

        if (address->family == AF_UNIX) {
                return g_strconcat("unix:", address->path, NULL);
        }
        if (address->family == AF_INET) {
                return address->host ? g_strdup_printf("%s:%s:%u", kind, address->host, address->port)
                                     : g_strdup_printf("%s4:%u", kind, address->port);
        }
        if (address->family == AF_INET6) {
                /* One address is of one family anyhow. */
                return address->host ? g_strdup_printf("%s:[%s]:%u", kind, address->host, address->port)
                       : address->ipv6_only ? g_strdup_printf("%s6:%u", kind, address->port)
                                            : g_strdup_printf("%s:[::]:%u", kind, address->port);
        }
        return g_strdup_printf("%s:%u", kind, address->port);
}
