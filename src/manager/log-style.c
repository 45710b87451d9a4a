/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/log-style.h"

#include "basic/macro.h"
#include "basic/time-util.h"
#include "core/log-lines.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* What PM2 makes of "time". */
#define TIME_FORMAT "YYYY-MM-DDTHH:mm:ss"

static_assert(sizeof(PumpRecipe) <= PUMP_RECIPE_BYTES, "a recipe fits its place");
static_assert((int) PUMP_BLOCK_BYTES > (int) LOG_LINES_OUT_MIN, "a line fits a block");
static_assert((int) PUMP_RING_BYTES > LOG_LINE_BYTES_MAX + 2, "what is longer than a line is seen");

static const char *date_format_of(const AppConfig *config) {
        return config->time ? TIME_FORMAT : config->log_date_format ? config->log_date_format : "";
}

bool log_style_needs_pump(const AppConfig *config) {
        bool changes = config->log_type == LOG_TYPE_JSON || date_format_of(config)[0];
        return !config->disable_logs &&
               (changes || config->log_file || config->log_target != LOG_TARGET_FILE);
}

void log_style_fill(const AppConfig *config, PumpRecipe *recipe) {
        recipe->json = config->log_type == LOG_TYPE_JSON;
        recipe->journal = config->log_target != LOG_TARGET_FILE;
        (void) g_strlcpy(recipe->date_format, date_format_of(config), sizeof(recipe->date_format));
        (void) g_strlcpy(recipe->name, config->name, sizeof(recipe->name));
        (void) g_strlcpy(recipe->namespace, config->namespace, sizeof(recipe->namespace));
}

void log_style_end_texts(PumpRecipe *recipe) {
        recipe->date_format[sizeof(recipe->date_format) - 1] = '\0';
        recipe->name[sizeof(recipe->name) - 1] = '\0';
        recipe->namespace[sizeof(recipe->namespace) - 1] = '\0';
}

static LogTime time_now(bool utc) {
        uint64_t now_usec = now_realtime_usec();
        time_t seconds = (time_t) (now_usec / USEC_PER_SEC);
        struct tm fields = { 0 };

        (void) (utc ? gmtime_r(&seconds, &fields) : localtime_r(&seconds, &fields));
        return (LogTime){
                .year = fields.tm_year + 1900,
                .month = (unsigned) fields.tm_mon + 1,
                .day = (unsigned) fields.tm_mday,
                .weekday = (unsigned) fields.tm_wday,
                .hour = (unsigned) fields.tm_hour,
                .minute = (unsigned) fields.tm_min,
                .second = (unsigned) fields.tm_sec,
                .millisecond = (unsigned) (now_usec / USEC_PER_MSEC % 1000),
                .offset_minutes = (int) (fields.tm_gmtoff / 60),
        };
}

static void put_date(const PumpRecipe *recipe, char *buffer) {
        LogTime now = time_now(!recipe->date_format[0]);

        if (recipe->date_format[0]) {
                (void) log_date_format(recipe->date_format, &now, buffer);
        } else {
                (void) log_date_iso(&now, buffer);
        }
}

static char *escape(const char *text, char *buffer) {
        bool invalid = false;
        *log_line_escape(text, strlen(text), buffer, &invalid) = '\0';
        return buffer;
}

PumpLines log_style_format(
                const PumpRecipe *recipe, int stream, const PumpSource *source, char *out, size_t out_size) {
        char date[LOG_DATE_BYTES_MAX] = "", name[6 * sizeof(recipe->name)];
        char escaped_date[6 * LOG_DATE_BYTES_MAX], text[sizeof(name) + sizeof(escaped_date) + 128] = "";
        LogLineStyle style = { .json = recipe->json, .before = text, .facts = text };
        const LogLineInput input = {
                .bytes = source->bytes,
                .size = source->size,
                .in_line = source->in_line,
                .end = source->end,
        };

        if (recipe->json) {
                put_date(recipe, date);
                (void) g_snprintf(
                                text,
                                sizeof(text),
                                ",\"timestamp\":\"%s\",\"type\":\"%s\",\"process_id\":%" PRIu32
                                ",\"app_name\":\"%s\"",
                                escape(date, escaped_date),
                                stream == 0 ? "out" : "err",
                                recipe->id,
                                escape(recipe->name, name));
        } else if (recipe->date_format[0]) {
                put_date(recipe, date);
                (void) g_snprintf(text, sizeof(text), "%s: ", date);
        }
        LogLineOutput made = log_lines_format(&style, &input, out, out_size);
        return (PumpLines){ .taken = made.taken, .made = made.made, .in_line = made.in_line };
}

int log_style_send(
                const PumpRecipe *recipe,
                JournalSender *sender,
                int stream,
                const char *line,
                size_t length) {
        char id[16], pid[16];
        const char *priority = stream == 0 ? "6" : "3", *name = stream == 0 ? "out" : "err";

        if (length >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') {
                priority = line + 1;
                line += 3;
                length -= 3;
        }
        (void) g_snprintf(id, sizeof(id), "%" PRIu32, recipe->id);
        (void) g_snprintf(pid, sizeof(pid), "%" PRId32, recipe->pid);
        const JournalField fields[] = {
                { "MESSAGE", line, length },
                { "PRIORITY", priority, 1 },
                { "SYSLOG_IDENTIFIER", recipe->name, strlen(recipe->name) },
                { "PM2_NAME", recipe->name, strlen(recipe->name) },
                { "PM2_ID", id, strlen(id) },
                { "PM2_NAMESPACE", recipe->namespace, strlen(recipe->namespace) },
                { "PM2_STREAM", name, strlen(name) },
                { "OBJECT_PID", pid, strlen(pid) },
        };
        return journal_sender_send(sender, fields, ELEMENTS(fields) - (recipe->pid > 0 ? 0 : 1));
}
