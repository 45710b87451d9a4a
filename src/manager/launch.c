/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One start of a process: its group, its gated child, and what the child reports. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "core/file-names.h"
#include "manager/cluster-worker.h"
#include "manager/health-checks.h"
#include "manager/launch-files.h"
#include "manager/launch-listen.h"
#include "manager/launch-plan.h"
#include "manager/listeners.h"
#include "manager/log-files.h"
#include "manager/log-pumps.h"
#include "manager/main-process.h"
#include "manager/manager-state.h"
#include "manager/messages.h"
#include "manager/notify.h"
#include "manager/preload.h"
#include "manager/process-record.h"
#include "platform/proc-stat.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static int on_result_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        lifecycle_on_report(userdata);
        return 0;
}

static void on_group_empty(void *userdata) {
        lifecycle_on_group_empty(userdata);
}

static int fail(ProcessHandle *handle, int error, const char *what) {
        return error_set(&handle->launch_error, ERROR_SPAWN_FAILED, "%s: %s", what, g_strerror(-error));
}

static void on_group_placed(void *userdata, int result) {
        lifecycle_on_placed(userdata, result);
}

static void on_memory(void *userdata) {
        oom_tell(userdata);
}

static IsolationGroupSpec group_spec(ProcessHandle *handle) {
        const Process *process = handle->process;

        return (IsolationGroupSpec){
                .id = process->id,
                .generation = handle->manager->generation,
                .unique_id = process->launch_id,
                .name = process->config->name,
                .uid = process->owner,
                .limits = limits_of(process->config),
                .on_empty = on_group_empty,
                .on_placed = on_group_placed,
                .on_memory = on_memory,
                .oom_kills = handle->oom_kills,
                .userdata = handle,
        };
}

/* While the service manager stops us it starts no scope before us: each would wait for our end, and we for
 * it. A post_stop runs beside us then, and what it leaves the service manager ends with our own cgroup. */
static bool goes_without_group(const ProcessHandle *handle) {
        const Manager *manager = handle->manager;

        return manager->shutting_down && strcmp(isolation_name(manager->isolation), "scope") == 0;
}

static int make_group(ProcessHandle *handle) {
        if (goes_without_group(handle)) {
                return 0;
        }
        handle->manager->generation++;
        IsolationGroupSpec spec = group_spec(handle);
        int r = isolation_group_new(handle->manager->isolation, &spec, &handle->group);

        if (r < 0) {
                return fail(handle, r, "its cgroup cannot be made");
        }
        return 0;
}

static const char *path_or_null(const char *path) {
        return file_name_is_null(path) ? NULL : path;
}

/* What stands over all else: without it the rest would not be there. */
static Environment *launch_variables(
                const ProcessHandle *handle,
                int channel_fd,
                char *const *preloads,
                const LaunchListen *listen) {
        g_autoptr(GPtrArray) variables = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(Environment) of_notify = notify_variables(handle);
        g_autoptr(Environment) of_listen = launch_listen_variables(listen);
        g_autoptr(Environment) of_both = environment_merge(of_notify, of_listen);

        if (channel_fd < 0) {
                return g_steal_pointer(&of_both);
        }
        g_ptr_array_add(variables, g_strdup_printf("NODE_CHANNEL_FD=%d", launch_listen_next_fd(listen)));
        g_ptr_array_add(variables, g_strdup("NODE_CHANNEL_SERIALIZATION_MODE=json"));
        char *worker = cluster_worker_variable(handle->process);
        if (worker) {
                g_ptr_array_add(variables, worker);
        }
        for (size_t i = 0; i < PRELOADS_MAX; i++) {
                if (preloads[i]) {
                        g_ptr_array_add(variables,
                                        g_strdup_printf("%s=%s", preload_variables[i], preloads[i]));
                }
        }
        g_ptr_array_add(variables, NULL);
        g_autoptr(Environment) of_channel = environment_new((const char *const *) variables->pdata);
        return environment_merge(of_both, of_channel);
}

