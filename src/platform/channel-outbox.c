/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A line of up to 32 KiB is one buffer of the socket: it goes out in whole or not at all. What is longer or
 * does not go out at once is written into a ring in the window first; a store to the tail makes it count.
 * From there it goes out by sendfile(2), which stores how far it came into the head, in the window too,
 * before it lets a signal end us: the successor begins at just the byte where we ended.
 *
 * The socket does not copy what it is sent this way but refers to the pages. They are never written to
 * again: behind the head they are given back, and the ring gets new ones for the same place. So that it does
 * not come round to those that were not given back yet, it is larger than what may be queued.
 *
 * An answer is written behind the tail, the tail that it makes is written down, and then one store of the
 * inbox leaves the line behind and says that this tail counts: before it the line is handed out again, after
 * it a successor moves the tail, be it once more. */

#include "platform/channel-outbox.h"

#include "basic/fault-point.h"
#include "basic/macro.h"

#include <glib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        DIRECT_BYTES_MAX = 32 * 1024,
        RELEASE_BYTES = 64 * 1024, /* giving back costs more than sending */
};

static uint64_t ring_start(const ChannelOutbox *outbox) {
        return outbox->window->start + CHANNEL_RING_AT;
}

/* Both in the ring. */
static size_t head(const ChannelOutbox *outbox) {
        return (size_t) (atomic_load(&outbox->window->words->outbox_head) - ring_start(outbox));
}

static size_t tail(const ChannelOutbox *outbox) {
        return (size_t) atomic_load(&outbox->window->words->outbox_tail);
}

static size_t distance(size_t from, size_t to) {
        return to >= from ? to - from : CHANNEL_RING_BYTES - from + to;
}

static void set_head(ChannelOutbox *outbox, uint64_t position) {
        CHANGE("channel-head",
               atomic_store_explicit(&outbox->window->words->outbox_head, position, memory_order_release));
        atomic_signal_fence(memory_order_seq_cst);
}

static void set_tail(ChannelOutbox *outbox, size_t position) {
        CHANGE("channel-queue",
               atomic_store_explicit(&outbox->window->words->outbox_tail, position, memory_order_release));
        atomic_signal_fence(memory_order_seq_cst);
}

static void release_ring(const ChannelOutbox *outbox, size_t from, size_t to) {
        if (to < from) {
                release_ring(outbox, from, CHANNEL_RING_BYTES);
                from = 0;
        }
        (void) channel_window_release(outbox->window, CHANNEL_RING_AT + from, CHANNEL_RING_AT + to);
}

size_t channel_outbox_queued_bytes(const ChannelOutbox *outbox) {
        return distance(head(outbox), tail(outbox));
}

/* How much the kernel puts into one buffer: net/unix/af_unix.c. */
static size_t largest_direct(int fd) {
        int buffer_bytes = 0;
        socklen_t size = sizeof(buffer_bytes);

        if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, &size) < 0) {
                return 0;
        }
        return (size_t) CLAMP(buffer_bytes / 2 - 64, 0, DIRECT_BYTES_MAX);
}

int channel_outbox_init(ChannelOutbox *outbox, const ChannelWindow *window, int fd) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);

        *outbox = (ChannelOutbox){ .window = window, .fd = fd, .direct_bytes_max = largest_direct(fd) };
        uint64_t position = atomic_load(&window->words->outbox_head);
        if (position == 0 || position == ring_start(outbox) + CHANNEL_RING_BYTES) {
                set_head(outbox, ring_start(outbox));
        } else if (position < ring_start(outbox) || position > ring_start(outbox) + CHANNEL_RING_BYTES) {
                return -EBADMSG;
        }
        if (atomic_load(&window->words->inbox) & CHANNEL_INBOX_ANSWERED) {
                channel_outbox_queue_prepared(outbox);
        }
        if (atomic_load(&window->words->outbox_tail) >= CHANNEL_RING_BYTES ||
            channel_outbox_queued_bytes(outbox) > CHANNEL_QUEUE_BYTES_MAX) {
                return -EBADMSG;
        }
        /* All but what is queued. */
        size_t first = head(outbox) / page * page;
        size_t end = (tail(outbox) + page - 1) / page * page;
        if (head(outbox) == tail(outbox)) {
                release_ring(outbox, 0, CHANNEL_RING_BYTES);
        } else if (first < end) {
                release_ring(outbox, 0, first);
                release_ring(outbox, end, CHANNEL_RING_BYTES);
        } else {
                release_ring(outbox, end, first);
        }
        outbox->released = first;
        return 0;
}

static bool is_behind(int error) {
        return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

static void release_sent(ChannelOutbox *outbox) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        size_t sent = head(outbox) / page * page;

        if (distance(outbox->released, sent) >= RELEASE_BYTES) {
                release_ring(outbox, outbox->released, sent);
                outbox->released = sent;
        }
}

int channel_outbox_flush(ChannelOutbox *outbox) {
        while (head(outbox) != tail(outbox)) {
                size_t start = head(outbox), end = tail(outbox) > start ? tail(outbox) : CHANNEL_RING_BYTES;
                ssize_t n =
                                CHANGE("channel-send-queued",
                                       sendfile(outbox->fd,
                                                outbox->window->store_fd,
                                                (off_t *) (void *) &outbox->window->words->outbox_head,
                                                end - start));
                if (n < 0 && !is_behind(errno)) {
                        set_tail(outbox, start);
                        return -EPIPE;
                }
                if (head(outbox) == CHANNEL_RING_BYTES) {
                        set_head(outbox, ring_start(outbox));
                }
                if (n < (ssize_t) (end - start)) {
                        break;
                }
        }
        release_sent(outbox);
        return 0;
}

