/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-streams.h"

#include "basic/cleanup.h"
#include "basic/sd-cleanup.h"
#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "bus/bus-error.h"
#include "bus/bus-logs.h"
#include "bus/bus-value.h"
#include "config/json-text.h"
#include "manager/log-follow.h"
#include "platform/feed.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

enum {
        USERS_MAX = 4, /* that may have all the streams that one may have */
};

typedef struct Reader {
        Feed *feed;
        BusFilter *filter;
        BusLogFormat format; /* of OpenBus: events */
        bool ended;          /* it gets nothing more */
} Reader;

struct BusStreams {
        BusServer *server;  /* weak */
        GPtrArray *readers; /* of Reader */
        GString *head;      /* of a line: what comes before its data */
        sd_event_source *flush_source;
        bool pending; /* something is appended and not flushed */
};

static void free_reader(void *userdata) {
        Reader *reader = userdata;

        feed_free(reader->feed);
        bus_filter_free(reader->filter);
        g_free(reader);
}

static void remove_reader(BusStreams *streams, guint i) {
        (void) g_ptr_array_remove_index_fast(streams->readers, i);
        manager_logs_are_less_wanted(streams->server->manager);
}

void bus_streams_flush(BusStreams *streams) {
        if (!streams->pending) {
                return;
        }
        streams->pending = false;
        for (guint i = streams->readers->len; i > 0; i--) {
                const Reader *reader = streams->readers->pdata[i - 1];
                feed_flush(reader->feed);
                if (feed_is_gone(reader->feed)) {
                        remove_reader(streams, i - 1);
                }
        }
}

static int on_flush(sd_event_source *source, void *userdata) {
        bus_streams_flush(userdata);
        return 0;
}

static void on_gone(void *userdata, Feed *feed) {
        BusStreams *streams = userdata;

        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                if (reader->feed == feed) {
                        remove_reader(streams, i);
                        return;
                }
        }
}

static void append(BusStreams *streams, const Reader *reader, FeedItem *line) {
        feed_append(reader->feed, line);
        if (!streams->pending) {
                streams->pending = true;
                (void) sd_event_source_set_enabled(streams->flush_source, SD_EVENT_ONESHOT);
        }
}

/* {"event":...,"at":...,"process":{...},"data":...}; without a process, without that. */
static FeedItem *render(
                BusStreams *streams,
                const Process *process,
                uint32_t pid,
                const char *event,
                const char *data,
                size_t data_length) {
        static const char foot[] = { '}', '\n' };
        GString *head = streams->head;

        g_string_assign(head, "{\"event\":");
        json_text_append_string(head, event);
        g_string_append_printf(head, ",\"at\":%" PRIu64, now_realtime_usec() / USEC_PER_MSEC);
        if (process) {
                g_string_append_printf(head, ",\"process\":{\"pm_id\":%" PRIu32 ",\"name\":", process->id);
                json_text_append_string(head, process->config->name);
                g_string_append(head, ",\"namespace\":");
                json_text_append_string(head, process->config->namespace);
                g_string_append_printf(
                                head, ",\"unique_id\":\"%s\",\"pid\":%" PRIu32 "}", process->unique_id, pid);
        }
        g_string_append(head, ",\"data\":");
        FeedItem *line = feed_item_new(head->len + data_length + sizeof(foot));
        memcpy(line->bytes, head->str, head->len);
        memcpy(line->bytes + head->len, data, data_length);
        memcpy(line->bytes + head->len + data_length, foot, sizeof(foot));
        return line;
}

void bus_streams_tell_message(
                BusStreams *streams,
                const Process *process,
                const char *type,
                const char *data,
                size_t data_length) {
        FeedItem *line = NULL;

        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                if (!bus_filter_takes(reader->filter, process, type)) {
                        continue;
                }
                if (!line) {
                        line = render(streams, process, (uint32_t) process->pid, type, data, data_length);
                }
                append(streams, reader, line);
        }
        if (line) {
                feed_item_unref(line);
        }
}

/* The reason follows from an exit: at the exit itself it is still that of what was before. */
static bool has_reason(const Process *process, ProcessEventKind kind) {
        return process->reason && kind != EVENT_EXIT && kind != EVENT_OOM && kind != EVENT_MEMORY &&
               kind != EVENT_CRASH && kind != EVENT_CORE;
}

