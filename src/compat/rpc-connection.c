/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One client. Requests are taken out of what it has sent one after the other, and not more than a few in a
 * turn; what is left waits in the reader, and while it does nothing is received. So a client that sends
 * without reading, or more than is worked off, is held by its own socket.
 *
 * Memory is there while something waits in it: an idle connection is its descriptor and little more. */

#include "basic/fd-util.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "compat/rpc-internal.h"

#include <string.h>
#include <sys/epoll.h>

enum {
        TURN_REQUESTS_MAX = 64,
        TURN_BYTES_MAX = 256 * 1024,
        RECEIVE_BYTES = 4096, /* at least */
        TURN_WRITE_BYTES_MAX = 4 * 1024 * 1024,
        SEND_AT_ONCE_BYTES = 32 * 1024, /* rather than with others at the end of the turn */
        ARGUMENT_HEAD_BYTES_MAX = AMP_LENGTH_BYTES + 2,
        OUTPUT_KEPT_BYTES = 256 * 1024, /* that are written stay in front of those that are not */
};

static RpcConnection *ref(RpcConnection *connection) {
        connection->references++;
        return connection;
}

static void unref(RpcConnection *connection) {
        if (--connection->references == 0) {
                amp_reader_done(&connection->reader);
                rpc_user_unref(connection->user);
                g_free(connection);
        }
}

static size_t waiting_bytes(const RpcConnection *connection) {
        return connection->output ? connection->output->len - connection->written : 0;
}

static void drop_output(RpcConnection *connection) {
        g_clear_pointer(&connection->output, g_byte_array_unref);
        connection->written = 0;
}

static void touch(RpcConnection *connection) {
        connection->last_used_usec = rpc_server_now_usec(connection->server);
}

void rpc_connection_close(RpcConnection *connection) {
        RpcServer *server = connection->server;
        GList *link;

        if (!server) {
                return;
        }
        g_queue_unlink(&server->connections, &connection->link);
        if (connection->ready) {
                connection->ready = false;
                g_queue_unlink(&server->ready, &connection->ready_link);
        }
        while ((link = g_queue_pop_head_link(&connection->calls))) {
                ((RpcCall *) link->data)->connection = NULL;
        }
        connection->io = sd_event_source_disable_unref(connection->io);
        (void) close_fd(connection->fd);
        drop_output(connection);
        server->memory_bytes -= connection->memory_bytes;
        connection->server = NULL;
        unref(connection);
}

static bool may_take(const RpcConnection *connection) {
        return connection->calls.length < RPC_CALLS_MAX && connection->calls_bytes < RPC_CALLS_BYTES_MAX &&
               waiting_bytes(connection) < RPC_BACKLOG_BYTES;
}

/* Whether it is worth while to receive more. */
static bool take_requests(RpcConnection *connection, unsigned *requests) {
        AmpFrame frame;

        for (;;) {
                connection->rest = *requests >= TURN_REQUESTS_MAX || !may_take(connection);
                if (connection->rest) {
                        return false;
                }
                int r = amp_reader_next(&connection->reader, &frame);
                if (r == 0) {
                        return true;
                }
                if (r > 0) {
                        (*requests)++;
                        r = rpc_request_take(connection, &frame);
                }
                if (r < 0) {
                        connection->doomed = true;
                }
                if (connection->doomed || !connection->server) {
                        return false;
                }
        }
}

/* Returns how many bytes there is no more of at the moment, 0: the end, negative errno. */
static ssize_t receive(RpcConnection *connection, bool *ret_dry) {
        void *room;
        size_t size;

        int r = amp_reader_reserve(&connection->reader, RECEIVE_BYTES, &room, &size);
        if (r < 0) {
                return r;
        }
        ssize_t n = recv(connection->fd, room, size, MSG_DONTWAIT);
        if (n < 0) {
                return -errno;
        }
        amp_reader_commit(&connection->reader, (size_t) n);
        *ret_dry = (size_t) n < size;
        return n;
}

