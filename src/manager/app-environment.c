/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a process finds in its environment and on its command line. */

#include "basic/fault-point.h"
#include "basic/time-util.h"
#include "core/command-line.h"
#include "core/inspect-port.h"
#include "manager/manager-internal.h"
#include "manager/preload.h"

#include <inttypes.h>
#include <string.h>

/* Of the service manager (systemd.exec(5)), of Node's IPC, and of a supervisor that the caller runs under.
 */
static const char *const private_variables[] = {
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "MAINPID",
        "SYSTEMD_EXEC_PID",
        "MANAGERPID",
        "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE",
        "FDSTORE",
        "CREDENTIALS_DIRECTORY",
        "NODE_CHANNEL_FD",
        "NODE_CHANNEL_SERIALIZATION_MODE",
        "NODE_UNIQUE_ID",
        ISOLATION_MARKER,
        SOFT_LIMIT_VARIABLE,
        FAULT_FILE_VARIABLE,
        PRELOAD_VARIABLE,
        DRAIN_VARIABLE,
        "pm_id",
        "name",
        "namespace",
        "pm_exec_path",
        "pm_cwd",
        "pm_out_log_path",
        "pm_log_path",
        "pm_err_log_path",
        "pm_pid_path",
        "exec_interpreter",
        "exec_mode",
        "instances",
        "NODE_APP_INSTANCE",
        "unique_id",
        "restart_time",
        "pm_uptime",
        "created_at",
        "status",
        "unstable_restarts",
        "pm2_env",
        "PM2_USAGE",
        "PM2_JSON_PROCESSING",
};

static bool is_private(const char *assignment) {
        size_t length = strcspn(assignment, "=");

        for (size_t i = 0; i < ELEMENTS(private_variables); i++) {
                if (strlen(private_variables[i]) == length &&
                    memcmp(private_variables[i], assignment, length) == 0) {
                        return true;
                }
        }
        return false;
}

Environment *app_environment_clean(const Environment *environment) {
        g_autoptr(GPtrArray) kept = g_ptr_array_new();

        for (size_t i = 0; i < environment_count(environment); i++) {
                const char *assignment = environment_at(environment, i);
                if (!is_private(assignment)) {
                        g_ptr_array_add(kept, (void *) assignment);
                }
        }
        g_ptr_array_add(kept, NULL);
        return environment_new((const char *const *) kept->pdata);
}

