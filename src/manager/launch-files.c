/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/launch-files.h"

#include "basic/environment-file.h"
#include "core/file-names.h"

#include <inttypes.h>
#include <string.h>

static char *resolve(const ProcessHandle *handle, const char *path) {
        const UserInfo *owner = manager_user(handle->manager, handle->process->owner);
        return file_name_resolve(path, handle->process->cwd, owner->home);
}

static char *env_file_path(const ProcessHandle *handle, size_t i, bool *ret_optional) {
        const char *path = handle->process->config->env_file[i];

        *ret_optional = path[0] == '-';
        return resolve(handle, path + *ret_optional);
}

/* Where a credential is copied from, and its name. */
static char *credential_source(const ProcessHandle *handle, size_t i, char **ret_name) {
        const char *assignment = environment_at(handle->process->config->credentials, i);
        size_t length = strcspn(assignment, "=");

        *ret_name = g_strndup(assignment, length);
        return resolve(handle, assignment + length + 1);
}

static const char *keep(LaunchFiles *files, char *text) {
        g_ptr_array_add(files->texts, text);
        return text;
}

static void add_credentials(LaunchFiles *files, const ProcessHandle *handle, ExecPlan *plan) {
        const Environment *credentials = handle->process->config->credentials;

        plan->n_credentials = environment_count(credentials);
        plan->credentials = files->credentials;
        if (plan->n_credentials > 0) {
                plan->credentials_folder = keep(files, credentials_folder(handle->manager, handle->process));
        }
        for (size_t i = 0; i < plan->n_credentials; i++) {
                g_autofree char *name = NULL;
                files->credentials[i].source = keep(files, credential_source(handle, i, &name));
                files->credentials[i].target =
                                keep(files, g_build_filename(plan->credentials_folder, name, NULL));
        }
}

void launch_files_init(LaunchFiles *files, const ProcessHandle *handle, ExecPlan *plan) {
        files->texts = g_ptr_array_new_with_free_func(g_free);
        plan->n_env_files = g_strv_length(handle->process->config->env_file);
        plan->env_files = files->env_files;
        for (size_t i = 0; i < plan->n_env_files; i++) {
                files->env_files[i].path =
                                keep(files, env_file_path(handle, i, &files->env_files[i].optional));
        }
        add_credentials(files, handle, plan);
}

void launch_files_done(LaunchFiles *files) {
        g_clear_pointer(&files->texts, g_ptr_array_unref);
}

static void fail(ProcessHandle *handle, const char *attribute, const char *path, const ExecReport *report) {
        g_autofree char *quoted = error_quote(path);
        const char *text = report->line > 0 ? environment_file_error_to_text(report->error) : NULL;
        g_autofree char *line = text ? g_strdup_printf("line %" PRIu32 ": ", report->line) : g_strdup("");

        (void) error_set(
                        &handle->launch_error,
                        ERROR_SPAWN_FAILED,
                        "%s: %s: %s%s",
                        attribute,
                        quoted,
                        line,
                        text ? text : exec_error_to_text(report->error));
}

bool launch_files_take_failure(ProcessHandle *handle, const ExecReport *report) {
        const AppConfig *config = handle->process->config;
        size_t i = (size_t) report->item;
        g_autofree char *path = NULL, *name = NULL, *attribute = NULL;
        bool optional;

        if (report->stage == EXEC_STAGE_ENV_FILE && i < g_strv_length(config->env_file)) {
                path = env_file_path(handle, i, &optional);
                attribute = g_strdup("env_file");
        } else if (report->stage == EXEC_STAGE_CREDENTIALS && i < environment_count(config->credentials)) {
                path = credential_source(handle, i, &name);
                attribute = g_strconcat("credentials.", name, NULL);
        } else if (report->stage == EXEC_STAGE_CREDENTIALS_FOLDER) {
                path = credentials_folder(handle->manager, handle->process);
                attribute = g_strdup("credentials");
        } else {
                return false;
        }
        fail(handle, attribute, path, report);
        return true;
}
