/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a socket listens, as an app declares it or a worker asks for it. Pure: nothing is looked at. */

typedef enum ListenKind {
        LISTEN_STREAM,
        LISTEN_DATAGRAM,
} ListenKind;

typedef struct ListenAddress {
        ListenKind kind;
        int family;         /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: any address of both families */
        char *host;         /* numeric; NULL: any */
        uint16_t port;      /* 0: the kernel chooses */
        char *path;         /* of AF_UNIX: absolute */
        bool ipv6_only;     /* of AF_INET6 */
        bool reuse_address; /* of datagrams: SO_REUSEADDR (streams always have it) */
        bool readable_all, writable_all; /* of AF_UNIX: its mode, as Node's options */
        int backlog;                     /* 0: LISTEN_BACKLOG */
} ListenAddress;

enum {
        LISTEN_BACKLOG = 511,        /* that of Node's net.Server, and of most others */
        LISTEN_NAME_BYTES_MAX = 255, /* of LISTEN_FDNAMES: FDNAME_MAX of systemd */
        LISTEN_PATH_BYTES_MAX = 107, /* sockaddr_un, with a NUL */
};

void listen_address_done(ListenAddress *address);
void listen_address_copy(const ListenAddress *address, ListenAddress *ret);

/* "tcp:8080" "tcp:127.0.0.1:8080" "tcp:[::1]:8080" "tcp4:8080" "tcp6:8080" "udp:53" ... "unix:/run/x.sock";
 * an optional "NAME=" before it is the name for LISTEN_FDNAMES (ret_name: NULL where there is none).
 * InvalidConfig names what is wrong with the text. */
int listen_address_parse(const char *text, ListenAddress *ret, char **ret_name, Error *error);

/* As it would be declared, in one way: of two texts that mean the same socket it is the same. Freed by the
 * caller. */
char *listen_address_to_text(const ListenAddress *address);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ListenAddress, listen_address_done)
