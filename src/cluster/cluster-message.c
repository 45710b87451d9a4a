/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cluster/cluster-message.h"

#include "basic/macro.h"
#include "config/json-members.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
        FLAG_IPV6_ONLY = 1,     /* UV_TCP_IPV6ONLY, UV_UDP_IPV6ONLY */
        FLAG_REUSE_ADDRESS = 4, /* UV_UDP_REUSEADDR */
};

/* The members that count, as they stand in the line; start is NULL: there is none. */
typedef enum Member {
        MEMBER_CMD,
        MEMBER_ACT,
        MEMBER_SEQ,
        MEMBER_ACK,
        MEMBER_ACCEPTED,
        MEMBER_KEY,
        MEMBER_ADDRESS,
        MEMBER_ADDRESS_TYPE,
        MEMBER_PORT,
        MEMBER_FD,
        MEMBER_FLAGS,
        MEMBER_BACKLOG,
        MEMBER_INDEX,
        MEMBER_READABLE_ALL,
        MEMBER_WRITABLE_ALL,
        MEMBER_DATA,
        _MEMBER_MAX,
} Member;

static const char *const member_names[] = {
        [MEMBER_CMD] = "cmd",
        [MEMBER_ACT] = "act",
        [MEMBER_SEQ] = "seq",
        [MEMBER_ACK] = "ack",
        [MEMBER_ACCEPTED] = "accepted",
        [MEMBER_KEY] = "key",
        [MEMBER_ADDRESS] = "address",
        [MEMBER_ADDRESS_TYPE] = "addressType",
        [MEMBER_PORT] = "port",
        [MEMBER_FD] = "fd",
        [MEMBER_FLAGS] = "flags",
        [MEMBER_BACKLOG] = "backlog",
        [MEMBER_INDEX] = "index",
        [MEMBER_READABLE_ALL] = "readableAll",
        [MEMBER_WRITABLE_ALL] = "writableAll",
        [MEMBER_DATA] = "data",
};
_Static_assert(ELEMENTS(member_names) == _MEMBER_MAX, "a name for every member");

/* Of several of one name the last counts, as in JSON.parse(). */
static void on_member(void *userdata, const JsonSpan *key, const JsonSpan *value) {
        JsonSpan *members = userdata;
        g_autoptr(GString) unescaped = NULL;
        const char *name = key->start;
        size_t length = key->length;

        if (memchr(name, '\\', length)) {
                unescaped = g_string_new(NULL);
                json_guard_unescape(key, unescaped);
                name = unescaped->str;
                length = unescaped->len;
        }
        for (size_t i = 0; i < _MEMBER_MAX; i++) {
                if (strlen(member_names[i]) == length && memcmp(member_names[i], name, length) == 0) {
                        members[i] = *value;
                        return;
                }
        }
}

static bool is_null(const JsonSpan *value) {
        return !value->start || *value->start == 'n';
}

/* What a string means; NULL: it is none, too long, or has a NUL. */
static char *text_of(const JsonSpan *value) {
        if (!value->start || *value->start != '"' || value->length > 6 * CLUSTER_TEXT_BYTES_MAX + 2) {
                return NULL;
        }
        g_autoptr(GString) text = g_string_new(NULL);
        const JsonSpan inside = { value->start + 1, value->length - 2 };
        json_guard_unescape(&inside, text);
        if (text->len > CLUSTER_TEXT_BYTES_MAX || memchr(text->str, '\0', text->len)) {
                return NULL;
        }
        return g_strdup(text->str);
}

static int64_t number_of(const JsonSpan *value) {
        char text[32];

        if (is_null(value)) {
                return CLUSTER_NUMBER_NONE;
        }
        if ((*value->start != '-' && !g_ascii_isdigit(*value->start)) || value->length >= sizeof(text)) {
                return CLUSTER_NUMBER_BAD;
        }
        memcpy(text, value->start, value->length);
        text[value->length] = '\0';
        double number = g_ascii_strtod(text, NULL);
        if (number != floor(number) || fabs(number) > (double) CLUSTER_NUMBER_MAX) {
                return CLUSTER_NUMBER_BAD;
        }
        return (int64_t) number;
}

static bool is_true(const JsonSpan *value) {
        return value->start && *value->start == 't';
}

static ClusterAddressType type_of(const JsonSpan *value) {
        g_autofree char *text = text_of(value);

        if (text) {
                return strcmp(text, "udp4") == 0   ? CLUSTER_ADDRESS_UDP4
                       : strcmp(text, "udp6") == 0 ? CLUSTER_ADDRESS_UDP6
                                                   : CLUSTER_ADDRESS_NONE;
        }
        switch (number_of(value)) {
        case 4:
                return CLUSTER_ADDRESS_TCP4;
        case 6:
                return CLUSTER_ADDRESS_TCP6;
        case -1:
                return CLUSTER_ADDRESS_PATH;
        default:
                return CLUSTER_ADDRESS_NONE;
        }
}

