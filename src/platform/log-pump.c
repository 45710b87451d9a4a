/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel itself puts what it takes out of a pipe into the ring, and says how far it came, in one call
 * (splice(2)): there is no instant in which bytes are in neither. Of the ring whole lines are made into a
 * block, and the block goes to one sink after the other; before each write the size of the file is noted, so
 * that a successor sees in the file how far the write came. The ring is given free when all sinks have it.
 */

#include "platform/log-pump.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/pump-file.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RETRY_MIN_USEC        (100 * USEC_PER_MSEC)
#define RETRY_MAX_USEC        (1 * USEC_PER_SEC)
/* So long an app may be held by a disk that is full, or by a journal; then it goes on, and what cannot be
 * written is lost, as where it writes its log itself. */
#define FILE_PATIENCE_USEC    (2 * USEC_PER_SEC)
#define JOURNAL_PATIENCE_USEC (5 * USEC_PER_SEC)

enum {
        TURN_BYTES_MAX = 256 * 1024, /* of a stream before others have their turn */
        DRAIN_BYTES_MAX =
                        2 * 1024 * 1024, /* a pipe holds one of them at most; others may still write to it */
        BLOCK_BYTES_MIN = 24 * 1024,
        BLOCK_BYTES_KEPT = 32 * 1024,
        KEPT_BYTES = 16 * 1024, /* memory that a stream keeps while nothing comes */
};

typedef struct PumpTarget {
        int fd;
        PumpFile *file; /* NULL: none */
} PumpTarget;

typedef struct PumpStream {
        LogPump *pump; /* weak */
        int index;
        int fd; /* negative: it has ended, or there is none */
        sd_event_source *io;
        PumpWords *words;
        size_t block_bytes; /* of the block that have memory */
        size_t ring_bytes;  /* likewise, about */
        uint64_t held_usec; /* since when nothing could be written, 0: it can */
        uint64_t lost_bytes;
} PumpStream;

struct LogPump {
        PumpWindow window;
        PumpStream streams[PUMP_STREAMS];
        int files_fd;
        sd_event_source *files_io;
        PumpTarget targets[EXEC_LOGS];
        bool has_files;
        bool exchange; /* there are others in the socket */
        sd_event_source *retry;
        uint64_t retry_usec; /* 0: nothing is in the way */
        int error;           /* of the trouble that was told, 0: none */
        PumpSink error_sink;
        int error_stream;
        LogPumpOptions options;
        bool draining;
};

static void watch(PumpStream *stream, bool on) {
        if (stream->io) {
                (void) sd_event_source_set_enabled(stream->io, on ? SD_EVENT_ON : SD_EVENT_OFF);
        }
}

static const unsigned char *block_of(const PumpStream *stream) {
        return stream->pump->window.streams[stream->index].block;
}

static uint64_t ring_start(const PumpStream *stream) {
        return stream->pump->window.streams[stream->index].start;
}

static size_t ring_fill(const PumpStream *stream) {
        return (size_t) ((stream->words->head + PUMP_RING_BYTES - stream->words->tail) % PUMP_RING_BYTES);
}

static const char *ring_bytes(const PumpStream *stream) {
        uint64_t at = (stream->words->tail - ring_start(stream)) % PUMP_RING_BYTES;
        return (const char *) stream->pump->window.streams[stream->index].ring + at;
}

/* Where the bytes of a sink go. NULL: it is not one of this stream. */
static PumpTarget *target_of(PumpStream *stream, PumpSink sink) {
        PumpTarget *target = NULL;

        if (sink == PUMP_SINK_OWN) {
                target = &stream->pump->targets[stream->index];
        } else if (sink == PUMP_SINK_COMBINED) {
                target = &stream->pump->targets[EXEC_LOGS - 1];
        }
        return target && target->file ? target : NULL;
}

static void close_targets(LogPump *pump) {
        for (int i = 0; i < EXEC_LOGS; i++) {
                PumpTarget *target = &pump->targets[i];
                for (int j = 0; target->file && j < PUMP_STREAMS; j++) {
                        pump_file_leave(target->file, &pump->streams[j]);
                }
                target->file = pump_file_unref(target->file);
                target->fd = close_fd(target->fd);
        }
}

static bool in_block(const PumpStream *stream) {
        return stream->words->block > 0;
}

