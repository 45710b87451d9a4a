/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One start of a process: its group, its gated child, and what the child reports. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "core/file-names.h"
#include "manager/launch-files.h"
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
                .unique_id = process->unique_id,
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

static const int system_resources[RESOURCE_COUNT] = {
        [RESOURCE_AS] = RLIMIT_AS,
        [RESOURCE_CORE] = RLIMIT_CORE,
        [RESOURCE_CPU] = RLIMIT_CPU,
        [RESOURCE_DATA] = RLIMIT_DATA,
        [RESOURCE_FSIZE] = RLIMIT_FSIZE,
        [RESOURCE_LOCKS] = RLIMIT_LOCKS,
        [RESOURCE_MEMLOCK] = RLIMIT_MEMLOCK,
        [RESOURCE_MSGQUEUE] = RLIMIT_MSGQUEUE,
        [RESOURCE_NICE] = RLIMIT_NICE,
        [RESOURCE_NOFILE] = RLIMIT_NOFILE,
        [RESOURCE_NPROC] = RLIMIT_NPROC,
        [RESOURCE_RSS] = RLIMIT_RSS,
        [RESOURCE_RTPRIO] = RLIMIT_RTPRIO,
        [RESOURCE_RTTIME] = RLIMIT_RTTIME,
        [RESOURCE_SIGPENDING] = RLIMIT_SIGPENDING,
        [RESOURCE_STACK] = RLIMIT_STACK,
};

static Resource resource_of(int system_resource) {
        int resource = 0;

        while (resource < RESOURCE_COUNT && system_resources[resource] != system_resource) {
                resource++;
        }
        return (Resource) resource;
}

static size_t list_limits(const AppConfig *config, ExecLimit *limits) {
        size_t n = 0;

        for (int i = 0; config->limits && i < RESOURCE_COUNT; i++) {
                const ResourceLimit *limit = &config->limits->of[i];
                if (limit->given) {
                        limits[n++] = (ExecLimit){ system_resources[i],
                                                   { .rlim_cur = limit->soft, .rlim_max = limit->hard } };
                }
        }
        return n;
}

/* For execve(2), as long as the environment is there. */
static char **list_environment(const Environment *environment) {
        char **assignments = g_new0(char *, environment_count(environment) + 1);

        for (size_t i = 0; i < environment_count(environment); i++) {
                assignments[i] = (char *) environment_at(environment, i);
        }
        return assignments;
}

/* What stands over all else: without it the rest would not be there. */
static Environment *launch_variables(const ProcessHandle *handle, int channel_fd, const char *preload) {
        g_autofree char *channel = g_strdup_printf("NODE_CHANNEL_FD=%d", EXEC_CHANNEL_FD);
        g_autofree char *loaded = preload ? g_strdup_printf(PRELOAD_VARIABLE "=%s", preload) : NULL;
        const char *const variables[] = { channel, "NODE_CHANNEL_SERIALIZATION_MODE=json", loaded, NULL };
        g_autoptr(Environment) of_notify = notify_variables(handle);

        if (channel_fd < 0) {
                return g_steal_pointer(&of_notify);
        }
        g_autoptr(Environment) of_channel = environment_new(variables);
        return environment_merge(of_notify, of_channel);
}