static void add(GPtrArray *assignments, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* No PAM session stands behind a process of the system instance: what a login would set, from passwd. The
 * runtime folder and bus only if the user has a session or lingers. */
static Environment *environment_of_user(const UserInfo *user) {
        g_autoptr(GPtrArray) login = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *runtime_dir = g_strdup_printf("/run/user/%u", user->uid);

        add(login,
            "PATH=%s",
            user->uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                           : "/usr/local/bin:/usr/bin:/bin");
        add(login, "HOME=%s", user->home);
        add(login, "USER=%s", user->name);
        add(login, "LOGNAME=%s", user->name);
        add(login, "SHELL=%s", user->shell);
        if (g_file_test(runtime_dir, G_FILE_TEST_IS_DIR)) {
                add(login, "XDG_RUNTIME_DIR=%s", runtime_dir);
                add(login, "DBUS_SESSION_BUS_ADDRESS=unix:path=%s/bus", runtime_dir);
        }
        g_ptr_array_add(login, NULL);
        return environment_new((const char *const *) login->pdata);
}

Environment *app_environment_base(Manager *manager, uid_t owner, const Environment *caller_env) {
        g_autoptr(Environment) cleaned = caller_env ? app_environment_clean(caller_env) : NULL;

        if (!manager->system) {
                return cleaned ? g_steal_pointer(&cleaned) : environment_ref(manager->own_env);
        }
        g_autoptr(Environment) login = environment_of_user(manager_user(manager, owner));
        return environment_merge(login, cleaned);
}

static void add(GPtrArray *assignments, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_ptr_array_add(assignments, g_strdup_vprintf(format, arguments));
        va_end(arguments);
}

static bool is_python(const Process *process) {
        const char *base = strrchr(process->interpreter, '/');

        return g_str_has_prefix(base ? base + 1 : process->interpreter, "python");
}

/* What PM2 tells a process about itself (PM2 7.0.4, fork mode), and our marker. */
static Environment *facts_of(Manager *manager, const Process *process) {
        g_autoptr(GPtrArray) facts = g_ptr_array_new_with_free_func(g_free);
        const UserInfo *user = manager_user(manager, process->owner);

        add(facts, "%s=%s", ISOLATION_MARKER, process->launch_id);
        add(facts, "pm_id=%" PRIu32, process->id);
        add(facts, "name=%s", process->config->name);
        add(facts, "namespace=%s", process->config->namespace);
        add(facts, "%s=%" PRIu32, process->config->instance_var, process->instance);
        add(facts, "instances=%" PRIu32, process->instances);
        add(facts, "exec_mode=%s", app_config_exec_mode(process->config));
        add(facts, "exec_interpreter=%s", process->interpreter);
        add(facts, "pm_exec_path=%s", process->exec_path);
        add(facts, "pm_cwd=%s", process->cwd);
        add(facts, "pm_out_log_path=%s", process->out_log_path);
        add(facts, "pm_err_log_path=%s", process->error_log_path);
        if (process->log_path[0]) {
                add(facts, "pm_log_path=%s", process->log_path);
        }
        add(facts, "pm_pid_path=%s", process->pid_path);
        add(facts, "unique_id=%s", process->unique_id);
        add(facts, "status=launching");
        add(facts, "restart_time=%" PRIu32, process->restart_count);
        add(facts, "unstable_restarts=%" PRIu32, process->unstable_restarts);
        add(facts, "pm_uptime=%" PRIu64, now_realtime_usec() / USEC_PER_MSEC);
        add(facts, "created_at=%" PRIu64, process->created_realtime_usec / USEC_PER_MSEC);
        if (!environment_get(process->caller_env, "PM2_HOME")) {
                add(facts, "PM2_HOME=%s/.pm2", user->home);
        }
        if (environment_count(process->config->credentials) > 0) {
                g_autofree char *folder = credentials_folder(manager, process);
                add(facts, "CREDENTIALS_DIRECTORY=%s", folder);
        }
        if (is_python(process)) {
                add(facts, "PYTHONUNBUFFERED=1");
        }
        g_ptr_array_add(facts, NULL);
        return environment_new((const char *const *) facts->pdata);
}

Environment *app_environment_declared(const AppConfig *config) {
        g_autofree char *assignment = g_strdup_printf("PORT=%" PRIu64, config->port);
        const char *const assignments[] = { config->port > 0 ? assignment : NULL, NULL };
        g_autoptr(Environment) port = environment_new(assignments);

        return environment_merge(config->env, port);
}

Environment *app_environment_make(Manager *manager, const Process *process) {
        const AppConfig *config = process->config;
        g_autoptr(Environment) facts = facts_of(manager, process);
        g_autoptr(Environment) passed = environment_filter(process->caller_env, &config->filter_env);
        g_autoptr(Environment) with_facts = environment_merge(passed, facts);
        g_autoptr(Environment) declared = app_environment_declared(config);

        return environment_merge(with_facts, declared);
}

Environment *manager_environment_sent(const Process *process) {
        g_autoptr(Environment) passed =
                        environment_filter(process->caller_env, &process->config->filter_env);
        g_autoptr(Environment) declared = app_environment_declared(process->config);

        return environment_merge(passed, declared);
}

/* Each worker of a cluster has a port of its own for its debugger. */
static void add_node_args(GPtrArray *words, const Process *process) {
        uint32_t instance = process->config->exec_mode == EXEC_MODE_CLUSTER ? process->instance : 0;

        for (char *const *word = process->config->node_args; *word; word++) {
                g_ptr_array_add(words, inspect_argument_of(*word, instance));
        }
}

static void add_all(GPtrArray *words, char *const *more) {
        for (; *more; more++) {
                g_ptr_array_add(words, g_strdup(*more));
        }
}

char **app_argv_make(const Process *process, char *const *preloads, size_t n_preloads) {
        GPtrArray *words = g_ptr_array_new();

        if (strcmp(process->interpreter, "none") != 0) {
                g_ptr_array_add(words, g_strdup(process->interpreter));
                add_node_args(words, process);
        }
        for (size_t i = 0; i < n_preloads; i++) {
                if (preloads[i]) {
                        g_ptr_array_add(words, g_strdup("--require"));
                        g_ptr_array_add(words, g_strdup(preloads[i]));
                }
        }
        g_ptr_array_add(words, g_strdup(process->exec_path));
        if (process->shell_command) {
                g_ptr_array_add(words, g_strdup("-c"));
                const AppConfig *config = process->config;
                char *replaced = config->listen[0] ? command_line_with_exec(config->script) : NULL;
                g_ptr_array_add(words, replaced ? replaced : g_strdup(config->script));
                if (process->config->args[0]) {
                        g_ptr_array_add(words, g_strdup(process->config->name)); /* $0; args are $1... */
                }
        }
        add_all(words, process->config->args);
        g_ptr_array_add(words, NULL);
        return (char **) g_ptr_array_free(words, FALSE);
}