/* Nobody sends files any more: who waited for them, in whatever turn, waits no longer. */
static void end_waiting(LogPump *pump) {
        pump->files_io = sd_event_source_disable_unref(pump->files_io);
        for (int i = 0; i < PUMP_STREAMS; i++) {
                watch(&pump->streams[i], true);
        }
}

void log_pump_take_files(LogPump *pump) {
        int fds[EXEC_LOGS];

        if (pump->files_fd < 0 || (pump->has_files && !pump->exchange)) {
                return;
        }
        for (int i = 0; pump->has_files && i < PUMP_STREAMS; i++) {
                if (in_block(&pump->streams[i])) {
                        return; /* its rest goes where its beginning is */
                }
        }
        int r = exec_logs_receive(pump->files_fd, fds);
        if (r == -EAGAIN) {
                return;
        }
        end_waiting(pump);
        pump->exchange = false;
        if (r < 0) {
                return;
        }
        close_targets(pump);
        for (int i = 0; i < EXEC_LOGS; i++) {
                PumpTarget *target = &pump->targets[i];
                target->fd = fds[i];
                if (fds[i] >= 0 && pump_file_open(fds[i], &target->file) < 0) {
                        target->fd = close_fd(fds[i]);
                }
        }
        pump->has_files = true;
        if (pump->options.on_files) {
                pump->options.on_files(pump->options.userdata);
        }
}

static bool has_ended(const PumpStream *stream) {
        return stream->fd < 0 && !in_block(stream) && ring_fill(stream) == 0 && !stream->words->in_line;
}

bool log_pump_has_ended(const LogPump *pump) {
        return has_ended(&pump->streams[0]) && has_ended(&pump->streams[1]);
}

