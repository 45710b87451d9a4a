/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* pre_start and post_stop: each is a launch of its own, as the app is launched, of a shell command. */

#include "basic/signal-util.h"
#include "manager/manager-internal.h"

#include <string.h>

const char *hook_name(LaunchPhase phase) {
        return phase == PHASE_PRE_START ? "pre_start" : "post_stop";
}

uint64_t hook_timeout_usec(const ProcessHandle *handle) {
        const AppConfig *config = handle->process->config;

        return handle->phase == PHASE_PRE_START ? config->pre_start_timeout_usec
                                                : config->post_stop_timeout_usec;
}

char **hook_argv_make(const ProcessHandle *handle) {
        const AppConfig *config = handle->process->config;
        const char *const words[] = {
                "sh",
                "-c",
                handle->phase == PHASE_PRE_START ? config->pre_start : config->post_stop,
                NULL,
        };

        return g_strdupv((char **) words);
}

/* As systemd.exec(5) tells it to ExecStopPost=. */
static Environment *exit_variables(ExitStatus status) {
        const char *signal_name = status.signal ? signal_to_name(status.signal) : NULL;
        g_autofree char *code = NULL, *text = NULL;

        if (status.signal) {
                code = g_strdup("EXIT_CODE=killed");
                text = g_strdup_printf("EXIT_STATUS=%s", signal_name ? signal_name : "");
        } else if (status.code >= 0) {
                code = g_strdup("EXIT_CODE=exited");
                text = g_strdup_printf("EXIT_STATUS=%d", status.code);
        } else {
                code = g_strdup("EXIT_CODE=unknown");
                text = g_strdup("EXIT_STATUS=");
        }
        const char *const assignments[] = { code, text, NULL };
        return environment_new(assignments);
}

Environment *hook_environment_make(const ProcessHandle *handle, Environment *environment) {
        if (handle->phase != PHASE_POST_STOP) {
                return environment_ref(environment);
        }
        ExitStatus status = handle->main_launched ? handle->process->exit_status : EXIT_STATUS_NONE;
        g_autoptr(Environment) variables = exit_variables(status);
        return environment_merge(environment, variables);
}

HookResult hook_take_result(ProcessHandle *handle) {
        Error *error = &handle->launch_error;
        ExitStatus status = handle->hook_status;
        bool told = status.code >= 0 || status.signal != 0;

        if (error->code != ERROR_NONE) {
                g_autofree char *why = g_strdup(error->message);
                (void) error_set(error, ERROR_SPAWN_FAILED, "%s: %s", hook_name(handle->phase), why);
                return HOOK_FAILED;
        }
        if (!handle->hook_executed || !told) {
                return HOOK_UNKNOWN; /* adopted: it ended at its gate, or unseen */
        }
        if (status.code == 0) {
                return HOOK_DONE;
        }
        g_autofree char *how = exit_status_describe(status);
        (void) error_set(error, ERROR_SPAWN_FAILED, "%s: %s", hook_name(handle->phase), how);
        return HOOK_FAILED;
}
