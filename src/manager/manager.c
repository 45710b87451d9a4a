/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The supervisor's state and its queries; what changes it is in the files beside. */

#include "manager/manager.h"

#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "core/start-backoff.h"
#include "manager/awaiting.h"
#include "manager/crash-core.h"
#include "manager/cron-restart.h"
#include "manager/health-checks.h"
#include "manager/listeners.h"
#include "manager/log-files.h"
#include "manager/log-follow.h"
#include "manager/log-pumps.h"
#include "manager/main-process.h"
#include "manager/manager-internal.h"
#include "manager/manager-state.h"
#include "manager/memory-restart.h"
#include "manager/notify.h"
#include "manager/observers.h"
#include "manager/stop-order.h"
#include "manager/watch-restart.h"
#include "platform/cgroup.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

const char *process_event_to_name(ProcessEventKind kind) {
        static const char *const names[_PROCESS_EVENT_MAX] = {
                [EVENT_START] = "start",
                [EVENT_ONLINE] = "online",
                [EVENT_EXIT] = "exit",
                [EVENT_STOP] = "stop",
                [EVENT_RESTART] = "restart",
                [EVENT_DELETE] = "delete",
                [EVENT_OOM] = "oom",
                [EVENT_READY_TIMEOUT] = "ready-timeout",
                [EVENT_WATCHDOG] = "watchdog",
                [EVENT_OVERLIMIT] = "restart overlimit",
                [EVENT_RELOAD] = "reload",
                [EVENT_ROLLBACK] = "rollback",
                [EVENT_MEMORY] = "memory",
                [EVENT_CRASH] = "crash",
                [EVENT_CORE] = "core",
                [EVENT_HEALTHY] = "healthy",
                [EVENT_UNHEALTHY] = "unhealthy",
        };
        return names[kind];
}

static void free_user(void *user) {
        user_info_free(user);
}

/* A word for the names of cgroups that no other supervisor of the machine has. */
static char *instance_word(const InstancePaths *paths) {
        g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, paths->state_dir, -1);
        return g_strdup_printf("%u-%.12s", geteuid(), digest);
}

/* A process needs some fds of ours; apps get the limit that we were started with. */
static void raise_fd_limit(Manager *manager) {
        const char *soft = getenv(SOFT_LIMIT_VARIABLE); /* of our predecessor, which had raised it */
        struct rlimit raised;

        if (getrlimit(RLIMIT_NOFILE, &manager->nofile) < 0) {
                manager->nofile = (struct rlimit){ .rlim_cur = 1024, .rlim_max = 4096 };
                return;
        }
        raised = manager->nofile;
        if (soft) {
                manager->nofile.rlim_cur = MIN((rlim_t) strtoull(soft, NULL, 10), manager->nofile.rlim_max);
        }
        g_autofree char *text = g_strdup_printf("%llu", (unsigned long long) manager->nofile.rlim_cur);
        (void) g_setenv(SOFT_LIMIT_VARIABLE, text, TRUE);
        raised.rlim_cur = raised.rlim_max;
        if (CHANGE("limit-raise", setrlimit(RLIMIT_NOFILE, &raised)) < 0) {
                (void) log_warning_errno(errno, "cannot raise the limit of open files: %m");
        }
}

static int open_isolation(Manager *manager, const ManagerOptions *options) {
        g_autofree char *instance = instance_word(options->paths);
        const Settings *settings = options->settings;
        IsolationOptions isolation = {
                .wanted = (IsolationKind) isolation_kind_from_string(settings->isolation),
                .system = options->system,
                .use_systemd = options->use_systemd,
                .cgroup_root = settings->cgroup_root[0] ? settings->cgroup_root : NULL,
                .instance = instance,
                .unit = options->unit,
        };

        int r = isolation_new(manager->event, &isolation, &manager->isolation);
        if (r < 0) {
                return log_error_errno(r, "no isolation backend '%s' here: %m", settings->isolation);
        }
        log_info("isolation: %s", isolation_name(manager->isolation));
        return 0;
}

