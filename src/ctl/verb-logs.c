/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* logs: the log files of processes as pm2ctl may read them itself. */

#include "i18n.h"
#include "log-watch.h"
#include "output.h"
#include "text.h"

#include "basic/parse-util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_DEFAULT 15

/* One log file of one process; a file that several share is shown once. */
typedef struct Source {
        const Ctl *ctl;
        LogTail *tail;
        char *name;
        uint32_t id;
        bool error;   /* its standard error */
        char *prefix; /* before each line, or NULL */
} Source;

typedef struct Logs {
        const Ctl *ctl;
        GPtrArray *sources, *tails;
        bool out, err, raw;
        uint32_t lines;
} Logs;

static void source_free(gpointer data) {
        Source *source = data;
        log_tail_free(source->tail);
        g_free(source->name);
        g_free(source->prefix);
        g_free(source);
}

static void print_line_json(const Source *source, const char *line, size_t length) {
        g_autofree char *message = g_utf8_make_valid(line, (gssize) length);
        pm2_value *object = NULL;
        char *json = NULL;

        int r = pm2_value_new_object(&object);
        if (r >= 0) {
                r = pm2_value_add_string(object, "message", message);
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
        const Source *source = userdata;

        if (source->ctl->json != JSON_OFF) {
                print_line_json(source, line, length);
                return;
        }
        if (source->prefix) {
                (void) fputs(source->prefix, stdout);
        }
        (void) fwrite(line, 1, length, stdout);
        (void) putchar('\n');
}

static void add_source(Logs *logs, const pm2_value *process, const char *path, bool error) {
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
        source->id = pm2_process_get_id(process);
        source->name = g_strdup(pm2_process_get_name(process));
        source->error = error;
        source->tail = log_tail_new(path, print_line, source);
        g_ptr_array_add(logs->sources, source);
        g_ptr_array_add(logs->tails, source->tail);
}

static void add_sources(Logs *logs, const pm2_value *processes) {
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

static bool several_processes(const Logs *logs) {
        for (guint i = 1; i < logs->sources->len; i++) {
                const Source *first = g_ptr_array_index(logs->sources, 0);
                const Source *other = g_ptr_array_index(logs->sources, i);
                if (first->id != other->id) {
                        return true;
                }
        }
        return false;
}

/* "0|api | ", as wide for all. */
static void set_prefixes(Logs *logs) {
        size_t widest = 0;

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

static int find_sources(Logs *logs, const Arguments *arguments) {
        int status = EXIT_OK;

        for (guint i = 0; i < MAX(arguments->positional->len, 1); i++) {
                pm2_value *processes = NULL;
                int r;
                if (arguments->positional->len == 0) {
                        r = pm2_list(logs->ctl->client, &processes);
                } else {
                        const char *target = g_ptr_array_index(arguments->positional, i);
                        r = pm2_describe(logs->ctl->client, target, &processes);
                }
                if (r < 0) {
                        status = print_failure(logs->ctl, r);
                        continue;
                }
                add_sources(logs, processes);
                (void) pm2_value_free(processes);
        }
        return status;
}

static void print_heading(const Logs *logs, const Source *source) {
        if (!logs->raw && logs->ctl->json == JSON_OFF) {
                g_autofree char *path = text_clean(log_tail_get_path(source->tail), logs->ctl->utf8);
                (void) printf(_("%s, last %u lines:"), path, logs->lines);
                (void) puts("");
        }
}

static int print_last(const Logs *logs, bool final) {
        int status = EXIT_OK;

        for (guint i = 0; i < logs->sources->len; i++) {
                Source *source = g_ptr_array_index(logs->sources, i);
                if (logs->lines > 0) {
                        print_heading(logs, source);
                }
                int r = log_tail_start(source->tail, logs->lines);
                if (r < 0) {
                        print_error("%s: %s", log_tail_get_path(source->tail), g_strerror(-r));
                        status = EXIT_FAILED;
                }
                if (final) {
                        log_tail_finish(source->tail);
                }
        }
        return status;
}

static int run(Logs *logs, const Arguments *arguments) {
        bool follow = !arguments_has(arguments, "nostream") || arguments_has(arguments, "follow");

        int status = find_sources(logs, arguments);
        if (status != EXIT_OK) {
                return status;
        }
        if (several_processes(logs) && !logs->raw) {
                set_prefixes(logs);
        }
        status = print_last(logs, !follow);
        if (!follow || logs->sources->len == 0) {
                return status;
        }
        int r = log_watch(logs->tails);
        if (r < 0) {
                print_error(_("cannot follow the logs: %s"), g_strerror(-r));
                return EXIT_FAILED;
        }
        return status;
}

int verb_logs(Ctl *ctl, const Arguments *arguments) {
        bool out = arguments_has(arguments, "out"), err = arguments_has(arguments, "err");
        const char *lines = arguments_get(arguments, "lines");
        Logs logs = {
                .ctl = ctl,
                .out = out || !err,
                .err = err || !out,
                .raw = arguments_has(arguments, "raw"),
                .lines = LINES_DEFAULT,
        };

        if (lines && parse_uint32(lines, &logs.lines) < 0) {
                print_error(_("\"%s\" is not a number of lines"), lines);
                return EXIT_USAGE;
        }
        logs.sources = g_ptr_array_new_with_free_func(source_free);
        logs.tails = g_ptr_array_new();
        int status = run(&logs, arguments);
        g_ptr_array_unref(logs.tails);
        g_ptr_array_unref(logs.sources);
        return status;
}
