/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Method calls. A connection that broke while nobody called is made anew before the next call is sent; a
 * call that was sent is repeated only if it changes nothing. */

#include "client.h"

#include "value-bus.h"

#include "basic/sd-cleanup.h"

#include <string.h>
#include <time.h>

#define RECONNECT_ATTEMPTS      50
#define RECONNECT_INTERVAL_NSEC 40000000

static int append_arguments(sd_bus_message *message, const Call *call) {
        int r = 0;

        if (call->id) {
                r = sd_bus_message_append_basic(message, SD_BUS_TYPE_UINT32, call->id);
        }
        for (size_t i = 0; r >= 0 && i < ELEMENTS(call->strings) && call->strings[i]; i++) {
                r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, call->strings[i]);
        }
        if (r >= 0 && call->number) {
                r = sd_bus_message_append_basic(message, SD_BUS_TYPE_UINT32, call->number);
        }
        if (r >= 0 && call->takes_options) {
                r = options_append(call->options, message);
        }
        return r;
}

static int call_once(pm2_client *client, const Call *call, sd_bus_message **ret) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        int r = sd_bus_message_new_method_call(
                        client->bus,
                        &message,
                        client->peer ? NULL : MANAGER_BUS_NAME,
                        call->path ? call->path : MANAGER_PATH,
                        call->interface ? call->interface : MANAGER_INTERFACE,
                        call->member);
        if (r >= 0) {
                r = append_arguments(message, call);
        }
        if (r >= 0 && (client->flags & PM2_CONNECT_NO_SPAWN)) {
                r = sd_bus_message_set_auto_start(message, false);
        }
        if (r < 0) {
                return client_fail(client, r, "cannot make the call %s: %m", call->member);
        }
        r = sd_bus_call(client->bus, message, call->timeout_usec, &error, ret);
        if (r < 0) {
                return client_fail_call(client, r, &error);
        }
        return 0;
}

/* A service that crashed or is replaced is back within milliseconds. */
static int reconnect(pm2_client *client) {
        const struct timespec interval = { .tv_nsec = RECONNECT_INTERVAL_NSEC };
        uint64_t flags = client->flags;
        int r = -ENOTCONN;

        for (unsigned i = 0; r == -ENOTCONN && i < RECONNECT_ATTEMPTS; i++) {
                (void) nanosleep(&interval, NULL);
                r = pm2_connect(client, flags | PM2_CONNECT_NO_SPAWN);
                client->flags = flags;
        }
        return r;
}

int client_call(pm2_client *client, const Call *call, sd_bus_message **ret) {
        client_clear_error(client);
        if (!client->bus) {
                return client_fail(client, -ENOTCONN, "the client is not connected");
        }
        if (!client_drain(client)) {
                int r = pm2_connect(client, client->flags);
                if (r < 0) {
                        return r;
                }
        }
        int r = call_once(client, call, ret);
        if (call->reads && (r == -ECONNRESET || r == -ERESTART) && reconnect(client) >= 0) {
                r = call_once(client, call, ret);
        }
        if (r >= 0) {
                (void) client_drain(client);
        }
        return r;
}

int client_call_value(pm2_client *client, const Call *call, pm2_value **ret) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        int r = client_call(client, call, &reply);
        if (r < 0) {
                return r;
        }
        r = value_read(reply, ret);
        if (r < 0) {
                return client_fail(client, r, "pm2d's answer to %s makes no sense: %m", call->member);
        }
        return 0;
}