static int populate_ring(const ChannelOutbox *outbox, size_t from, size_t length) {
        size_t first = MIN(length, CHANNEL_RING_BYTES - from);

        int r = channel_window_populate(
                        outbox->window, CHANNEL_RING_AT + from, CHANNEL_RING_AT + from + first);
        if (r >= 0 && first < length) {
                r = channel_window_populate(
                                outbox->window, CHANNEL_RING_AT, CHANNEL_RING_AT + length - first);
        }
        return r;
}

static size_t write_ring(const ChannelOutbox *outbox, size_t at, const char *text, size_t length) {
        unsigned char *ring = outbox->window->memory + CHANNEL_RING_AT;
        size_t first = MIN(length, CHANNEL_RING_BYTES - at);

        memcpy(ring + at, text, first);
        memcpy(ring, text + first, length - first);
        return (at + length) % CHANNEL_RING_BYTES;
}

/* Behind what is queued, with its newline; it does not count yet. -ENOBUFS: there is no memory. */
static int write_line(const ChannelOutbox *outbox, const char *text, size_t length, size_t *ret_tail) {
        size_t at = tail(outbox);

        if (populate_ring(outbox, at, length + 1) < 0) {
                return -ENOBUFS;
        }
        at = write_ring(outbox, at, text, length);
        *ret_tail = write_ring(outbox, at, "\n", 1);
        return 0;
}

static int queue_rest(ChannelOutbox *outbox, const char *text, size_t length) {
        size_t end;

        int r = write_line(outbox, text, length, &end);
        if (r >= 0) {
                set_tail(outbox, end);
        }
        return r;
}

static int check_line(const ChannelOutbox *outbox, const char *text, size_t length, size_t queue_bytes_max) {
        size_t queued = channel_outbox_queued_bytes(outbox);

        if (queued >= queue_bytes_max || length >= queue_bytes_max - queued) {
                return -ENOBUFS;
        }
        return length == 0 || memchr(text, '\n', length) || memchr(text, '\0', length) ? -EINVAL : 0;
}

int channel_outbox_prepare(ChannelOutbox *outbox, const char *text, size_t length) {
        size_t end;

        int r = check_line(outbox, text, length, CHANNEL_QUEUE_BYTES_MAX);
        if (r >= 0) {
                r = write_line(outbox, text, length, &end);
        }
        if (r >= 0) {
                /* no fault point: it counts by what follows */
                atomic_store(&outbox->window->words->answer, end);
        }
        return r;
}

void channel_outbox_queue_prepared(ChannelOutbox *outbox) {
        set_tail(outbox, (size_t) atomic_load(&outbox->window->words->answer));
}

/* Returns how much went out. */
static ssize_t send_direct(const ChannelOutbox *outbox, const char *text, size_t length) {
        struct iovec parts[] = {
                { .iov_base = (void *) text, .iov_len = length },
                { .iov_base = (void *) "\n", .iov_len = 1 },
        };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTS(parts) };

        ssize_t n = CHANGE("channel-send", sendmsg(outbox->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
        if (n < 0) {
                return is_behind(errno) ? 0 : -EPIPE;
        }
        return n;
}

/* One buffer of the socket, which carries the fd: in whole or not at all, so that neither a short write nor
 * a kill can part them. What is queued goes first. */
int channel_outbox_send_handle(ChannelOutbox *outbox, const char *text, size_t length, int handle) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec parts[] = {
                { .iov_base = (void *) text, .iov_len = length },
                { .iov_base = (void *) "\n", .iov_len = 1 },
        };
        struct msghdr message = {
                .msg_iov = parts,
                .msg_iovlen = ELEMENTS(parts),
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        int r = check_line(outbox, text, length, SIZE_MAX);
        if (r < 0) {
                return r;
        }
        if (length >= outbox->direct_bytes_max) {
                return -EMSGSIZE;
        }
        if (channel_outbox_queued_bytes(outbox) > 0) {
                return -EAGAIN;
        }
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &handle, sizeof(int));
        ssize_t n = CHANGE(
                        "channel-send-handle", sendmsg(outbox->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
        if (n >= 0) {
                return 0;
        }
        /* ETOOMANYREFS: so many fds of ours are on their way as we may have open (unix(7)). */
        return errno == EAGAIN || errno == EINTR           ? -EAGAIN
               : is_behind(errno) || errno == ETOOMANYREFS ? -ENOBUFS
                                                           : -EPIPE;
}

int channel_outbox_send(ChannelOutbox *outbox, const char *text, size_t length) {
        size_t queued = channel_outbox_queued_bytes(outbox);

        int r = check_line(outbox, text, length, CHANNEL_QUEUE_BYTES_MAX - CHANNEL_ANSWERS_BYTES_MAX);
        if (r < 0) {
                return r;
        }
        ssize_t sent = queued == 0 && length < outbox->direct_bytes_max ? send_direct(outbox, text, length)
                                                                        : 0;
        if (sent < 0 || sent > (ssize_t) length) {
                return (int) MIN(sent, 0);
        }
        r = queue_rest(outbox, text + sent, length - (size_t) sent);
        /* What waits already waits for room in the socket. */
        return r >= 0 && queued == 0 ? channel_outbox_flush(outbox) : r;
}
