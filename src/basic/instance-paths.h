/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where an instance of the supervisor keeps its things. Shared by the supervisor and its clients so that
 * they always agree. Pure but for the environment and the passwd entry of the caller. */

typedef struct InstancePaths {
        char *state_dir;   /* $XDG_STATE_HOME/pm2, else ~/.local/state/pm2 */
        char *runtime_dir; /* $XDG_RUNTIME_DIR/pm2, else <state_dir>/run; never below /tmp by our choice */
        char *config_dir;  /* $XDG_CONFIG_HOME/pm2, else ~/.config/pm2 */
        char *log_dir;     /* <state_dir>/logs */
        char *pid_dir;     /* <state_dir>/pids */
        char *socket_path; /* <runtime_dir>/bus: the private D-Bus socket */
        char *lock_path;   /* <state_dir>/lock: held by the one running supervisor */
        char *notify_dir;  /* <runtime_dir>/notify: the sockets that processes tell of themselves by */
} InstancePaths;

/* The user instance of the calling user. -ENOENT: it has no home; -ENAMETOOLONG: the socket's path does not
 * fit a socket address; -ENOMEM. Ended with instance_paths_done(). */
int instance_paths_init(InstancePaths *paths);

/* The system instance: /var/lib/pm2, /run/pm2, /etc/pm2; log_dir and pid_dir have a folder for each user. */
int instance_paths_init_system(InstancePaths *paths);
void instance_paths_done(InstancePaths *paths);
