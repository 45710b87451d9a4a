/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/instance-paths.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static char *join(const char *folder, const char *name) {
        char *path = NULL;
        return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* The XDG base directory specification: a relative value is as good as none. */
static const char *absolute_env(const char *name) {
        const char *value = getenv(name);
        return value && value[0] == '/' ? value : NULL;
}

static int home_directory(char **ret) {
        const char *home = absolute_env("HOME");
        if (!home) {
                const struct passwd *entry = getpwuid(geteuid());
                home = entry && entry->pw_dir && entry->pw_dir[0] == '/' ? entry->pw_dir : NULL;
        }
        if (!home) {
                return -ENOENT;
        }
        *ret = strdup(home);
        return *ret ? 0 : -ENOMEM;
}

static char *base_directory(const char *variable, const char *home, const char *below_home) {
        const char *base = absolute_env(variable);
        if (base) {
                return join(base, "pm2");
        }
        _cleanup_free_ char *fallback = join(home, below_home);
        return fallback ? join(fallback, "pm2") : NULL;
}

static int check_complete(InstancePaths *paths) {
        bool complete = paths->state_dir && paths->runtime_dir && paths->config_dir && paths->socket_path &&
                        paths->lock_path && paths->log_dir && paths->pid_dir && paths->notify_dir;

        if (!complete) {
                instance_paths_done(paths);
        }
        return complete ? 0 : -ENOMEM;
}

int instance_paths_init_system(InstancePaths *paths) {
        *paths = (InstancePaths){
                .state_dir = strdup("/var/lib/pm2"),
                .runtime_dir = strdup("/run/pm2"),
                .config_dir = strdup("/etc/pm2"),
                .socket_path = strdup("/run/pm2/bus"),
                .lock_path = strdup("/var/lib/pm2/lock"),
                .log_dir = strdup("/var/log/pm2"),
                .pid_dir = strdup("/run/pm2/pids"),
                .notify_dir = strdup("/run/pm2/notify"),
        };
        return check_complete(paths);
}

int instance_paths_init(InstancePaths *paths) {
        _cleanup_free_ char *home = NULL;

        *paths = (InstancePaths){ 0 };
        int r = home_directory(&home);
        if (r < 0) {
                return r;
        }
        paths->state_dir = base_directory("XDG_STATE_HOME", home, ".local/state");
        paths->config_dir = base_directory("XDG_CONFIG_HOME", home, ".config");
        if (paths->state_dir) {
                const char *runtime = absolute_env("XDG_RUNTIME_DIR");
                paths->runtime_dir = runtime ? join(runtime, "pm2") : join(paths->state_dir, "run");
                paths->lock_path = join(paths->state_dir, "lock");
                paths->log_dir = join(paths->state_dir, "logs");
                paths->pid_dir = join(paths->state_dir, "pids");
        }
        if (paths->runtime_dir) {
                paths->socket_path = join(paths->runtime_dir, "bus");
                paths->notify_dir = join(paths->runtime_dir, "notify");
        }
        r = check_complete(paths);
        if (r < 0) {
                return r;
        }
        if (strlen(paths->socket_path) >= sizeof(((struct sockaddr_un *) NULL)->sun_path)) {
                instance_paths_done(paths);
                return -ENAMETOOLONG;
        }
        return 0;
}

void instance_paths_done(InstancePaths *paths) {
        free(paths->state_dir);
        free(paths->runtime_dir);
        free(paths->config_dir);
        free(paths->socket_path);
        free(paths->lock_path);
        free(paths->log_dir);
        free(paths->pid_dir);
        free(paths->notify_dir);
        *paths = (InstancePaths){ 0 };
}
