/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/compat-face.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "compat/compat-sockets.h"
#include "compat/compat.h"
#include "platform/listen-socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct CompatFace {
        sd_event *event;
        Manager *manager;
        Compat *compat; /* NULL: there are no sockets */
        CompatSockets sockets;
        CompatControl control;
        bool foreground; /* we stand in for the daemon of a home, and are there for that */
        char *pid_path;  /* NULL: none is ours */
};

static const char *get_variable(const char *name) {
        return getenv(name);
}

static int serve(CompatFace *face) {
        int r = compat_new(face->event, face->manager, &face->compat);
        if (r >= 0) {
                r = compat_listen(face->compat, face->sockets.rpc_fd, face->sockets.pub_fd);
        }
        if (r >= 0) {
                log_info("serving PM2's clients at %s", face->sockets.rpc_path);
        }
        return r;
}

/* As PM2 writes it: without a newline. */
static int write_pid(CompatFace *face, const char *path) {
        _cleanup_close_ int fd =
                        CHANGE("compat-pid-open",
                               open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));

        if (fd < 0) {
                return -errno;
        }
        if (CHANGE("compat-pid-write", dprintf(fd, "%d", getpid())) < 0) {
                return -errno;
        }
        face->pid_path = g_strdup(path);
        return 0;
}

static int bind_home(CompatFace *face, const char *folder) {
        g_auto(Pm2Home) home = { 0 };
        g_auto(Error) error = { 0 };

        int r = pm2_home_init(&home, folder, g_get_home_dir(), get_variable);
        if (r < 0) {
                log_error("the home of PM2 is no absolute path");
                return r;
        }
        if (face->sockets.rpc_fd < 0) {
                r = compat_sockets_bind(face->manager, &home, &face->sockets, &error);
        }
        if (r < 0) {
                log_error("%s", error.message);
                return error.code == ERROR_ALREADY_RUNNING ? -EADDRINUSE : r;
        }
        r = write_pid(face, home.pid_path);
        if (r < 0) {
                (void) log_error_errno(r, "%s: %m", home.pid_path);
        }
        return r;
}

/* As if it had never been switched on. */
static void stop_serving(CompatFace *face) {
        compat_free(face->compat);
        face->compat = NULL;
        compat_sockets_close(face->manager, &face->sockets, false);
}

static int check_home(const char *home, Error *error) {
        if (home[0] && home[0] != '/') {
                g_autofree char *quoted = error_quote(home);
                return error_set(error, ERROR_INVALID_ARGS, "home: %s: is not absolute", quoted);
        }
        return 0;
}

static int on_enable(void *userdata, const char *given, Error *error) {
        CompatFace *face = userdata;
        g_auto(Pm2Home) home = { 0 };

        int r = check_home(given, error);
        if (r < 0) {
                return r;
        }
        if (pm2_home_init(&home, given, g_get_home_dir(), get_variable) < 0) {
                return error_set(error, ERROR_INVALID_CONFIG, "the home of PM2 is no absolute path");
        }
        if (face->compat) {
                return strcmp(face->sockets.rpc_path, home.rpc_path) == 0
                                       ? 0
                                       : error_set(error,
                                                   ERROR_ALREADY_EXISTS,
                                                   "PM2's clients are served at %s: end that first",
                                                   face->sockets.rpc_path);
        }
        r = compat_sockets_bind(face->manager, &home, &face->sockets, error);
        if (r < 0) {
                return r;
        }
        r = serve(face);
        if (r < 0) {
                stop_serving(face);
                return error_set(error, ERROR_LIMIT_EXCEEDED, "%s: %s", home.rpc_path, g_strerror(-r));
        }
        return 0;
}

static int on_disable(void *userdata, Error *error) {
        CompatFace *face = userdata;

        if (face->foreground) {
                return error_set(
                                error,
                                ERROR_NOT_SUPPORTED,
                                "this pm2d was started to serve PM2's clients (--compat)");
        }
        if (face->compat) {
                log_info("PM2's clients are served no longer at %s", face->sockets.rpc_path);
                stop_serving(face);
        }
        return 0;
}

static const char *get_path(const void *userdata) {
        const CompatFace *face = userdata;

        return face->compat ? face->sockets.rpc_path : NULL;
}

int compat_face_new(
                sd_event *event,
                Manager *manager,
                const char *home,
                void (*on_kill)(void *userdata),
                void *userdata,
                CompatFace **ret) {
        CompatFace *face = g_new0(CompatFace, 1);
        int r = 0;

        *face = (CompatFace){ .event = sd_event_ref(event), .manager = manager, .foreground = home != NULL };
        compat_sockets_take(manager, &face->sockets);
        if (home) {
                r = bind_home(face, home);
        }
        if (r >= 0 && face->sockets.rpc_fd >= 0) {
                r = serve(face);
        }
        if (r >= 0 && home) {
                compat_on_kill(face->compat, on_kill, userdata);
        }
        if (r < 0) {
                compat_face_free(face, false);
                return r;
        }
        face->control = (CompatControl){
                .enable = on_enable,
                .disable = on_disable,
                .path = get_path,
                .userdata = face,
        };
        manager_set_compat_control(manager, &face->control);
        *ret = face;
        return 0;
}

void compat_face_free(CompatFace *face, bool leaving) {
        if (!face) {
                return;
        }
        manager_set_compat_control(face->manager, NULL);
        compat_free(face->compat);
        compat_sockets_close(face->manager, &face->sockets, leaving);
        if (face->pid_path && !leaving) {
                (void) CHANGE("compat-pid-unlink", unlink(face->pid_path));
        }
        g_free(face->pid_path);
        (void) sd_event_unref(face->event);
        g_free(face);
}

int compat_check_home(const char *folder) {
        g_auto(Pm2Home) home = { 0 };

        int r = pm2_home_init(&home, folder, g_get_home_dir(), get_variable);
        if (r < 0) {
                (void) fputs("pm2d: the home of PM2 is no absolute path\n", stderr);
                return r;
        }
        if (listen_socket_is_alive(home.rpc_path)) {
                (void) fprintf(stderr,
                               "pm2d: %s: a daemon is at work there, PM2's own perhaps; end it first: pm2 "
                               "kill\n",
                               home.rpc_path);
                return -EADDRINUSE;
        }
        return 0;
}
