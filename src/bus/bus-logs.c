/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-logs.h"

#include "basic/time-util.h"
#include "config/json-text.h"
#include "core/target.h"
#include "core/value-text.h"
#include "manager/log-follow.h"

#include <inttypes.h>
#include <string.h>

enum {
        LINES_MAX = 100000,
};

typedef struct Options {
        BusLogRequest *request;
        bool out, error_stream;
} Options;

static int refuse(const char *key, const char *expected, const Value *value, Error *error) {
        g_autofree char *got = value_describe(value);

        return error_set(error, ERROR_INVALID_ARGS, "option %s: expected %s, got %s", key, expected, got);
}

static int read_streams(Options *options, const Value *value, Error *error) {
        static const char expected[] = "\"out\", \"err\" or both";

        if (value->kind != VALUE_ARRAY || value->items->len == 0) {
                return refuse("streams", expected, value, error);
        }
        options->out = options->error_stream = false;
        for (guint i = 0; i < value->items->len; i++) {
                const Value *item = value->items->pdata[i];
                const char *name = item->kind == VALUE_STRING ? item->string : "";
                if (strcmp(name, "out") == 0) {
                        options->out = true;
                } else if (strcmp(name, "err") == 0) {
                        options->error_stream = true;
                } else {
                        return refuse("streams", expected, item, error);
                }
        }
        return 0;
}

static int read_lines(Options *options, const Value *value, Error *error) {
        if (value->kind != VALUE_INT || value->integer < 0 || value->integer > LINES_MAX) {
                return refuse("lines", "0 to 100000", value, error);
        }
        options->request->lines = (unsigned) value->integer;
        return 0;
}

static int read_follow(Options *options, const Value *value, Error *error) {
        if (value->kind != VALUE_BOOL) {
                return refuse("follow", "a boolean", value, error);
        }
        options->request->follow = value->boolean;
        return 0;
}

static int read_format(Options *options, const Value *value, Error *error) {
        const char *name = value->kind == VALUE_STRING ? value->string : "";

        if (strcmp(name, "raw") == 0) {
                options->request->format = BUS_LOG_RAW;
        } else if (strcmp(name, "json") == 0) {
                options->request->format = BUS_LOG_JSON;
        } else {
                return refuse("format", "\"raw\" or \"json\"", value, error);
        }
        return 0;
}

static int read_option(Options *options, const ValueEntry *entry, Error *error) {
        static const struct {
                const char *key;
                int (*read)(Options *options, const Value *value, Error *error);
        } table[] = {
                { "lines", read_lines },
                { "follow", read_follow },
                { "streams", read_streams },
                { "format", read_format },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                if (strcmp(table[i].key, entry->key) == 0) {
                        return table[i].read(options, entry->value, error);
                }
        }
        g_autofree char *quoted = error_quote(entry->key);
        return error_set(error, ERROR_INVALID_ARGS, "unknown option %s", quoted);
}

/* One is enough: of the others there is nothing, and processes may come. */
static int check_readable(const GPtrArray *processes, const Options *options, Error *error) {
        const char *obstacle = NULL;

        for (guint i = 0; i < processes->len; i++) {
                const Process *process = processes->pdata[i];
                const char *of_out = options->out ? manager_log_obstacle(process, false) : NULL;
                const char *of_error = options->error_stream ? manager_log_obstacle(process, true) : NULL;
                if ((options->out && !of_out) || (options->error_stream && !of_error)) {
                        return 0;
                }
                obstacle = obstacle ? obstacle : of_out ? of_out : of_error;
        }
        if (!obstacle) {
                return 0;
        }
        const Process *first = processes->pdata[0];
        g_autofree char *name = error_quote(first->config->name);
        return error_set(error, ERROR_NOT_SUPPORTED, "process %" PRIu32 " %s %s", first->id, name, obstacle);
}

