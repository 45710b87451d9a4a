/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-describe.h"

#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "bus/bus-value.h"

#include <string.h>

static int append_head(sd_bus_message *message, const Process *process) {
        return sd_bus_message_append(
                        message,
                        "{sv}{sv}{sv}",
                        "name",
                        "s",
                        process->config->name,
                        "pid",
                        "u",
                        (uint32_t) process->pid,
                        "pm_id",
                        "u",
                        process->id);
}

static int open_map_entry(sd_bus_message *message, const char *key) {
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r >= 0) {
                r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, key);
        }
        if (r >= 0) {
                r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, "a{sv}");
        }
        return r < 0 ? r : sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
}

static int close_map_entry(sd_bus_message *message) {
        int r = 0;

        for (int i = 0; r >= 0 && i < 3; i++) {
                r = sd_bus_message_close_container(message);
        }
        return r;
}

static int append_monit(sd_bus_message *message, const ProcessFigures *figures) {
        int r = open_map_entry(message, "monit");
        if (r >= 0) {
                r = sd_bus_message_append(
                                message,
                                "{sv}{sv}",
                                "memory",
                                "t",
                                figures->memory_bytes,
                                "cpu",
                                "d",
                                figures->cpu_percent);
        }
        return r < 0 ? r : close_map_entry(message);
}

static int append_documented(sd_bus_message *message, Manager *manager, const Process *process) {
        return sd_bus_message_append(
                        message,
                        "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}",
                        "pm_cwd",
                        "s",
                        process->cwd,
                        "pm_out_log_path",
                        "s",
                        process->out_log_path,
                        "pm_err_log_path",
                        "s",
                        process->error_log_path,
                        "exec_interpreter",
                        "s",
                        process->interpreter,
                        "pm_uptime",
                        "t",
                        process->start_realtime_usec / USEC_PER_MSEC,
                        "unstable_restarts",
                        "u",
                        process->unstable_restarts,
                        "restart_time",
                        "u",
                        process->restart_count,
                        "status",
                        "s",
                        process_state_to_status(process->state),
                        "instances",
                        "u",
                        process->instances,
                        "pm_exec_path",
                        "s",
                        process->exec_path,
                        "namespace",
                        "s",
                        process->config->namespace,
                        "exec_mode",
                        "s",
                        app_config_exec_mode(process->config),
                        "version",
                        "s",
                        process->version,
                        "username",
                        "s",
                        manager_user_name(manager, process->owner),
                        "created_at",
                        "t",
                        process->created_realtime_usec / USEC_PER_MSEC);
}

static int append_facts(sd_bus_message *message, const Process *process, const ProcessFigures *figures) {
        const char *signal_name = signal_to_name(process->exit_status.signal);

        return sd_bus_message_append(
                        message,
                        "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}",
                        "pm_pid_path",
                        "s",
                        process->pid_path,
                        "unique_id",
                        "s",
                        process->unique_id,
                        "owner",
                        "u",
                        (uint32_t) process->owner,
                        "instance",
                        "u",
                        process->instance,
                        "exit_code",
                        "i",
                        process->exit_status.code,
                        "exit_signal",
                        "s",
                        process->exit_status.signal && signal_name ? signal_name : "",
                        "reason",
                        "s",
                        process->reason,
                        "unit",
                        "s",
                        process->unit,
                        "control_group",
                        "s",
                        process->control_group,
                        "cpu_usage_nsec",
                        "t",
                        figures->cpu_nsec,
                        "health_status",
                        "s",
                        health_to_name(process->health),
                        "next_cron_run",
                        "t",
                        process->next_cron_realtime_usec,
                        "tasks",
                        "u",
                        figures->tasks);
}

/* Attributes that the documented fields carry already, under their own names, or what the process itself
 * tells by now. */
