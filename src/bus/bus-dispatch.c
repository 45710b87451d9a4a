/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-dispatch.h"

#include "basic/sd-cleanup.h"
#include "bus/bus-internal.h"

#include <string.h>

enum {
        KNOWN_CALLERS_MAX = 1024,
        WAITING_CALLS_MAX = 256, /* for the uid of their sender */
};

typedef struct WaitingCall {
        BusConnection *connection; /* weak */
        sd_bus_message *message;
        const BusMethod *methods;
        sd_bus_slot *slot;
} WaitingCall;

static void waiting_call_free(WaitingCall *waiting) {
        (void) g_queue_remove(&waiting->connection->waiting_calls, waiting);
        (void) sd_bus_slot_unref(waiting->slot);
        (void) sd_bus_message_unref(waiting->message);
        g_free(waiting);
}

void bus_dispatch_forget(BusConnection *connection) {
        WaitingCall *waiting;

        while ((waiting = g_queue_peek_head(&connection->waiting_calls))) {
                waiting_call_free(waiting);
        }
}

static int run_handler(
                sd_bus_message *message,
                BusConnection *connection,
                const BusMethod *methods,
                sd_bus_error *error) {
        const char *member = sd_bus_message_get_member(message);

        for (; methods->name; methods++) {
                if (strcmp(methods->name, member) == 0) {
                        return methods->handler(message, connection, error);
                }
        }
        return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_METHOD, "no method %s", member);
}

static int on_sender_uid(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        WaitingCall *waiting = userdata;
        BusConnection *connection = waiting->connection;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        uint32_t uid;

        int r = sd_bus_message_read(reply, "u", &uid);
        if (r < 0) {
                r = sd_bus_error_setf(&error, SD_BUS_ERROR_ACCESS_DENIED, "it is not known who calls");
        } else {
                if (g_hash_table_size(connection->known_callers) >= KNOWN_CALLERS_MAX) {
                        g_hash_table_remove_all(connection->known_callers);
                }
                (void) g_hash_table_insert(
                                connection->known_callers,
                                g_strdup(sd_bus_message_get_sender(waiting->message)),
                                GUINT_TO_POINTER(uid));
                connection->caller = (Caller){ .uid = uid, .via = "bus" };
                r = run_handler(waiting->message, connection, waiting->methods, &error);
        }
        if (r < 0 || sd_bus_error_is_set(&error)) {
                (void) sd_bus_reply_method_errno(waiting->message, r, &error);
        }
        waiting_call_free(waiting);
        return 0;
}

static int ask_sender_uid(
                BusConnection *connection,
                sd_bus_message *message,
                const BusMethod *methods,
                sd_bus_error *error) {
        if (g_queue_get_length(&connection->waiting_calls) >= WAITING_CALLS_MAX) {
                return sd_bus_error_setf(
                                error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many new callers at once");
        }
        WaitingCall *waiting = g_new0(WaitingCall, 1);
        waiting->connection = connection;
        waiting->message = sd_bus_message_ref(message);
        waiting->methods = methods;
        g_queue_push_tail(&connection->waiting_calls, waiting);
        /* no fault point: a question */
        int r = sd_bus_call_method_async(
                        connection->bus,
                        &waiting->slot,
                        "org.freedesktop.DBus",
                        "/org/freedesktop/DBus",
                        "org.freedesktop.DBus",
                        "GetConnectionUnixUser",
                        on_sender_uid,
                        waiting,
                        "s",
                        sd_bus_message_get_sender(message));
        if (r < 0) {
                waiting_call_free(waiting);
                return r;
        }
        return 1;
}

int bus_dispatch(
                BusConnection *connection,
                sd_bus_message *message,
                const BusMethod *methods,
                sd_bus_error *error) {
        void *uid;

        /* A unique name is never given out twice while a bus lives, so what is known stays true. */
        if (connection->known_callers) {
                const char *sender = sd_bus_message_get_sender(message);
                if (!sender) {
                        return sd_bus_error_setf(
                                        error, SD_BUS_ERROR_ACCESS_DENIED, "it is not known who calls");
                }
                if (!g_hash_table_lookup_extended(connection->known_callers, sender, NULL, &uid)) {
                        return ask_sender_uid(connection, message, methods, error);
                }
                connection->caller = (Caller){ .uid = GPOINTER_TO_UINT(uid), .via = "bus" };
        }
        bus_signals_check_reader(connection->server->signals, connection);
        return run_handler(message, connection, methods, error);
}
