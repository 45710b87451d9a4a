/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the request socket share. */

#include "basic/amp.h"
#include "compat/listener.h"
#include "compat/rpc-server.h"

enum {
        RPC_CONNECTIONS_MAX = 1024,
        RPC_NAME_BYTES_MAX = 256, /* of a method that does not exist, in the error */
        RPC_FRAME_BYTES_MAX = 2 * 1024 * 1024,
        RPC_CALLS_MAX = 64,                    /* in flight, of one connection */
        RPC_CALLS_BYTES_MAX = 8 * 1024 * 1024, /* what they take; no more are taken then */
        RPC_USER_CALLS_MAX = 1024,             /* in flight, of one user; whose client has gone, too */
        RPC_USER_CALLS_BYTES_MAX = 64 * 1024 * 1024,
        RPC_BACKLOG_BYTES = 4 * 1024 * 1024,      /* of replies that wait: nothing more is taken */
        RPC_BACKLOG_BYTES_MAX = 64 * 1024 * 1024, /* a reply that goes beyond ends the connection */
        RPC_MEMORY_BYTES_MAX = 256 * 1024 * 1024, /* of all connections: the largest is closed */
};

/* What one user has in flight. Each call and each connection has a reference, and the server. */
typedef struct RpcUser {
        unsigned references;
        uid_t uid;
        unsigned calls;
        size_t bytes;
} RpcUser;

typedef struct RpcConnection {
        unsigned references;
        RpcServer *server; /* weak; NULL: it is closed */
        GList link, ready_link;
        bool ready; /* it is in the queue of those that have something to do */

        int fd;
        sd_event_source *io;
        Caller caller;
        pid_t pid;
        uint64_t accepted_usec; /* CLOCK_BOOTTIME */
        RpcUser *user;
        uint64_t last_used_usec; /* of the loop's clock */

        AmpReader reader;
        GByteArray *output;  /* NULL: none */
        size_t written;      /* bytes of it */
        size_t memory_bytes; /* as it was counted last */
        GQueue calls;        /* of RpcCall, in flight */
        size_t calls_bytes;
        bool in_turn;  /* what it has caused is looked at when that is over */
        bool rest;     /* requests may wait in the reader */
        bool ended;    /* nothing more will come */
        bool hung_up;  /* nobody reads */
        bool doomed;   /* it is to be closed */
        unsigned mark; /* of a method */
} RpcConnection;

struct RpcCall {
        RpcConnection *connection; /* weak; NULL: it is closed */
        GList link;
        Caller caller;
        Value *request;
        const Value *args; /* in request */
        RpcUser *user;
        size_t bytes; /* that it takes */
        size_t id_length;
        char id[];
};

struct RpcServer {
        unsigned references; /* its own, and of turns that may free it */
        bool freed;
        sd_event *event;
        RpcServerOptions options;
        char *introspection; /* the reply to "methods" */
        Listener *listener;
        GQueue connections; /* of RpcConnection */
        GQueue ready;       /* of those that have something to do without the kernel's word */
        sd_event_source *ready_source;
        GHashTable *users;   /* uid to RpcUser */
        size_t memory_bytes; /* of all connections */
};

RpcUser *rpc_user_ref(RpcUser *user);
void rpc_user_unref(RpcUser *user);

/* CLOCK_MONOTONIC, of this turn of the loop. */
uint64_t rpc_server_now_usec(const RpcServer *server);

/* Takes the fd over. */
int rpc_connection_new(RpcServer *server, int fd, const struct ucred *peer);
/* Calls go on without it. */
void rpc_connection_close(RpcConnection *connection);
void rpc_connection_turn(RpcConnection *connection);

/* Queue a reply: JSON text in three parts. What goes beyond the bound dooms the connection. */
void rpc_connection_write(
                RpcConnection *connection,
                const AmpArgument *id,
                const char *before,
                const char *text,
                size_t length,
                const char *after);
/* Something was written, or a call has ended. The connection may be closed in it. */
void rpc_connection_settle(RpcConnection *connection);

/* A turn of the connection in the next turn of the loop. */
void rpc_server_queue(RpcServer *server, RpcConnection *connection);
/* Its memory has changed; the largest connection may be closed in it. */
void rpc_server_count_memory(RpcServer *server, RpcConnection *connection);

/* Do what a frame says. -EBADMSG: the peer does not speak PM2's protocol. Connection and server may be gone
 * behind it but for the references of the caller. */
int rpc_request_take(RpcConnection *connection, const AmpFrame *frame);

/* A pidfd of a client, where the kernel does not give one by the socket itself (before Linux 6.5): whoever
 * has the pid is the client if he had begun before the connection was accepted (CLOCK_BOOTTIME). -ESRCH: he
 * is not, or not for sure. */
int rpc_open_client(pid_t pid, uint64_t accepted_usec);

/* request is taken over. */
RpcCall *rpc_call_new(
                RpcConnection *connection,
                Value *request,
                const Value *args,
                const AmpArgument *id,
                size_t bytes);