static bool is_documented(const Attribute *attribute) {
        return strcmp(attribute->name, "namespace") == 0 || strcmp(attribute->name, "instances") == 0 ||
               strcmp(attribute->name, "exec_mode") == 0 || g_str_has_prefix(attribute->name, "axm_");
}

int bus_describe_append_config(sd_bus_message *message, const AppConfig *config, bool with_environment) {
        for (size_t i = 0; i < n_attributes; i++) {
                if (attributes[i].type == ATTRIBUTE_ENVIRONMENT && !with_environment) {
                        continue;
                }
                g_autoptr(Value) value = app_config_get(config, &attributes[i]);
                int r = bus_value_append_entry(message, attributes[i].name, value);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

/* The names of what was given and does nothing. */
static int append_kept(sd_bus_message *message, const AppConfig *config) {
        g_autoptr(Value) names = value_new_array();

        for (guint i = 0; config->kept && i < config->kept->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(config->kept->entries, ValueEntry, i);
                value_append(names, value_new_string(entry->key));
        }
        return value_count(names) > 0 ? bus_value_append_entry(message, "without_effect", names) : 0;
}

/* What it tells of itself, under PM2's names. Nothing of it is the supervisor's own knowledge. */
static int append_report(sd_bus_message *message, const SelfReport *report) {
        g_autoptr(Value) version = value_new_string(report->node_version ? report->node_version : "");
        g_autoptr(Value) no_actions = value_new_array(), nothing = value_new_map();
        const struct {
                const char *key;
                const Value *value;
        } entries[] = {
                { "node_version", version },
                { "axm_actions", report->actions ? report->actions : no_actions },
                { "axm_monitor", report->metrics ? report->metrics : nothing },
                { "axm_options", report->options ? report->options : nothing },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(entries); i++) {
                r = bus_value_append_entry(message, entries[i].key, entries[i].value);
        }
        return r;
}

static int append_sockets(sd_bus_message *message, const Manager *manager, const Process *process) {
        g_autoptr(Value) sockets = manager_listen_sockets(manager, process);

        return value_count(sockets) > 0 ? bus_value_append_entry(message, "listen_sockets", sockets) : 0;
}

static int append_full(
                sd_bus_message *message,
                const Manager *manager,
                const Process *process,
                const Caller *caller,
                const ProcessFigures *figures) {
        int r = append_facts(message, process, figures);
        uint64_t accepted;

        if (r >= 0 && manager_read_accepted(process, &accepted)) {
                r = sd_bus_message_append(message, "{sv}", "accepted", "t", accepted);
        }
        if (r >= 0) {
                r = append_sockets(message, manager, process);
        }
        if (r >= 0 && process->log_path[0]) {
                r = sd_bus_message_append(message, "{sv}", "pm_log_path", "s", process->log_path);
        }

        for (size_t i = 0; r >= 0 && i < n_attributes; i++) {
                bool hidden = attributes[i].type == ATTRIBUTE_ENVIRONMENT && caller->uid != process->owner;
                if (!hidden && !is_documented(&attributes[i])) {
                        g_autoptr(Value) value = app_config_get(process->config, &attributes[i]);
                        r = bus_value_append_entry(message, attributes[i].name, value);
                }
        }
        if (r >= 0) {
                r = append_report(message, &process->report);
        }
        return r < 0 ? r : append_kept(message, process->config);
}

int bus_describe_append(
                sd_bus_message *message,
                Manager *manager,
                Process *process,
                const Caller *caller,
                bool full) {
        ProcessFigures figures;

        manager_read_figures(manager, process, &figures);
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0) {
                r = append_head(message, process);
        }
        if (r >= 0) {
                r = append_monit(message, &figures);
        }
        if (r >= 0) {
                r = open_map_entry(message, "pm2_env");
        }
        if (r >= 0) {
                r = append_documented(message, manager, process);
        }
        if (r >= 0 && full) {
                r = append_full(message, manager, process, caller, &figures);
        }
        if (r >= 0) {
                r = close_map_entry(message);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}
