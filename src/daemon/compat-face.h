/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager.h"

#include <systemd/sd-event.h>

/* PM2's face of the service: its sockets, wherever they come from. */
typedef struct CompatFace CompatFace;

/* Serve what the service manager or an earlier supervisor has left for it, and be the switch that the
 * manager offers to other faces (CompatControl). home: of PM2; where nothing was left, its sockets are
 * bound, and its pid file is ours until the end; NULL: none. on_kill: a client wants the daemon of that home
 * to end. */
int compat_face_new(
                sd_event *event,
                Manager *manager,
                const char *home,
                void (*on_kill)(void *userdata),
                void *userdata,
                CompatFace **ret);
/* leaving: a successor goes on with the sockets. */
void compat_face_free(CompatFace *face, bool leaving);

/* Whether a daemon, PM2's own or another, accepts connections in a home (folder NULL: the usual one); it is
 * named on standard error. -EADDRINUSE: yes. */
int compat_check_home(const char *folder);
