/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/preload.h"

#include "basic/log.h"
#include "basic/macro.h"
#include "manager/messages.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

const char *const preload_variables[PRELOADS_MAX] = { PRELOAD_VARIABLE, DRAIN_VARIABLE };

static bool wants_metrics(const AppConfig *config) {
        return config->pmx == PMX_PRELOAD;
}

static bool wants_drain(const AppConfig *config) {
        return config->reload_drain == RELOAD_DRAIN_HTTP && app_config_is_replaceable(config);
}

static const struct {
        const char *file, *attribute;
        bool (*is_wanted)(const AppConfig *config);
} preloads[PRELOADS_MAX] = {
        { "preload.cjs", "pmx", wants_metrics },
        { "drain.cjs", "reload_drain", wants_drain },
};

static char *path_of_file(const char *name) {
        const char *folder = secure_getenv("PM2D_PRELOAD_FOLDER"); /* of a tree that is not installed */

        return g_build_filename(folder && folder[0] == '/' ? folder : PM2D_PRELOAD_FOLDER, name, NULL);
}

static bool is_run_by_node(const Process *process) {
        return process->is_node && !process->shell_command && strcmp(process->interpreter, "none") != 0 &&
               messages_are_spoken(process);
}

/* Node 20 would refuse to read it, and end. Newer ones may read what the command line names. */
static bool is_forbidden(const Process *process) {
        return g_strv_contains(
                        (const char *const *) process->config->node_args, "--experimental-permission");
}

static char *find(Process *process, const char *file, const char *attribute) {
        g_autofree char *path = path_of_file(file);
        const char *why = NULL;

        if (access(path, R_OK) < 0) {
                why = g_strerror(errno);
        } else if (is_forbidden(process)) {
                why = "node_args has --experimental-permission";
        }
        if (!why) {
                return g_steal_pointer(&path);
        }
        log_warning("process %" PRIu32 " '%s': it goes without what %s asks for: %s: %s",
                    process->id,
                    process->config->name,
                    attribute,
                    path,
                    why);
        process_take_trouble(process, g_strdup_printf("%s: %s: %s", attribute, path, why));
        return NULL;
}

void preload_find(Process *process, char *ret_paths[PRELOADS_MAX]) {
        for (size_t i = 0; i < ELEMENTS(preloads); i++) {
                bool wanted = preloads[i].is_wanted(process->config) && is_run_by_node(process);
                ret_paths[i] = wanted ? find(process, preloads[i].file, preloads[i].attribute) : NULL;
        }
}
