/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From what the user declares to what is to be executed: paths made absolute, the interpreter found, and all
 * of it looked at before anything old is touched. */

#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/utf8.h"
#include "config/package-version.h"
#include "core/command-line.h"
#include "core/file-names.h"
#include "core/interpreter.h"
#include "manager/app-interpreter.h"
#include "manager/cron-restart.h"
#include "manager/listeners.h"
#include "manager/log-job.h"
#include "platform/program-lookup.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct PlanContext {
        const AppConfig *config;
        const UserInfo *user;
        const Environment *caller_env;
        char *search_path; /* PATH of the app */
        ProcessPlan plan;
} PlanContext;

static void plan_context_done(PlanContext *context) {
        g_free(context->search_path);
        process_plan_done(&context->plan);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PlanContext, plan_context_done)

static int refuse(Error *error, const char *attribute, const char *value, int cause) {
        g_autofree char *quoted = error_quote(value);
        const char *text = cause == -EISDIR  ? "is a directory"
                           : cause == -ENXIO ? "is not a regular file"
                           : cause == -ELOOP ? "is a symbolic link"
                                             : g_strerror(-cause);

        return error_set(error, ERROR_INVALID_CONFIG, "%s: %s: %s", attribute, quoted, text);
}

static const char *app_variable(const PlanContext *context, const char *name) {
        const char *value = environment_get(context->config->env, name);
        return value ? value : environment_get(context->caller_env, name);
}

static int plan_cwd(PlanContext *context, Error *error) {
        const char *cwd = context->config->cwd;

        if (!cwd) {
                context->plan.cwd = g_strdup(context->user->home);
        } else if (cwd[0] == '/' || cwd[0] == '~') {
                context->plan.cwd = file_name_resolve(cwd, "/", context->user->home);
        } else {
                g_autofree char *quoted = error_quote(cwd);
                return error_set(error, ERROR_INVALID_CONFIG, "cwd: %s: is not absolute", quoted);
        }
        int r = program_check_folder(context->plan.cwd);
        return r < 0 ? refuse(error, "cwd", context->plan.cwd, r) : 0;
}

/* A script with a blank in it that is no file is a command for the shell. */
static int plan_shell_command(PlanContext *context, Error *error) {
        int r = program_find("bash", context->search_path, &context->plan.exec_path);
        if (r < 0) {
                r = program_find("sh", context->search_path, &context->plan.exec_path);
        }
        if (r < 0) {
                return refuse(error, "script", context->config->script, r);
        }
        context->plan.interpreter = g_strdup("none");
        context->plan.shell_command = true;
        g_auto(GStrv) words = command_line_split(context->config->script);
        context->plan.is_node = words && words[0] && interpreter_is_node(words[0]);
        return 0;
}

static bool is_file(const char *path) {
        ProgramFile file;
        return program_inspect(path, &file) != -ENOENT;
}

/* Where the script is: as given, in cwd, or in PATH. */
static int locate_script(PlanContext *context, Error *error) {
        const char *script = context->config->script;
        bool has_slash = strchr(script, '/') || script[0] == '~';

        if (has_slash && script[0] != '/' && script[0] != '~' && !context->config->cwd) {
                g_autofree char *quoted = error_quote(script);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "script: %s: is relative, and there is no cwd",
                                quoted);
        }
        if (has_slash || context->config->cwd) {
                context->plan.exec_path = file_name_resolve(script, context->plan.cwd, context->user->home);
                if (is_file(context->plan.exec_path)) {
                        return 0;
                }
        }
        if (strchr(script, ' ')) {
                g_clear_pointer(&context->plan.exec_path, g_free);
                return plan_shell_command(context, error);
        }
        if (!has_slash) {
                g_clear_pointer(&context->plan.exec_path, g_free);
                int r = program_find(script, context->search_path, &context->plan.exec_path);
                return r < 0 ? refuse(error, "script", script, r) : 0;
        }
        return refuse(error, "script", context->plan.exec_path, -ENOENT);
}

/* "none", or an interpreter: as declared, by extension, as the first line of a script says that may not be
 * executed, or node for what cannot run by itself. */
