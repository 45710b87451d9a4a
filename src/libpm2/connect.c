/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Finding the supervisor: the private socket is three times faster than the bus and is there without one,
 * so it comes first; the bus second, since it can start the service; a private supervisor of our own last.
 * The system instance is never started by ourselves: that takes root and a unit. A supervisor counts only
 * if it belongs to root, or, of the user instance, to us. */

#include "client.h"

#include "basic/sd-cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PING_TIMEOUT_USEC     (UINT64_C(25) * 1000000)
#define ACTIVATE_TIMEOUT_USEC (UINT64_C(120) * 1000000)
#define SPAWN_TURN_MSEC       30000
#define SPAWN_LOST_MSEC       5000
#define ENDING_MSEC           30000
#define POLL_INTERVAL_MSEC    20

static const struct {
        const char *name, *path;
} driver = { "org.freedesktop.DBus", "/org/freedesktop/DBus" };

bool client_trusts(const pm2_client *client, uid_t server) {
        return server == 0 || (!(client->flags & PM2_CONNECT_SYSTEM) && server == geteuid());
}

static const char *wanted_server(const pm2_client *client) {
        return client->flags & PM2_CONNECT_SYSTEM ? "root" : "our user";
}

static void pause_msec(unsigned msec) {
        struct timespec delay = { .tv_sec = msec / 1000, .tv_nsec = (long) (msec % 1000) * 1000000 };
        (void) nanosleep(&delay, NULL);
}

static int open_socket(pm2_client *client, const char *path, int *ret) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct ucred peer;
        socklen_t length = sizeof(peer);

        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
                return client_fail(client, -errno, "cannot make a socket: %m");
        }
        strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) {
                        return -ENOTCONN;
                }
                return client_fail(client, -errno, "cannot connect to %s: %m", path);
        }
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
                return client_fail(client, -errno, "cannot tell who serves %s: %m", path);
        }
        if (!client_trusts(client, peer.uid)) {
                return client_fail(
                                client,
                                -EPERM,
                                "%s is served by user %u, not by %s",
                                path,
                                peer.uid,
                                wanted_server(client));
        }
        *ret = steal_fd(&fd);
        return 0;
}

static int start_peer(int fd, sd_bus **ret) {
        _cleanup_bus_ sd_bus *bus = NULL;

        int r = sd_bus_new(&bus);
        if (r >= 0) {
                r = sd_bus_set_fd(bus, fd, fd);
        }
        if (r < 0) {
                (void) close_fd(fd);
                return r;
        }
        r = sd_bus_negotiate_fds(bus, true);
        if (r >= 0) {
                r = sd_bus_start(bus);
        }
        if (r < 0) {
                return r;
        }
        *ret = bus;
        bus = NULL;
        return 0;
}

/* -ENOTCONN: nobody serves the socket. */
static int connect_socket(pm2_client *client, const char *path) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_bus_message_ sd_bus_message *ping = NULL;
        int fd = -EBADF;

        int r = open_socket(client, path, &fd);
        if (r < 0) {
                return r;
        }
        r = start_peer(fd, &bus);
        if (r >= 0) {
                r = sd_bus_message_new_method_call(
                                bus, &ping, NULL, MANAGER_PATH, "org.freedesktop.DBus.Peer", "Ping");
        }
        if (r >= 0) {
                r = sd_bus_call(bus, ping, PING_TIMEOUT_USEC, &error, NULL);
        }
        if (r < 0) {
                /* A supervisor that ends closes its connections: as if it were gone already. */
                return error_is_disconnect(r, error.name)
                                       ? -ENOTCONN
                                       : client_fail(client, r, "pm2d at %s does not answer: %m", path);
        }
        char *address = NULL;
        if (asprintf(&address, "unix:path=%s", path) < 0) {
                return -ENOMEM;
        }
        client->bus = bus;
        bus = NULL;
        client->address = address;
        client->peer = true;
        return 0;
}

static bool name_is_activatable(sd_bus *bus) {
        char **names = NULL;
        bool found = false;

        if (sd_bus_list_names(bus, NULL, &names) < 0) {
                return false;
        }
        for (char **name = names; names && *name; name++) {
                found = found || strcmp(*name, MANAGER_BUS_NAME) == 0;
                free(*name);
        }
        free(names);
        return found;
}

/* Whether the name's owner may be trusted. -ENXIO: it has no owner. */
static int check_owner(pm2_client *client, sd_bus *bus) {
        _cleanup_bus_creds_ sd_bus_creds *creds = NULL;
        uid_t uid;

        int r = sd_bus_get_name_creds(bus, MANAGER_BUS_NAME, SD_BUS_CREDS_EUID, &creds);
        if (r >= 0) {
                r = sd_bus_creds_get_euid(creds, &uid);
        }
        if (r == -ENXIO || r == -ESRCH) {
                return -ENXIO;
        }
        if (r < 0) {
                return client_fail(client, r, "cannot tell who owns %s on the bus: %m", MANAGER_BUS_NAME);
        }
        if (!client_trusts(client, uid)) {
                return client_fail(
                                client,
                                -EPERM,
                                "%s on the bus belongs to user %u, not to %s",
                                MANAGER_BUS_NAME,
                                uid,
                                wanted_server(client));
        }
        return 0;
}

