/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/pm2-process.h"

#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "config/json-text.h"
#include "config/pm2-app.h"

#include <inttypes.h>
#include <string.h>

/* Members of an object that is being written. */
typedef struct Members {
        GString *text;
        bool any;
} Members;

static void begin(Members *members, GString *text) {
        *members = (Members){ .text = text };
        g_string_append_c(text, '{');
}

static void end(Members *members) {
        g_string_append_c(members->text, '}');
}

static void append_string(GString *text, const char *string) {
        if (utf8_is_valid(string, strlen(string))) {
                json_text_append_string(text, string);
        } else {
                g_autofree char *valid = g_utf8_make_valid(string, -1);
                json_text_append_string(text, valid);
        }
}

static void add_key(Members *members, const char *key) {
        if (members->any) {
                g_string_append_c(members->text, ',');
        }
        members->any = true;
        append_string(members->text, key);
        g_string_append_c(members->text, ':');
}

static void add_string(Members *members, const char *key, const char *string) {
        add_key(members, key);
        append_string(members->text, string);
}

static void add_number(Members *members, const char *key, int64_t number) {
        add_key(members, key);
        g_string_append_printf(members->text, "%" PRId64, number);
}

static void add_bool(Members *members, const char *key, bool value) {
        add_key(members, key);
        g_string_append(members->text, value ? "true" : "false");
}

static void add_value(Members *members, const char *key, const Value *value) {
        add_key(members, key);
        json_text_append_value(members->text, value);
}

/* What it says of itself; where it has said nothing, an empty object or array. */
static void add_said(Members *members, const char *key, const Value *value, const char *nothing) {
        if (value) {
                add_value(members, key, value);
        } else {
                add_key(members, key);
                g_string_append(members->text, nothing);
        }
}

/* PM2's word for it has a blank. */
static const char *status_of(const Process *process) {
        const char *status = process_state_to_status(process->state);
        return strcmp(status, "waiting-restart") == 0 ? "waiting restart" : status;
}

/* As PM2 writes an id. */
static void add_unique_id(Members *members, const Process *process) {
        const char *id = process->unique_id;

        add_key(members, "unique_id");
        g_string_append_printf(
                        members->text, "\"%.8s-%.4s-%.4s-%.4s-%s\"", id, id + 8, id + 12, id + 16, id + 20);
}

static void add_variables(Members *members, const Environment *environment, bool skip_known) {
        for (size_t i = 0; i < environment_count(environment); i++) {
                const char *assignment = environment_at(environment, i);
                size_t length = strcspn(assignment, "=");
                g_autofree char *name = g_strndup(assignment, length);
                if (!skip_known || !pm2_key_is_known(name)) {
                        add_string(members, name, assignment + length + 1);
                }
        }
}

/* Attributes that PM2 knows by another name, or that stand somewhere else. */
static bool is_told_otherwise(const Attribute *attribute) {
        static const char *const names[] = {
                "script",      "name",       "namespace",    "cwd",
                "interpreter", "env",        "out_file",     "error_file",
                "log_file",    "pid_file",   "extra",        "exec_mode",
                "instances",   "merge_logs", "pmx",          "filter_env",
                "args",        "node_args",  "autorestart",  "autostart",
                "treekill",    "watch",      "instance_var", "ready_timeout_action",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                if (strcmp(attribute->name, names[i]) == 0) {
                        return true;
                }
        }
        return attribute->type == ATTRIBUTE_OFF;
}

/* Those that PM2's clients always find. */
static void add_usual_attributes(Members *members, const AppConfig *config) {
        static const char *const names[] = {
                "args", "node_args", "autorestart", "autostart", "treekill", "instance_var",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(Value) value = app_config_get(config, attribute_find(names[i]));
                if (i > 0 || value_count(value) > 0) {
                        add_value(members, names[i], value);
                }
        }
        add_bool(members, "merge_logs", app_config_merges_logs(config));
        add_bool(members, "watch", false);
}

static void add_given_attributes(Members *members, const AppConfig *config) {
        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                if (is_told_otherwise(attribute) || !app_config_is_given(config, attribute->name)) {
                        continue;
                }
                g_autoptr(Value) value = app_config_get(config, attribute);
                add_value(members, attribute->name, value);
        }
        g_autoptr(Value) pmx = app_config_get(config, attribute_find("pmx"));
        if (app_config_is_given(config, "pmx")) {
                add_bool(members,
                         "pmx",
                         pmx->kind == VALUE_BOOL
                                         ? pmx->boolean
                                         : pmx->kind != VALUE_STRING || strcmp(pmx->string, "false"));
        }
}

static void add_extra(Members *members, const AppConfig *config) {
        for (guint i = 0; config->extra && i < config->extra->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(config->extra->entries, ValueEntry, i);
                if (!pm2_key_is_known(entry->key) || strcmp(entry->key, "filter_env") == 0 ||
                    strcmp(entry->key, "cwd") == 0) {
                        add_value(members, entry->key, entry->value);
                }
        }
}

