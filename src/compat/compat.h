/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "manager/manager.h"

#include <systemd/sd-event.h>

/* PM2's daemon, as its clients see it: its two sockets, on which unmodified clients of npm's pm2 drive the
 * supervisor. The other face; it holds no logic of its own either. */
typedef struct Compat Compat;

int compat_new(sd_event *event, Manager *manager, Compat **ret);
void compat_free(Compat *compat);

/* Serve on these listening sockets, which stay the caller's. */
int compat_listen(Compat *compat, int rpc_fd, int pub_fd);

/* What follows when a client ends PM2's daemon (killMe): it has deleted the processes before. NULL, the
 * default: nothing, the supervisor goes on. */
void compat_on_kill(Compat *compat, void (*on_kill)(void *userdata), void *userdata);
