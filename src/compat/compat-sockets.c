/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/compat-sockets.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "platform/listen-socket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Both come under one name, as a socket unit gives it: the path tells which is which. */
static bool is_pub(const char *path) {
        const char *base = strrchr(path, '/');
        return strstr(base ? base : path, "pub") != NULL;
}

static void remove_socket(const char *path) {
        (void) CHANGE("compat-socket-unlink", unlink(path));
}

/* Where those of the socket unit and our own come together, in two homes, the unit's are the ones. A client
 * of the other home must not wait for ever at a socket that nobody serves. */
static void throw_away(int fd, const char *path, bool kept, const CompatSockets *used) {
        bool same = path && (g_strcmp0(path, used->rpc_path) == 0 || g_strcmp0(path, used->pub_path) == 0);

        log_warning("%s: this socket was passed and is one too many", path ? path : "?");
        if (kept && path && !same) {
                remove_socket(path);
        }
        (void) close_fd(fd);
}

void compat_sockets_take(Manager *manager, CompatSockets *ret) {
        bool kept, stray = false;
        int fd;

        *ret = (CompatSockets){ .rpc_fd = -EBADF, .pub_fd = -EBADF };
        while ((fd = manager_take_face_fd(manager, &kept)) >= 0) {
                _cleanup_free_ char *path = listen_socket_get_path(fd);
                int *place = path && is_pub(path) ? &ret->pub_fd : &ret->rpc_fd;
                if (!path || *place >= 0 || (kept && !ret->ours && (ret->rpc_fd >= 0 || ret->pub_fd >= 0))) {
                        throw_away(fd, path, kept, ret);
                        stray = stray || kept;
                        continue;
                }
                *place = fd;
                *(is_pub(path) ? &ret->pub_path : &ret->rpc_path) = g_strdup(path);
                ret->ours = kept;
        }
        if (stray || (ret->ours && (ret->rpc_fd < 0 || ret->pub_fd < 0))) {
                manager_forget_face_fds(manager);
        }
        if (ret->rpc_fd >= 0 && ret->pub_fd >= 0) {
                (void) manager_keep_face_fd(manager, ret->rpc_fd, ret->ours);
                (void) manager_keep_face_fd(manager, ret->pub_fd, ret->ours);
        } else if (ret->rpc_fd >= 0 || ret->pub_fd >= 0) {
                log_warning("of PM2's two sockets one was passed alone");
                compat_sockets_close(manager, ret, false);
        }
}

/* Both, before anything is touched: what listening would replace is a socket that nobody serves. */
static int check_one(const char *path, Error *error) {
        struct stat status;

        if (strlen(path) >= sizeof(((struct sockaddr_un *) NULL)->sun_path)) {
                return error_set(
                                error,
                                ERROR_INVALID_ARGS,
                                "home: %s is too long for the address of a socket",
                                path);
        }
        if (lstat(path, &status) >= 0 && !S_ISSOCK(status.st_mode)) {
                return error_set(
                                error,
                                ERROR_ALREADY_EXISTS,
                                "%s: there is something that is no socket",
                                path);
        }
        if (listen_socket_is_alive(path)) {
                return error_set(
                                error,
                                ERROR_ALREADY_RUNNING,
                                "%s: somebody accepts connections there, PM2's own daemon perhaps; end it "
                                "first: pm2 kill",
                                path);
        }
        return 0;
}

static int open_one(const char *path, int *ret, Error *error) {
        int fd = listen_socket_open(path, 0600);
        if (fd < 0) {
                return error_set(error, ERROR_INVALID_CONFIG, "%s: %s", path, g_strerror(-fd));
        }
        *ret = fd;
        return 0;
}

int compat_sockets_bind(Manager *manager, const Pm2Home *home, CompatSockets *ret, Error *error) {
        CompatSockets sockets = { .rpc_fd = -EBADF, .pub_fd = -EBADF, .ours = true };

        int r = check_one(home->rpc_path, error);
        if (r >= 0) {
                r = check_one(home->pub_path, error);
        }
        if (r < 0) {
                return r;
        }
        r = CHANGE("compat-home-mkdir", make_directories(home->folder, 0700));
        if (r < 0) {
                return error_set(error, ERROR_INVALID_CONFIG, "%s: %s", home->folder, g_strerror(-r));
        }
        /* The one that clients look at comes last: who connects finds both. */
        r = open_one(home->pub_path, &sockets.pub_fd, error);
        if (r >= 0) {
                sockets.pub_path = g_strdup(home->pub_path);
                r = open_one(home->rpc_path, &sockets.rpc_fd, error);
        }
        if (r < 0) {
                compat_sockets_close(manager, &sockets, false);
                return r;
        }
        sockets.rpc_path = g_strdup(home->rpc_path);
        (void) manager_keep_face_fd(manager, sockets.pub_fd, true);
        (void) manager_keep_face_fd(manager, sockets.rpc_fd, true);
        *ret = sockets;
        return 0;
}

static void close_one(const CompatSockets *sockets, bool leaving, int *fd, char **path) {
        if (*fd >= 0 && sockets->ours && !leaving && *path) {
                remove_socket(*path);
        }
        *fd = close_fd(*fd);
        g_clear_pointer(path, g_free);
}

void compat_sockets_close(Manager *manager, CompatSockets *sockets, bool leaving) {
        if (!leaving) {
                manager_drop_face_fds(manager);
        }
        close_one(sockets, leaving, &sockets->rpc_fd, &sockets->rpc_path);
        close_one(sockets, leaving, &sockets->pub_fd, &sockets->pub_path);
}
