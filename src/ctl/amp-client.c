/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "amp-client.h"

#include "i18n.h"

#include "basic/amp.h"
#include "basic/cleanup.h"
#include "basic/time-util.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
        CONNECT_TIMEOUT_MSEC = 5000,
        CONNECT_INTERVAL_USEC = 20000,
        REPLY_BYTES_MAX = 32 * 1024 * 1024, /* as a saved list may have */
        READ_BYTES = 64 * 1024,
};

struct AmpClient {
        int fd;
        uint64_t calls; /* so far: the id of the next one */
        AmpReader reader;
};

/* What was said in an earlier call is gone. */
static int fail(char **ret_message, int error, char *message) {
        g_free(*ret_message);
        *ret_message = message;
        return error;
}

char *amp_home_folder(const char *given) {
        const char *home = given && given[0] ? given : g_getenv("PM2_HOME");

        return home && home[0] ? g_canonicalize_filename(home, NULL)
                               : g_build_filename(g_get_home_dir(), ".pm2", NULL);
}

char *amp_home_socket(const char *given) {
        const char *port = given ? NULL : g_getenv("PM2_DAEMON_RPC_PORT");
        g_autofree char *folder = amp_home_folder(given);

        return port && port[0] ? g_canonicalize_filename(port, NULL)
                               : g_build_filename(folder, "rpc.sock", NULL);
}

/* -EAGAIN: its queue is full. */
static int connect_once(const struct sockaddr_un *address, int *ret) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0) {
                return -errno;
        }
        if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) < 0) {
                return errno == ENOENT || errno == ECONNREFUSED ? -ENOTCONN : -errno;
        }
        *ret = steal_fd(&fd);
        return 0;
}

static int connect_in_time(const char *path, int *ret) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        uint64_t deadline_usec = now_monotonic_usec() + CONNECT_TIMEOUT_MSEC * USEC_PER_MSEC;
        int r;

        if (strlen(path) >= sizeof(address.sun_path)) {
                return -ENAMETOOLONG;
        }
        memcpy(address.sun_path, path, strlen(path));
        while ((r = connect_once(&address, ret)) == -EAGAIN) {
                if (now_monotonic_usec() >= deadline_usec) {
                        return -ETIMEDOUT;
                }
                g_usleep(CONNECT_INTERVAL_USEC);
        }
        return r;
}

/* Its processes belong to that user, and are nobody else's to take. */
static int check_peer(int fd, const char *path, char **ret_message) {
        struct ucred peer;
        socklen_t length = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
                return fail(ret_message, -errno, g_strdup_printf("%s: %s", path, g_strerror(errno)));
        }
        return peer.uid == geteuid() ? 0
                                     : fail(ret_message,
                                            -EPERM,
                                            g_strdup_printf(_("%s: the daemon there is that of user %u, not "
                                                              "of %u"),
                                                            path,
                                                            peer.uid,
                                                            geteuid()));
}

int amp_client_open(const char *path, AmpClient **ret, char **ret_message) {
        _cleanup_close_ int fd = -EBADF;

        *ret_message = NULL;
        int r = connect_in_time(path, &fd);
        if (r == -ENOTCONN) {
                return fail(ret_message,
                            r,
                            g_strdup_printf(_("%s: no daemon of PM2 is at work there"), path));
        }
        if (r < 0) {
                return fail(ret_message, r, g_strdup_printf("%s: %s", path, g_strerror(-r)));
        }
        r = check_peer(fd, path, ret_message);
        if (r < 0) {
                return r;
        }
        AmpClient *client = g_new0(AmpClient, 1);
        client->fd = steal_fd(&fd);
        amp_reader_init(&client->reader, REPLY_BYTES_MAX, REPLY_BYTES_MAX);
        *ret = client;
        return 0;
}

void amp_client_free(AmpClient *client) {
        if (client) {
                (void) close_fd(client->fd);
                amp_reader_done(&client->reader);
                g_free(client);
        }
}

/* 0, or -ETIMEDOUT. */
static int wait_fd(const AmpClient *client, short events, uint64_t deadline_usec) {
        for (;;) {
                uint64_t now_usec = now_monotonic_usec();
                if (now_usec >= deadline_usec) {
                        return -ETIMEDOUT;
                }
                struct pollfd item = { .fd = client->fd, .events = events };
                uint64_t left_msec = (deadline_usec - now_usec) / USEC_PER_MSEC + 1;
                int r = poll(&item, 1, left_msec > INT32_MAX ? INT32_MAX : (int) left_msec);
                if (r > 0) {
                        return 0;
                }
                if (r < 0 && errno != EINTR) {
                        return -errno;
                }
        }
}

