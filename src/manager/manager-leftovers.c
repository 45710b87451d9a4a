/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Groups where ours are made that the state does not speak of: another supervisor's, whose state is lost.
 * They are ended, or become apps made of what runs in them (setting adopt). */

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/manager-internal.h"
#include "manager/manager-state.h"
#include "manager/process-record.h"
#include "platform/cgroup-leftovers.h"
#include "platform/proc-image.h"
#include "platform/proc-stat.h"

#include <inttypes.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

static bool has_group(const ProcessHandle *handle, const void *what) {
        const Leftover *leftover = what;
        const IsolationGroup *group = handle->group;
        const char *path = group ? isolation_group_path(group) : "";

        /* A scope that is being made has no path yet. */
        return path[0] ? strcmp(path, leftover->path) == 0
                       : group && leftover->unit[0] &&
                                               strcmp(isolation_group_unit(group), leftover->unit) == 0;
}

static bool is_known(const Manager *manager, const Leftover *leftover) {
        return manager_any_handle(manager, has_group, leftover);
}

static void set_text(AppConfig *config, const char *name, const char *text) {
        g_auto(Error) error = { 0 };
        g_autoptr(Value) value = value_new_string(text);

        if (app_config_set_by_name(config, name, value, &error) < 0) {
                log_warning("%s", error.message);
        }
}

/* The program as it runs, under the name that it was told. */
static AppConfig *config_of(const ProcImage *image, const Environment *env) {
        AppConfig *config = app_config_new();
        const char *name = environment_get(env, "name"), *namespace = environment_get(env, "namespace");
        g_autofree char *base = g_path_get_basename(image->program);
        g_autoptr(Value) args = value_new_array();
        g_auto(Error) error = { 0 };

        set_text(config, "script", image->program);
        set_text(config, "interpreter", "none");
        set_text(config, "name", name && name[0] ? name : base);
        set_text(config, "cwd", image->cwd);
        if (namespace && namespace[0]) {
                set_text(config, "namespace", namespace);
        }
        for (size_t i = 1; image->argv[i]; i++) {
                value_append(args, value_new_string(image->argv[i]));
        }
        if (app_config_set_by_name(config, "args", args, &error) < 0) {
                log_warning("%s", error.message);
        }
        return config;
}

static void adopt_as(Manager *manager, Process *process, const Leftover *leftover, int pidfd) {
        ProcessRecord record = {
                .id = process->id,
                .owner = process->owner,
                .state = PROCESS_ONLINE,
                .pid = leftover->main_pid,
                .launched = true,
        };
        ProcessFacts facts = {
                .state = PROCESS_ONLINE,
                .pid = leftover->main_pid,
                .created_realtime_usec = process->created_realtime_usec,
                .start_realtime_usec = now_realtime_usec(),
                .start_boottime_usec = now_boottime_usec(),
        };

        process_restore(process, &facts);
        process_set_group(process, leftover->unit, leftover->path);
        process_take_reason(process, g_strdup("left by another supervisor, and adopted"));
        process->handle->launched = true;
        lifecycle_adopt(process->handle, &record, pidfd);
        manager_state_keep_pidfd(process->handle);
        manager_state_save(process->handle);
        manager_notify_changes(manager, process);
}

static int adopt(Manager *manager, const Leftover *leftover, Error *error) {
        _cleanup_close_ int pidfd = leftover->main_pid > 0 ? pidfd_open(leftover->main_pid, 0) : -EBADF;
        g_autofree char *path = NULL;
        g_auto(ProcessPlan) plan = { 0 };
        ProcImage image;
        Process *process;

        if (pidfd < 0 || proc_cgroup_path(leftover->main_pid, &path) < 0 ||
            strcmp(path, leftover->path) != 0 || proc_image_read(leftover->main_pid, &image) < 0) {
                return error_set(error, ERROR_NOT_ONLINE, "its main process cannot be looked at");
        }
        g_autoptr(Environment) all = environment_new((const char *const *) image.env);
        g_autoptr(Environment) env = app_environment_clean(all);
        g_autoptr(AppConfig) config = config_of(&image, all);
        uid_t owner = image.uid;
        proc_image_done(&image);
        int r = app_plan_make(manager, owner, config, env, &plan, error);
        if (r >= 0) {
                r = manager_add_process(manager, owner, config, env, &plan, &process, error);
        }
        if (r >= 0) {
                log_notice("adopted %s as process %" PRIu32 " (%s)",
                           leftover->path,
                           process->id,
                           config->name);
                adopt_as(manager, process, leftover, steal_fd(&pidfd));
        }
        return r;
}

/* Its folder goes when its last process has gone. */
static void end(Manager *manager, const Leftover *leftover) {
        IsolationGroupSpec spec = { .unique_id = "", .name = "", .uid = geteuid() };
        IsolationAdoption adoption = { .path = leftover->path,
                                       .unit = leftover->unit,
                                       .main_pidfd = -EBADF };
        IsolationGroup *group;

        int r = isolation_group_adopt(manager->isolation, &spec, &adoption, &group);
        if (r < 0) {
                (void) log_warning_errno(r, "%s cannot be ended: %m", leftover->path);
                return;
        }
        isolation_group_kill(group);
        isolation_group_release(group);
}

static void settle(Manager *manager, const Leftover *leftover) {
        g_auto(Error) error = { 0 };

        if (leftover->populated && strcmp(manager->settings->adopt, "all") == 0) {
                if (adopt(manager, leftover, &error) >= 0) {
                        return;
                }
                log_warning("%s is not adopted: %s", leftover->path, error.message);
        }
        if (leftover->populated) {
                log_notice("ending what another supervisor left in %s", leftover->path);
        }
        end(manager, leftover);
}

void manager_end_leftovers(Manager *manager, bool alone) {
        g_autoptr(GPtrArray) leftovers = g_ptr_array_new_with_free_func(leftover_free);

        if (alone) {
                credentials_remove_leftovers(manager);
                isolation_list_leftovers(manager->isolation, leftovers);
        }
        for (guint i = 0; i < leftovers->len; i++) {
                if (!is_known(manager, leftovers->pdata[i])) {
                        settle(manager, leftovers->pdata[i]);
                }
        }
}
