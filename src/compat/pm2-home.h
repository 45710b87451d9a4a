/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Where PM2's clients look for its daemon. Pure: the environment is asked for by a function. */
typedef struct Pm2Home {
        char *folder;
        char *rpc_path, *pub_path, *pid_path;
} Pm2Home;

typedef const char *(*Pm2Variable)(const char *name);

/* folder NULL or "": $PM2_HOME, else .pm2 in the home folder of the user (NULL: he has none), else
 * /etc/.pm2. The paths in it can be set one by one, as with PM2: PM2_DAEMON_RPC_PORT, PM2_DAEMON_PUB_PORT,
 * PM2_PID_FILE_PATH. -EINVAL: one of them is not absolute. */
int pm2_home_init(Pm2Home *home, const char *folder, const char *user_home, Pm2Variable variable);
void pm2_home_done(Pm2Home *home);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pm2Home, pm2_home_done)
