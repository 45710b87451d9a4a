/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-error.h"

int bus_error_from(const Error *error, sd_bus_error *ret) {
        const char *prefix = error->code == ERROR_ACCESS_DENIED || error->code == ERROR_INVALID_ARGS
                                             ? "org.freedesktop.DBus.Error."
                                             : "org.pm2.Error.";
        g_autofree char *name = g_strconcat(prefix, error_code_to_name(error->code), NULL);

        return sd_bus_error_set(ret, name, error->message);
}
