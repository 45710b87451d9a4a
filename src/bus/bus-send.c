/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* SendMessage, SendData and SendLine: done, or refused, at once. */

#include "basic/sd-cleanup.h"
#include "bus/bus-error.h"
#include "bus/bus-internal.h"

typedef struct Result {
        Error error;
        GArray *ids; /* of uint32_t */
} Result;

static void on_sent(void *userdata, const Error *error, const GArray *ids) {
        Result *result = userdata;

        if (error->code != ERROR_NONE) {
                (void) error_set(&result->error, error->code, "%s", error->message);
        }
        g_array_append_vals(result->ids, ids->data, ids->len);
}

static int reply_paths(sd_bus_message *message, const GArray *ids) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = bus_request_append_paths(reply, ids);
        }
        /* no fault point: it was sent */
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int bus_send_message(
                BusConnection *connection,
                sd_bus_message *message,
                const char *target,
                const char *json,
                sd_bus_error *ret_error) {
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_autoptr(Value) no_options = value_new_map();
        Result result = { .ids = ids };
        const ManagerCall call = {
                .caller = *bus_caller(connection),
                .options = no_options,
                .handler = on_sent,
                .userdata = &result,
        };
        g_auto(Error) error = { 0 };

        int r = manager_send_message(connection->server->manager, &call, target, json, NULL, &error);
        if (r >= 0) {
                error_move(&error, &result.error);
        }
        error_clear(&result.error);
        return error.code != ERROR_NONE ? bus_error_from(&error, ret_error) : reply_paths(message, ids);
}

static int reply_nothing(sd_bus_message *message, int result, Error *error, sd_bus_error *ret_error) {
        /* no fault point: it was sent */
        return result < 0 ? bus_error_from(error, ret_error) : sd_bus_reply_method_return(message, "");
}

int bus_send_data(
                BusConnection *connection,
                sd_bus_message *message,
                uint32_t id,
                const char *type,
                const char *data,
                sd_bus_error *ret_error) {
        g_auto(Error) error = { 0 };
        int r = manager_send_data(
                        connection->server->manager, bus_caller(connection), id, type, data, &error);

        return reply_nothing(message, r, &error, ret_error);
}

int bus_send_line(
                BusConnection *connection,
                sd_bus_message *message,
                uint32_t id,
                const char *line,
                sd_bus_error *ret_error) {
        g_auto(Error) error = { 0 };
        int r = manager_send_line(connection->server->manager, bus_caller(connection), id, line, &error);

        return reply_nothing(message, r, &error, ret_error);
}
