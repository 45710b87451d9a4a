/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-broker.h"

#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "bus/bus-internal.h"

#include <unistd.h>

#define RECONNECT_USEC_MIN (100 * USEC_PER_MSEC)
#define RECONNECT_USEC_MAX (10 * USEC_PER_SEC)

struct BusBroker {
        BusServer *server; /* weak */
        bool system;
        BusConnection *connection; /* in server->connections; NULL: lost */
        sd_bus_slot *name_slot;
        sd_event_source *reconnect_source;
        uint64_t reconnect_usec;
        void (*on_settled)(void *userdata, bool alone); /* NULL: was called */
        void *userdata;
};

static void settle(BusBroker *broker, bool alone) {
        void (*on_settled)(void *, bool) = broker->on_settled;

        broker->on_settled = NULL;
        if (on_settled) {
                on_settled(broker->userdata, alone);
        }
}

static int on_name_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        BusBroker *broker = userdata;
        int r = -sd_bus_message_get_errno(reply);
        uint32_t answer = 0;
        bool alone = false;

        broker->name_slot = sd_bus_slot_unref(broker->name_slot);
        if (r >= 0) {
                r = sd_bus_message_read(reply, "u", &answer);
        }
        if (r < 0) {
                (void) log_error_errno(r, "the name " BUS_NAME " is refused: %m");
        } else if (answer != 1 && answer != 4) { /* primary owner, already owner: D-Bus specification */
                log_error("another program has the name " BUS_NAME);
        } else {
                log_info("on the %s bus as " BUS_NAME, broker->system ? "system" : "user");
                broker->reconnect_usec = RECONNECT_USEC_MIN;
                alone = true;
        }
        settle(broker, alone);
        return 0;
}

static int on_lost(sd_bus_message *message, void *userdata, sd_bus_error *error);

static int open_bus(BusBroker *broker) {
        sd_bus *bus = NULL;

        int r = broker->system ? sd_bus_open_system(&bus) : sd_bus_open_user(&bus);
        if (r < 0) {
                return r;
        }
        r = bus_connection_new_broker(
                        broker->server, bus, broker->system, on_lost, broker, &broker->connection);
        if (r < 0) {
                return r;
        }
        return CHANGE("name-request",
                      sd_bus_call_method_async(
                                      broker->connection->bus,
                                      &broker->name_slot,
                                      "org.freedesktop.DBus",
                                      "/org/freedesktop/DBus",
                                      "org.freedesktop.DBus",
                                      "RequestName",
                                      on_name_reply,
                                      broker,
                                      "su",
                                      BUS_NAME,
                                      UINT32_C(4))); /* DBUS_NAME_FLAG_DO_NOT_QUEUE */
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata);

static void reconnect_later(BusBroker *broker) {
        (void) sd_event_source_disable_unref(broker->reconnect_source);
        broker->reconnect_source = NULL;
        (void) sd_event_add_time_relative(
                        broker->server->event,
                        &broker->reconnect_source,
                        CLOCK_BOOTTIME,
                        broker->reconnect_usec,
                        broker->reconnect_usec / 10,
                        on_reconnect,
                        broker);
        broker->reconnect_usec = MIN(broker->reconnect_usec * 2, RECONNECT_USEC_MAX);
}

static void close_connection(BusBroker *broker) {
        broker->name_slot = sd_bus_slot_unref(broker->name_slot);
        if (broker->connection) {
                (void) g_ptr_array_remove(broker->server->connections, broker->connection);
                broker->connection = NULL;
        }
}

static int on_lost(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusBroker *broker = userdata;

        log_notice("the %s bus is lost; supervision goes on", broker->system ? "system" : "user");
        close_connection(broker);
        reconnect_later(broker);
        settle(broker, false);
        return 0;
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata) {
        BusBroker *broker = userdata;

        broker->reconnect_source = sd_event_source_disable_unref(broker->reconnect_source);
        if (open_bus(broker) < 0) {
                close_connection(broker);
                reconnect_later(broker);
        }
        return 0;
}

int bus_broker_new(
                BusServer *server,
                bool system,
                void (*on_settled)(void *userdata, bool alone),
                void *userdata,
                BusBroker **ret) {
        BusBroker *broker = g_new0(BusBroker, 1);

        broker->server = server;
        broker->system = system;
        broker->reconnect_usec = RECONNECT_USEC_MIN;
        broker->on_settled = on_settled;
        broker->userdata = userdata;
        int r = open_bus(broker);
        if (r < 0) {
                close_connection(broker);
                bus_broker_free(broker);
                return r;
        }
        *ret = broker;
        return 0;
}

void bus_broker_free(BusBroker *broker) {
        if (broker) {
                close_connection(broker);
                (void) sd_event_source_disable_unref(broker->reconnect_source);
                g_free(broker);
        }
}
