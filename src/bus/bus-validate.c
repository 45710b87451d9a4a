/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Validate: a call that waits for nothing. */

#include "basic/sd-cleanup.h"
#include "bus/bus-error.h"
#include "bus/bus-internal.h"
#include "bus/bus-value.h"

int bus_validate(sd_bus_message *message, BusConnection *connection, sd_bus_error *ret_error) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
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
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = bus_value_append_map(reply, result);
        }
        /* no fault point: the answer to a question */
        return r < 0 ? r : sd_bus_send(connection->bus, reply, NULL);
}