static FeedItem *render_event(
                BusStreams *streams, const Process *process, ProcessEventKind kind, bool manually) {
        g_autoptr(GString) data = g_string_new("{\"event\":");

        json_text_append_string(data, process_event_to_name(kind));
        g_string_append_printf(
                        data,
                        ",\"manually\":%s,\"restart_time\":%" PRIu32,
                        manually ? "true" : "false",
                        process->restart_count);
        if (kind == EVENT_EXIT) {
                int number = process->exit_status.signal;
                const char *signal_name = number ? signal_to_name(number) : NULL;
                g_string_append_printf(data, ",\"exit_code\":%d,\"signal\":", process->exit_status.code);
                json_text_append_string(data, signal_name ? signal_name : "");
        }
        if (kind == EVENT_CRASH) {
                g_string_append(data, ",\"crash\":");
                json_text_append_value(data, process->crash);
        }
        if (kind == EVENT_CORE) {
                g_string_append(data, ",\"core\":");
                json_text_append_value(data, value_get(process->crash, "core"));
        }
        if (kind == EVENT_MEMORY) {
                g_string_append_printf(
                                data,
                                ",\"memory\":%" PRIu64 ",\"limit\":%" PRIu64,
                                process->memory_excess_bytes,
                                process->config->max_memory_restart_bytes);
        }
        if (has_reason(process, kind)) {
                g_autofree char *reason = g_utf8_make_valid(process->reason, -1);
                g_string_append(data, ",\"reason\":");
                json_text_append_string(data, reason);
        }
        g_string_append_c(data, '}');
        return render(streams,
                      process,
                      (uint32_t) bus_event_pid(process, kind),
                      "process:event",
                      data->str,
                      data->len);
}

void bus_streams_tell_event(
                BusStreams *streams, const Process *process, ProcessEventKind kind, bool manually) {
        FeedItem *line = NULL;

        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                if (!bus_filter_takes(reader->filter, process, "process:event")) {
                        continue;
                }
                if (!line) {
                        line = render_event(streams, process, kind, manually);
                }
                append(streams, reader, line);
        }
        if (line) {
                feed_item_unref(line);
        }
}

void bus_streams_tell_killed(BusStreams *streams, const char *reason) {
        g_autoptr(GString) data = g_string_new("{\"reason\":");

        json_text_append_string(data, reason);
        g_string_append_c(data, '}');
        FeedItem *line = render(streams, NULL, 0, "pm2:kill", data->str, data->len);
        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                if (bus_filter_takes_name(reader->filter, "pm2:kill")) {
                        append(streams, reader, line);
                }
        }
        feed_item_unref(line);
}

bool bus_streams_want_log(const BusStreams *streams, const Process *process, bool error_stream) {
        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                if (!reader->ended &&
                    bus_filter_takes(reader->filter, process, bus_log_event(error_stream))) {
                        return true;
                }
        }
        return false;
}

static FeedItem *render_log_event(BusStreams *streams, const LogSource *source, const LogLines *lines) {
        const Process *process = source->process;
        g_autoptr(GString) data = g_string_new(NULL);

        if (lines->lost_bytes == UINT64_MAX) {
                g_string_assign(data, "{\"bytes\":null}");
        } else if (lines->lost_bytes > 0) {
                g_string_printf(data, "{\"bytes\":%" PRIu64 "}", lines->lost_bytes);
        } else {
                json_text_append_bytes(data, lines->bytes, lines->length);
        }
        return render(streams,
                      process,
                      (uint32_t) process->pid,
                      lines->lost_bytes > 0 ? "lost" : bus_log_event(source->error),
                      data->str,
                      data->len);
}

/* What was made of the lines for one reader does for all that want the same. */
typedef struct RenderedLog {
        const LogSource *source;
        BusLogFormat format;
        GPtrArray *items; /* of FeedItem */
} RenderedLog;

static void rendered_clear(void *userdata) {
        g_ptr_array_unref(((RenderedLog *) userdata)->items);
}

static void unref_item(void *item) {
        feed_item_unref(item);
}

static const GPtrArray *render_log(
                BusStreams *streams,
                GArray *done,
                const LogSource *source,
                BusLogFormat format,
                const LogLines *lines) {
        for (guint i = 0; i < done->len; i++) {
                const RenderedLog *rendered = &g_array_index(done, RenderedLog, i);
                if (rendered->source == source && rendered->format == format) {
                        return rendered->items;
                }
        }
        const RenderedLog rendered = { source, format, g_ptr_array_new_with_free_func(unref_item) };
        if (format == BUS_LOG_EVENTS) {
                g_ptr_array_add(rendered.items, render_log_event(streams, source, lines));
        } else {
                bus_log_render(source, lines, format, rendered.items);
        }
        (void) g_array_append_val(done, rendered);
        return rendered.items;
}

