/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-server.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "bus/bus-messages.h"
#include "bus/bus-streams.h"
#include "platform/listen-socket.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void free_connection(void *connection) {
        bus_connection_free(connection);
}

/* In the system instance no user may take all the connections. */
static bool uid_has_too_many(const BusServer *server, uid_t uid) {
        uint64_t limit = manager_settings(server->manager)->peers_max / 4;
        uint64_t count = 0;

        for (guint i = 0; i < server->connections->len; i++) {
                const BusConnection *connection = server->connections->pdata[i];
                count += !connection->broker && connection->caller.uid == uid;
        }
        return manager_is_system(server->manager) && uid != 0 && count >= limit;
}

static int accept_peer(BusServer *server, int fd) {
        struct ucred credentials;
        socklen_t length = sizeof(credentials);
        BusConnection *connection;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) {
                return -errno;
        }
        if (!manager_is_system(server->manager) && credentials.uid != geteuid() && credentials.uid != 0) {
                return -EPERM;
        }
        if (server->connections->len >= manager_settings(server->manager)->peers_max ||
            uid_has_too_many(server, credentials.uid)) {
                return -EUSERS;
        }
        int r = bus_connection_new(server, fd, credentials.uid, credentials.gid, &connection);
        if (r < 0) {
                return r;
        }
        g_ptr_array_add(server->connections, connection);
        return 0;
}

static int on_listen(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata) {
        BusServer *server = userdata;
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
                if (errno != EAGAIN && errno != ECONNABORTED) {
                        (void) log_warning_errno(errno, "private socket: accept: %m");
                }
                return 0;
        }
        int r = accept_peer(server, fd);
        if (r < 0) {
                (void) log_warning_errno(r, "private socket: a connection is refused: %m");
                (void) close_fd(fd);
        }
        return 0;
}

int bus_server_new(sd_event *event, Manager *manager, const char *socket_path, BusServer **ret) {
        BusServer *server = g_new0(BusServer, 1);

        server->event = sd_event_ref(event);
        server->manager = manager;
        server->connections = g_ptr_array_new_with_free_func(free_connection);
        /* Anybody may talk to the system instance, about processes of its own. */
        server->listen_fd = listen_socket_open(socket_path, manager_is_system(manager) ? 0666 : 0600);
        int r = server->listen_fd;
        if (r >= 0) {
                server->socket_path = g_strdup(socket_path);
                r = bus_signals_new(server, &server->signals);
        }
        if (r >= 0) {
                server->messages = bus_messages_new(server);
                r = bus_streams_new(server, &server->streams);
        }
        if (r >= 0) {
                manager_add_observer(manager, bus_signals_observer(server->signals));
                r =
                                sd_event_add_io(event,
                                                &server->listen_source,
                                                server->listen_fd,
                                                EPOLLIN,
                                                on_listen,
                                                server);
        }
        if (r < 0) {
                (void) log_error_errno(r, "cannot listen at %s: %m", socket_path);
                bus_server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

void bus_server_free(BusServer *server) {
        if (!server) {
                return;
        }
        if (server->listen_source) {
                bus_signals_flush(server->signals);
        }
        (void) sd_event_source_disable_unref(server->listen_source);
        if (server->socket_path) {
                (void) CHANGE("socket-unlink", unlink(server->socket_path));
        }
        (void) close_fd(server->listen_fd);
        g_ptr_array_unref(server->connections);
        if (server->signals) {
                manager_remove_observer(server->manager, bus_signals_observer(server->signals));
        }
        bus_signals_free(server->signals);
        bus_streams_free(server->streams);
        bus_messages_free(server->messages);
        g_free(server->socket_path);
        (void) sd_event_unref(server->event);
        g_free(server);
}