/* Supervisors that died while they started: each later one waits longer, for nobody else does
 * (RestartSec=0). May block: nothing is served yet, and a signal that ends us ends it. */
static void wait_before_start(uint32_t unfinished) {
        uint64_t usec = start_backoff_usec(unfinished);
        struct timespec delay = { .tv_sec = (time_t) (usec / USEC_PER_SEC),
                                  .tv_nsec = (long) (usec % USEC_PER_SEC * NSEC_PER_USEC) };
        sigset_t ends;

        if (usec == 0) {
                return;
        }
        log_warning("%" PRIu32 " starts before this one did not get to their end: waiting %" PRIu64 " ms",
                    unfinished,
                    usec / USEC_PER_MSEC);
        /* no fault point: a request for patience */
        (void) sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, usec + 15 * USEC_PER_SEC);
        (void) sigemptyset(&ends);
        (void) sigaddset(&ends, SIGTERM);
        (void) sigaddset(&ends, SIGINT);
        int number = sigtimedwait(&ends, NULL, &delay);
        if (number > 0) {
                (void) kill(getpid(), number); /* for the loop; no fault point: it dies with us */
        }
}

int manager_new(sd_event *event, const ManagerOptions *options, Manager **ret) {
        Manager *manager = g_new0(Manager, 1);
        g_autoptr(Environment) all = environment_new((const char *const *) environ);

        manager->event = sd_event_ref(event);
        manager->settings = options->settings;
        manager->paths = options->paths;
        manager->command = options->command;
        manager->system = options->system;
        manager->registry = registry_new((uint32_t) options->settings->processes_max);
        manager->own_env = app_environment_clean(all);
        manager->users = g_hash_table_new_full(NULL, NULL, NULL, free_user);
        manager->kill_operations = g_ptr_array_new();
        manager->observers = g_ptr_array_new();
        manager->cluster_workers = g_ptr_array_new();
        manager->listeners = g_ptr_array_new_with_free_func(listeners_free_one);
        saved_lists_init(manager);
        log_files_init(manager);
        log_flushes_init(manager);
        log_follows_init(manager);
        log_pumps_init(manager);
        /* Names of scopes must not meet those that an earlier supervisor left. */
        manager->generation = now_realtime_usec() / USEC_PER_MSEC;
        raise_fd_limit(manager);
        int r = notify_prepare(manager);
        if (r >= 0) {
                r = face_fds_open(manager);
        }
        if (r >= 0) {
                r = manager_state_open(manager);
        }
        if (r >= 0) {
                wait_before_start(manager_state_count_start(manager));
                r = open_isolation(manager, options);
        }
        if (r >= 0) {
                manager_state_restore(manager);
                instances_settle(manager);
                notify_sweep(manager);
        }
        if (r < 0) {
                manager_free(manager);
                return r;
        }
        *ret = manager;
        return 0;
}

void manager_free(Manager *manager) {
        if (!manager) {
                return;
        }
        saved_lists_free(manager);
        log_follows_free(manager);
        log_files_free(manager);
        log_flushes_free(manager);
        for (size_t i = 0; manager->registry && i < registry_count(manager->registry); i++) {
                ProcessHandle *handle = registry_at(manager->registry, i)->handle;
                reload_free_twin(handle);
                process_handle_free(handle);
        }
        awaiting_free(manager);
        stop_order_free(manager);
        log_pumps_free(manager);
        cron_restart_free(manager);
        memory_restart_free(manager);
        crash_core_free(manager);
        watch_restart_free(manager);
        main_process_free_former(manager);
        notify_end();
        registry_free(manager->registry);
        isolation_free(manager->isolation);
        manager_reexec_free(manager);
        manager_system_free(manager);
        handover_free(manager->handover);
        listeners_free(manager);
        if (manager->state) {
                manager_state_free(manager->state, manager->detached || !manager->shutting_down);
        }
        face_fds_free(manager);
        environment_unref(manager->own_env);
        g_hash_table_unref(manager->users);
        g_ptr_array_unref(manager->kill_operations);
        g_ptr_array_unref(manager->observers);
        g_ptr_array_unref(manager->cluster_workers);
        (void) sd_event_source_disable_unref(manager->exit_source);
        (void) sd_event_source_disable_unref(manager->trim_source);
        (void) sd_event_source_disable_unref(manager->instances_source);
        (void) sd_event_unref(manager->event);
        g_free(manager);
}