static ClusterKind kind_of_act(const JsonSpan *members) {
        static const struct {
                const char *act;
                ClusterKind kind;
        } acts[] = {
                { "online", CLUSTER_ONLINE },
                { "queryServer", CLUSTER_QUERY_SERVER },
                { "listening", CLUSTER_LISTENING },
                { "close", CLUSTER_CLOSE },
                { "exitedAfterDisconnect", CLUSTER_LEAVE },
        };
        g_autofree char *act = text_of(&members[MEMBER_ACT]);

        for (size_t i = 0; act && i < ELEMENTS(acts); i++) {
                if (strcmp(acts[i].act, act) == 0) {
                        return acts[i].kind;
                }
        }
        return !members[MEMBER_ACT].start && number_of(&members[MEMBER_ACK]) >= 0 ? CLUSTER_ANSWER
                                                                                  : CLUSTER_OTHER;
}

static ClusterKind kind_of(const JsonSpan *members) {
        g_autofree char *cmd = text_of(&members[MEMBER_CMD]);

        if (!cmd) {
                return CLUSTER_OTHER;
        }
        return strcmp(cmd, "NODE_CLUSTER") == 0       ? kind_of_act(members)
               : strcmp(cmd, "NODE_HANDLE_ACK") == 0  ? CLUSTER_HANDLE_ACK
               : strcmp(cmd, "NODE_HANDLE_NACK") == 0 ? CLUSTER_HANDLE_NACK
               : strcmp(cmd, "NODE_PM2D") == 0        ? CLUSTER_COUNT
                                                      : CLUSTER_OTHER;
}

int cluster_message_parse(const char *line, size_t length, ClusterMessage *ret, Error *error) {
        JsonSpan members[_MEMBER_MAX] = { 0 }, value;

        int r = json_guard_scan(line, length, &value, on_member, members, error);
        if (r < 0) {
                return r;
        }
        const JsonSpan *data = &members[MEMBER_DATA];
        bool too_long = !is_null(data) && data->length > CLUSTER_DATA_BYTES_MAX;
        *ret = (ClusterMessage){
                .kind = kind_of(members),
                .seq = number_of(&members[MEMBER_SEQ]),
                .ack = number_of(&members[MEMBER_ACK]),
                .accepted_count = number_of(&members[MEMBER_ACCEPTED]),
                .accepted = is_true(&members[MEMBER_ACCEPTED]),
                .key = text_of(&members[MEMBER_KEY]),
                .address = text_of(&members[MEMBER_ADDRESS]),
                .type = type_of(&members[MEMBER_ADDRESS_TYPE]),
                .port = number_of(&members[MEMBER_PORT]),
                .fd = number_of(&members[MEMBER_FD]),
                .flags = number_of(&members[MEMBER_FLAGS]),
                .backlog = number_of(&members[MEMBER_BACKLOG]),
                .index = number_of(&members[MEMBER_INDEX]),
                .readable_all = is_true(&members[MEMBER_READABLE_ALL]),
                .writable_all = is_true(&members[MEMBER_WRITABLE_ALL]),
                .data_too_long = too_long,
        };
        if (!is_null(data) && !too_long) {
                ret->data = *data;
        }
        ret->bad_address = !is_null(&members[MEMBER_ADDRESS]) && !ret->address;
        return 0;
}

void cluster_message_done(ClusterMessage *message) {
        g_clear_pointer(&message->key, g_free);
        g_clear_pointer(&message->address, g_free);
}

static bool is_numeric(int family, const char *host) {
        g_auto(GStrv) parts = g_strsplit(host, "%", 2); /* fe80::1%eth0 */
        unsigned char address[sizeof(struct in6_addr)];

        return parts[0] && (family == AF_INET6 || !parts[1]) && inet_pton(family, parts[0], address) == 1;
}

static int path_address(const ClusterMessage *message, ListenAddress *ret) {
        const char *path = message->address;

        /* Of an abstract socket Node makes a path with a NUL in it (18 to 24). */
        if (!path || path[0] != '/' || strlen(path) > LISTEN_PATH_BYTES_MAX) {
                return -EINVAL;
        }
        ret->family = AF_UNIX;
        ret->path = g_strdup(path);
        ret->readable_all = message->readable_all;
        ret->writable_all = message->writable_all;
        return 0;
}

