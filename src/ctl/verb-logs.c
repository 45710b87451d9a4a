/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* logs: the log files of processes as pm2ctl may read them itself. */

#include "i18n.h"
#include "log-sources.h"
#include "log-watch.h"
#include "output.h"
#include "text.h"

#include "basic/parse-util.h"

#include <stdio.h>

#define LINES_DEFAULT 15

typedef struct Logs {
        const Ctl *ctl;
        LogSources files;
        bool raw;
        uint32_t lines;
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
                (void) printf(_("%s, last %u lines:"), path, logs->lines);
                (void) puts("");
        }
}

static int print_last(const Logs *logs, bool final) {
        int status = EXIT_OK;

        for (guint i = 0; i < logs->files.sources->len; i++) {
                Source *source = g_ptr_array_index(logs->files.sources, i);
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
        if (!logs->raw) {
                log_sources_set_prefixes(&logs->files);
        }
        status = print_last(logs, !follow);
        if (!follow || logs->files.sources->len == 0) {
                return status;
        }
        int r = log_watch(logs->files.tails, NULL);
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
        int status = run(&logs, arguments);
        log_sources_done(&logs.files);
        return status;
}