static bool has_extra(const AppConfig *config, const char *key) {
        return config->extra && value_get(config->extra, key);
}

static void add_places(Members *members, const Process *process) {
        add_string(members, "pm_exec_path", process->exec_path);
        add_string(members, "pm_cwd", process->cwd);
        add_string(members, "exec_interpreter", process->interpreter);
        add_string(members, "exec_mode", "fork_mode");
        add_number(members, "instances", process->instances);
        add_string(members, "pm_out_log_path", process->out_log_path);
        add_string(members, "pm_err_log_path", process->error_log_path);
        add_string(members, "pm_pid_path", process->pid_path);
}

static void add_run(Members *members, const Process *process) {
        const SelfReport *report = &process->report;

        add_string(members, "status", status_of(process));
        add_number(members, "pm_uptime", (int64_t) (process->start_realtime_usec / USEC_PER_MSEC));
        add_said(members, "axm_actions", report->actions, "[]");
        add_said(members, "axm_monitor", report->metrics, "{}");
        add_said(members, "axm_options", report->options, "{}");
        add_said(members, "axm_dynamic", NULL, "{}");
        add_number(members, "created_at", (int64_t) (process->created_realtime_usec / USEC_PER_MSEC));
        add_number(members, "pm_id", process->id);
        add_number(members, "restart_time", process->restart_count);
        add_number(members, "unstable_restarts", process->unstable_restarts);
        if (process->backoff_usec > 0) {
                add_number(members, "prev_restart_delay", (int64_t) (process->backoff_usec / USEC_PER_MSEC));
        }
        add_string(members, "version", process->version);
        if (report->node_version) {
                add_string(members, "node_version", report->node_version);
        }
}

/* PM2 tells 0 of a death by a signal, and that it was one nowhere. */
static void add_exit(Members *members, const Process *process) {
        const ExitStatus *status = &process->exit_status;

        if (status->signal > 0) {
                const char *name = signal_to_name(status->signal);
                add_number(members, "exit_code", 0);
                add_string(members, "exit_signal", name ? name : "");
        } else if (status->code >= 0) {
                add_number(members, "exit_code", status->code);
        }
}

static void append_env(GString *text, Manager *manager, const Process *process, bool with_env) {
        const AppConfig *config = process->config;
        g_autoptr(Environment) environment = manager_environment_sent(process);
        Members members, variables;

        begin(&members, text);
        add_string(&members, "name", config->name);
        add_string(&members, "namespace", config->namespace);
        if (with_env) {
                add_key(&members, "env");
                begin(&variables, text);
                add_variables(&variables, environment, false);
                if (!environment_get(environment, "unique_id")) {
                        add_unique_id(&variables, process);
                }
                end(&variables);
        }
        add_usual_attributes(&members, config);
        add_given_attributes(&members, config);
        if (!has_extra(config, "username")) {
                add_string(&members, "username", manager_user_name(manager, process->owner));
        }
        add_extra(&members, config);
        add_places(&members, process);
        add_bool(&members, "vizion_running", false);
        add_number(&members, config->instance_var, process->instance);
        add_variables(&members, environment, true);
        add_unique_id(&members, process);
        add_run(&members, process);
        add_exit(&members, process);
        end(&members);
}

void pm2_event_process_append(GString *text, Manager *manager, const Process *process) {
        append_env(text, manager, process, false);
}

static void add_head(Members *members, Manager *manager, const Process *process) {
        add_number(members, "pid", process->pid);
        add_string(members, "name", process->config->name);
        add_key(members, "pm2_env");
        append_env(members->text, manager, process, true);
        add_number(members, "pm_id", process->id);
}

void pm2_process_append(
                GString *text, Manager *manager, const Process *process, const ProcessFigures *figures) {
        Members members;

        begin(&members, text);
        add_head(&members, manager, process);
        if (figures) {
                char cpu[G_ASCII_DTOSTR_BUF_SIZE];
                add_key(&members, "monit");
                g_string_append_printf(
                                text,
                                "{\"memory\":%" PRIu64 ",\"cpu\":%s}",
                                figures->memory_bytes,
                                g_ascii_formatd(cpu, sizeof(cpu), "%.1f", figures->cpu_percent));
        }
        end(&members);
}

void pm2_started_append(GString *text, Manager *manager, const Process *process) {
        Members members, child;

        begin(&members, text);
        add_head(&members, manager, process);
        add_key(&members, "process");
        begin(&child, text);
        add_number(&child, "pid", process->pid);
        end(&child);
        end(&members);
}

void pm2_sender_append(GString *text, const Process *process) {
        Members members;

        begin(&members, text);
        add_number(&members, "pm_id", process->id);
        add_string(&members, "name", process->config->name);
        add_string(&members, "namespace", process->config->namespace);
        end(&members);
}