void manager_started(Manager *manager) {
        manager_state_started(manager);
}

const Registry *manager_registry(const Manager *manager) {
        return manager->registry;
}

const Settings *manager_settings(const Manager *manager) {
        return manager->settings;
}

bool manager_is_system(const Manager *manager) {
        return manager->system;
}

bool manager_is_shutting_down(const Manager *manager) {
        return manager->shutting_down;
}

const char *manager_isolation_name(const Manager *manager) {
        return isolation_name(manager->isolation);
}

bool manager_isolation_is_complete(const Manager *manager) {
        return isolation_is_complete(manager->isolation);
}

char **manager_list_controllers(void) {
        return cgroup_list_controllers();
}

const UserInfo *manager_user(Manager *manager, uid_t uid) {
        UserInfo *user = g_hash_table_lookup(manager->users, GUINT_TO_POINTER(uid));

        if (!user) {
                user = user_info_new(uid);
                (void) g_hash_table_insert(manager->users, GUINT_TO_POINTER(uid), user);
        }
        return user;
}

void manager_become_user(const Manager *manager, const UserInfo *user) {
        if (manager->system) {
                user_info_impersonate(user);
        }
}

void manager_become_self(const Manager *manager) {
        if (manager->system) {
                user_info_restore();
        }
}

const char *manager_user_name(Manager *manager, uid_t uid) {
        return manager_user(manager, uid)->name;
}

Environment *manager_environment_of(Manager *manager, const Process *process) {
        return app_environment_make(manager, process);
}

/* Nobody hears of those of a reload that are not seen. */
static bool is_visible(const Process *process) {
        return !process->handle || process->handle->role == ROLE_VISIBLE;
}

void manager_notify_changes(Manager *manager, Process *process) {
        if (process->handle && process->changes & (CHANGE_CONFIG | CHANGE_FROZEN)) {
                health_checks_sync(process->handle);
        }
        unsigned changes = process_take_changes(process);

        if (changes && is_visible(process)) {
                cron_restart_sync(process);
                memory_restart_sync(process);
                watch_restart_sync(process);
                changes |= process_take_changes(process);
                observers_tell_changed(manager, process, changes);
        }
}

void manager_emit(Manager *manager, Process *process, ProcessEventKind kind, bool manually) {
        manager_notify_changes(manager, process);
        if (is_visible(process)) {
                observers_tell_event(manager, process, kind, manually);
        }
}

bool manager_any_handle(const Manager *manager, HandlePredicate predicate, const void *what) {
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const ProcessHandle *handle = registry_at(manager->registry, i)->handle;
                if (predicate(handle, what) || (handle->twin && predicate(handle->twin->handle, what))) {
                        return true;
                }
        }
        return false;
}

void manager_configure(
                Manager *manager,
                Process *process,
                AppConfig *config,
                Environment *caller_env,
                ProcessPlan *plan) {
        g_autofree char *name = g_strdup(process->config->name);

        process_configure(process, config, caller_env, plan);
        manager_tell_new_name(manager, process, name);
}

void manager_tell_new_name(Manager *manager, const Process *process, const char *before) {
        if (strcmp(before, process->config->name) != 0) {
                instances_touch(manager, process->owner, before);
                instances_touch(manager, process->owner, process->config->name);
                listeners_review(manager, process->owner, before);
                awaiting_touch_all(manager);
        }
        listeners_review(manager, process->owner, process->config->name);
}

int manager_make_id(char ret_id[static 33]) {
        sd_id128_t random;
        int r = sd_id128_randomize(&random);

        if (r >= 0) {
                (void) sd_id128_to_string(random, ret_id);
        }
        return r;
}