void bus_streams_tell_log(BusStreams *streams, const LogLines *lines) {
        g_autoptr(GArray) done = g_array_new(false, false, sizeof(RenderedLog));

        g_array_set_clear_func(done, rendered_clear);
        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                const LogSource *source = reader->ended ? NULL : bus_log_source(reader->filter, lines);
                if (!source) {
                        continue;
                }
                const GPtrArray *items = render_log(streams, done, source, reader->format, lines);
                for (guint k = 0; k < items->len; k++) {
                        append(streams, reader, items->pdata[k]);
                }
        }
}

void bus_streams_forget(BusStreams *streams, const Process *process) {
        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                bus_filter_forget(reader->filter, process);
        }
        if (streams->readers->len > 0) {
                manager_logs_are_less_wanted(
                                streams->server->manager); /* or more: its name may be another */
        }
}

static int check_count(const BusStreams *streams, const Caller *caller, Error *error) {
        uint64_t limit = manager_settings(streams->server->manager)->streams_max;
        uint64_t count = 0;

        for (guint i = 0; i < streams->readers->len; i++) {
                const Reader *reader = streams->readers->pdata[i];
                count += bus_filter_caller(reader->filter)->uid == caller->uid;
        }
        if (count >= limit) {
                return error_set(
                                error,
                                ERROR_LIMIT_EXCEEDED,
                                "this user has %" PRIu64 " streams open already (setting streams_max)",
                                count);
        }
        if (streams->readers->len >= limit * USERS_MAX) {
                return error_set(
                                error,
                                ERROR_LIMIT_EXCEEDED,
                                "%u streams are open already (setting streams_max)",
                                streams->readers->len);
        }
        return 0;
}

static FeedItem *render_lost(uint64_t count) {
        g_autofree char *text = g_strdup_printf(
                        "{\"event\":\"lost\",\"at\":%" PRIu64 ",\"data\":{\"count\":%" PRIu64 "}}\n",
                        now_realtime_usec() / USEC_PER_MSEC,
                        count);
        FeedItem *line = feed_item_new(strlen(text));

        memcpy(line->bytes, text, line->length);
        return line;
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

static int open_feed(BusStreams *streams, BusLogFormat format, Feed **ret, int *ret_reader_fd) {
        const FeedOptions options = {
                .backlog_bytes_max = manager_settings(streams->server->manager)->stream_backlog_max,
                .render_lost = format == BUS_LOG_RAW ? bus_log_render_lost : render_lost,
                .on_gone = on_gone,
                .userdata = streams,
        };
        _cleanup_close_ int reader_fd = -EBADF;
        int writer_fd = -EBADF;

        int r = open_pair(&writer_fd, &reader_fd);
        if (r >= 0) {
                r = feed_new(streams->server->event, writer_fd, &options, ret);
        }
        if (r >= 0) {
                *ret_reader_fd = steal_fd(&reader_fd);
        }
        return r;
}

/* The filter is taken over. */
static int add_reader(
                BusStreams *streams,
                BusFilter *filter,
                BusLogFormat format,
                Reader **ret,
                int *ret_reader_fd,
                Error *error) {
        g_autoptr(BusFilter) owned = filter;
        Feed *feed;

        int r = check_count(streams, bus_filter_caller(filter), error);
        if (r < 0) {
                return r;
        }
        r = open_feed(streams, format, &feed, ret_reader_fd);
        if (r < 0) {
                return error_set(error, ERROR_LIMIT_EXCEEDED, "no stream is to be had: %s", g_strerror(-r));
        }
        Reader *reader = g_new0(Reader, 1);
        *reader = (Reader){ .feed = feed, .filter = g_steal_pointer(&owned), .format = format };
        g_ptr_array_add(streams->readers, reader);
        *ret = reader;
        return 0;
}

static int reply_with_fd(
                BusConnection *connection, sd_bus_message *message, int reader_fd, sd_bus_error *error) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = sd_bus_message_append_basic(reply, SD_BUS_TYPE_UNIX_FD, &reader_fd);
        }
        if (r >= 0) {
                /* no fault point: the answer to a question */
                r = sd_bus_send(connection->bus, reply, NULL);
        }
        if (r == -EOPNOTSUPP) {
                return sd_bus_error_set(
                                error,
                                "org.pm2.Error.NotSupported",
                                "this connection does not carry file descriptors");
        }
        return r;
}