static int make_child(ProcessHandle *handle, int channel_fd) {
        Process *process = handle->process;
        bool main = handle->phase == PHASE_MAIN;
        char *preloads[PRELOADS_MAX] = { NULL };
        g_auto(LaunchListen) listen = { 0 };
        if (main) {
                preload_find(process, preloads);
                launch_listen_init(&listen, handle);
        }
        g_autoptr(Environment) own = launch_variables(handle, channel_fd, preloads, &listen);
        g_autoptr(Environment) app_environment = app_environment_make(handle->manager, process);
        g_autoptr(Environment) of_phase = hook_environment_make(handle, app_environment);
        g_autoptr(Environment) environment = environment_merge(of_phase, own);
        g_autoptr(Environment) declared = app_environment_declared(process->config);
        g_autoptr(Environment) declared_of_phase = hook_environment_make(handle, declared);
        g_autoptr(Environment) over = environment_merge(declared_of_phase, own);
        g_auto(GStrv) argv = main ? app_argv_make(process, preloads, PRELOADS_MAX) : hook_argv_make(handle);
        g_autofree char **envp = launch_list_environment(environment),
                        **env_over = launch_list_environment(over);
        g_auto(LaunchFiles) files = { 0 };
        const UserInfo *owner = manager_user(handle->manager, process->owner);
        ExecUser user = user_info_exec_user(owner);
        ExecLimit limits[RESOURCE_COUNT];
        int64_t score = process->config->oom_score_adjust;
        g_autofree char *score_text = score == OOM_SCORE_KEPT ? NULL : g_strdup_printf("%" PRId64, score);
        ExecPlan plan = {
                .limits = limits,
                .n_limits = launch_list_limits(process->config, limits),
                .oom_score_adjust = score_text,
                .path = main ? process->program : "/bin/sh",
                .argv = argv,
                .envp = envp,
                .env_over = env_over,
                .cwd = process->cwd,
                .out_path = path_or_null(process->out_log_path),
                .error_path = path_or_null(process->error_log_path),
                .pid_path = main && !reload_shares_pid_file(handle) ? process->pid_path : NULL,
                .stdin_pipe = main,
                .channel_fd = channel_fd,
                .user = handle->manager->system ? &user : NULL,
                .nofile = handle->manager->nofile,
        };
        launch_files_init(&files, handle, &plan);
        launch_listen_put(&listen, envp, &plan);
        launch_listen_put(&listen, env_over, &plan);
        g_auto(LogPumpEnds) ends = LOG_PUMP_ENDS_NONE;
        int r = log_pumps_open(handle, &plan, &ends);
        if (r < 0) {
                for (size_t j = 0; j < PRELOADS_MAX; j++) {
                        g_free(preloads[j]);
                }
                return fail(handle, r, "its logs cannot be kept");
        }
        int birth_fd = handle->group ? isolation_group_birth_fd(handle->group) : -EBADF;
        r = spawn_gated(&plan, birth_fd, &handle->child);
        for (size_t j = 0; j < PRELOADS_MAX; j++) {
                g_free(preloads[j]);
        }
        if (r < 0) {
                return fail(handle, r, "no child can be made");
        }
        log_pumps_launched(handle);
        return 0;
}

static int make_talking_child(ProcessHandle *handle) {
        _cleanup_close_ int channel_fd = -EBADF;
        bool main = handle->phase == PHASE_MAIN;
        int r = main ? messages_open(handle, &channel_fd) : 0;

        if (r < 0) {
                return fail(handle, r, "its channel cannot be made");
        }
        r = main ? notify_open(handle) : 0;
        return r < 0 ? fail(handle, r, "its notify socket cannot be made") : make_child(handle, channel_fd);
}

static int watch_child(ProcessHandle *handle) {
        int r = main_process_watch(handle, handle->child.pid, handle->child.pidfd);
        if (r >= 0) {
                handle->main_alive = true;
                r =
                                sd_event_add_io(handle->manager->event,
                                                &handle->result_source,
                                                handle->child.result_fd,
                                                EPOLLIN,
                                                on_result_readable,
                                                handle);
        }
        return r < 0 ? fail(handle, r, "the child cannot be watched") : 0;
}

int launch_spawn(ProcessHandle *handle) {
        Process *process = handle->process;

        error_clear(&handle->launch_error);
        handle->executing = handle->launched = handle->placed = handle->stored = false;
        memset(handle->logs, 0, sizeof(handle->logs));
        handle->hook_executed = false;
        handle->hook_status = EXIT_STATUS_NONE;
        if (handle->phase == PHASE_MAIN) {
                handle->said_ready = handle->got_ready = false;
                handle->was_healthy = handle->ended_unhealthy = false;
        }
        oom_forget(handle);
        handle->cpu_sample_boottime_usec = 0;
        /* As a rule they are there since the command that started it. */
        int r = handle->phase == PHASE_MAIN
                                ? listeners_launch(handle->manager, process, &handle->launch_error)
                                : 0;
        if (r >= 0) {
                r = make_group(handle);
        }
        if (r >= 0) {
                manager_state_save(handle); /* the intent, before there is anything to lose */
                r = make_talking_child(handle);
        }
        if (r >= 0) {
                r = watch_child(handle);
        }
        if (r < 0) {
                if (!handle->main_alive) {
                        launch_end_child(handle); /* unwatched: it ends at its gate and the orphans' reaper
                                                     takes it */
                        isolation_group_release(g_steal_pointer(&handle->group));
                }
                return r;
        }
        process_set_pid(process, handle->phase == PHASE_MAIN ? handle->child.pid : 0);
        manager_state_keep_pidfd(handle);
        manager_state_save(handle);
        r = handle->group ? isolation_group_place(handle->group, handle->child.pid, handle->child.pidfd) : 1;
        return r == 0 ? 0 : launch_placed(handle, r);
}

