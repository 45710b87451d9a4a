/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "compat/rpc-call.h"

#include <systemd/sd-event.h>

/* PM2's request socket (rpc.sock): any number of clients, bounded, each with any number of requests in
 * flight, bounded. A client that sends what is no request gets an error or is closed; a client that does not
 * read is not read from. When there are too many, one of whoever has the most is closed (crowd.h). */
typedef struct RpcServer RpcServer;

typedef struct RpcServerOptions {
        const RpcMethod *methods; /* borrowed, as userdata; must outlive the server */
        size_t n_methods;
        void *userdata;
        uid_t own_uid; /* who may connect, beside root */
        bool any_user; /* of the system instance: everybody, as his own caller */
} RpcServerOptions;

int rpc_server_new(sd_event *event, const RpcServerOptions *options, RpcServer **ret);
/* Connections are closed, calls that are not answered are dropped when they are. */
void rpc_server_free(RpcServer *server);

/* Accept clients from a listening socket. The fd is made non-blocking and is borrowed until
 * rpc_server_free() or another one is set; negative: none. Who is connected stays. */
int rpc_server_listen(RpcServer *server, int listen_fd);
