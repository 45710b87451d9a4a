/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/bus-internal.h"

/* The peers of a connection that have called Subscribe: itself on the private socket; on a message bus any
 * of its clients, until it leaves the bus. */

/* sender: the unique name of the caller, NULL on the private socket. Again is no error. */
int bus_subscribers_add(BusConnection *connection, const char *sender, sd_bus_error *error);
void bus_subscribers_remove(BusConnection *connection, const char *sender);
void bus_subscribers_forget(BusConnection *connection);

/* Whether there are any that may see the process. */
bool bus_subscribers_any(const BusConnection *connection, const Process *process);
/* Those of a message bus, with their rights. */
void bus_subscribers_each(
                const BusConnection *connection,
                void (*function)(void *userdata, const char *name, const Caller *viewer),
                void *userdata);
/* Those of a message bus that may see the process, by name. */
void bus_subscribers_foreach(
                const BusConnection *connection,
                const Process *process,
                void (*function)(void *userdata, const char *name),
                void *userdata);
