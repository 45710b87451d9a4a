/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cluster/listen-address.h"
#include "config/json-guard.h"

/* What a worker of Node's cluster says to its primary, and what the primary says: one line of JSON each. The
 * protocol is Node's own, undocumented and the same in 18 to 24; Bun and Deno speak parts of it. Every
 * member may be missing, unknown ones are ignored. Pure: a line in, a line out. */

typedef enum ClusterKind {
        CLUSTER_OTHER,        /* nothing that the primary must know */
        CLUSTER_HANDLE_ACK,   /* an fd that was sent has arrived */
        CLUSTER_HANDLE_NACK,  /* its line did, without the fd */
        CLUSTER_ONLINE,       /* before any code of the user */
        CLUSTER_QUERY_SERVER, /* it wants to listen */
        CLUSTER_LISTENING,    /* it does */
        CLUSTER_CLOSE,        /* it does no longer */
        CLUSTER_LEAVE,        /* exitedAfterDisconnect: it ends on purpose, and waits for the answer */
        CLUSTER_ANSWER,       /* to a connection that it was handed */
        CLUSTER_COUNT,        /* of our preload: how many connections it has accepted by now */
} ClusterKind;

typedef enum ClusterAddressType {
        CLUSTER_ADDRESS_NONE,
        CLUSTER_ADDRESS_TCP4,
        CLUSTER_ADDRESS_TCP6,
        CLUSTER_ADDRESS_PATH,
        CLUSTER_ADDRESS_UDP4,
        CLUSTER_ADDRESS_UDP6,
} ClusterAddressType;

enum {
        CLUSTER_TEXT_BYTES_MAX = 255, /* of an address or a key; longer ones are as if of another type */
        CLUSTER_DATA_BYTES_MAX =
                        24 * 1024, /* of the member data: its line goes out in one buffer with an fd */
};

/* Numbers: what a double holds exactly, without its sign where that makes no sense. */
#define CLUSTER_NUMBER_MAX  INT64_C(9007199254740991)
#define CLUSTER_NUMBER_NONE INT64_MIN       /* there is none, or null */
#define CLUSTER_NUMBER_BAD  (INT64_MIN + 1) /* something else is there */

typedef struct ClusterMessage {
        ClusterKind kind;
        int64_t seq;
        int64_t ack;
        int64_t accepted_count;
        bool accepted;
        char *key;        /* NULL: none */
        char *address;    /* likewise */
        bool bad_address; /* something that is no text, or none that any address has */
        ClusterAddressType type;
        int64_t port, fd, flags, backlog, index;
        bool readable_all, writable_all;
        JsonSpan data;      /* in the line; start is NULL: none, or null */
        bool data_too_long; /* then there is none */
} ClusterMessage;

/* A line that is JSON of an internal message; without Bun's prefix. InvalidData: it is none. */
int cluster_message_parse(const char *line, size_t length, ClusterMessage *ret, Error *error);
void cluster_message_done(ClusterMessage *message);

/* What a CLUSTER_QUERY_SERVER wants: the address, and a text by which two queries mean the same listener;
 * the worker gets it as its key. Negative: the errno to answer with; of a number of an fd that is -EBADF. */
int cluster_message_to_address(const ClusterMessage *message, ListenAddress *ret, char **ret_key);

/* The answer to a query. error: negative errno, 0: none; data: JSON text, NULL: null; sockname: likewise,
 * NULL: there is none. These and the next are new texts without a newline, freed by the caller. */
char *cluster_write_answer(int64_t ack, int error, const char *key, const char *data, const char *sockname);
/* {"address","family","port"} of a socket: what server.address() gives. NULL: it has none (a path). */
char *cluster_write_sockname(int family, const char *address, uint16_t port);
/* The answer to CLUSTER_LEAVE. */
char *cluster_write_ack(int64_t ack);
char *cluster_write_disconnect(void);
char *cluster_write_connection(const char *key, int64_t seq);
/* The line that carries an fd, and a message to which it belongs. */
char *cluster_write_envelope(bool datagram, const char *message);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ClusterMessage, cluster_message_done)
