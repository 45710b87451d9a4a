/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What pm2ctl prints of processes and of failures, in the same form for all verbs. */

#include "output.h"

#include "i18n.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define COLOUR_GREEN  "\033[32m"
#define COLOUR_YELLOW "\033[33m"
#define COLOUR_RED    "\033[31m"

void print_error(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        g_autofree char *message = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        g_auto(GStrv) lines = g_strsplit(message, "\n", -1);
        for (char **line = lines; *line; line++) {
                if (**line) {
                        g_autofree char *clean = text_clean(*line, g_get_charset(NULL));
                        (void) fprintf(stderr, "pm2ctl: %s\n", clean);
                }
        }
}

int json_mode_from_string(const char *text, JsonMode *ret) {
        static const struct {
                const char *name;
                JsonMode mode;
        } modes[] = {
                { "", JSON_SHORT }, { "short", JSON_SHORT }, { "pretty", JSON_PRETTY }, { "off", JSON_OFF }
        };
        for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
                if (strcmp(modes[i].name, text) == 0) {
                        *ret = modes[i].mode;
                        return 0;
                }
        }
        return -EINVAL;
}

int print_json(const Ctl *ctl, const pm2_value *value) {
        char *text = NULL;

        int r = pm2_value_to_json(value, ctl->json == JSON_PRETTY ? PM2_JSON_PRETTY : PM2_JSON_SHORT, &text);
        if (r < 0) {
                print_error("%s", g_strerror(-r));
                return EXIT_FAILED;
        }
        (void) puts(text);
        free(text);
        return EXIT_OK;
}

int print_failure(const Ctl *ctl, int error) {
        static const struct {
                int error;
                int status;
        } statuses[] = {
                { ESRCH, EXIT_NO_PROCESS },     { ETIMEDOUT, EXIT_TIMEOUT },  { EACCES, EXIT_ACCESS },
                { ECONNRESET, EXIT_NO_DAEMON }, { ENOTCONN, EXIT_NO_DAEMON },
        };
        const char *message = pm2_last_error_message(ctl->client);

        print_error("%s", message[0] ? message : g_strerror(-error));
        for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++) {
                if (error == -statuses[i].error) {
                        return statuses[i].status;
                }
        }
        return EXIT_FAILED;
}

const char *status_colour(const char *status) {
        if (strcmp(status, "online") == 0) {
                return COLOUR_GREEN;
        }
        if (strcmp(status, "stopped") == 0 || strcmp(status, "errored") == 0) {
                return COLOUR_RED;
        }
        return COLOUR_YELLOW;
}

static size_t terminal_width(void) {
        struct winsize size;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0) {
                return 0;
        }
        return size.ws_col;
}

static char *uptime_text(const pm2_value *process) {
        const char *status = pm2_process_get_status(process);
        uint64_t started = pm2_process_get_uptime(process);
        uint64_t now = (uint64_t) g_get_real_time() / 1000;

        /* While it is launching, the start that is known is the one before. */
        if (started == 0 || strcmp(status, "online") != 0) {
                return g_strdup("0");
        }
        return format_uptime(now > started ? now - started : 0);
}

static const char *or_else(const char *text, const char *otherwise) {
        return text[0] ? text : otherwise;
}

/* "fork" and "cluster": as PM2 shows its modes. */
static char *mode_text(const pm2_value *process) {
        char *mode = g_strdup(pm2_process_get_exec_mode(process));
        char *suffix = g_strrstr(mode, "_mode");
        if (suffix) {
                *suffix = '\0';
        }
        return mode;
}

static void add_process(Table *table, const pm2_value *process) {
        const char *status = pm2_process_get_status(process);
        uint32_t pid = pm2_process_get_pid(process);

        table_add_row(table);
        table_add_take(table, g_strdup_printf("%" PRIu32, pm2_process_get_id(process)));
        table_add_cell(table, pm2_process_get_name(process), NULL);
        table_add_cell(table, pm2_process_get_namespace(process), NULL);
        table_add_cell(table, or_else(pm2_process_get_version(process), "N/A"), NULL);
        table_add_take(table, mode_text(process));
        table_add_take(table, pid ? g_strdup_printf("%" PRIu32, pid) : g_strdup("-"));
        table_add_take(table, uptime_text(process));
        table_add_take(table, g_strdup_printf("%" PRIu32, pm2_process_get_restart_time(process)));
        table_add_cell(table, status, status_colour(status));
        table_add_take(table, g_strdup_printf("%.1f%%", pm2_process_get_cpu(process)));
        table_add_take(table, format_bytes(pm2_process_get_memory(process)));
        table_add_cell(table, pm2_process_get_username(process), NULL);
}

void print_processes(const Ctl *ctl, const pm2_value *processes) {
        const TableStyle style = {
                .box = ctl->terminal && ctl->utf8,
                .colour = ctl->colour,
                .utf8 = ctl->utf8,
                .width = ctl->terminal ? terminal_width() : 0,
        };
        const TableColumn columns[] = {
                { _("id"), true, 0 },         { _("name"), false, 0 },
                { _("namespace"), false, 6 }, { _("version"), false, 7 },
                { _("mode"), false, 5 },      { _("pid"), true, 3 },
                { _("uptime"), true, 1 },     { style.box ? "↺" : _("restarts"), true, 2 },
                { _("status"), false, 0 },    { _("cpu"), true, 1 },
                { _("mem"), true, 1 },        { _("user"), false, 8 },
        };
        g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                add_process(table, pm2_value_get_item(processes, i));
        }
        g_autofree char *text = table_format(table, &style);
        (void) fputs(text, stdout);
}

int print_list(const Ctl *ctl) {
        pm2_value *processes = NULL;

        if (ctl->silent || ctl->json != JSON_OFF) {
                return EXIT_OK;
        }
        int r = pm2_list(ctl->client, &processes);
        if (r < 0) {
                return print_failure(ctl, r);
        }
        print_processes(ctl, processes);
        (void) pm2_value_free(processes);
        return EXIT_OK;
}