int bus_streams_open(sd_bus_message *message, BusConnection *connection, sd_bus_error *ret_error) {
        BusStreams *streams = connection->server->streams;
        _cleanup_close_ int reader_fd = -EBADF;
        g_autoptr(Value) options = NULL;
        g_auto(Error) error = { 0 };
        BusFilter *filter = NULL;
        Reader *reader;

        int r = bus_value_read_map(message, &options, &error);
        if (r >= 0) {
                r = bus_filter_new(bus_caller(connection), options, &filter, &error);
        }
        if (r >= 0) {
                r = add_reader(streams, filter, BUS_LOG_EVENTS, &reader, &reader_fd, &error);
        }
        if (r < 0) {
                return bus_error_from(&error, ret_error);
        }
        if (bus_filter_takes_name(reader->filter, bus_log_event(false)) ||
            bus_filter_takes_name(reader->filter, bus_log_event(true))) {
                manager_logs_are_wanted(connection->server->manager);
        }
        /* A stream whose reader never gets its end sees it closed. */
        return reply_with_fd(connection, message, reader_fd, ret_error);
}

/* The last lines for one reader. */
typedef struct Tail {
        BusStreams *streams;
        Reader *reader;
} Tail;

static bool tail_wants(void *userdata, const Process *process, bool error_stream) {
        const Tail *tail = userdata;

        return bus_filter_takes(tail->reader->filter, process, bus_log_event(error_stream));
}

static void tail_tell(void *userdata, const LogLines *lines) {
        const Tail *tail = userdata;
        g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(unref_item);

        bus_log_render(lines->sources, lines, tail->reader->format, items);
        for (guint i = 0; i < items->len; i++) {
                append(tail->streams, tail->reader, items->pdata[i]);
        }
}

static void begin_logs(BusStreams *streams, Reader *reader, const BusLogRequest *request) {
        Manager *manager = streams->server->manager;
        Tail tail = { .streams = streams, .reader = reader };
        const LogTailRequest what = {
                .wants = tail_wants,
                .tell = tail_tell,
                .userdata = &tail,
                .lines = request->lines,
                .bytes_max = manager_settings(manager)->stream_backlog_max / 2,
                .to_the_end = !request->follow,
        };

        reader->ended = !request->follow;
        if (request->follow) {
                manager_logs_are_wanted(manager);
        }
        manager_read_log_tails(manager, &what);
        if (!request->follow) {
                feed_finish(reader->feed);
                streams->pending = true;
                (void) sd_event_source_set_enabled(streams->flush_source, SD_EVENT_ONESHOT);
        }
}

int bus_streams_open_logs(sd_bus_message *message, BusConnection *connection, sd_bus_error *ret_error) {
        BusStreams *streams = connection->server->streams;
        _cleanup_close_ int reader_fd = -EBADF;
        g_autoptr(Value) options = NULL;
        g_auto(Error) error = { 0 };
        BusLogRequest request = { 0 };
        const char *target;
        Reader *reader;

        int r = sd_bus_message_read(message, "s", &target);
        if (r < 0) {
                return r;
        }
        r = bus_value_read_map(message, &options, &error);
        if (r >= 0) {
                r = bus_log_request_read(
                                connection->server->manager,
                                bus_caller(connection),
                                target,
                                options,
                                &request,
                                &error);
        }
        if (r >= 0) {
                r = add_reader(streams, request.filter, request.format, &reader, &reader_fd, &error);
        }
        if (r < 0) {
                return bus_error_from(&error, ret_error);
        }
        begin_logs(streams, reader, &request);
        return reply_with_fd(connection, message, reader_fd, ret_error);
}

int bus_streams_new(BusServer *server, BusStreams **ret) {
        BusStreams *streams = g_new0(BusStreams, 1);

        streams->server = server;
        streams->readers = g_ptr_array_new_with_free_func(free_reader);
        streams->head = g_string_new(NULL);
        int r = sd_event_add_defer(server->event, &streams->flush_source, on_flush, streams);
        if (r >= 0) {
                r = sd_event_source_set_enabled(streams->flush_source, SD_EVENT_OFF);
        }
        if (r < 0) {
                bus_streams_free(streams);
                return r;
        }
        *ret = streams;
        return 0;
}

void bus_streams_free(BusStreams *streams) {
        if (streams) {
                bus_streams_flush(streams);
                (void) sd_event_source_disable_unref(streams->flush_source);
                g_ptr_array_unref(streams->readers);
                (void) g_string_free(streams->head, TRUE);
                g_free(streams);
        }
}
