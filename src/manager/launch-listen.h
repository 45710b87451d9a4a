/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The listening sockets of one launch, as sd_listen_fds(3) has them. Starts as {0}. */
typedef struct LaunchListen {
        int fds[EXEC_SOCKETS_MAX];
        size_t count;
        char *names;
        bool has_pid; /* the program will have the pid of the child */
        char pid_assignment[sizeof("LISTEN_PID=") + EXEC_PID_DIGITS];
} LaunchListen;

void launch_listen_done(LaunchListen *listen);

/* Those of the config of a process, which are held. What the program cannot know is told in the status text.
 */
void launch_listen_init(LaunchListen *listen, const ProcessHandle *handle);

/* The descriptor behind them: of the channel. */
int launch_listen_next_fd(const LaunchListen *listen);

/* The variables; LISTEN_PID is empty until launch_listen_put(). */
Environment *launch_listen_variables(const LaunchListen *listen);

/* Have the child write its pid into an environment that has these variables, and say so in the plan. */
void launch_listen_put(LaunchListen *listen, char **assignments, ExecPlan *plan);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LaunchListen, launch_listen_done)