int bus_log_request_read(
                Manager *manager,
                const Caller *caller,
                const char *target,
                const Value *values,
                BusLogRequest *ret,
                Error *error) {
        Options options = { .request = ret, .out = true, .error_stream = true };
        g_autoptr(GPtrArray) processes = NULL;

        *ret = (BusLogRequest){ .format = BUS_LOG_RAW, .follow = true };
        for (guint i = 0; i < values->entries->len; i++) {
                int r = read_option(&options, &g_array_index(values->entries, ValueEntry, i), error);
                if (r < 0) {
                        return r;
                }
        }
        int r = target_resolve(manager_registry(manager), caller, target, &processes, error);
        if (r >= 0) {
                r = check_readable(processes, &options, error);
        }
        return r < 0 ? r
                     : bus_filter_new_of_logs(
                                       caller,
                                       target,
                                       options.out,
                                       options.error_stream,
                                       &ret->filter,
                                       error);
}

const char *bus_log_event(bool error_stream) {
        return error_stream ? "log:err" : "log:out";
}

const LogSource *bus_log_source(BusFilter *filter, const LogLines *lines) {
        for (size_t i = 0; i < lines->n_sources; i++) {
                const LogSource *source = &lines->sources[i];
                if (bus_filter_takes(filter, source->process, bus_log_event(source->error))) {
                        return source;
                }
        }
        return NULL;
}

static FeedItem *item_of(const char *bytes, size_t length, bool newline) {
        FeedItem *item = feed_item_new(length + newline);

        memcpy(item->bytes, bytes, length);
        if (newline) {
                item->bytes[length] = '\n';
        }
        return item;
}

/* {"process":...,"stream":...,"at":...: what an object begins with. */
static GString *begin_object(const LogSource *source, const LogLines *lines) {
        const Process *process = source->process;
        GString *text = g_string_new(NULL);

        g_string_append_printf(text, "{\"process\":{\"pm_id\":%" PRIu32 ",\"name\":", process->id);
        json_text_append_string(text, process->config->name);
        g_string_append(text, ",\"namespace\":");
        json_text_append_string(text, process->config->namespace);
        g_string_append_printf(
                        text,
                        ",\"unique_id\":\"%s\"},\"stream\":\"%s\"",
                        process->unique_id,
                        source->error ? "err" : "out");
        if (lines->at_realtime_usec > 0) {
                g_string_append_printf(text, ",\"at\":%" PRIu64, lines->at_realtime_usec / USEC_PER_MSEC);
        }
        return text;
}

static FeedItem *render_cut_json(const LogSource *source, const LogLines *lines) {
        g_autoptr(GString) text = begin_object(source, lines);

        g_string_append(text, ",\"event\":\"lost\",\"data\":{\"bytes\":");
        if (lines->lost_bytes == UINT64_MAX) {
                g_string_append(text, "null}}\n");
        } else {
                g_string_append_printf(text, "%" PRIu64 "}}\n", lines->lost_bytes);
        }
        return item_of(text->str, text->len, false);
}

static FeedItem *render_cut_raw(const LogLines *lines) {
        g_autofree char *text = lines->lost_bytes == UINT64_MAX
                                                ? g_strdup("[pm2d: bytes lost, nobody knows how many]\n")
                                                : g_strdup_printf("[pm2d: %" PRIu64 " bytes lost]\n",
                                                                  lines->lost_bytes);

        return item_of(text, strlen(text), false);
}

FeedItem *bus_log_render_lost(uint64_t count) {
        g_autofree char *text = g_strdup_printf("[pm2d: %" PRIu64 " lines lost]\n", count);

        return item_of(text, strlen(text), false);
}

void bus_log_render(const LogSource *source, const LogLines *lines, BusLogFormat format, GPtrArray *items) {
        bool json = format == BUS_LOG_JSON;
        size_t position = 0;

        if (lines->lost_bytes > 0) {
                g_ptr_array_add(items, json ? render_cut_json(source, lines) : render_cut_raw(lines));
                return;
        }
        g_autoptr(GString) text = json ? begin_object(source, lines) : NULL;
        if (json) {
                g_string_append(text, ",\"data\":");
        }
        size_t head_length = json ? text->len : 0;
        while (position < lines->length) {
                const char *line = lines->bytes + position;
                const char *newline = memchr(line, '\n', lines->length - position);
                size_t length = newline ? (size_t) (newline - line) + 1 : lines->length - position;
                if (json) {
                        g_string_truncate(text, head_length);
                        json_text_append_bytes(text, line, length);
                        g_string_append(text, "}\n");
                        g_ptr_array_add(items, item_of(text->str, text->len, false));
                } else {
                        g_ptr_array_add(items, item_of(line, length, !newline));
                }
                position += length;
        }
}