static int send_all(const AmpClient *client, const char *bytes, size_t length, uint64_t deadline_usec) {
        while (length > 0) {
                ssize_t n = send(client->fd, bytes, length, MSG_NOSIGNAL);
                if (n >= 0) {
                        bytes += n;
                        length -= (size_t) n;
                        continue;
                }
                if (errno == EPIPE || errno == ECONNRESET) {
                        return -ECONNRESET;
                }
                int r = errno == EAGAIN  ? wait_fd(client, POLLOUT, deadline_usec)
                        : errno == EINTR ? 0
                                         : -errno;
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

static int send_request(
                const AmpClient *client, const char *method, const char *argument, uint64_t deadline_usec) {
        g_autofree char *call = g_strdup_printf(
                        "{\"type\":\"call\",\"method\":\"%s\",\"args\":[%s]}", method, argument);
        g_autofree char *id = g_strdup_printf("%" PRIu64, client->calls);
        size_t length = AMP_HEAD_BYTES + amp_argument_bytes(AMP_JSON, strlen(call)) +
                        amp_argument_bytes(AMP_STRING, strlen(id));
        g_autofree char *frame = g_malloc(length);

        char *end = amp_write_head(frame, 2);
        end = amp_write_argument(end, AMP_JSON, call, strlen(call));
        (void) amp_write_argument(end, AMP_STRING, id, strlen(id));
        return send_all(client, frame, length, deadline_usec);
}

/* Whether a frame answers the call that is under way: an earlier one may have been given up. */
static bool is_reply(const AmpClient *client, const AmpFrame *frame) {
        g_autofree char *id = g_strdup_printf("%" PRIu64, client->calls);
        AmpArgument given;

        return frame->count == 2 && amp_argument_type(&frame->arguments[1], &given) == AMP_STRING &&
               given.length == strlen(id) && memcmp(given.bytes, id, given.length) == 0;
}

/* The JSON text of the reply, within the reader. */
static int receive_reply(AmpClient *client, uint64_t deadline_usec, AmpArgument *ret) {
        AmpFrame frame;

        for (;;) {
                int r = amp_reader_next(&client->reader, &frame);
                if (r > 0 && is_reply(client, &frame)) {
                        return amp_argument_type(&frame.arguments[0], ret) == AMP_JSON ? 0 : -EBADMSG;
                }
                if (r != 0) {
                        if (r < 0) {
                                return r;
                        }
                        continue;
                }
                void *room;
                size_t size;
                r = amp_reader_reserve(&client->reader, READ_BYTES, &room, &size);
                if (r >= 0) {
                        r = wait_fd(client, POLLIN, deadline_usec);
                }
                if (r < 0) {
                        return r;
                }
                ssize_t n = read(client->fd, room, size);
                if (n == 0 || (n < 0 && errno == ECONNRESET)) {
                        return -ECONNRESET;
                }
                if (n < 0 && errno != EAGAIN && errno != EINTR) {
                        return -errno;
                }
                amp_reader_commit(&client->reader, n > 0 ? (size_t) n : 0);
        }
}

/* {"args":[...]} or {"error":...}. */
static int read_reply(const AmpArgument *text, pm2_value **ret, char **ret_message) {
        pm2_value *reply = NULL;
        const char *words = NULL;

        int r = pm2_value_from_json(text->bytes, text->length, &reply);
        if (r < 0) {
                return r == -ENOMEM ? r : -EBADMSG;
        }
        const pm2_value *args = pm2_value_get(reply, "args"), *error = pm2_value_get(reply, "error");
        if (error) {
                (void) pm2_value_get_string(error, "", &words);
                r = fail(ret_message,
                         -EREMOTEIO,
                         g_strdup_printf(_("PM2's daemon says: %s"), words ? words : _("an error")));
        } else if (pm2_value_get_type(args) == PM2_VALUE_ARRAY) {
                r = pm2_value_copy(pm2_value_get_item(args, 0), ret);
        } else {
                r = -EBADMSG;
        }
        (void) pm2_value_free(reply);
        return r;
}

int amp_client_call(
                AmpClient *client,
                const char *method,
                const pm2_value *argument,
                uint64_t timeout_msec,
                pm2_value **ret,
                char **ret_message) {
        uint64_t deadline_usec = now_monotonic_usec() + timeout_msec * USEC_PER_MSEC;
        _cleanup_free_ char *json = NULL;
        AmpArgument text = { 0 };

        *ret_message = NULL;
        client->calls++;
        int r = argument ? pm2_value_to_json(argument, PM2_JSON_SHORT, &json) : 0;
        if (r >= 0) {
                r = send_request(client, method, json ? json : "{}", deadline_usec);
        }
        if (r >= 0) {
                r = receive_reply(client, deadline_usec, &text);
        }
        if (r >= 0) {
                r = read_reply(&text, ret, ret_message);
        }
        if (r < 0 && !*ret_message) {
                const char *why = r == -ETIMEDOUT    ? _("it has not answered in time")
                                  : r == -ECONNRESET ? _("it has ended")
                                  : r == -EBADMSG    ? _("its answer makes no sense")
                                  : r == -EMSGSIZE   ? _("its answer is too large")
                                                     : g_strerror(-r);
                return fail(ret_message, r, g_strdup_printf(_("PM2's daemon, %s: %s"), method, why));
        }
        amp_reader_trim(&client->reader);
        return r;
}
