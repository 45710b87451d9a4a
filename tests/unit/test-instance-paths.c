/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/instance-paths.h"

#include "fixture.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const variables[] = { "HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME" };

static void set_environment(const char *const values[G_N_ELEMENTS(variables)]) {
        for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
                if (values[i]) {
                        (void) setenv(variables[i], values[i], 1);
                } else {
                        (void) unsetenv(variables[i]);
                }
        }
}

static const struct {
        const char *environment[G_N_ELEMENTS(variables)]; /* in the order of variables */
        const char *state, *runtime, *config, *socket, *lock;
} cases[] = {
        /* the home alone */
        { { "/h", NULL, NULL, NULL },
          "/h/.local/state/pm2",
          "/h/.local/state/pm2/run",
          "/h/.config/pm2",
          "/h/.local/state/pm2/run/bus",
          "/h/.local/state/pm2/lock" },
        /* everything given */
        { { "/h", "/state", "/run/user/7", "/config" },
          "/state/pm2",
          "/run/user/7/pm2",
          "/config/pm2",
          "/run/user/7/pm2/bus",
          "/state/pm2/lock" },
        /* no runtime directory: below the state, not below /tmp */
        { { "/h", "/state", NULL, NULL },
          "/state/pm2",
          "/state/pm2/run",
          "/h/.config/pm2",
          "/state/pm2/run/bus",
          "/state/pm2/lock" },
        /* relative and empty values are none */
        { { "/h", "state", "run", "./config" },
          "/h/.local/state/pm2",
          "/h/.local/state/pm2/run",
          "/h/.config/pm2",
          "/h/.local/state/pm2/run/bus",
          "/h/.local/state/pm2/lock" },
        { { "/h", "", "", "" },
          "/h/.local/state/pm2",
          "/h/.local/state/pm2/run",
          "/h/.config/pm2",
          "/h/.local/state/pm2/run/bus",
          "/h/.local/state/pm2/lock" },
};

static void test_cases(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                InstancePaths paths;
                set_environment(cases[i].environment);
                g_assert_cmpint(instance_paths_init(&paths), ==, 0);
                g_assert_cmpstr(paths.state_dir, ==, cases[i].state);
                g_assert_cmpstr(paths.runtime_dir, ==, cases[i].runtime);
                g_assert_cmpstr(paths.config_dir, ==, cases[i].config);
                g_assert_cmpstr(paths.socket_path, ==, cases[i].socket);
                g_assert_cmpstr(paths.lock_path, ==, cases[i].lock);
                g_autofree char *logs = g_build_filename(cases[i].state, "logs", NULL);
                g_autofree char *pids = g_build_filename(cases[i].state, "pids", NULL);
                g_assert_cmpstr(paths.log_dir, ==, logs);
                g_assert_cmpstr(paths.pid_dir, ==, pids);
                g_autofree char *sockets = g_build_filename(cases[i].runtime, "notify", NULL);
                g_assert_cmpstr(paths.notify_dir, ==, sockets);
                instance_paths_done(&paths);
                g_assert_null(paths.state_dir);
                g_assert_null(paths.socket_path);
                instance_paths_done(&paths); /* twice does no harm */
        }
}

/* Without a usable $HOME the passwd entry says it. */
static void test_home_of_passwd(void) {
        static const char *const homes[] = { NULL, "", "relative" };
        const struct passwd *entry = getpwuid(geteuid());

        if (!entry || entry->pw_dir[0] != '/') {
                g_test_skip("the user has no home in the user database");
                return;
        }
        g_autofree char *expected = g_build_filename(entry->pw_dir, ".local/state/pm2", NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(homes); i++) {
                const char *const values[G_N_ELEMENTS(variables)] = { homes[i] };
                InstancePaths paths;
                set_environment(values);
                g_assert_cmpint(instance_paths_init(&paths), ==, 0);
                g_assert_cmpstr(paths.state_dir, ==, expected);
                instance_paths_done(&paths);
        }
}

/* A socket address holds 107 bytes and the NUL. */
static void test_socket_length(void) {
        g_autofree char *fits = g_strnfill(107 - strlen("/pm2/bus"), 'x');
        g_autofree char *too_long = g_strnfill(108 - strlen("/pm2/bus"), 'x');
        const char *values[G_N_ELEMENTS(variables)] = { "/h" };
        InstancePaths paths;

        fits[0] = too_long[0] = '/';
        values[2] = fits;
        set_environment(values);
        g_assert_cmpint(instance_paths_init(&paths), ==, 0);
        g_assert_cmpuint(strlen(paths.socket_path), ==, 107);
        instance_paths_done(&paths);

        values[2] = too_long;
        set_environment(values);
        g_assert_cmpint(instance_paths_init(&paths), ==, -ENAMETOOLONG);
        g_assert_null(paths.socket_path);
        g_assert_null(paths.state_dir);
}

/* The system instance asks no environment. */
static void test_system(void) {
        static const char *const values[G_N_ELEMENTS(variables)] = {
                "/h", "/state", "/run/user/7", "/config"
        };
        InstancePaths paths;

        set_environment(values);
        g_assert_cmpint(instance_paths_init_system(&paths), ==, 0);
        g_assert_cmpstr(paths.state_dir, ==, "/var/lib/pm2");
        g_assert_cmpstr(paths.runtime_dir, ==, "/run/pm2");
        g_assert_cmpstr(paths.config_dir, ==, "/etc/pm2");
        g_assert_cmpstr(paths.socket_path, ==, "/run/pm2/bus");
        g_assert_cmpstr(paths.lock_path, ==, "/var/lib/pm2/lock");
        g_assert_cmpstr(paths.log_dir, ==, "/var/log/pm2");
        g_assert_cmpstr(paths.notify_dir, ==, "/run/pm2/notify");
        instance_paths_done(&paths);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/instance-paths/cases", test_cases);
        g_test_add_func("/basic/instance-paths/home-of-passwd", test_home_of_passwd);
        g_test_add_func("/basic/instance-paths/socket-length", test_socket_length);
        g_test_add_func("/basic/instance-paths/system", test_system);
        return g_test_run();
}
