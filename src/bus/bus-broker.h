/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/bus-server.h"

#include <stdbool.h>

/* The same objects on a message bus, under the name org.pm2.Manager. A lost bus is opened again; supervision
 * goes on meanwhile. */
typedef struct BusBroker BusBroker;

/* system: the system bus, else the user bus. on_settled is called from the loop when the name is ours
 * (alone: nobody else has it), or when it is known that there is no bus or that another has the name. */
int bus_broker_new(
                BusServer *server,
                bool system,
                void (*on_settled)(void *userdata, bool alone),
                void *userdata,
                BusBroker **ret);
void bus_broker_free(BusBroker *broker);
