/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "core/value.h"

#include <systemd/sd-bus.h>

/* Read an a{sv} at the read position. InvalidArgs names a key that stands twice, and types that no option
 * has. Bytes (ay) become a string: what is not UTF-8 can be said that way. */
int bus_value_read_map(sd_bus_message *message, Value **ret, Error *error);

/* Append a value as a variant of its natural type: b, x, d, s; as, ax, aa{sv}, else av; a{ss}, else a{sv}.
 * Strings that are not UTF-8 are made so; null gives 0 and appends nothing, and inside it is "". */
int bus_value_append_entry(sd_bus_message *message, const char *key, const Value *value);

/* Append a map as a{sv}. */
int bus_value_append_map(sd_bus_message *message, const Value *map);
