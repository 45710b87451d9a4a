/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lines wait in a queue and are written by as few calls as they can. While the socket is full nothing is
 * tried until the kernel says that there is room, which for a socket means a good part of its buffer.
 *
 * Once a line was dropped all that follow are dropped too, until half of the backlog is free again: so there
 * is one gap to tell of and not one for every other line. */

#include "bus/bus-stream.h"

#include "basic/cleanup.h"
#include "basic/macro.h"
#include "basic/time-util.h"

#include <assert.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
        PARTS_MAX = 256,                 /* of one write */
        WRITE_AT_ONCE_BYTES = 64 * 1024, /* rather than at the end of the loop's turn */
        LINES_KEPT_MAX = 1024,           /* room for so many stays when all are written */
};

struct BusStream {
        int fd;
        sd_event_source *source;
        bool full; /* the source waits for room */
        bool gone;
        void (*on_gone)(void *userdata, BusStream *stream);
        void *userdata;

        GPtrArray *lines; /* of BusLine */
        guint first;      /* of those that are not written yet */
        size_t written;   /* bytes of the first */
        size_t backlog_bytes, backlog_bytes_max;
        uint64_t lost; /* lines, not told of yet */
};

BusLine *bus_line_new(size_t length) {
        BusLine *line = g_malloc(sizeof(*line) + length);

        line->references = 1;
        line->length = length;
        return line;
}

BusLine *bus_line_ref(BusLine *line) {
        line->references++;
        return line;
}

void bus_line_unref(BusLine *line) {
        if (--line->references == 0) {
                g_free(line);
        }
}

static void unref_line(void *line) {
        if (line) {
                bus_line_unref(line);
        }
}

/* What it takes to keep it. */
static size_t line_bytes(const BusLine *line) {
        return sizeof(*line) + line->length + sizeof(void *);
}

static bool is_empty(const BusStream *stream) {
        return stream->first == stream->lines->len;
}

static void push(BusStream *stream, BusLine *line) {
        g_ptr_array_add(stream->lines, bus_line_ref(line));
        stream->backlog_bytes += line_bytes(line);
}

/* Close the gap, where there is room again. */
static void tell_lost(BusStream *stream) {
        if (stream->lost == 0 || stream->backlog_bytes > stream->backlog_bytes_max / 2) {
                return;
        }
        g_autofree char *text = g_strdup_printf(
                        "{\"event\":\"lost\",\"at\":%" PRIu64 ",\"data\":{\"count\":%" PRIu64 "}}\n",
                        now_realtime_usec() / USEC_PER_MSEC,
                        stream->lost);
        BusLine *line = bus_line_new(strlen(text));
        memcpy(line->text, text, line->length);
        push(stream, line);
        bus_line_unref(line);
        stream->lost = 0;
}

void bus_stream_append(BusStream *stream, BusLine *line) {
        if (stream->gone) {
                return;
        }
        tell_lost(stream);
        if (stream->lost > 0 || stream->backlog_bytes + line_bytes(line) > stream->backlog_bytes_max) {
                stream->lost++;
                return;
        }
        push(stream, line);
        if (stream->backlog_bytes >= MIN(WRITE_AT_ONCE_BYTES, stream->backlog_bytes_max / 2)) {
                bus_stream_flush(stream);
        }
}

/* Forget what was written, counted from the start of the first line. */
static void drop_written(BusStream *stream, size_t bytes) {
        while (!is_empty(stream)) {
                BusLine *line = stream->lines->pdata[stream->first];
                if (bytes < line->length) {
                        break;
                }
                bytes -= line->length;
                stream->backlog_bytes -= line_bytes(line);
                stream->lines->pdata[stream->first++] = NULL;
                bus_line_unref(line);
        }
        stream->written = bytes;
        if (is_empty(stream) && stream->lines->len > LINES_KEPT_MAX) {
                g_ptr_array_unref(stream->lines);
                stream->lines = g_ptr_array_new_with_free_func(unref_line);
                stream->first = 0;
        } else if (is_empty(stream) ||
                   (stream->first > LINES_KEPT_MAX && stream->first > stream->lines->len / 2)) {
                g_ptr_array_remove_range(stream->lines, 0, stream->first);
                stream->first = 0;
        }
}

static void write_lines(BusStream *stream) {
        struct iovec parts[PARTS_MAX];
        size_t count = 0;

        for (guint i = stream->first; i < stream->lines->len && count < PARTS_MAX; i++) {
                BusLine *line = stream->lines->pdata[i];
                parts[count++] = (struct iovec){ .iov_base = line->text, .iov_len = line->length };
        }
        assert(count > 0);
        parts[0].iov_base = (char *) parts[0].iov_base + stream->written;
        parts[0].iov_len -= stream->written;
        const struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
        /* no fault point: it tells what has been done */
        ssize_t n = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
                drop_written(stream, stream->written + (size_t) n);
        } else if (errno == EAGAIN) {
                stream->full = sd_event_source_set_io_events(stream->source, EPOLLOUT) >= 0;
                stream->gone = !stream->full;
        } else if (errno != EINTR) {
                stream->gone = true;
        }
}

void bus_stream_flush(BusStream *stream) {
        while (!stream->gone && !stream->full) {
                tell_lost(stream);
                if (is_empty(stream)) {
                        break;
                }
                write_lines(stream);
        }
}

bool bus_stream_is_gone(const BusStream *stream) {
        return stream->gone;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        BusStream *stream = userdata;

        if (events & (EPOLLHUP | EPOLLERR)) {
                stream->gone = true;
        } else {
                stream->full = false;
                bus_stream_flush(stream);
                if (!stream->full) {
                        (void) sd_event_source_set_io_events(source, 0);
                }
        }
        if (stream->gone) {
                stream->on_gone(stream->userdata, stream);
        }
        return 0;
}

/* One way alone: to us, and never a byte from the reader. */
static int open_pair(int *ret_writer, int *ret_reader) {
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
                return -errno;
        }
        if (shutdown(fds[0], SHUT_RD) < 0) {
                int r = -errno;
                (void) close_fd(fds[0]);
                (void) close_fd(fds[1]);
                return r;
        }
        *ret_writer = fds[0];
        *ret_reader = fds[1];
        return 0;
}

int bus_stream_new(
                sd_event *event,
                size_t backlog_bytes_max,
                void (*on_gone)(void *userdata, BusStream *stream),
                void *userdata,
                BusStream **ret,
                int *ret_reader_fd) {
        _cleanup_close_ int reader_fd = -EBADF;
        BusStream *stream = g_new0(BusStream, 1);

        stream->fd = -EBADF;
        stream->on_gone = on_gone;
        stream->userdata = userdata;
        stream->backlog_bytes_max = backlog_bytes_max;
        stream->lines = g_ptr_array_new_with_free_func(unref_line);
        int r = open_pair(&stream->fd, &reader_fd);
        if (r >= 0) {
                r = sd_event_add_io(event, &stream->source, stream->fd, 0, on_ready, stream);
        }
        if (r < 0) {
                bus_stream_free(stream);
                return r;
        }
        *ret_reader_fd = steal_fd(&reader_fd);
        *ret = stream;
        return 0;
}

void bus_stream_free(BusStream *stream) {
        (void) sd_event_source_disable_unref(stream->source);
        (void) close_fd(stream->fd);
        g_ptr_array_unref(stream->lines);
        g_free(stream);
}
