/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A request in flight. It has all that it needs of its connection, so it may outlive that. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "compat/rpc-internal.h"
#include "config/json-text.h"
#include "platform/proc-stat.h"

#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#ifndef SO_PEERPIDFD
#        define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

RpcUser *rpc_user_ref(RpcUser *user) {
        user->references++;
        return user;
}

void rpc_user_unref(RpcUser *user) {
        if (--user->references == 0) {
                g_free(user);
        }
}

RpcCall *rpc_call_new(
                RpcConnection *connection,
                Value *request,
                const Value *args,
                const AmpArgument *id,
                size_t bytes) {
        RpcCall *call = g_malloc0(sizeof(*call) + id->length);

        call->connection = connection;
        call->link.data = call;
        call->caller = connection->caller;
        call->request = request;
        call->args = args;
        call->user = rpc_user_ref(connection->user);
        call->bytes = bytes;
        call->id_length = id->length;
        memcpy(call->id, id->bytes, id->length);
        g_queue_push_tail_link(&connection->calls, &call->link);
        connection->calls_bytes += bytes;
        call->user->calls++;
        call->user->bytes += bytes;
        return call;
}

static void finish(RpcCall *call) {
        RpcConnection *connection = call->connection;

        call->user->calls--;
        call->user->bytes -= call->bytes;
        rpc_user_unref(call->user);
        if (connection) {
                g_queue_unlink(&connection->calls, &call->link);
                connection->calls_bytes -= call->bytes;
        }
        value_free(call->request);
        g_free(call);
        if (connection) {
                rpc_connection_settle(connection);
        }
}

static void answer(RpcCall *call, const char *before, const char *text, size_t length, const char *after) {
        const AmpArgument id = { call->id, call->id_length };

        if (call->connection) {
                rpc_connection_write(call->connection, &id, before, text, length, after);
        }
        finish(call);
}

const Value *rpc_call_args(const RpcCall *call) {
        return call->args;
}

const Caller *rpc_call_caller(const RpcCall *call) {
        return &call->caller;
}

void rpc_call_set_mark(RpcCall *call, unsigned mark) {
        if (call->connection) {
                call->connection->mark = mark;
        }
}

unsigned rpc_call_get_mark(const RpcCall *call) {
        return call->connection ? call->connection->mark : 0;
}

void rpc_call_reply(RpcCall *call, const char *values, size_t length) {
        answer(call, "{\"args\":[", values, length, "]}");
}

void rpc_call_fail(RpcCall *call, const char *text) {
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        g_autoptr(GString) json = g_string_new(NULL);

        json_text_append_string(json, valid);
        g_string_append(json, ",\"stack\":");
        json_text_append_string(json, valid);
        answer(call, "{\"error\":", json->str, json->len, "}");
}

void rpc_call_drop(RpcCall *call) {
        finish(call);
}

/* Read while the pidfd is open, so if it is of another one by then, that one is younger still. */
int rpc_open_client(pid_t pid, uint64_t accepted_usec) {
        _cleanup_close_ int pidfd = pidfd_open(pid, 0);
        ProcStat stat;

        if (pidfd < 0) {
                return -errno;
        }
        int r = proc_stat_read(pid, &stat);
        if (r < 0) {
                return r;
        }
        return stat.started_before_usec <= accepted_usec ? steal_fd(&pidfd) : -ESRCH;
}

static int open_peer(const RpcConnection *connection) {
        int pidfd = -EBADF;
        socklen_t length = sizeof(pidfd);

        if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) >= 0) {
                return pidfd;
        }
        return errno == ENOPROTOOPT ? rpc_open_client(connection->pid, connection->accepted_usec) : -errno;
}

void rpc_call_signal_client(RpcCall *call, pid_t pid, int number) {
        const RpcConnection *connection = call->connection;

        if (!connection || connection->pid <= 1 || connection->pid != pid) {
                return;
        }
        _cleanup_close_ int pidfd = open_peer(connection);
        if (pidfd >= 0) {
                (void) CHANGE("client-signal", pidfd_send_signal(pidfd, number, NULL, 0));
        }
}
