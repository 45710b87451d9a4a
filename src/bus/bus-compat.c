/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* EnableCompat and DisableCompat: whether PM2's clients are served beside us. */

#include "basic/sd-cleanup.h"
#include "bus/bus-error.h"
#include "bus/bus-internal.h"
#include "bus/bus-value.h"

/* The property is told first. */
static int reply_empty(sd_bus_message *message, BusConnection *connection) {
        sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0) {
                return r;
        }
        bus_signals_queue_reply(connection->server->signals, connection, reply);
        return 1;
}

int bus_enable_compat(sd_bus_message *message, BusConnection *connection, sd_bus_error *ret_error) {
        g_autoptr(Value) options = NULL;
        g_auto(Error) error = { 0 };
        const char *home;

        int r = sd_bus_message_read(message, "s", &home);
        if (r < 0) {
                return r;
        }
        r = bus_value_read_map(message, &options, &error);
        if (r >= 0) {
                r = manager_enable_compat(
                                connection->server->manager, bus_caller(connection), home, options, &error);
        }
        return r < 0 ? bus_error_from(&error, ret_error) : reply_empty(message, connection);
}

int bus_disable_compat(sd_bus_message *message, BusConnection *connection, sd_bus_error *ret_error) {
        g_autoptr(Value) options = NULL;
        g_auto(Error) error = { 0 };

        int r = bus_value_read_map(message, &options, &error);
        if (r >= 0) {
                r = manager_disable_compat(
                                connection->server->manager, bus_caller(connection), options, &error);
        }
        return r < 0 ? bus_error_from(&error, ret_error) : reply_empty(message, connection);
}
