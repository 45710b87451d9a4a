/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where the probes of a health check go. */

#include "basic/parse-util.h"
#include "core/health-check.h"

#include <arpa/inet.h>
#include <string.h>

static const char scheme[] = "http://";
static const char unix_scheme[] = "http://unix:"; /* as nginx has it: ngx_http_proxy_module, proxy_pass */

void health_address_done(HealthAddress *address) {
        g_free(address->host);
        g_free(address->path);
        g_free(address->authority);
        g_free(address->resource);
        *address = (HealthAddress){ 0 };
}

static int refuse(const char *target, const char *why, Error *error) {
        g_autofree char *quoted = error_quote(target);

        return error_set(error, ERROR_INVALID_CONFIG, "%s: %s", quoted, why);
}

/* What goes into a request: nothing that could end its line. */
static bool is_plain(const char *text) {
        for (; *text; text++) {
                if (*text <= ' ' || *text >= 0x7f) {
                        return false;
                }
        }
        return true;
}

static int parse_path(const char *target, const char *path, HealthAddress *address, Error *error) {
        if (path[0] != '/') {
                return refuse(target, "the path of a socket is absolute", error);
        }
        if (strlen(path) > HEALTH_PATH_BYTES_MAX) {
                return refuse(target, "the path of a socket has at most 107 bytes", error);
        }
        address->path = g_strdup(path);
        return 0;
}

static bool is_address(const char *host, bool brackets) {
        unsigned char bytes[sizeof(struct in6_addr)];

        return inet_pton(brackets ? AF_INET6 : AF_INET, host, bytes) == 1;
}

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; port: the one that need not be said, 0: none. */
static int parse_authority(
                const char *target,
                const char *authority,
                const char *port,
                HealthAddress *address,
                Error *error) {
        bool brackets = authority[0] == '[';
        const char *end = brackets ? strchr(authority, ']') : strchr(authority, ':');
        g_autofree char *host = NULL;
        uint32_t number = 0;

        if (brackets && !end) {
                return refuse(target, "an IPv6 address is \"[address]:port\"", error);
        }
        host = end ? g_strndup(authority + brackets, (gsize) (end - authority) - brackets)
                   : g_strdup(authority);
        const char *rest = end ? end + brackets : "";
        if (rest[0] == ':') {
                port = rest + 1;
        } else if (rest[0]) {
                return refuse(target, "an IPv6 address is \"[address]:port\"", error);
        }
        if (brackets || strcmp(host, "localhost") != 0) {
                if (!is_address(host, brackets)) {
                        return refuse(target,
                                      "the host is neither localhost nor a numeric address (an IPv6 address "
                                      "stands in brackets); names are not looked up",
                                      error);
                }
                address->host = g_steal_pointer(&host);
        }
        if (!port || parse_uint32(port, &number) < 0 || number == 0 || number > UINT16_MAX) {
                return refuse(target, "the port is no number from 1 to 65535", error);
        }
        address->port = (uint16_t) number;
        return 0;
}

static int parse_tcp(const char *target, HealthAddress *address, Error *error) {
        g_autofree char *with_host = NULL;

        if (!strchr(target, ':')) {
                with_host = g_strconcat("localhost:", target, NULL);
        }
        return parse_authority(target, with_host ? with_host : target, NULL, address, error);
}

static int parse_http_unix(const char *target, HealthAddress *address, Error *error) {
        const char *path = target + strlen(unix_scheme);
        const char *end = strchr(path, ':');
        g_autofree char *socket_path = end ? g_strndup(path, (gsize) (end - path)) : g_strdup(path);

        address->authority = g_strdup("localhost");
        address->resource = g_strdup(end ? end + 1 : "/");
        if (address->resource[0] != '/') {
                return refuse(target, "it is \"http://unix:/path/of/socket:/what/to/ask/for\"", error);
        }
        return parse_path(target, socket_path, address, error);
}

static int parse_http(const char *target, HealthAddress *address, Error *error) {
        if (!g_str_has_prefix(target, scheme)) {
                return refuse(target,
                              "a URL begins with http:// (https is not spoken: ask another port, or use "
                              "exec)",
                              error);
        }
        if (!is_plain(target)) {
                return refuse(target, "a URL has no blanks, control or other than ASCII characters", error);
        }
        if (g_str_has_prefix(target, unix_scheme)) {
                return parse_http_unix(target, address, error);
        }
        const char *authority = target + strlen(scheme);
        size_t length = strcspn(authority, "/?#");
        const char *rest = authority + length;
        address->authority = g_strndup(authority, length);
        g_autofree char *resource = g_strndup(rest, strcspn(rest, "#"));
        address->resource = g_strconcat(resource[0] == '/' ? "" : "/", resource, NULL);
        return parse_authority(target, address->authority, "80", address, error);
}

int health_address_parse(HealthKind kind, const char *target, HealthAddress *ret, Error *error) {
        HealthAddress address = { 0 };

        int r = kind == HEALTH_HTTP  ? parse_http(target, &address, error)
                : kind == HEALTH_TCP ? parse_tcp(target, &address, error)
                                     : parse_path(target, target, &address, error);
        if (r < 0) {
                health_address_done(&address);
                return r;
        }
        *ret = address;
        return 0;
}

int health_target_expand(const char *target, const Environment *environment, char **ret, Error *error) {
        g_autoptr(GString) text = g_string_new(NULL);

        while (*target) {
                const char *end = g_str_has_prefix(target, "${") ? strchr(target, '}') : NULL;
                if (!end) {
                        g_string_append_c(text, *target++);
                        continue;
                }
                g_autofree char *name = g_strndup(target + 2, (gsize) (end - target) - 2);
                const char *value = environment_get(environment, name);
                if (!value) {
                        g_autofree char *quoted = error_quote(name);
                        return error_set(error, ERROR_INVALID_CONFIG, "there is no variable %s", quoted);
                }
                g_string_append(text, value);
                target = end + 1;
        }
        *ret = g_string_free(g_steal_pointer(&text), FALSE);
        return 0;
}