int manager_add_process(
                Manager *manager,
                uid_t owner,
                AppConfig *config,
                Environment *caller_env,
                ProcessPlan *plan,
                Process **ret,
                Error *error) {
        char unique_id[SD_ID128_STRING_MAX];
        Process *process;

        if (manager_make_id(unique_id) < 0) {
                return error_set(error, ERROR_SPAWN_FAILED, "no random numbers are to be had");
        }
        int r =
                        registry_add(manager->registry,
                                     config->name,
                                     unique_id,
                                     owner,
                                     now_realtime_usec(),
                                     &process,
                                     error);
        if (r < 0) {
                return r;
        }
        app_plan_set_id(plan, config, process->id);
        process_configure(process, config, caller_env, plan);
        instances_touch(manager, owner, config->name);
        process->handle = process_handle_new(manager, process);
        (void) process_take_changes(process);
        g_autofree char *kept = app_config_list_kept(config);
        if (kept) {
                log_notice("process %" PRIu32 " '%s': without effect here: %s",
                           process->id,
                           config->name,
                           kept);
        }
        observers_tell_added(manager, process);
        *ret = process;
        return 0;
}

static int on_trim(sd_event_source *source, void *userdata) {
        (void) malloc_trim(0);
        return 0;
}

/* What a thousand processes took goes back to the system, when all has been said that is to be said of them.
 */
static void trim_later(Manager *manager) {
        int r = manager->trim_source
                                ? 0
                                : sd_event_add_defer(manager->event, &manager->trim_source, on_trim, NULL);

        if (r >= 0) {
                (void) sd_event_source_set_priority(manager->trim_source, SD_EVENT_PRIORITY_IDLE);
                (void) sd_event_source_set_enabled(manager->trim_source, SD_EVENT_ONESHOT);
        }
}

void manager_remove_process_and_invalidate(Manager *manager, Process *process) {
        observers_tell_removed(manager, process);
        log_follow_forget(manager, process);
        awaiting_touch(process);
        Command *command;
        while ((command = g_queue_peek_head(&process->handle->commands))) {
                command_fail_gone(process->handle, command);
        }
        uid_t owner = process->owner;
        g_autofree char *name = g_strdup(process->config->name);
        manager_state_forget(process->handle);
        reload_free_twin(process->handle);
        cron_restart_forget(manager, process);
        memory_restart_forget(manager, process);
        watch_restart_forget(manager, process);
        process_handle_free(process->handle);
        registry_remove_and_free(manager->registry, process);
        instances_touch(manager, owner, name);
        listeners_review(manager, owner, name);
        if (registry_count(manager->registry) == 0) {
                trim_later(manager);
        }
}

int manager_find_id(Manager *manager, const Caller *caller, uint32_t id, Process **ret, Error *error) {
        Process *process = registry_get(manager->registry, id);

        if (!process || !caller_may_control(caller, process->owner)) {
                return error_set(error, ERROR_NO_SUCH_PROCESS, "no process has id %" PRIu32, id);
        }
        *ret = process;
        return 0;
}

static bool has_pid(const ProcessHandle *handle, pid_t pid) {
        const ProcessHandle *hidden = handle->twin ? handle->twin->handle : NULL;

        return (handle->group && isolation_group_has_pid(handle->group, pid)) ||
               (hidden && hidden->group && isolation_group_has_pid(hidden->group, pid));
}

int manager_find_pid(Manager *manager, const Caller *caller, pid_t pid, Process **ret, Error *error) {
        for (size_t pass = 0; pass < 2; pass++) {
                for (size_t i = 0; pid > 0 && i < registry_count(manager->registry); i++) {
                        Process *process = registry_at(manager->registry, i);
                        bool found = pass == 0 ? process->pid == pid : has_pid(process->handle, pid);
                        if (found && caller_may_control(caller, process->owner)) {
                                *ret = process;
                                return 0;
                        }
                }
        }
        return error_set(error, ERROR_NO_SUCH_PROCESS, "no process has pid %d", pid);
}