/* A bus that knows the name but has no means to start the service is as good as none. */
static bool bus_cannot_start(const char *error_name) {
        static const char *const prefixes[] = {
                "org.freedesktop.DBus.Error.Spawn.",
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                "org.freedesktop.systemd1.NoSuchUnit",
        };
        for (size_t i = 0; error_name && i < ELEMENTS(prefixes); i++) {
                if (strncmp(error_name, prefixes[i], strlen(prefixes[i])) == 0) {
                        return true;
                }
        }
        return false;
}

static int activate(pm2_client *client, sd_bus *bus) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_bus_message_ sd_bus_message *call = NULL;

        int r = sd_bus_message_new_method_call(
                        bus, &call, driver.name, driver.path, driver.name, "StartServiceByName");
        if (r >= 0) {
                r = sd_bus_message_append(call, "su", MANAGER_BUS_NAME, UINT32_C(0));
        }
        if (r < 0) {
                return r;
        }
        r = sd_bus_call(bus, call, ACTIVATE_TIMEOUT_USEC, &error, NULL);
        if (r >= 0) {
                return 0;
        }
        if (bus_cannot_start(error.name)) {
                return -ENOTCONN;
        }
        return client_fail(client, r, "the bus cannot start pm2d: %s", error.message ? error.message : "?");
}

/* -ENOTCONN: no bus, or none that offers a supervisor. */
static int connect_bus(pm2_client *client, bool may_start) {
        _cleanup_bus_ sd_bus *bus = NULL;

        int r = client->flags & PM2_CONNECT_SYSTEM ? sd_bus_open_system(&bus) : sd_bus_open_user(&bus);
        if (r < 0) {
                return -ENOTCONN;
        }
        r = check_owner(client, bus);
        if (r == -ENXIO) {
                if (!may_start || !name_is_activatable(bus)) {
                        return -ENOTCONN;
                }
                r = activate(client, bus);
                if (r >= 0) {
                        r = check_owner(client, bus);
                }
        } else if (r < 0 && !sd_bus_is_ready(bus)) {
                return -ENOTCONN;
        }
        if (r < 0) {
                return r;
        }
        client->address = strdup("bus");
        if (!client->address) {
                return -ENOMEM;
        }
        client->bus = bus;
        bus = NULL;
        client->peer = false;
        return 0;
}

/* Of several clients that find no supervisor one starts it while the others wait here for their turn, and
 * find it then. Returns the lock, or -ENOTCONN on trouble with it, when starting is tried without. */
static int take_turn(pm2_client *client, const InstancePaths *paths, int *ret_lock) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/spawn.lock", paths->state_dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
                return client_fail(client, -errno, "cannot open %s: %m", path);
        }
        for (unsigned waited = 0; waited < SPAWN_TURN_MSEC; waited += POLL_INTERVAL_MSEC) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
                        break;
                }
                pause_msec(POLL_INTERVAL_MSEC);
        }
        *ret_lock = steal_fd(&fd);
        return 0;
}

static int connect_within(pm2_client *client, const InstancePaths *paths, unsigned limit_msec) {
        for (unsigned waited = 0;; waited += POLL_INTERVAL_MSEC) {
                int r = connect_socket(client, paths->socket_path);
                if (r != -ENOTCONN || waited >= limit_msec) {
                        return r;
                }
                pause_msec(POLL_INTERVAL_MSEC);
        }
}

/* One that will not be there for long is no supervisor to a client that would have its own instead: wait for
 * its end, and return -ENOTCONN. */
static int leave_ending(pm2_client *client) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        struct pollfd gone = { .fd = sd_bus_get_fd(client->bus), .events = POLLRDHUP };
        int ending = 0;

        int r = sd_bus_get_property_trivial(
                        client->bus,
                        NULL,
                        MANAGER_PATH,
                        MANAGER_INTERFACE,
                        "ShuttingDown",
                        &error,
                        'b',
                        &ending);
        if (r >= 0 && !ending) {
                return 0;
        }
        if (r < 0) {
                r = error_is_disconnect(r, error.name)
                                    ? -ENOTCONN
                                    : client_fail(client, r, "cannot tell whether pm2d is ending: %m");
        } else {
                while ((r = poll(&gone, 1, ENDING_MSEC)) < 0 && errno == EINTR) {
                }
                r = r == 0 ? client_fail(client,
                                         -ESHUTDOWN,
                                         "the pm2d that runs is ending, and takes too long")
                           : -ENOTCONN;
        }
        client_close_connection(client);
        return r;
}