/* The family is nominal where there is no address: both are meant. */
static int internet_address(const ClusterMessage *message, ListenAddress *ret) {
        bool datagram = message->type == CLUSTER_ADDRESS_UDP4 || message->type == CLUSTER_ADDRESS_UDP6;
        bool six = message->type == CLUSTER_ADDRESS_TCP6 || message->type == CLUSTER_ADDRESS_UDP6;
        int64_t port = message->port == CLUSTER_NUMBER_NONE ? 0 : message->port;
        int64_t flags = message->flags == CLUSTER_NUMBER_NONE ? 0 : message->flags;

        ret->kind = datagram ? LISTEN_DATAGRAM : LISTEN_STREAM;
        ret->family = six ? AF_INET6 : AF_INET;
        if (!message->address && !datagram && message->type == CLUSTER_ADDRESS_TCP4) {
                ret->family = AF_UNSPEC;
        }
        if (port < 0 || port > UINT16_MAX || flags < 0 ||
            (message->address && !is_numeric(ret->family, message->address))) {
                return -EINVAL;
        }
        ret->port = (uint16_t) port;
        ret->host = g_strdup(message->address);
        ret->ipv6_only = six && flags & FLAG_IPV6_ONLY;
        ret->reuse_address = datagram && flags & FLAG_REUSE_ADDRESS;
        return 0;
}

/* Of port 0 the worker's first and second are different ones, and each of them is the same for all. */
static char *key_of(const ClusterMessage *message, const ListenAddress *address) {
        static const char *const types[] = {
                [CLUSTER_ADDRESS_NONE] = "",     [CLUSTER_ADDRESS_TCP4] = "4",
                [CLUSTER_ADDRESS_TCP6] = "6",    [CLUSTER_ADDRESS_PATH] = "-1",
                [CLUSTER_ADDRESS_UDP4] = "udp4", [CLUSTER_ADDRESS_UDP6] = "udp6",
        };
        const char *place = message->address ? message->address : "null";

        if (address->family == AF_UNIX || address->port != 0) {
                return g_strdup_printf("%s:%" PRIu16 ":%s", place, address->port, types[message->type]);
        }
        return g_strdup_printf("%s:0:%s:%" PRId64, place, types[message->type], MAX(message->index, 0));
}

int cluster_message_to_address(const ClusterMessage *message, ListenAddress *ret, char **ret_key) {
        g_auto(ListenAddress) address = { .kind = LISTEN_STREAM };
        int64_t backlog = message->backlog;

        /* A number in the primary's own table, which no app has a business with. */
        if (message->fd >= 0 || message->fd == CLUSTER_NUMBER_BAD) {
                return -EBADF;
        }
        if (message->bad_address || message->type == CLUSTER_ADDRESS_NONE ||
            message->port == CLUSTER_NUMBER_BAD || message->flags == CLUSTER_NUMBER_BAD ||
            message->index == CLUSTER_NUMBER_BAD) {
                return -EINVAL;
        }
        int r = message->type == CLUSTER_ADDRESS_PATH ? path_address(message, &address)
                                                      : internet_address(message, &address);
        if (r < 0) {
                return r;
        }
        address.backlog = backlog > 0 ? (int) MIN(backlog, INT32_MAX) : 0;
        *ret_key = key_of(message, &address);
        *ret = address;
        address = (ListenAddress){ 0 };
        return 0;
}

static char *end(JsonMembers *members) {
        json_members_end(members);
        return g_string_free(members->text, FALSE);
}

static JsonMembers begin(const char *cmd) {
        JsonMembers members;

        json_members_begin(&members, g_string_new(NULL));
        json_members_string(&members, "cmd", cmd);
        return members;
}

static void put(JsonMembers *members, const char *key, const char *json) {
        json_members_key(members, key);
        g_string_append(members->text, json);
}

char *cluster_write_answer(int64_t ack, int error, const char *key, const char *data, const char *sockname) {
        JsonMembers members = begin("NODE_CLUSTER");

        json_members_number(&members, "errno", error);
        if (key) {
                json_members_string(&members, "key", key);
        } else {
                put(&members, "key", "null");
        }
        json_members_number(&members, "ack", ack);
        put(&members, "data", data ? data : "null");
        if (sockname) {
                put(&members, "sockname", sockname);
        }
        return end(&members);
}

char *cluster_write_sockname(int family, const char *address, uint16_t port) {
        JsonMembers members;

        json_members_begin(&members, g_string_new(NULL));
        json_members_string(&members, "address", address);
        json_members_string(&members, "family", family == AF_INET6 ? "IPv6" : "IPv4");
        json_members_number(&members, "port", port);
        return end(&members);
}

char *cluster_write_ack(int64_t ack) {
        JsonMembers members = begin("NODE_CLUSTER");

        json_members_number(&members, "ack", ack);
        return end(&members);
}

char *cluster_write_disconnect(void) {
        JsonMembers members = begin("NODE_CLUSTER");

        json_members_string(&members, "act", "disconnect");
        return end(&members);
}

char *cluster_write_connection(const char *key, int64_t seq) {
        JsonMembers members = begin("NODE_CLUSTER");

        json_members_string(&members, "act", "newconn");
        json_members_string(&members, "key", key);
        json_members_number(&members, "seq", seq);
        return end(&members);
}

char *cluster_write_envelope(bool datagram, const char *message) {
        JsonMembers members = begin("NODE_HANDLE");

        json_members_string(&members, "type", datagram ? "dgram.Native" : "net.Native");
        put(&members, "msg", message);
        return end(&members);
}