static char *choose_interpreter(
                const PlanContext *context, const ProgramFile *file, const char **ret_extension) {
        if (context->config->interpreter) {
                return g_strdup(context->config->interpreter);
        }
        const char *extension = file_name_extension(context->plan.exec_path);
        const char *by_extension = interpreter_for_extension(extension);
        if (by_extension) {
                *ret_extension = extension;
                return g_strdup(by_extension);
        }
        char *by_line = file->executable ? NULL : app_interpreter_of_script(context->plan.exec_path);
        if (by_line) {
                return by_line;
        }
        return g_strdup(file->executable || file->self_contained ? "none" : "node");
}

static int plan_script(PlanContext *context, Error *error) {
        const InterpreterPlaces places = {
                .search_path = context->search_path,
                .cwd = context->plan.cwd,
                .home = context->user->home,
                .nvm_dir = app_variable(context, "NVM_DIR"),
        };
        const char *extension = NULL;
        ProgramFile file;

        int r = locate_script(context, error);
        if (r < 0 || context->plan.shell_command) {
                context->plan.program = g_strdup(context->plan.exec_path);
                return r;
        }
        r = program_inspect(context->plan.exec_path, &file);
        if (r < 0) {
                return refuse(error, "script", context->plan.exec_path, r);
        }
        g_autofree char *interpreter = choose_interpreter(context, &file, &extension);
        if (strcmp(interpreter, "none") != 0) {
                r = app_interpreter_find(
                                &places,
                                interpreter,
                                extension,
                                &context->plan.interpreter,
                                &context->plan.program,
                                error);
                context->plan.is_node = r >= 0 && interpreter_is_node(context->plan.program);
                return r;
        }
        if (!file.executable) {
                return refuse(error, "script", context->plan.exec_path, -EACCES);
        }
        context->plan.interpreter = g_steal_pointer(&interpreter);
        context->plan.program = g_strdup(context->plan.exec_path);
        return app_interpreter_check_script(&places, context->plan.exec_path, &context->plan.is_node, error);
}

/* The file of a user, or the default in the folder of the instance. */
static int plan_file(
                const PlanContext *context,
                const char *attribute,
                const char *given,
                const char *default_folder,
                const char *default_suffix,
                char **ret,
                Error *error) {
        if (given && file_name_is_null(given)) {
                *ret = g_strdup("/dev/null");
                return 0;
        }
        if (given) {
                *ret = file_name_resolve(given, context->plan.cwd, context->user->home);
        } else {
                g_autofree char *part = file_name_of_app(context->config->name);
                *ret = g_strconcat(default_folder, "/", part, default_suffix, NULL);
        }
        if (strlen(*ret) >= PATH_MAX) {
                return refuse(error, attribute, *ret, -ENAMETOOLONG);
        }
        int r = program_check_log_file(*ret);
        return r < 0 ? refuse(error, attribute, *ret, r) : 0;
}

/* The log of both streams: "true" has the name that PM2 gives it. */
static int plan_combined_log(PlanContext *context, const char *logs, Error *error) {
        const AppConfig *config = context->config;
        const char *given = config->log_file;
        bool wanted = given && !config->disable_logs && config->log_target != LOG_TARGET_JOURNAL &&
                      !file_name_is_null(given);

        if (!wanted) {
                context->plan.log_path = g_strdup("");
                return 0;
        }
        return plan_file(
                        context,
                        "log_file",
                        strcmp(given, "true") == 0 ? NULL : given,
                        logs,
                        ".log",
                        &context->plan.log_path,
                        error);
}

static int plan_files(PlanContext *context, const char *logs, const char *pids, Error *error) {
        const AppConfig *config = context->config;

        int r =
                        plan_file(context,
                                  "out_file",
                                  config->disable_logs ? "NULL" : config->out_file,
                                  logs,
                                  "-out.log",
                                  &context->plan.out_log_path,
                                  error);
        if (r >= 0) {
                r = plan_file(context,
                              "error_file",
                              config->disable_logs ? "NULL" : config->error_file,
                              logs,
                              "-error.log",
                              &context->plan.error_log_path,
                              error);
        }
        if (r >= 0) {
                r = plan_combined_log(context, logs, error);
        }
        if (r >= 0) {
                r = plan_file(context,
                              "pid_file",
                              config->pid_file,
                              pids,
                              ".pid",
                              &context->plan.pid_path,
                              error);
        }
        return r;
}

