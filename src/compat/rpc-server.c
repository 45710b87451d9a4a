/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/rpc-server.h"

#include "basic/fd-util.h"
#include "basic/log.h"
#include "compat/crowd.h"
#include "compat/rpc-internal.h"
#include "config/json-text.h"

#include <string.h>

static void unref(RpcServer *server) {
        if (--server->references == 0) {
                g_free(server);
        }
}

void rpc_server_queue(RpcServer *server, RpcConnection *connection) {
        if (!connection->ready) {
                connection->ready = true;
                g_queue_push_tail_link(&server->ready, &connection->ready_link);
                (void) sd_event_source_set_enabled(server->ready_source, SD_EVENT_ONESHOT);
        }
}

/* Those that are there now: what they add is for the next turn. */
static int on_ready(sd_event_source *source, void *userdata) {
        RpcServer *server = userdata;
        guint count = server->ready.length;

        server->references++;
        for (guint i = 0; i < count && !server->freed; i++) {
                GList *link = g_queue_pop_head_link(&server->ready);
                if (!link) {
                        break;
                }
                RpcConnection *connection = link->data;
                connection->ready = false;
                rpc_connection_turn(connection);
        }
        if (!server->freed && server->ready.length > 0) {
                (void) sd_event_source_set_enabled(server->ready_source, SD_EVENT_ONESHOT);
        }
        unref(server);
        return 0;
}

void rpc_server_count_memory(RpcServer *server, RpcConnection *connection) {
        size_t bytes = amp_reader_memory_bytes(&connection->reader) +
                       (connection->output ? connection->output->len : 0);

        server->memory_bytes = server->memory_bytes - connection->memory_bytes + bytes;
        connection->memory_bytes = bytes;
        if (server->memory_bytes <= RPC_MEMORY_BYTES_MAX) {
                return;
        }
        RpcConnection *largest = connection;
        for (GList *link = server->connections.head; link; link = link->next) {
                RpcConnection *other = link->data;
                if (other->memory_bytes > largest->memory_bytes) {
                        largest = other;
                }
        }
        log_warning("rpc.sock: a client that leaves %zu bytes waiting is disconnected",
                    largest->memory_bytes);
        rpc_connection_close(largest);
}

uint64_t rpc_server_now_usec(const RpcServer *server) {
        uint64_t now_usec = 0;

        (void) sd_event_now(server->event, CLOCK_MONOTONIC, &now_usec);
        return now_usec;
}

/* One that was not used since then. */
static bool close_one(RpcServer *server, uint64_t since_usec) {
        guint count = server->connections.length;
        g_autofree CrowdMember *members = g_new(CrowdMember, count);
        GList *link = server->connections.head;

        for (guint i = 0; i < count; i++, link = link->next) {
                const RpcConnection *connection = link->data;
                members[i] = (CrowdMember){
                        .uid = connection->caller.uid,
                        .pid = connection->pid,
                        .busy = connection->calls.length > 0,
                        .last_used_usec = connection->last_used_usec,
                };
        }
        size_t chosen = crowd_choose(members, count);
        if (chosen == count || members[chosen].last_used_usec > since_usec) {
                return false;
        }
        rpc_connection_close(g_queue_peek_nth(&server->connections, (guint) chosen));
        return true;
}

static bool on_full(void *userdata) {
        RpcServer *server = userdata;
        uint64_t now_usec = rpc_server_now_usec(server);

        return now_usec > CROWD_REST_USEC && close_one(server, now_usec - CROWD_REST_USEC);
}

/* Of users who have no connections and no calls. */
static gboolean is_unused(void *key, void *user, void *userdata) {
        return ((RpcUser *) user)->references == 1;
}

static void on_client(void *userdata, int fd, const struct ucred *peer) {
        RpcServer *server = userdata;

        if (server->connections.length >= RPC_CONNECTIONS_MAX && !close_one(server, UINT64_MAX)) {
                (void) close_fd(fd);
                return;
        }
        if (g_hash_table_size(server->users) > server->connections.length) {
                (void) g_hash_table_foreach_remove(server->users, is_unused, NULL);
        }
        int r = rpc_connection_new(server, fd, peer);
        if (r < 0) {
                (void) log_warning_errno(r, "rpc.sock: a client cannot be served: %m");
        }
}

/* {"methods":{"ping":{"name":"ping","params":["env","cb"]},...}} */
static char *introspect(const RpcServerOptions *options) {
        GString *text = g_string_new("{\"methods\":{");

        for (size_t i = 0; i < options->n_methods; i++) {
                const RpcMethod *method = &options->methods[i];
                g_auto(GStrv) parameters = g_strsplit(method->parameters, " ", -1);
                g_string_append(text, i > 0 ? "," : "");
                json_text_append_string(text, method->name);
                g_string_append(text, ":{\"name\":");
                json_text_append_string(text, method->name);
                g_string_append(text, ",\"params\":[");
                for (size_t k = 0; parameters[k]; k++) {
                        g_string_append(text, k > 0 ? "," : "");
                        json_text_append_string(text, parameters[k]);
                }
                g_string_append(text, "]}");
        }
        g_string_append(text, "}}");
        return g_string_free(text, FALSE);
}

static void unref_user(void *user) {
        rpc_user_unref(user);
}

int rpc_server_new(sd_event *event, const RpcServerOptions *options, RpcServer **ret) {
        RpcServer *server = g_new0(RpcServer, 1);
        const ListenerOptions listener_options = {
                .name = "rpc.sock",
                .own_uid = options->own_uid,
                .any_user = options->any_user,
                .on_client = on_client,
                .on_full = on_full,
                .userdata = server,
        };

        server->references = 1;
        server->event = sd_event_ref(event);
        server->options = *options;
        server->introspection = introspect(options);
        server->users = g_hash_table_new_full(NULL, NULL, NULL, unref_user);
        g_queue_init(&server->connections);
        g_queue_init(&server->ready);
        int r = listener_new(event, &listener_options, &server->listener);
        if (r >= 0) {
                r = sd_event_add_defer(event, &server->ready_source, on_ready, server);
        }
        if (r >= 0) {
                r = sd_event_source_set_enabled(server->ready_source, SD_EVENT_OFF);
        }
        if (r < 0) {
                rpc_server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

void rpc_server_free(RpcServer *server) {
        GList *link;

        if (!server) {
                return;
        }
        listener_free(server->listener);
        while ((link = server->connections.head)) {
                rpc_connection_close(link->data);
        }
        (void) sd_event_source_disable_unref(server->ready_source);
        g_hash_table_unref(server->users);
        g_free(server->introspection);
        (void) sd_event_unref(server->event);
        server->freed = true;
        unref(server);
}

int rpc_server_listen(RpcServer *server, int listen_fd) {
        return listener_set_fd(server->listener, listen_fd);
}
