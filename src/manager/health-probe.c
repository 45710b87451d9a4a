/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/health-probe.h"

#include "manager/launch-files.h"
#include "manager/launch-plan.h"
#include "platform/exec-probe.h"
#include "platform/net-probe.h"

#include <inttypes.h>

struct HealthProbe {
        ProbeHandler handler;
        void *userdata;
        NetProbe *net; /* one of these two; the other is NULL */
        ExecProbe *exec;
        Isolation *isolation; /* this and the next: that the pid of exec is known to */
        pid_t pid;
};

void health_probe_cancel(HealthProbe *probe) {
        if (!probe) {
                return;
        }
        net_probe_cancel(probe->net);
        exec_probe_cancel(probe->exec);
        if (probe->pid > 0) {
                isolation_know_child(probe->isolation, probe->pid, false);
        }
        g_free(probe);
}

static void on_outcome(void *userdata, bool success, const char *why) {
        HealthProbe *probe = userdata;
        ProbeHandler handler = probe->handler;
        void *handler_userdata = probe->userdata;

        probe->net = NULL;
        probe->exec = NULL;
        health_probe_cancel(probe);
        handler(handler_userdata, success, why);
}

static ExecProbeGroup group_of(const ProcessHandle *handle) {
        return (ExecProbeGroup){
                .folder_fd = handle->group ? isolation_group_birth_fd(handle->group) : -EBADF,
                .path = handle->group ? isolation_group_path(handle->group) : "",
        };
}

void health_probe_end_leftovers(const ProcessHandle *handle) {
        ExecProbeGroup group = group_of(handle);

        exec_probe_end_leftovers(&group);
}

static Environment *main_pid_variable(const ProcessHandle *handle) {
        g_autofree char *assignment = g_strdup_printf("MAINPID=%" PRIdMAX, (intmax_t) handle->child.pid);
        const char *const assignments[] = { assignment, NULL };

        return environment_new(assignments);
}

/* A shell looks the program of an array up in the PATH that it has, and becomes it. */
static char **make_argv(const HealthCheck *check) {
        GPtrArray *words = g_ptr_array_new();

        g_ptr_array_add(words, g_strdup("sh"));
        g_ptr_array_add(words, g_strdup("-c"));
        g_ptr_array_add(words, g_strdup(check->words ? "exec \"$0\" \"$@\"" : check->target));
        for (char *const *word = check->words; word && *word; word++) {
                g_ptr_array_add(words, g_strdup(*word));
        }
        g_ptr_array_add(words, NULL);
        return (char **) g_ptr_array_free(words, FALSE);
}

/* As the app itself is executed, with its environment, limits and working directory, but without what is the
 * app's alone: its sockets, its channel, its log files. */
static int start_exec(HealthProbe *probe, const ProcessHandle *handle, const HealthCheck *check) {
        const Process *process = handle->process;
        g_autoptr(Environment) own = main_pid_variable(handle);
        g_autoptr(Environment) of_app = app_environment_make(handle->manager, process);
        g_autoptr(Environment) environment = environment_merge(of_app, own);
        g_autoptr(Environment) declared = app_environment_declared(process->config);
        g_autoptr(Environment) over = environment_merge(declared, own);
        g_autofree char **envp = launch_list_environment(environment);
        g_autofree char **env_over = launch_list_environment(over);
        g_auto(GStrv) argv = make_argv(check);
        g_auto(LaunchFiles) files = { 0 };
        ExecUser user = user_info_exec_user(manager_user(handle->manager, process->owner));
        ExecLimit limits[RESOURCE_COUNT];
        int64_t score = process->config->oom_score_adjust;
        g_autofree char *score_text = score == OOM_SCORE_KEPT ? NULL : g_strdup_printf("%" PRId64, score);
        ExecPlan plan = {
                .limits = limits,
                .n_limits = launch_list_limits(process->config, limits),
                .oom_score_adjust = score_text,
                .path = "/bin/sh",
                .argv = argv,
                .envp = envp,
                .env_over = env_over,
                .cwd = process->cwd,
                .user = handle->manager->system ? &user : NULL,
                .ends_with_us = true,
                .nofile = handle->manager->nofile,
        };
        ExecProbeGroup group = group_of(handle);
        launch_files_init(&files, handle, &plan);
        plan.credentials_folder = NULL; /* it was filled by the launch */
        plan.n_credentials = 0;
        int r = exec_probe_start(handle->manager->event, &plan, &group, on_outcome, probe, &probe->exec);
        if (r >= 0) {
                probe->isolation = handle->manager->isolation;
                probe->pid = exec_probe_pid(probe->exec);
                isolation_know_child(probe->isolation, probe->pid, true);
        }
        return r;
}

static int start_net(
                HealthProbe *probe, const ProcessHandle *handle, const HealthCheck *check, Error *error) {
        const Process *process = handle->process;
        ExecUser user = user_info_exec_user(manager_user(handle->manager, process->owner));
        g_autoptr(Environment) own = main_pid_variable(handle);
        g_autoptr(Environment) of_app = app_environment_make(handle->manager, process);
        g_autoptr(Environment) environment = environment_merge(of_app, own);
        g_auto(HealthAddress) address = { 0 };
        g_autofree char *target = NULL;

        int r = health_target_expand(check->target, environment, &target, error);
        if (r >= 0) {
                r = health_address_parse(check->kind, target, &address, error);
        }
        if (r < 0) {
                return r;
        }
        NetProbePlan plan = {
                .host = address.host,
                .port = address.port,
                .path = address.path,
                .authority = address.authority,
                .resource = address.resource,
                .status_min = check->status_min,
                .status_max = check->status_max,
                .user = handle->manager->system ? &user : NULL,
        };
        return net_probe_start(handle->manager->event, &plan, on_outcome, probe, &probe->net);
}

int health_probe_start(
                ProcessHandle *handle,
                const HealthCheck *check,
                ProbeHandler handler,
                void *userdata,
                HealthProbe **ret,
                Error *error) {
        HealthProbe *probe = g_new0(HealthProbe, 1);

        probe->handler = handler;
        probe->userdata = userdata;
        int r = check->kind == HEALTH_EXEC ? start_exec(probe, handle, check)
                                           : start_net(probe, handle, check, error);
        if (r < 0) {
                g_free(probe);
                return r == -ECANCELED ? r : error_set(error, ERROR_SPAWN_FAILED, "%s", g_strerror(-r));
        }
        *ret = probe;
        return 0;
}