static int make_child(ProcessHandle *handle, int channel_fd) {
        Process *process = handle->process;
        bool main = handle->phase == PHASE_MAIN;
        const char *preload = main ? preload_find(process) : NULL;
        g_autoptr(Environment) own = launch_variables(handle, channel_fd, preload);
        g_autoptr(Environment) app_environment = app_environment_make(handle->manager, process);
        g_autoptr(Environment) of_phase = hook_environment_make(handle, app_environment);
        g_autoptr(Environment) environment = environment_merge(of_phase, own);
        g_autoptr(Environment) declared = app_environment_declared(process->config);
        g_autoptr(Environment) declared_of_phase = hook_environment_make(handle, declared);
        g_autoptr(Environment) over = environment_merge(declared_of_phase, own);
        g_auto(GStrv) argv = main ? app_argv_make(process, preload) : hook_argv_make(handle);
        g_autofree char **envp = list_environment(environment), **env_over = list_environment(over);
        g_auto(LaunchFiles) files = { 0 };
        const UserInfo *owner = manager_user(handle->manager, process->owner);
        ExecUser user = {
                .uid = owner->uid,
                .gid = owner->gid,
                .groups = owner->groups,
                .n_groups = (size_t) owner->n_groups,
        };
        ExecLimit limits[RESOURCE_COUNT];
        int64_t score = process->config->oom_score_adjust;
        g_autofree char *score_text = score == OOM_SCORE_KEPT ? NULL : g_strdup_printf("%" PRId64, score);
        ExecPlan plan = {
                .limits = limits,
                .n_limits = list_limits(process->config, limits),
                .oom_score_adjust = score_text,
                .path = main ? process->program : "/bin/sh",
                .argv = argv,
                .envp = envp,
                .env_over = env_over,
                .cwd = process->cwd,
                .out_path = path_or_null(process->out_log_path),
                .error_path = path_or_null(process->error_log_path),
                .pid_path = main ? process->pid_path : NULL,
                .stdin_pipe = main,
                .channel_fd = channel_fd,
                .user = handle->manager->system ? &user : NULL,
                .nofile = handle->manager->nofile,
        };
        launch_files_init(&files, handle, &plan);
        int birth_fd = handle->group ? isolation_group_birth_fd(handle->group) : -EBADF;
        int r = spawn_gated(&plan, birth_fd, &handle->child);
        if (r < 0) {
                return fail(handle, r, "no child can be made");
        }
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
        handle->hook_executed = false;
        handle->hook_status = EXIT_STATUS_NONE;
        if (handle->phase == PHASE_MAIN) {
                handle->said_ready = handle->got_ready = false;
        }
        oom_forget(handle);
        handle->cpu_sample_boottime_usec = 0;
        int r = make_group(handle);
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
        [EXEC_STAGE_PID_FILE] = "pid_file",
        [EXEC_STAGE_OOM_SCORE] = "oom_score_adjust",
        [EXEC_STAGE_LIMITS] = "limits",
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
        case EXEC_STAGE_PID_FILE:
                return process->pid_path;
        case EXEC_STAGE_EXECUTE:
                return process->program;
        case EXEC_STAGE_ENV_FILE:
        case EXEC_STAGE_CREDENTIALS:
        case EXEC_STAGE_CREDENTIALS_FOLDER:
        case EXEC_STAGE_OOM_SCORE:
        case EXEC_STAGE_LIMITS:
        case EXEC_STAGE_USER:
        case _EXEC_STAGE_MAX:
        default:
                return "";
        }
}

const char *exec_error_to_text(int error) {
        return error == EXEC_NOT_REGULAR ? "is not a regular file" : g_strerror(error);
}

static int take_limit_failure(ProcessHandle *handle, const ExecReport *report) {
        const AppConfig *config = handle->process->config;
        bool score = report->stage == EXEC_STAGE_OOM_SCORE;
        Resource resource = resource_of(report->item);
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
        fd_barrier_free(g_steal_pointer(&handle->barrier));
        child_watch_free(g_steal_pointer(&handle->watch));
        handle->result_source = sd_event_source_disable_unref(handle->result_source);
        if (handle->main_alive && handle->group) {
                isolation_group_main_exited(handle->group);
        }
        handle->main_alive = handle->main_reaped = false;
        messages_close(handle);
        notify_close(handle);
        if (handle->launched && handle->process->pid_path && !handle->manager->detached) {
                Manager *manager = handle->manager;
                manager_become_user(manager, manager_user(manager, handle->process->owner));
                (void) CHANGE("pid-file-unlink", unlink(handle->process->pid_path));
                manager_become_self(manager);
        }
        gated_child_done(&handle->child);
        process_set_pid(handle->process, 0);
        process_set_phase(handle->process, SELF_REPORT_NO_PHASE);
}
