/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/preload.h"

#include "basic/log.h"
#include "manager/messages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path_of_file(void) {
        const char *path = secure_getenv("PM2D_PRELOAD_PATH"); /* of a tree that is not installed */

        return path && path[0] == '/' ? path : PM2D_PRELOAD_PATH;
}

static bool is_wanted(const Process *process) {
        bool by_node = process->is_node && !process->shell_command &&
                       strcmp(process->interpreter, "none") != 0;

        return process->config->pmx == PMX_PRELOAD && by_node && messages_are_spoken(process);
}

/* Node 20 would refuse to read it, and end. Newer ones may read what the command line names. */
static bool is_forbidden(const Process *process) {
        return g_strv_contains(
                        (const char *const *) process->config->node_args, "--experimental-permission");
}

const char *preload_find(Process *process) {
        const char *path = path_of_file(), *why = NULL;

        if (!is_wanted(process)) {
                return NULL;
        }
        if (access(path, R_OK) < 0) {
                why = g_strerror(errno);
        } else if (is_forbidden(process)) {
                why = "node_args has --experimental-permission";
        }
        if (!why) {
                return path;
        }
        log_warning("process %" PRIu32 " '%s': it goes without pmx=preload: %s: %s",
                    process->id,
                    process->config->name,
                    path,
                    why);
        process_take_trouble(process, g_strdup_printf("pmx: %s: %s", path, why));
        return NULL;
}