static void on_stored(void *userdata) {
        lifecycle_on_stored(userdata);
}

int launch_placed(ProcessHandle *handle, int result) {
        if (result < 0) {
                return fail(handle, result, "it cannot be put into its cgroup");
        }
        if (handle->group) {
                process_set_group(
                                handle->process,
                                isolation_group_unit(handle->group),
                                isolation_group_path(handle->group));
        }
        handle->placed = true;
        manager_state_save(handle);
        int r = manager_state_barrier(handle, on_stored);
        if (r < 0) {
                return fail(handle, r, "its pidfd cannot be kept");
        }
        handle->stored = r > 0;
        return r > 0 ? 1 : 0;
}

static const char *const stage_attributes[_EXEC_STAGE_MAX] = {
        [EXEC_STAGE_USER] = "user",
        [EXEC_STAGE_CWD] = "cwd",
        [EXEC_STAGE_OUT_FILE] = "out_file",
        [EXEC_STAGE_ERROR_FILE] = "error_file",
        [EXEC_STAGE_LOG_FILE] = "log_file",
        [EXEC_STAGE_PID_FILE] = "pid_file",
        [EXEC_STAGE_OOM_SCORE] = "oom_score_adjust",
        [EXEC_STAGE_LIMITS] = "limits",
        [EXEC_STAGE_LISTEN] = "listen",
        [EXEC_STAGE_EXECUTE] = "script",
        [EXEC_STAGE_ENV_FILE] = "env_file",
        [EXEC_STAGE_CREDENTIALS] = "credentials",
        [EXEC_STAGE_CREDENTIALS_FOLDER] = "credentials",
};

static const char *stage_value(const Process *process, ExecStage stage) {
        switch (stage) {
        case EXEC_STAGE_CWD:
                return process->cwd;
        case EXEC_STAGE_OUT_FILE:
                return process->out_log_path;
        case EXEC_STAGE_ERROR_FILE:
                return process->error_log_path;
        case EXEC_STAGE_LOG_FILE:
                return process->log_path;
        case EXEC_STAGE_PID_FILE:
                return process->pid_path;
        case EXEC_STAGE_EXECUTE:
                return process->program;
        case EXEC_STAGE_ENV_FILE:
        case EXEC_STAGE_CREDENTIALS:
        case EXEC_STAGE_CREDENTIALS_FOLDER:
        case EXEC_STAGE_OOM_SCORE:
        case EXEC_STAGE_LIMITS:
        case EXEC_STAGE_LISTEN:
        case EXEC_STAGE_USER:
        case _EXEC_STAGE_MAX:
        default:
                return "";
        }
}

const char *exec_error_to_text(int error) {
        return error == EXEC_NOT_REGULAR ? "is not a regular file"
               : error == EXEC_NOT_LOCAL ? "is not on a file system that is known to be of this machine"
                                         : g_strerror(error);
}

static int take_limit_failure(ProcessHandle *handle, const ExecReport *report) {
        const AppConfig *config = handle->process->config;
        bool score = report->stage == EXEC_STAGE_OOM_SCORE;
        Resource resource = launch_resource_of(report->item);
        const char *name = score ? "" : resource_name(resource);
        g_autofree char *value = NULL;

        if (score) {
                value = g_strdup_printf("%" PRId64, config->oom_score_adjust);
        } else if (name && config->limits) {
                value = resource_limit_to_text(&config->limits->of[resource]);
        }
        return error_set(
                        &handle->launch_error,
                        ERROR_SPAWN_FAILED,
                        "%s%s%s: %s: %s",
                        score ? "oom_score_adjust" : "limits",
                        score ? "" : ".",
                        name ? name : "",
                        value ? value : "",
                        g_strerror(report->error));
}

