/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "value.h"

#include <systemd/sd-bus.h>

/* Read the next complete argument of a message, whatever its type: a{..} becomes an object, other arrays,
 * structs and dict entries an array, ay a string (bytes that are no UTF-8 become U+FFFD), a file descriptor
 * null. -ENXIO: there is no further argument; -ELOOP: nested too deep; -EBADMSG: the message is broken. */
int value_read(sd_bus_message *message, pm2_value **ret);
