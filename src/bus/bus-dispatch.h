/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/* Between the vtables made from the XML and the handlers: who calls must be known before a handler runs. */

typedef struct BusConnection BusConnection;

typedef struct BusMethod {
        const char *name;
        sd_bus_message_handler_t handler;
} BusMethod;

/* Call the handler for the message's member. On the system bus the uid of a new caller is asked for first,
 * and the message waits for it. methods ends with NULL. */
int bus_dispatch(
                BusConnection *connection,
                sd_bus_message *message,
                const BusMethod *methods,
                sd_bus_error *error);