static int take_failure(ProcessHandle *handle, const ExecReport *report) {
        bool known = report->stage >= 0 && report->stage < _EXEC_STAGE_MAX;
        ExecStage stage = known ? (ExecStage) report->stage : EXEC_STAGE_EXECUTE;
        g_autofree char *quoted = error_quote(stage_value(handle->process, stage));

        if (stage == EXEC_STAGE_OOM_SCORE || stage == EXEC_STAGE_LIMITS) {
                return take_limit_failure(handle, report);
        }
        if (launch_files_take_failure(handle, report)) {
                return -ECANCELED;
        }
        if (stage == EXEC_STAGE_EXECUTE && report->error == ENOENT &&
            access(handle->process->program, F_OK) == 0) { /* execve(2) */
                return error_set(
                                &handle->launch_error,
                                ERROR_SPAWN_FAILED,
                                "script: %s: the interpreter that its first line names: No such file or "
                                "directory",
                                quoted);
        }
        return error_set(
                        &handle->launch_error,
                        ERROR_SPAWN_FAILED,
                        "%s: %s: %s",
                        stage_attributes[stage],
                        quoted,
                        exec_error_to_text(report->error));
}

int launch_read_report(ProcessHandle *handle) {
        for (;;) {
                ExecReport report;
                ssize_t n = read(handle->child.result_fd, &report, sizeof(report));
                if (n < 0 && errno == EAGAIN) {
                        return 0;
                }
                if (n == sizeof(report) && report.error == 0) {
                        handle->executing = true;
                        memcpy(handle->logs, report.logs, sizeof(handle->logs));
                        continue;
                }
                handle->result_source = sd_event_source_disable_unref(handle->result_source);
                handle->child.result_fd = close_fd(handle->child.result_fd);
                if (n == sizeof(report)) {
                        return take_failure(handle, &report);
                }
                if (n == 0 && handle->executing) {
                        return 1;
                }
                if (handle->launch_error.code != ERROR_NONE) {
                        return -ECANCELED;
                }
                return error_set(
                                &handle->launch_error,
                                ERROR_SPAWN_FAILED,
                                "the child ended before it was executed");
        }
}

void launch_adopt(ProcessHandle *handle, const ProcessRecord *record, int pidfd) {
        Process *process = handle->process;
        IsolationGroupSpec spec = group_spec(handle);
        if (pidfd < 0) {
                pidfd = main_process_find(record);
        }
        pid_t pid = pidfd >= 0 ? proc_pid_of_pidfd(pidfd) : 0;
        if (pid <= 0) {
                pid = record->pid; /* it has been reaped */
        }
        IsolationAdoption adoption = {
                .path = process->control_group,
                .unit = process->unit,
                .main_pid = pidfd >= 0 ? pid : 0,
                .main_pidfd = pidfd,
        };

        if (process->control_group[0] || pidfd >= 0 || record->launched) {
                (void) isolation_group_adopt(handle->manager->isolation, &spec, &adoption, &handle->group);
        }
        process_set_frozen(process, handle->group && isolation_group_is_frozen(handle->group));
        if (pidfd >= 0 && main_process_watch(handle, pid, pidfd) >= 0) {
                handle->child.pidfd = pidfd;
                handle->child.pid = pid;
                handle->main_alive = true;
                process_set_pid(process, handle->phase == PHASE_MAIN ? pid : 0);
                return;
        }
        (void) close_fd(pidfd);
        process_set_pid(process, 0);
        /* Its exit was not seen by anybody: it is one, of unknown status. */
        handle->child.pid = record->pid;
        handle->main_alive = record->launched && record->pid > 0 && main_process_watch_gone(handle) >= 0;
}

void launch_end_child(ProcessHandle *handle) {
        health_checks_free(handle);
        fd_barrier_free(g_steal_pointer(&handle->barrier));
        child_watch_free(g_steal_pointer(&handle->watch));
        handle->result_source = sd_event_source_disable_unref(handle->result_source);
        if (handle->main_alive && handle->group) {
                isolation_group_main_exited(handle->group);
        }
        handle->main_alive = handle->main_reaped = false;
        log_files_detach(handle);
        messages_close(handle);
        notify_close(handle);
        if (handle->launched && handle->process->pid_path && !reload_shares_pid_file(handle) &&
            !handle->manager->detached) {
                Manager *manager = handle->manager;
                manager_become_user(manager, manager_user(manager, handle->process->owner));
                (void) CHANGE("pid-file-unlink", unlink(handle->process->pid_path));
                manager_become_self(manager);
        }
        gated_child_done(&handle->child);
        process_set_pid(handle->process, 0);
        process_set_phase(handle->process, SELF_REPORT_NO_PHASE);
}
