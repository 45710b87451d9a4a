/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Validate and GetSystemData: calls that wait for nothing and are answered with a map. */

#include "basic/sd-cleanup.h"
#include "bus/bus-error.h"
#include "bus/bus-internal.h"
#include "bus/bus-value.h"

static int reply_map(sd_bus_message *message, const BusConnection *connection, const Value *map) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = bus_value_append_map(reply, map);
        }
        /* no fault point: the answer to a question */
        return r < 0 ? r : sd_bus_send(connection->bus, reply, NULL);
}

int bus_validate(sd_bus_message *message, BusConnection *connection, sd_bus_error *ret_error) {
        g_autoptr(Value) options = NULL;
        g_autoptr(Value) result = NULL;
        g_auto(Error) error = { 0 };
        const char *document;

        int r = sd_bus_message_read(message, "s", &document);
        if (r < 0) {
                return r;
        }
        r = bus_value_read_map(message, &options, &error);
        if (r >= 0) {
                r = manager_validate(
                                connection->server->manager,
                                bus_caller(connection),
                                document,
                                options,
                                &result,
                                &error);
        }
        if (r < 0) {
                return bus_error_from(&error, ret_error);
        }
        return reply_map(message, connection, result);
}

int bus_system_data(sd_bus_message *message, BusConnection *connection, sd_bus_error *ret_error) {
        g_autoptr(Value) figures = NULL;
        g_auto(Error) error = { 0 };

        int r = manager_read_system(connection->server->manager, &figures, &error);
        return r < 0 ? bus_error_from(&error, ret_error) : reply_map(message, connection, figures);
}
