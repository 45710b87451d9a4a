/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log-sources.h"

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void source_free(gpointer data) {
        Source *source = data;
        log_tail_free(source->tail);
        g_free(source->name);
        g_free(source->prefix);
        g_free(source);
}

/* As PM2 has it in JSON. */
static char *format_iso(void) {
        g_autoptr(GDateTime) now = g_date_time_new_now_utc();
        g_autofree char *second = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S");

        return g_strdup_printf("%s.%03dZ", second, g_date_time_get_microsecond(now) / 1000);
}

static char *format_local(void) {
        g_autoptr(GDateTime) now = g_date_time_new_now_local();
        g_autofree char *second = g_date_time_format(now, "%Y-%m-%d %H:%M:%S");

        return g_strdup_printf("%s.%03d", second, g_date_time_get_microsecond(now) / 1000);
}

static void print_line_json(const Source *source, const char *line, size_t length) {
        g_autofree char *message = g_utf8_make_valid(line, (gssize) length);
        pm2_value *object = NULL;
        char *json = NULL;

        int r = pm2_value_new_object(&object);
        if (r >= 0) {
                r = pm2_value_add_string(object, "message", message);
        }
        if (r >= 0 && source->logs->live) {
                g_autofree char *now = format_iso();
                r = pm2_value_add_string(object, "timestamp", now);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "type", source->error ? "err" : "out");
        }
        if (r >= 0) {
                r = pm2_value_add_uint64(object, "process_id", source->id);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "app_name", source->name);
        }
        if (r >= 0 && pm2_value_to_json(object, PM2_JSON_SHORT, &json) >= 0) {
                (void) puts(json);
                free(json);
        }
        (void) pm2_value_free(object);
}

static void print_line(void *userdata, const char *line, size_t length) {
        Source *source = userdata;

        if (!log_filter_takes(&source->logs->filter, &source->skipping, line, length)) {
                return;
        }
        if (source->ctl->json != JSON_OFF) {
                print_line_json(source, line, length);
                return;
        }
        if (source->logs->timestamps && source->logs->live) {
                g_autofree char *now = format_local();
                (void) printf("%s ", now);
        }
        if (source->prefix) {
                (void) fputs(source->prefix, stdout);
        }
        (void) fwrite(line, 1, length, stdout);
        (void) putchar('\n');
}

static void add_source(LogSources *logs, const pm2_value *process, const char *path, bool error) {
        if (path[0] != '/' || strcmp(path, "/dev/null") == 0) {
                return;
        }
        for (guint i = 0; i < logs->tails->len; i++) {
                if (strcmp(log_tail_get_path(g_ptr_array_index(logs->tails, i)), path) == 0) {
                        return;
                }
        }
        Source *source = g_new0(Source, 1);
        source->ctl = logs->ctl;
        source->logs = logs;
        source->id = pm2_process_get_id(process);
        source->name = g_strdup(pm2_process_get_name(process));
        source->error = error;
        source->tail = log_tail_new(path, print_line, source);
        g_ptr_array_add(logs->sources, source);
        g_ptr_array_add(logs->tails, source->tail);
}

void log_sources_add(LogSources *logs, const pm2_value *processes) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                const pm2_value *process = pm2_value_get_item(processes, i);
                if (logs->out) {
                        add_source(logs, process, pm2_process_get_out_log_path(process), false);
                }
                if (logs->err) {
                        add_source(logs, process, pm2_process_get_err_log_path(process), true);
                }
        }
}

static bool several_processes(const LogSources *logs) {
        for (guint i = 1; i < logs->sources->len; i++) {
                const Source *first = g_ptr_array_index(logs->sources, 0);
                const Source *other = g_ptr_array_index(logs->sources, i);
                if (first->id != other->id) {
                        return true;
                }
        }
        return false;
}

void log_sources_set_prefixes(LogSources *logs) {
        size_t widest = 0;

        if (!several_processes(logs)) {
                return;
        }
        for (unsigned pass = 0; pass < 2; pass++) {
                for (guint i = 0; i < logs->sources->len; i++) {
                        Source *source = g_ptr_array_index(logs->sources, i);
                        g_autofree char *name = text_clean(source->name, logs->ctl->utf8);
                        g_autofree char *label = g_strdup_printf("%" PRIu32 "|%s", source->id, name);
                        size_t width = text_width(label, logs->ctl->utf8);
                        if (pass == 0) {
                                widest = MAX(widest, width);
                                continue;
                        }
                        source->prefix =
                                        g_strdup_printf("%s%s%*s | %s",
                                                        !logs->ctl->colour ? ""
                                                        : source->error    ? "\033[31m"
                                                                           : "\033[32m",
                                                        label,
                                                        (int) (widest - width),
                                                        "",
                                                        logs->ctl->colour ? "\033[0m" : "");
                }
        }
}

void log_sources_init(LogSources *logs, const Ctl *ctl) {
        *logs = (LogSources){
                .ctl = ctl,
                .out = true,
                .err = true,
                .sources = g_ptr_array_new_with_free_func(source_free),
                .tails = g_ptr_array_new(),
        };
}

void log_sources_done(LogSources *logs) {
        log_filter_done(&logs->filter);
        g_ptr_array_unref(logs->tails);
        g_ptr_array_unref(logs->sources);
}
