/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/launch-listen.h"

#include "core/command-line.h"
#include "manager/listeners.h"

#include <string.h>

#define PID_VARIABLE "LISTEN_PID="

_Static_assert((int) LISTEN_SOCKETS_MAX == (int) EXEC_SOCKETS_MAX,
               "the child takes as many as an app may have");

void launch_listen_done(LaunchListen *listen) {
        g_clear_pointer(&listen->names, g_free);
}

void launch_listen_init(LaunchListen *listen, const ProcessHandle *handle) {
        Process *process = handle->process;
        const AppConfig *config = process->config;

        listen->count = listeners_collect(
                        handle->manager, process->owner, config, listen->fds, &listen->names);
        listen->has_pid = true;
        if (listen->count > 0 && process->shell_command) {
                g_autofree char *command = command_line_with_exec(config->script);
                listen->has_pid = command;
        }
        if (!listen->has_pid) {
                process_take_trouble(
                                process,
                                g_strdup("listen: LISTEN_PID is not set, for the script is more than one "
                                         "command of a shell"));
        }
}

int launch_listen_next_fd(const LaunchListen *listen) {
        return EXEC_FIRST_FD + (int) listen->count;
}

Environment *launch_listen_variables(const LaunchListen *listen) {
        g_autofree char *fds = g_strdup_printf("LISTEN_FDS=%zu", listen->count);
        g_autofree char *names = g_strconcat("LISTEN_FDNAMES=", listen->names, NULL);
        const char *const variables[] = { fds, names, listen->has_pid ? PID_VARIABLE : NULL, NULL };

        return listen->count > 0 ? environment_new(variables) : environment_new_empty();
}

void launch_listen_put(LaunchListen *listen, char **assignments, ExecPlan *plan) {
        plan->sockets = listen->fds;
        plan->n_sockets = listen->count;
        if (listen->count == 0 || !listen->has_pid) {
                return;
        }
        (void) g_strlcpy(listen->pid_assignment, PID_VARIABLE, sizeof(listen->pid_assignment));
        plan->listen_pid = listen->pid_assignment;
        for (; *assignments; assignments++) {
                if (strcmp(*assignments, PID_VARIABLE) == 0) {
                        *assignments = listen->pid_assignment;
                }
        }
}
