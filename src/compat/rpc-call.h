/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/caller.h"
#include "core/value.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* A request of a client on PM2's socket. Whoever gets one answers it once, or drops it; the client may be
 * gone by then, and nothing is lost with the answer. */
typedef struct RpcCall RpcCall;

/* What the client wrote; an array. Borrowed. */
const Value *rpc_call_args(const RpcCall *call);
const Caller *rpc_call_caller(const RpcCall *call);

/* {"args":[values]}: values is JSON text, "" for none, several with commas between them. */
void rpc_call_reply(RpcCall *call, const char *values, size_t length);
/* {"error":text,"stack":text}. The text need not be UTF-8. */
void rpc_call_fail(RpcCall *call, const char *text);
/* It is never answered, as its kind never is. */
void rpc_call_drop(RpcCall *call);

/* Send a signal to the client, if it is alive and its pid is this one. */
void rpc_call_signal_client(RpcCall *call, pid_t pid, int number);

/* A mark on the connection that the call came by: what later calls of the client mean can depend on it. */
void rpc_call_set_mark(RpcCall *call, unsigned mark);
unsigned rpc_call_get_mark(const RpcCall *call);

/* What is said of a method: its formal parameters, as PM2 tells them ("env cb"). */
typedef struct RpcMethod {
        const char *name;
        const char *parameters; /* separated by blanks */
        void (*handle)(void *userdata, RpcCall *call);
} RpcMethod;