static void take_and_receive(RpcConnection *connection) {
        unsigned requests = 0;
        size_t received = 0;
        bool dry = false;

        while (take_requests(connection, &requests) && !connection->ended && !dry &&
               received < TURN_BYTES_MAX) {
                ssize_t n = receive(connection, &dry);
                if (n > 0) {
                        received += (size_t) n;
                        touch(connection);
                } else if (n == 0) {
                        connection->ended = true;
                } else if (n == -EAGAIN) {
                        dry = true;
                } else if (n == -ENOMEM) {
                        connection->doomed = true;
                        break;
                } else if (n != -EINTR) {
                        connection->ended = connection->hung_up = true;
                }
        }
}

void rpc_connection_turn(RpcConnection *connection) {
        (void) ref(connection);
        connection->in_turn = true;
        take_and_receive(connection);
        connection->in_turn = false;
        rpc_connection_settle(connection);
        unref(connection);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        RpcConnection *connection = userdata;

        if (events & (EPOLLHUP | EPOLLERR)) {
                connection->hung_up = true;
        }
        if (connection->rest || connection->ended || !(events & ~(uint32_t) EPOLLOUT)) {
                rpc_connection_settle(connection);
        } else {
                rpc_connection_turn(connection);
        }
        return 0;
}

/* Skip so many bytes of the parts. */
static void advance(struct iovec *parts, size_t n_parts, size_t count) {
        for (size_t i = 0; i < n_parts && count > 0; i++) {
                size_t skipped = MIN(parts[i].iov_len, count);
                parts[i].iov_base = (char *) parts[i].iov_base + skipped;
                parts[i].iov_len -= skipped;
                count -= skipped;
        }
}

/* What the kernel takes at once of a large reply need not be copied. */
static void send_parts(RpcConnection *connection, struct iovec *parts, size_t n_parts, size_t bytes) {
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = n_parts };
        size_t sent = 0;

        while (sent < bytes && !connection->hung_up) {
                /* no fault point: the answer to a question */
                ssize_t n = sendmsg(connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n >= 0) {
                        sent += (size_t) n;
                        advance(parts, n_parts, (size_t) n);
                } else if (errno == EAGAIN) {
                        break;
                } else if (errno != EINTR) {
                        connection->hung_up = true;
                }
        }
}

static void append_parts(RpcConnection *connection, const struct iovec *parts, size_t n_parts) {
        size_t bytes = 0;

        for (size_t i = 0; i < n_parts; i++) {
                bytes += parts[i].iov_len;
        }
        if (bytes == 0) {
                return;
        }
        if (!connection->output) {
                connection->output = g_byte_array_sized_new((guint) bytes);
        } else if (connection->written > OUTPUT_KEPT_BYTES) {
                (void) g_byte_array_remove_range(connection->output, 0, (guint) connection->written);
                connection->written = 0;
        }
        for (size_t i = 0; i < n_parts; i++) {
                g_byte_array_append(connection->output, parts[i].iov_base, (guint) parts[i].iov_len);
        }
}

void rpc_connection_write(
                RpcConnection *connection,
                const AmpArgument *id,
                const char *before,
                const char *text,
                size_t length,
                const char *after) {
        size_t json_length = strlen(before) + length + strlen(after), waiting = waiting_bytes(connection);
        size_t bytes = AMP_HEAD_BYTES + amp_argument_bytes(AMP_JSON, json_length) +
                       amp_argument_bytes(AMP_RAW, id->length);
        char head[ARGUMENT_HEAD_BYTES_MAX + AMP_HEAD_BYTES], id_head[ARGUMENT_HEAD_BYTES_MAX];

        if (connection->hung_up || connection->doomed) {
                return;
        }
        if (bytes > G_MAXINT32 || (waiting > 0 && waiting + bytes > RPC_BACKLOG_BYTES_MAX)) {
                connection->doomed = true;
                return;
        }
        const char *head_end = amp_write_argument_head(amp_write_head(head, 2), AMP_JSON, json_length);
        /* with the mark that it came with */
        const char *id_head_end = amp_write_argument_head(id_head, AMP_RAW, id->length);
        struct iovec parts[] = {
                { head, (size_t) (head_end - head) },
                { (void *) before, strlen(before) },
                { (void *) text, length },
                { (void *) after, strlen(after) },
                { id_head, (size_t) (id_head_end - id_head) },
                { (void *) id->bytes, id->length },
        };
        if (waiting == 0 && bytes >= SEND_AT_ONCE_BYTES && bytes <= TURN_WRITE_BYTES_MAX) {
                send_parts(connection, parts, ELEMENTS(parts), bytes);
        }
        append_parts(connection, parts, ELEMENTS(parts));
        touch(connection);
}

