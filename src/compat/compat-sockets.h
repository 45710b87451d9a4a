/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "compat/pm2-home.h"
#include "core/error.h"
#include "manager/manager.h"

/* The two listening sockets that clients of PM2 connect to: from the service manager, from an earlier
 * supervisor, or bound here. */
typedef struct CompatSockets {
        int rpc_fd, pub_fd; /* negative: there are none */
        char *rpc_path, *pub_path;
        bool ours; /* bound by us or an earlier one of us, not by the service manager */
} CompatSockets;

/* Those that we were given at our start; none is no error. */
void compat_sockets_take(Manager *manager, CompatSockets *ret);

/* Bind both, and have them kept for the next supervisor. AlreadyRunning: somebody accepts connections there,
 * who is not disturbed. */
int compat_sockets_bind(Manager *manager, const Pm2Home *home, CompatSockets *ret, Error *error);

/* Close them; those that are ours go from the file system, and nobody keeps them. leaving: a successor has
 * them. */
void compat_sockets_close(Manager *manager, CompatSockets *sockets, bool leaving);
