/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One peer of the private socket: the server side of a D-Bus connection without a bus. */

#include "basic/log.h"
#include "bus/bus-messages.h"

#include <systemd/sd-id128.h>
#include <unistd.h>

enum {
        FIRST_TURNS_MAX = 256, /* what comes later wakes the loop by itself */
};

static void free_slot(void *slot) {
        (void) sd_bus_slot_unref(slot);
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusConnection *connection = userdata;

        (void) g_ptr_array_remove(connection->server->connections, connection);
        return 0;
}

/* sd-bus leaves a message unread that came right behind the client's BEGIN, as libdbus sends it: nothing
 * wakes it up. So the queue is worked off once as soon as the connection is ready. */
static int on_first_turns(sd_event_source *source, void *userdata) {
        BusConnection *connection = userdata;

        if (!bus_connection_is_ready(connection)) {
                return 0;
        }
        connection->ready_source = sd_event_source_disable_unref(connection->ready_source);
        sd_bus *bus = sd_bus_ref(connection->bus); /* the connection may end in there */
        for (int i = 0; i < FIRST_TURNS_MAX && sd_bus_process(bus, NULL) > 0; i++) {
        }
        (void) sd_bus_unref(bus);
        return 0;
}

static int start_bus(BusConnection *connection, int fd) {
        sd_id128_t id;

        int r = sd_id128_randomize(&id);
        if (r >= 0) {
                r = sd_bus_new(&connection->bus);
        }
        if (r >= 0) {
                r = sd_bus_set_fd(connection->bus, fd, fd);
        }
        if (r >= 0) {
                r = sd_bus_set_server(connection->bus, 1, id);
        }
        if (r >= 0) {
                r = sd_bus_set_anonymous(connection->bus, 0);
        }
        if (r >= 0) {
                r = sd_bus_negotiate_creds(connection->bus, 1, SD_BUS_CREDS_PID | SD_BUS_CREDS_EUID);
        }
        if (r >= 0) {
                r = sd_bus_negotiate_fds(connection->bus, 1);
        }
        if (r >= 0) {
                r = sd_bus_set_close_on_exit(connection->bus, 0);
        }
        return r < 0 ? r : sd_bus_start(connection->bus);
}

static int attach_objects(BusConnection *connection, sd_bus_message_handler_t on_lost, void *userdata) {
        sd_bus_slot *slot = NULL;

        int r = connection->broker ? 0 : bus_driver_attach(connection);
        if (r >= 0) {
                r = bus_manager_attach(connection);
        }
        if (r >= 0) {
                r = bus_process_attach(connection);
        }
        if (r >= 0) {
                r = sd_bus_match_signal(
                                connection->bus,
                                &slot,
                                NULL,
                                "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local",
                                "Disconnected",
                                on_lost,
                                userdata);
        }
        if (r >= 0) {
                g_ptr_array_add(connection->slots, slot);
                r = sd_bus_attach_event(
                                connection->bus, connection->server->event, SD_EVENT_PRIORITY_NORMAL);
        }
        return r;
}

int bus_connection_new(BusServer *server, int fd, uid_t uid, gid_t gid, BusConnection **ret) {
        BusConnection *connection = g_new0(BusConnection, 1);

        connection->server = server;
        connection->slots = g_ptr_array_new_with_free_func(free_slot);
        connection->caller = (Caller){ .uid = uid, .gid = gid, .via = "private-socket" };
        g_queue_init(&connection->requests);
        g_queue_init(&connection->waiting_calls);
        int r = start_bus(connection, fd);
        if (r >= 0) {
                r = attach_objects(connection, on_disconnected, connection);
        }
        if (r >= 0) {
                r = sd_event_add_post(server->event, &connection->ready_source, on_first_turns, connection);
        }
        if (r < 0) {
                bus_connection_free(connection);
                return r;
        }
        *ret = connection;
        return 0;
}

int bus_connection_new_broker(
                BusServer *server,
                sd_bus *bus,
                bool system,
                sd_bus_message_handler_t on_lost,
                void *userdata,
                BusConnection **ret) {
        BusConnection *connection = g_new0(BusConnection, 1);

        connection->server = server;
        connection->bus = bus;
        connection->broker = true;
        connection->slots = g_ptr_array_new_with_free_func(free_slot);
        g_queue_init(&connection->requests);
        g_queue_init(&connection->waiting_calls);
        /* A user bus lets nobody in but its user (and root, who may do as the user). */
        connection->caller = (Caller){ .uid = geteuid(), .gid = getegid(), .via = "bus" };
        if (system) {
                connection->known_callers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        }
        (void) sd_bus_set_close_on_exit(bus, 0);
        int r = attach_objects(connection, on_lost, userdata);
        if (r < 0) {
                bus_connection_free(connection);
                return r;
        }
        g_ptr_array_add(server->connections, connection);
        *ret = connection;
        return 0;
}

void bus_connection_free(BusConnection *connection) {
        bus_dispatch_forget(connection);
        bus_requests_forget(connection);
        bus_messages_forget_connection(connection);
        if (connection->server->signals) {
                bus_signals_forget_connection(connection->server->signals, connection);
        }
        (void) sd_event_source_disable_unref(connection->ready_source);
        g_ptr_array_unref(connection->slots);
        g_clear_pointer(&connection->known_callers, g_hash_table_unref);
        if (connection->bus) {
                (void) sd_bus_detach_event(connection->bus);
                (void) sd_bus_close_unref(connection->bus);
        }
        g_free(connection);
}

bool bus_connection_is_ready(const BusConnection *connection) {
        return sd_bus_is_ready(connection->bus) > 0;
}