/* Whether a supervisor is at work; asking lets one that starts at this moment try once more. */
static bool lock_is_held(const InstancePaths *paths) {
        _cleanup_close_ int fd =
                        open(paths->lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);

        return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* One that is there but does not listen is about to, as after Reexecute, or about to be gone: another would
 * wait for its lock all the same. */
static int connect_listening_soon(pm2_client *client, const InstancePaths *paths) {
        for (unsigned waited = 0;; waited += POLL_INTERVAL_MSEC) {
                bool held = lock_is_held(paths);
                int r = connect_socket(client, paths->socket_path);
                if (r != -ENOTCONN || !held || waited >= SPAWN_LOST_MSEC) {
                        return r;
                }
                pause_msec(POLL_INTERVAL_MSEC);
        }
}

static int connect_spawned(pm2_client *client, const InstancePaths *paths) {
        _cleanup_close_ int lock = -EBADF;

        int r = make_directories(paths->state_dir, 0700);
        if (r < 0) {
                return client_fail(client, r, "cannot make the folder %s: %m", paths->state_dir);
        }
        r = take_turn(client, paths, &lock);
        if (r < 0) {
                return r;
        }
        r = connect_listening_soon(client, paths);
        if (r != -ENOTCONN) {
                return r;
        }
        r = client_spawn(client, paths);
        if (r == -EALREADY) {
                /* One that was started by other means came first: it is about to listen. */
                int connected = connect_within(client, paths, SPAWN_LOST_MSEC);
                return connected == -ENOTCONN ? r : connected;
        }
        if (r < 0) {
                return r;
        }
        r = connect_socket(client, paths->socket_path);
        if (r < 0) {
                client->lifeline_fd = close_fd(client->lifeline_fd);
        }
        return r == -ENOTCONN ? client_fail(client,
                                            -ECONNREFUSED,
                                            "pm2d is started, but nobody serves %s",
                                            paths->socket_path)
                              : r;
}

static int connect_paths(pm2_client *client, const InstancePaths *paths, bool may_start) {
        bool own = client->flags & PM2_CONNECT_NO_DAEMON;

        int r = connect_socket(client, paths->socket_path);
        if (r >= 0 && own && may_start) {
                r = leave_ending(client);
        }
        if (r != -ENOTCONN) {
                return r;
        }
        r = connect_bus(client, may_start && !own);
        if (r != -ENOTCONN) {
                return r;
        }
        if (client->flags & PM2_CONNECT_SYSTEM) {
                return client_fail(
                                client,
                                -ENOTCONN,
                                may_start ? "no pm2d is running for the system, and none can be started "
                                            "over the "
                                            "system bus"
                                          : "no pm2d is running for the system");
        }
        return may_start ? connect_spawned(client, paths)
                         : client_fail(client, -ENOTCONN, "no pm2d is running");
}

bool client_drain(pm2_client *client) {
        int r = 1;

        while (client->bus && r > 0) {
                r = sd_bus_process(client->bus, NULL);
        }
        return client->bus && r >= 0 && sd_bus_is_open(client->bus) > 0;
}

PM2_EXPORT int pm2_connect(pm2_client *client, uint64_t flags) {
        InstancePaths paths;

        client_clear_error(client);
        if (flags & ~(uint64_t) (PM2_CONNECT_NO_SPAWN | PM2_CONNECT_SYSTEM | PM2_CONNECT_NO_DAEMON)) {
                return client_fail(client, -EINVAL, "unknown connection flags");
        }
        if ((flags & PM2_CONNECT_SYSTEM) && (flags & PM2_CONNECT_NO_DAEMON)) {
                return client_fail(client, -EINVAL, "the pm2d of the system is nobody's own");
        }
        bool same_instance = ((flags ^ client->flags) & PM2_CONNECT_SYSTEM) == 0;
        if (same_instance && client_drain(client)) {
                return 0;
        }
        if (same_instance) {
                client_close_connection(client); /* what broke may come back, one of our own as well */
        } else {
                pm2_disconnect(client);
        }
        client->flags = flags;
        int r = flags & PM2_CONNECT_SYSTEM ? instance_paths_init_system(&paths)
                                           : instance_paths_init(&paths);
        if (r < 0) {
                return client_fail(client, r, "cannot tell where pm2d's socket is: %m");
        }
        r = connect_paths(client, &paths, !(flags & PM2_CONNECT_NO_SPAWN));
        instance_paths_done(&paths);
        if (r >= 0) {
                client_clear_error(client); /* what an earlier attempt has left */
                return 0;
        }
        if (!client->error_message) {
                (void) client_fail(client, r, "cannot connect to pm2d: %m");
        }
        return r;
}
