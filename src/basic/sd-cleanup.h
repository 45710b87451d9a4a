/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Cleanup attributes for the types of libsystemd. */

#include "basic/cleanup.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

static inline void cleanup_bus(sd_bus **bus) {
        *bus = sd_bus_flush_close_unref(*bus);
}

static inline void cleanup_bus_message(sd_bus_message **message) {
        *message = sd_bus_message_unref(*message);
}

static inline void cleanup_bus_creds(sd_bus_creds **creds) {
        *creds = sd_bus_creds_unref(*creds);
}

static inline void cleanup_event(sd_event **event) {
        *event = sd_event_unref(*event);
}

#define _cleanup_bus_         CLEANUP(cleanup_bus)
#define _cleanup_bus_message_ CLEANUP(cleanup_bus_message)
#define _cleanup_bus_creds_   CLEANUP(cleanup_bus_creds)
#define _cleanup_bus_error_   CLEANUP(sd_bus_error_free)
#define _cleanup_event_       CLEANUP(cleanup_event)