/* All of it is shown on the bus: what comes from PATH or the user database is not known to be UTF-8. */
static int check_text(const ProcessPlan *plan, Error *error) {
        const char *texts[] = { plan->exec_path,      plan->program,  plan->cwd,     plan->out_log_path,
                                plan->error_log_path, plan->log_path, plan->pid_path };

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                if (!utf8_is_valid(texts[i], strlen(texts[i]))) {
                        g_autofree char *quoted = error_quote(texts[i]);
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "script: %s is not valid UTF-8",
                                        quoted);
                }
        }
        return 0;
}

bool app_plan_has_cluster(const ProcessPlan *plan) {
        return plan->is_node || interpreter_has_cluster(plan->program);
}

static int check_exec_mode(const PlanContext *context, Error *error) {
        const ProcessPlan *plan = &context->plan;

        if (context->config->exec_mode == EXEC_MODE_FORK || app_plan_has_cluster(plan)) {
                return 0;
        }
        g_autofree char *quoted = error_quote(plan->exec_path);
        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "exec_mode: cluster_mode is for what Node, Bun or Deno runs, and none of them runs "
                        "%s",
                        quoted);
}

/* Everything that looks at files the user named. */
static int plan_paths(PlanContext *context, const char *logs, const char *pids, Error *error) {
        int r = plan_cwd(context, error);
        if (r >= 0) {
                r = plan_script(context, error);
        }
        if (r >= 0) {
                r = check_exec_mode(context, error);
        }
        if (r >= 0) {
                r = plan_files(context, logs, pids, error);
        }
        if (r >= 0) {
                context->plan.version = package_version_find(context->plan.exec_path);
        }
        return r;
}

/* In the system instance each user has a folder of its own, made before anything runs as that user. */
static char *user_folder(const Manager *manager, const char *parent, const UserInfo *user) {
        if (!manager->system) {
                return g_strdup(parent);
        }
        char *folder = g_build_filename(parent, user->name, NULL);
        if (CHANGE("user-parent-mkdir", make_directories(parent, 0755)) < 0 ||
            (CHANGE("user-folder-mkdir", mkdir(folder, 0750)) < 0 && errno != EEXIST) ||
            CHANGE("user-folder-chown", lchown(folder, user->uid, user->gid)) < 0) {
                (void) log_warning_errno(errno, "%s: %m", folder);
        }
        return folder;
}

static int check_compressor(const AppConfig *config, Error *error) {
        g_autofree char *path = NULL;

        if (log_job_find_compressor((LogCompression) config->log_compress, &path) >= 0) {
                return 0;
        }
        return error_set(
                        error,
                        ERROR_NOT_SUPPORTED,
                        "log_compress: %s is not installed",
                        config->log_compress == LOG_COMPRESSION_GZIP ? "gzip" : "zstd");
}

int app_plan_make(
                Manager *manager,
                uid_t owner,
                const AppConfig *config,
                const Environment *caller_env,
                ProcessPlan *ret,
                Error *error) {
        const UserInfo *user = manager_user(manager, owner);
        g_autofree char *logs = user_folder(manager, manager->paths->log_dir, user);
        g_autofree char *pids = user_folder(manager, manager->paths->pid_dir, user);
        g_auto(PlanContext) context = { .config = config, .user = user, .caller_env = caller_env };

        context.search_path = g_strdup(app_variable(&context, "PATH"));
        int r = limits_check(manager, config, error);
        if (r >= 0) {
                r = listeners_check(config, error);
        }
        if (r >= 0) {
                r = cron_restart_check(config, error);
        }
        if (r >= 0) {
                r = check_compressor(config, error);
        }
        if (r < 0) {
                return r;
        }
        manager_become_user(manager, user);
        r = plan_paths(&context, logs, pids, error);
        manager_become_self(manager);
        if (r >= 0) {
                r = check_text(&context.plan, error);
        }
        if (r >= 0) {
                *ret = context.plan;
                context.plan = (ProcessPlan){ 0 };
        }
        return r;
}

static void put_id(char **path, const char *suffix, uint32_t id) {
        char *with_id = file_name_with_id(*path, suffix, id);
        g_free(*path);
        *path = with_id;
}

void app_plan_set_id(ProcessPlan *plan, const AppConfig *config, uint32_t id) {
        if (!app_config_merges_logs(config)) {
                put_id(&plan->out_log_path, ".log", id);
                put_id(&plan->error_log_path, ".log", id);
                put_id(&plan->log_path, ".log", id);
        }
        put_id(&plan->pid_path, ".pid", id);
}