static void tell(PumpStream *stream, PumpSink sink, int error) {
        LogPump *pump = stream->pump;

        if (error != pump->error && (error != 0 || stream->index == pump->error_stream)) {
                pump->error = error;
                pump->error_stream = stream->index;
                pump->error_sink = error != 0 ? sink : pump->error_sink;
                pump->options.on_trouble(pump->options.userdata, pump->error_sink, error);
        }
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

/* It goes on by itself; meanwhile nothing is read, and the pipe fills. */
static void try_later(LogPump *pump, uint64_t usec) {
        if (pump->retry) {
                (void) sd_event_source_set_time_relative(pump->retry, usec);
                (void) sd_event_source_set_enabled(pump->retry, SD_EVENT_ONESHOT);
        }
}

static void hold(PumpStream *stream, PumpSink sink, int r) {
        LogPump *pump = stream->pump;

        watch(stream, false);
        if (r < 0 && stream->held_usec == 0) {
                stream->held_usec = now_monotonic_usec();
        }
        if (r == -EAGAIN) { /* somebody tells us, unless it takes too long */
                try_later(pump, JOURNAL_PATIENCE_USEC);
                return;
        }
        pump->retry_usec = CLAMP(pump->retry_usec * 2, RETRY_MIN_USEC, RETRY_MAX_USEC);
        if (r < 0) {
                tell(stream, sink, -r);
        }
        try_later(pump, pump->retry_usec);
}

static bool is_given_up(const PumpStream *stream, uint64_t patience_usec) {
        return stream->held_usec > 0 && now_monotonic_usec() - stream->held_usec >= patience_usec;
}

static int write_to_file(PumpStream *stream, PumpSink sink) {
        PumpWords *words = stream->words;
        PumpProgress *progress = &words->sinks[sink];
        PumpTarget *target = target_of(stream, sink);

        if (!target) {
                return 1;
        }
        int r =
                        pump_file_write(target->file,
                                        target->fd,
                                        stream,
                                        block_of(stream),
                                        words->block,
                                        words->next_in_line,
                                        progress);
        if (r < 0 && is_given_up(stream, FILE_PATIENCE_USEC)) {
                stream->lost_bytes += words->block - progress->done;
                tell(stream, sink, -r);
                pump_file_give_up(target->file, stream, block_of(stream), words->block, progress);
                r = 1;
        }
        return r;
}

/* The source of the block, a line at a time. */
static int write_to_journal(PumpStream *stream) {
        PumpWords *words = stream->words;
        PumpProgress *progress = &words->sinks[PUMP_SINK_JOURNAL];
        size_t size = (size_t) words->taken;
        const char *bytes = ring_bytes(stream);

        while (stream->pump->options.journal && progress->done < size) {
                const char *line = bytes + progress->done;
                size_t left = size - (size_t) progress->done;
                const char *newline = memchr(line, '\n', left);
                size_t length = newline ? (size_t) (newline - line) : left;
                int r = stream->pump->options.send(
                                stream->pump->options.userdata, stream->index, line, length);
                if (r < 0 && !is_given_up(stream, JOURNAL_PATIENCE_USEC)) {
                        return r;
                }
                stream->lost_bytes += r < 0 ? length : 0;
                uint64_t done = progress->done + length + (newline ? 1 : 0);
                CHANGE("journal-progress",
                       atomic_store_explicit(&progress->done, done, memory_order_release));
        }
        return 1;
}

/* All sinks have the block: what it was made of is given free. May be done twice. */
static void finish_block(PumpStream *stream) {
        PumpWords *words = stream->words;

        words->in_line = words->next_in_line;
        if (words->rewind) {
                words->head = words->tail = ring_start(stream);
        } else {
                words->tail = words->next_tail;
        }
        CHANGE("pump-block-end", atomic_store_explicit(&words->block, 0, memory_order_release));
}

/* A whole block went out. */
static void tell_recovered(PumpStream *stream, PumpSink sink) {
        LogPump *pump = stream->pump;

        stream->held_usec = 0;
        tell(stream, sink, 0);
        if (stream->lost_bytes > 0) {
                pump->options.on_lost(pump->options.userdata, stream->index, stream->lost_bytes);
                stream->lost_bytes = 0;
        }
}

/* 1: no block is left; else it is held. */
static int write_block(PumpStream *stream) {
        LogPump *pump = stream->pump;
        uint64_t lost_bytes = stream->lost_bytes;
        int r = 1;

        if (!in_block(stream)) {
                return 1;
        }
        PumpSink sink = PUMP_SINK_OWN;
        if (pump->options.enter) {
                pump->options.enter(pump->options.userdata);
        }
        for (; r > 0 && sink < PUMP_SINK_JOURNAL; sink++) {
                r = write_to_file(stream, sink);
        }
        if (pump->options.leave) {
                pump->options.leave(pump->options.userdata);
        }
        if (r > 0) {
                sink = PUMP_SINK_JOURNAL;
                r = write_to_journal(stream);
        }
        if (r <= 0) {
                hold(stream, sink == PUMP_SINK_JOURNAL ? sink : sink - 1, r);
                return r;
        }
        finish_block(stream);
        pump->retry_usec = 0;
        if (stream->lost_bytes == lost_bytes) {
                tell_recovered(stream, sink);
        }
        return 1;
}

/* Make a block of what is in the ring. 0: there is no whole line. */
static int make_block(PumpStream *stream) {
        LogPump *pump = stream->pump;
        PumpWords *words = stream->words;
        size_t fill = ring_fill(stream);
        PumpSource source = {
                .bytes = ring_bytes(stream),
                .size = fill,
                .in_line = words->in_line,
                .end = stream->fd < 0,
        };

        if (fill == 0 && !(source.end && source.in_line)) {
                return 0;
        }
        /* Whatever is made of it, one line has room. */
        size_t room = MIN((size_t) PUMP_BLOCK_BYTES, BLOCK_BYTES_MIN + 6 * fill);
        if (stream->block_bytes < room) {
                int r = pump_store_populate(&pump->window, pump->window.streams[stream->index].block, room);
                if (r < 0) {
                        return r;
                }
                stream->block_bytes = room;
        }
        char *block = (char *) pump->window.streams[stream->index].block;
        PumpLines lines = pump->options.format(
                        pump->options.userdata, stream->index, &source, block + 1, room - 1);
        if (lines.taken == 0 && lines.made == 0) {
                return 0;
        }
        block[0] = '\n';
        uint64_t start = ring_start(stream);
        words->next_tail = start + (words->tail - start + lines.taken) % PUMP_RING_BYTES;
        words->taken = lines.taken;
        words->next_in_line = lines.in_line;
        words->rewind = lines.taken == fill;
        for (PumpSink sink = 0; sink < _PUMP_SINK_MAX; sink++) {
                words->sinks[sink].done = sink == PUMP_SINK_JOURNAL ? 0 : 1;
        }
        CHANGE("pump-block", atomic_store_explicit(&words->block, lines.made + 1, memory_order_release));
        return 1;
}

/* From the pipe into the ring. How much, 0 at the end. */
static ssize_t fill_ring(PumpStream *stream) {
        PumpWords *words = stream->words;
        uint64_t start = ring_start(stream), end = start + PUMP_RING_BYTES;
        size_t room = PUMP_RING_BYTES - 1 - ring_fill(stream);

        if (words->head == end) {
                words->head = start;
        }
        size_t size = MIN(room, (size_t) (end - words->head));
        ssize_t n =
                        CHANGE("pump-splice",
                               splice(stream->fd,
                                      NULL,
                                      pump_store_get_fd(stream->pump->window.store),
                                      (loff_t *) &words->head,
                                      size,
                                      SPLICE_F_NONBLOCK));
        if (n > 0) {
                stream->ring_bytes = MAX(stream->ring_bytes, (size_t) (words->head - start));
        }
        return n < 0 ? -errno : n;
}

/* Nothing comes: memory for much is given back. */
static void rest(PumpStream *stream) {
        uint64_t start = ring_start(stream);
        PumpStore *store = stream->pump->window.store;

        if (ring_fill(stream) > 0 || in_block(stream)) {
                return;
        }
        if (stream->ring_bytes > KEPT_BYTES) {
                pump_store_trim(store, start, start + PUMP_RING_BYTES);
                stream->ring_bytes = 0;
        }
        if (stream->block_bytes > BLOCK_BYTES_KEPT) {
                pump_store_trim(store,
                                start + PUMP_RING_BYTES + BLOCK_BYTES_KEPT,
                                start + PUMP_STREAM_BYTES);
                stream->block_bytes = BLOCK_BYTES_KEPT;
        }
}

static void end_stream(PumpStream *stream) {
        stream->io = sd_event_source_disable_unref(stream->io);
        stream->fd = close_fd(stream->fd);
}

static void turn(PumpStream *stream, size_t bytes_max) {
        size_t bytes = 0;

        log_pump_take_files(stream->pump);
        for (;;) {
                if (!stream->pump->has_files && stream->pump->files_io) {
                        watch(stream, false); /* they come before anything is written */
                        return;
                }
                if (write_block(stream) <= 0) {
                        return;
                }
                log_pump_take_files(stream->pump);
                int r = make_block(stream);
                if (r > 0) {
                        continue;
                }
                if (r < 0) {
                        hold(stream, PUMP_SINK_OWN, r);
                        return;
                }
                if (stream->fd < 0 || bytes >= bytes_max) {
                        break;
                }
                ssize_t n = fill_ring(stream);
                if (n == -EAGAIN) {
                        rest(stream);
                        break;
                }
                if (n < 0 && n != -EINTR) {
                        hold(stream, PUMP_SINK_OWN, (int) n);
                        return;
                }
                if (n == 0) {
                        end_stream(stream);
                }
                bytes += n > 0 ? (size_t) n : 0;
        }
        watch(stream, true);
}

/* It may be freed by that. */
static void check_end_and_invalidate(LogPump *pump) {
        if (!pump->draining && log_pump_has_ended(pump)) {
                pump->options.on_end(pump->options.userdata);
        }
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        PumpStream *stream = userdata;

        turn(stream, TURN_BYTES_MAX);
        check_end_and_invalidate(stream->pump);
        return 0;
}

void log_pump_go_on(LogPump *pump) {
        for (int i = 0; i < PUMP_STREAMS; i++) {
                turn(&pump->streams[i], TURN_BYTES_MAX);
        }
        if (log_pump_has_ended(pump)) {
                try_later(pump, 0); /* not from within what called us */
        }
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        LogPump *pump = userdata;

        for (int i = 0; i < PUMP_STREAMS; i++) {
                turn(&pump->streams[i], TURN_BYTES_MAX);
        }
        check_end_and_invalidate(pump);
        return 0;
}

static int on_files(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        LogPump *pump = userdata;

        log_pump_take_files(pump);
        if (pump->files_io) { /* none came, and none will */
                end_waiting(pump);
        }
        return on_retry(NULL, 0, pump);
}

void log_pump_drain(LogPump *pump) {
        pump->draining = true;
        for (int i = 0; i < PUMP_STREAMS; i++) {
                turn(&pump->streams[i], DRAIN_BYTES_MAX);
        }
        pump->draining = false;
        if (log_pump_has_ended(pump)) {
                try_later(pump, 0);
        }
}

static int add_sources(LogPump *pump, sd_event *event) {
        int r = sd_event_add_time_relative(
                        event, &pump->retry, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_retry, pump);

        if (r >= 0 && pump->files_fd >= 0) {
                r = sd_event_add_io(event, &pump->files_io, pump->files_fd, EPOLLIN, on_files, pump);
        }
        for (int i = 0; r >= 0 && i < PUMP_STREAMS; i++) {
                PumpStream *stream = &pump->streams[i];
                if (stream->fd >= 0) {
                        r = sd_event_add_io(event, &stream->io, stream->fd, EPOLLIN, on_io, stream);
                }
        }
        return r;
}

static void let_go(LogPump *pump) {
        for (int i = 0; i < PUMP_STREAMS; i++) {
                pump->streams[i].io = sd_event_source_disable_unref(pump->streams[i].io);
        }
        pump->files_io = sd_event_source_disable_unref(pump->files_io);
        pump->retry = sd_event_source_disable_unref(pump->retry);
        close_targets(pump);
}

int log_pump_new(
                sd_event *event,
                PumpWindow *window,
                const int fds[PUMP_STREAMS],
                int files_fd,
                const LogPumpOptions *options,
                LogPump **ret) {
        LogPump *pump = g_new0(LogPump, 1);

        pump->window = *window;
        pump->files_fd = files_fd;
        pump->options = *options;
        for (int i = 0; i < EXEC_LOGS; i++) {
                pump->targets[i].fd = -EBADF;
        }
        for (int i = 0; i < PUMP_STREAMS; i++) {
                pump->streams[i] = (PumpStream){
                        .pump = pump,
                        .index = i,
                        .fd = fds[i],
                        .words = &pump->window.head->streams[i],
                };
        }
        int r = add_sources(pump, event);
        if (r < 0) {
                log_pump_free(pump);
                return r;
        }
        *ret = pump;
        return 0;
}

static void recover_sink(PumpStream *stream, PumpSink sink) {
        PumpWords *words = stream->words;
        PumpProgress *progress = &words->sinks[sink];
        const PumpTarget *target = target_of(stream, sink);

        if (!target) {
                return;
        }
        if (in_block(stream)) {
                pump_file_recover(target->fd, block_of(stream), words->block, progress);
                if (progress->done > 1 && progress->done < words->block) {
                        pump_file_claim(target->file, stream, true);
                }
        }
        if (words->in_line) {
                pump_file_claim(target->file, stream, false);
        }
}

void log_pump_recover(LogPump *pump) {
        log_pump_take_files(pump);
        if (pump->options.enter) {
                pump->options.enter(pump->options.userdata);
        }
        for (int i = 0; i < PUMP_STREAMS; i++) {
                for (PumpSink sink = 0; sink < PUMP_SINK_JOURNAL; sink++) {
                        recover_sink(&pump->streams[i], sink);
                }
        }
        if (pump->options.leave) {
                pump->options.leave(pump->options.userdata);
        }
}

void log_pump_free(LogPump *pump) {
        if (pump) {
                int fds[PUMP_STREAMS], files_fd = steal_fd(&pump->files_fd);
                for (int i = 0; i < PUMP_STREAMS; i++) {
                        fds[i] = steal_fd(&pump->streams[i].fd);
                }
                let_go(pump);
                pump_window_release(&pump->window);
                (void) close_fd(fds[0]);
                (void) close_fd(fds[1]);
                (void) close_fd(files_fd);
                g_free(pump);
        }
}

void log_pump_leave(LogPump *pump, int ret_fds[PUMP_STREAMS], int *ret_files_fd) {
        let_go(pump);
        for (int i = 0; i < PUMP_STREAMS; i++) {
                ret_fds[i] = pump->streams[i].fd;
        }
        *ret_files_fd = pump->files_fd;
        pump_window_close(&pump->window);
        g_free(pump);
}

PumpWindow *log_pump_window(LogPump *pump) {
        return &pump->window;
}

int log_pump_file(const LogPump *pump, int index) {
        return pump->targets[index].fd;
}

int log_pump_exchange_files(LogPump *pump, int files_fd) {
        int before = pump->files_fd;

        end_waiting(pump);
        pump->files_fd = files_fd;
        pump->exchange = true;
        log_pump_take_files(pump);
        return before;
}
