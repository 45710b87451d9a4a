/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager.h"

/* The D-Bus face: the objects of introspection/ on the private socket, peer to peer. */
typedef struct BusServer BusServer;

/* Listen at socket_path, in a folder that is ours alone. An old socket there is replaced: the caller holds
 * the lock of the instance. */
int bus_server_new(sd_event *event, Manager *manager, const char *socket_path, BusServer **ret);
/* Closes all connections and removes the socket. */
void bus_server_free(BusServer *server);
