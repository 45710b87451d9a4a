/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/pm2-home.h"

#include <errno.h>

static char *choose(Pm2Variable variable, const char *name, const char *folder, const char *file) {
        const char *given = variable(name);
        return given && given[0] ? g_strdup(given) : g_strconcat(folder, "/", file, NULL);
}

int pm2_home_init(Pm2Home *home, const char *folder, const char *user_home, Pm2Variable variable) {
        const char *given = folder && folder[0] ? folder : variable("PM2_HOME");
        Pm2Home made = { 0 };

        made.folder = given && given[0] ? g_strdup(given)
                      : user_home       ? g_strconcat(user_home, "/.pm2", NULL)
                                        : g_strdup("/etc/.pm2");
        made.rpc_path = choose(variable, "PM2_DAEMON_RPC_PORT", made.folder, "rpc.sock");
        made.pub_path = choose(variable, "PM2_DAEMON_PUB_PORT", made.folder, "pub.sock");
        made.pid_path = choose(variable, "PM2_PID_FILE_PATH", made.folder, "pm2.pid");
        if (made.folder[0] != '/' || made.rpc_path[0] != '/' || made.pub_path[0] != '/' ||
            made.pid_path[0] != '/') {
                pm2_home_done(&made);
                return -EINVAL;
        }
        *home = made;
        return 0;
}

void pm2_home_done(Pm2Home *home) {
        g_clear_pointer(&home->folder, g_free);
        g_clear_pointer(&home->rpc_path, g_free);
        g_clear_pointer(&home->pub_path, g_free);
        g_clear_pointer(&home->pid_path, g_free);
}