static void flush(RpcConnection *connection) {
        size_t most = TURN_WRITE_BYTES_MAX;

        while (!connection->hung_up && waiting_bytes(connection) > 0 && most > 0) {
                const uint8_t *bytes = connection->output->data + connection->written;
                size_t length = MIN(waiting_bytes(connection), most);
                /* no fault point: the answer to a question */
                ssize_t n = send(connection->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n >= 0) {
                        connection->written += (size_t) n;
                        most -= (size_t) n;
                } else if (errno == EAGAIN) {
                        break;
                } else if (errno != EINTR) {
                        connection->hung_up = true;
                }
        }
        if (connection->hung_up || waiting_bytes(connection) == 0) {
                drop_output(connection);
        }
}

static bool is_over(const RpcConnection *connection) {
        if (connection->doomed) {
                return true;
        }
        /* Who has written all that he wants to may still read. */
        return connection->ended && !connection->rest &&
               (connection->hung_up || (connection->calls.length == 0 && waiting_bytes(connection) == 0));
}

static void watch(RpcConnection *connection) {
        bool reads = !connection->ended && !connection->rest;
        uint32_t events = (reads ? EPOLLIN : 0) | (waiting_bytes(connection) > 0 ? EPOLLOUT : 0);
        /* The kernel tells of a hang-up, asked or not, as long as it is one. */
        int enabled = events == 0 && connection->hung_up ? SD_EVENT_OFF : SD_EVENT_ON;

        if (sd_event_source_set_io_events(connection->io, events) < 0 ||
            sd_event_source_set_enabled(connection->io, enabled) < 0) {
                connection->doomed = true;
        }
}

void rpc_connection_settle(RpcConnection *connection) {
        if (!connection->server || connection->in_turn) {
                return;
        }
        flush(connection);
        if (!is_over(connection)) {
                watch(connection);
        }
        if (is_over(connection)) {
                rpc_connection_close(connection);
                return;
        }
        amp_reader_trim(&connection->reader);
        if (connection->rest && may_take(connection)) {
                rpc_server_queue(connection->server, connection);
        }
        rpc_server_count_memory(connection->server, connection);
}

static RpcUser *user_of(const RpcServer *server, uid_t uid) {
        RpcUser *user = g_hash_table_lookup(server->users, GUINT_TO_POINTER(uid));

        if (!user) {
                user = g_new0(RpcUser, 1);
                user->references = 1;
                user->uid = uid;
                (void) g_hash_table_insert(server->users, GUINT_TO_POINTER(uid), user);
        }
        return rpc_user_ref(user);
}

int rpc_connection_new(RpcServer *server, int fd, const struct ucred *peer) {
        RpcConnection *connection = g_new0(RpcConnection, 1);

        connection->references = 1;
        connection->server = server;
        connection->fd = fd;
        connection->caller = (Caller){ .uid = peer->uid, .gid = peer->gid, .via = "pm2-socket" };
        connection->pid = peer->pid;
        connection->accepted_usec = now_boottime_usec();
        connection->user = user_of(server, peer->uid);
        connection->link.data = connection->ready_link.data = connection;
        g_queue_init(&connection->calls);
        amp_reader_init(&connection->reader, RPC_FRAME_BYTES_MAX, RPC_FRAME_BYTES_MAX);
        g_queue_push_tail_link(&server->connections, &connection->link);
        touch(connection);
        int r = sd_event_add_io(server->event, &connection->io, fd, EPOLLIN, on_io, connection);
        if (r < 0) {
                rpc_connection_close(connection);
        }
        return r;
}
