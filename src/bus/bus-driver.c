/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The little of org.freedesktop.DBus that clients of a message bus ask for, so that busctl, gdbus, dbus-send
 * and language bindings work on the private socket: there is one peer and one name. */

#include "bus/bus-internal.h"

#include <string.h>
#include <unistd.h>

#define DRIVER_PATH      "/org/freedesktop/DBus"
#define DRIVER_INTERFACE "org.freedesktop.DBus"
#define OUR_NAME         "org.pm2.Manager"
#define OUR_UNIQUE_NAME  ":1.1"
#define PEER_UNIQUE_NAME ":1.2"

static bool is_known(const char *name) {
        return strcmp(name, OUR_NAME) == 0 || strcmp(name, OUR_UNIQUE_NAME) == 0 ||
               strcmp(name, PEER_UNIQUE_NAME) == 0 || strcmp(name, DRIVER_INTERFACE) == 0;
}

static int method_hello(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(message, "s", PEER_UNIQUE_NAME);
}

/* All signals are sent to every peer: there is nothing to be kept. */
static int method_match(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(message, NULL);
}

static int method_get_name_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name;
        int r = sd_bus_message_read(message, "s", &name);

        if (r < 0) {
                return r;
        }
        if (!is_known(name)) {
                return sd_bus_error_setf(
                                error,
                                "org.freedesktop.DBus.Error.NameHasNoOwner",
                                "no such name: %s",
                                name);
        }
        return sd_bus_reply_method_return(
                        message, "s", strcmp(name, OUR_NAME) == 0 ? OUR_UNIQUE_NAME : name);
}

static int method_name_has_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name;
        int r = sd_bus_message_read(message, "s", &name);

        return r < 0 ? r : sd_bus_reply_method_return(message, "b", (int) is_known(name));
}

static int method_list_names(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(
                        message, "as", 4, DRIVER_INTERFACE, OUR_NAME, OUR_UNIQUE_NAME, PEER_UNIQUE_NAME);
}

static int method_list_activatable(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(message, "as", 1, OUR_NAME);
}

static int method_start_service(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        enum {
                ALREADY_RUNNING = 2, /* DBUS_START_REPLY_ALREADY_RUNNING of the D-Bus specification */
        };
        const char *name;
        int r = sd_bus_message_read(message, "su", &name, NULL);

        if (r < 0) {
                return r;
        }
        if (!is_known(name)) {
                return sd_bus_error_setf(
                                error,
                                "org.freedesktop.DBus.Error.ServiceUnknown",
                                "no such name: %s",
                                name);
        }
        return sd_bus_reply_method_return(message, "u", (uint32_t) ALREADY_RUNNING);
}

/* Everybody may know of us; of the peer itself it knows already. */
static int method_get_pid(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(message, "u", (uint32_t) getpid());
}

static int method_get_user(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(message, "u", (uint32_t) geteuid());
}

static const sd_bus_vtable driver_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Hello", "", "s", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("AddMatch", "s", "", method_match, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RemoveMatch", "s", "", method_match, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetNameOwner", "s", "s", method_get_name_owner, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("NameHasOwner", "s", "b", method_name_has_owner, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListNames", "", "as", method_list_names, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListActivatableNames", "", "as", method_list_activatable, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StartServiceByName", "su", "u", method_start_service, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetConnectionUnixProcessID", "s", "u", method_get_pid, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetConnectionUnixUser", "s", "u", method_get_user, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END
};

int bus_driver_attach(BusConnection *connection) {
        sd_bus_slot *slot = NULL;
        int r = sd_bus_add_object_vtable(
                        connection->bus, &slot, DRIVER_PATH, DRIVER_INTERFACE, driver_vtable, connection);

        if (r >= 0) {
                g_ptr_array_add(connection->slots, slot);
        }
        return r;
}
