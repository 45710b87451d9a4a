/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/pm2-process.h"

#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "config/json-members.h"

#include <inttypes.h>
#include <string.h>

/* What it says of itself; where it has said nothing, an empty object or array. */
static void add_said(JsonMembers *members, const char *key, const Value *value, const char *nothing) {
        if (value) {
                json_members_value(members, key, value);
        } else {
                json_members_key(members, key);
                g_string_append(members->text, nothing);
        }
}

/* PM2's word for it has a blank. */
static const char *status_of(const Process *process) {
        const char *status = process_state_to_status(process->state);
        return strcmp(status, "waiting-restart") == 0 ? "waiting restart" : status;
}

static void add_run(JsonMembers *members, const Process *process, const char *status) {
        const SelfReport *report = &process->report;
        /* What is no more neither offers nor measures anything. */
        bool runs = process_state_is_alive(process->state);

        json_members_string(members, "status", status);
        json_members_number(members, "pm_uptime", (int64_t) (process->start_realtime_usec / USEC_PER_MSEC));
        add_said(members, "axm_actions", runs ? report->actions : NULL, "[]");
        add_said(members, "axm_monitor", runs ? report->metrics : NULL, "{}");
        add_said(members, "axm_options", report->options, "{}");
        add_said(members, "axm_dynamic", NULL, "{}");
        json_members_number(
                        members, "created_at", (int64_t) (process->created_realtime_usec / USEC_PER_MSEC));
        json_members_number(members, "pm_id", process->id);
        json_members_number(members, "restart_time", process->restart_count);
        json_members_number(members, "unstable_restarts", process->unstable_restarts);
        if (process->backoff_usec > 0) {
                json_members_number(
                                members,
                                "prev_restart_delay",
                                (int64_t) (process->backoff_usec / USEC_PER_MSEC));
        }
        if (report->node_version) {
                json_members_string(members, "node_version", report->node_version);
        }
}

/* PM2 tells 0 of a death by a signal, and that it was one nowhere. */
static void add_exit(JsonMembers *members, const Process *process) {
        const ExitStatus *status = &process->exit_status;

        if (status->signal > 0) {
                const char *name = signal_to_name(status->signal);
                json_members_number(members, "exit_code", 0);
                json_members_string(members, "exit_signal", name ? name : "");
        } else if (status->code >= 0) {
                json_members_number(members, "exit_code", status->code);
        }
}

static void append_env(
                GString *text, Pm2Texts *texts, const Process *process, bool with_env, const char *status) {
        const Pm2Text *declared = pm2_texts_get(texts, process);
        const char *start = declared->text->str;
        size_t behind_env = declared->env_start + declared->env_length;
        JsonMembers members;

        json_members_begin(&members, text);
        members.any = true;
        g_string_append_len(text, start, (gssize) (with_env ? behind_env : declared->env_start));
        g_string_append_len(text, start + behind_env, (gssize) (declared->text->len - behind_env));
        add_run(&members, process, status);
        add_exit(&members, process);
        json_members_end(&members);
}

void pm2_event_process_append(GString *text, Pm2Texts *texts, const Process *process, const char *status) {
        append_env(text, texts, process, false, status ? status : status_of(process));
}

static void add_head(JsonMembers *members, Pm2Texts *texts, const Process *process) {
        json_members_number(members, "pid", process->pid);
        json_members_string(members, "name", process->config->name);
        json_members_key(members, "pm2_env");
        append_env(members->text, texts, process, true, status_of(process));
        json_members_number(members, "pm_id", process->id);
}

void pm2_process_append(
                GString *text, Pm2Texts *texts, const Process *process, const ProcessFigures *figures) {
        JsonMembers members;

        json_members_begin(&members, text);
        add_head(&members, texts, process);
        if (figures) {
                char cpu[G_ASCII_DTOSTR_BUF_SIZE];
                json_members_key(&members, "monit");
                g_string_append_printf(
                                text,
                                "{\"memory\":%" PRIu64 ",\"cpu\":%s}",
                                figures->memory_bytes,
                                g_ascii_formatd(cpu, sizeof(cpu), "%.1f", figures->cpu_percent));
        }
        json_members_end(&members);
}

void pm2_started_append(GString *text, Pm2Texts *texts, const Process *process) {
        JsonMembers members, child;

        json_members_begin(&members, text);
        add_head(&members, texts, process);
        json_members_key(&members, "process");
        json_members_begin(&child, text);
        json_members_number(&child, "pid", process->pid);
        json_members_end(&child);
        json_members_end(&members);
}

static void append_sender(GString *text, const Process *process, bool revision) {
        JsonMembers members;

        json_members_begin(&members, text);
        json_members_number(&members, "pm_id", process->id);
        json_members_string(&members, "name", process->config->name);
        if (revision) {
                json_members_key(&members, "rev"); /* of version control, which is not looked at */
                g_string_append(text, "null");
        }
        json_members_string(&members, "namespace", process->config->namespace);
        json_members_end(&members);
}

void pm2_logger_append(GString *text, const Process *process) {
        append_sender(text, process, true);
}

void pm2_sender_append(GString *text, const Process *process, bool typed) {
        append_sender(text, process, typed && process->config->exec_mode == EXEC_MODE_CLUSTER);
}
