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
#include <unistd.h>

struct CompatFace {
        sd_event *event;
        Manager *manager;
        Compat *compat; /* NULL: there are no sockets */
        CompatSockets sockets;
        char *pid_path; /* NULL: none is ours */
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

int compat_face_new(
                sd_event *event,
                Manager *manager,
                const char *home,
                void (*on_kill)(void *userdata),
                void *userdata,
                CompatFace **ret) {
        CompatFace *face = g_new0(CompatFace, 1);
        int r = 0;

        *face = (CompatFace){ .event = sd_event_ref(event), .manager = manager };
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
        *ret = face;
        return 0;
}

void compat_face_free(CompatFace *face, bool leaving) {
        if (!face) {
                return;
        }
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
