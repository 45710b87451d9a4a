/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* logs: the log files of processes as pm2ctl may read them itself. */

#include "i18n.h"
#include "log-sources.h"
#include "log-watch.h"
#include "output.h"
#include "text.h"

#include "basic/parse-util.h"
#include "basic/time-util.h"

#include <stdio.h>
#include <sys/stat.h>

#define LINES_DEFAULT 15

typedef struct Logs {
        const Ctl *ctl;
        LogSources files;
        bool raw;
        uint32_t lines; /* UINT32_MAX: all */
} Logs;

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
                log_sources_add(&logs->files, processes);
                (void) pm2_value_free(processes);
        }
        return status;
}

static void print_heading(const Logs *logs, const Source *source) {
        if (!logs->raw && logs->ctl->json == JSON_OFF) {
                g_autofree char *path = text_clean(log_tail_get_path(source->tail), logs->ctl->utf8);
                if (logs->lines == UINT32_MAX) {
                        (void) printf("%s:", path);
                } else {
                        (void) printf(_("%s, last %u lines:"), path, logs->lines);
                }
                (void) puts("");
        }
}

/* Nothing was written to it since: what is in it is older, whatever its lines say. */
static bool is_too_old(const Logs *logs, const Source *source) {
        uint64_t since_usec = logs->files.filter.since_usec;
        struct stat status;

        return since_usec > 0 && stat(log_tail_get_path(source->tail), &status) == 0 &&
               (uint64_t) status.st_mtim.tv_sec < since_usec / USEC_PER_SEC;
}

static int print_last(const Logs *logs, bool final) {
        int status = EXIT_OK;

        for (guint i = 0; i < logs->files.sources->len; i++) {
                Source *source = g_ptr_array_index(logs->files.sources, i);
                unsigned lines = is_too_old(logs, source) ? 0 : logs->lines;
                if (lines > 0) {
                        print_heading(logs, source);
                }
                int r = log_tail_start(source->tail, lines);
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
        if (!logs->raw) {
                log_sources_set_prefixes(&logs->files);
        }
        status = print_last(logs, !follow);
        if (!follow || logs->files.sources->len == 0) {
                return status;
        }
        for (guint i = 0; i < logs->files.sources->len; i++) {
                ((Source *) logs->files.sources->pdata[i])->skipping = false;
        }
        logs->files.live = true;
        logs->files.filter.since_usec = 0;
        int r = log_watch(logs->files.tails, NULL);
        if (r < 0) {
                print_error(_("cannot follow the logs: %s"), g_strerror(-r));
                return EXIT_FAILED;
        }
        return status;
}

static int read_filter(LogFilter *filter, const Arguments *arguments) {
        const char *since = arguments_get(arguments, "since"), *pattern = arguments_get(arguments, "grep");
        g_autoptr(GError) error = NULL;

        if (since && log_filter_parse_time(since, now_realtime_usec(), &filter->since_usec) < 0) {
                print_error(_("\"%s\" is not a time (10min, 20:10, 2026-11-23 20:10:38)"), since);
                return EXIT_USAGE;
        }
        if (pattern) {
                filter->pattern = g_regex_new(pattern, G_REGEX_OPTIMIZE, 0, &error);
        }
        if (error) {
                print_error("%s", error->message);
                return EXIT_USAGE;
        }
        return EXIT_OK;
}

int verb_logs(Ctl *ctl, const Arguments *arguments) {
        bool out = arguments_has(arguments, "out"), err = arguments_has(arguments, "err");
        const char *lines = arguments_get(arguments, "lines");
        Logs logs = {
                .ctl = ctl,
                .raw = arguments_has(arguments, "raw"),
                .lines = LINES_DEFAULT,
        };

        if (lines && parse_uint32(lines, &logs.lines) < 0) {
                print_error(_("\"%s\" is not a number of lines"), lines);
                return EXIT_USAGE;
        }
        log_sources_init(&logs.files, ctl);
        logs.files.out = out || !err;
        logs.files.err = err || !out;
        logs.files.timestamps = arguments_has(arguments, "timestamp");
        int status = read_filter(&logs.files.filter, arguments);
        if (!lines && (logs.files.filter.pattern || logs.files.filter.since_usec > 0)) {
                logs.lines = UINT32_MAX;
        }
        if (status == EXIT_OK) {
                status = run(&logs, arguments);
        }
        log_sources_done(&logs.files);
        return status;
}
