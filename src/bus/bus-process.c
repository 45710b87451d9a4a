/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.pm2.Process: one vtable for all processes, found by path. */

#include "basic/parse-util.h"
#include "basic/sd-cleanup.h"
#include "basic/signal-util.h"
#include "basic/utf8.h"
#include "bus/bus-describe.h"
#include "bus/bus-error.h"
#include "bus/bus-internal.h"
#include "bus/org.pm2.Process.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *bus_process_path(uint32_t id) {
        return g_strdup_printf(PROCESS_PATH_PREFIX "%" PRIu32, id);
}

static Process *process_at(const BusConnection *connection, const char *path) {
        const Registry *registry = manager_registry(connection->server->manager);
        uint32_t id;

        if (!g_str_has_prefix(path, PROCESS_PATH_PREFIX) ||
            parse_uint32(path + strlen(PROCESS_PATH_PREFIX), &id) < 0) {
                return NULL;
        }
        g_autofree char *canonical = bus_process_path(id);
        if (strcmp(path, canonical) != 0) {
                return NULL; /* "/00" */
        }
        Process *process = registry_get(registry, id);
        Caller viewer = bus_viewer(connection);
        return process && caller_may_control(&viewer, process->owner) ? process : NULL;
}

static int call_process(
                sd_bus_message *message,
                BusConnection *connection,
                BusTargetCall function,
                sd_bus_error *error) {
        return bus_request_call(connection, message, sd_bus_message_get_path(message), function, error);
}

static int process_method_start(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_process(message, userdata, manager_start_target, error);
}

static int process_method_stop(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_process(message, userdata, manager_stop, error);
}

static int process_method_restart(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_process(message, userdata, manager_restart, error);
}

static int process_method_reload(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_process(message, userdata, manager_reload, error);
}

static int process_method_reset(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_process(message, userdata, manager_reset, error);
}

static int process_method_delete(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_process(message, userdata, manager_delete, error);
}

static int process_method_send_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *signal_name;
        int r = sd_bus_message_read(message, "s", &signal_name);

        return r < 0 ? r
                     : bus_request_call_texts(
                                       userdata,
                                       message,
                                       sd_bus_message_get_path(message),
                                       signal_name,
                                       manager_send_signal,
                                       error);
}

static int process_method_send_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *json;
        int r = sd_bus_message_read(message, "s", &json);

        return r < 0 ? r
                     : bus_send_message(userdata, message, sd_bus_message_get_path(message), json, error);
}

static int process_method_send_data(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const Process *process = process_at(userdata, sd_bus_message_get_path(message));
        const char *type, *data;
        int r = process ? sd_bus_message_read(message, "ss", &type, &data) : -ENXIO;

        return r < 0 ? r : bus_send_data(userdata, message, process->id, type, data, error);
}

static int process_method_send_line(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const Process *process = process_at(userdata, sd_bus_message_get_path(message));
        const char *line;
        int r = process ? sd_bus_message_read(message, "s", &line) : -ENXIO;

        return r < 0 ? r : bus_send_line(userdata, message, process->id, line, error);
}

static int process_method_trigger(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *action, *params;
        int r = sd_bus_message_read(message, "ss", &action, &params);

        return r < 0 ? r
                     : bus_request_trigger(
                                       userdata,
                                       message,
                                       sd_bus_message_get_path(message),
                                       action,
                                       params,
                                       error);
}

/* The process of a call that its owner alone may make; NULL with the error set if somebody else calls. */
static Process *owned_process(
                sd_bus_message *message, const BusConnection *connection, sd_bus_error *ret_error) {
        Process *process = process_at(connection, sd_bus_message_get_path(message));
        g_auto(Error) error = { 0 };

        if (process && process->owner == bus_caller(connection)->uid) {
                return process;
        }
        (void) error_set(&error, ERROR_ACCESS_DENIED, "only the owner of the process may read this");
        (void) bus_error_from(&error, ret_error);
        return NULL;
}

static int append_assignment(sd_bus_message *reply, const char *assignment) {
        g_autofree char *repaired = utf8_is_valid(assignment, strlen(assignment))
                                                    ? NULL
                                                    : g_utf8_make_valid(assignment, -1);
        const char *text = repaired ? repaired : assignment;
        size_t length = strcspn(text, "=");
        g_autofree char *name = g_strndup(text, length);

        return sd_bus_message_append(reply, "{ss}", name, text[length] ? text + length + 1 : "");
}

static int process_method_get_environment(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusConnection *connection = userdata;
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Process *process = owned_process(message, connection, error);

        if (!process) {
                return -EACCES;
        }
        g_autoptr(Environment) environment = manager_environment_of(connection->server->manager, process);
        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{ss}");
        }
        for (size_t i = 0; r >= 0 && i < environment_count(environment); i++) {
                r = append_assignment(reply, environment_at(environment, i));
        }
        if (r >= 0) {
                r = sd_bus_message_close_container(reply);
        }
        /* no fault point: the answer to a question */
        return r < 0 ? r : sd_bus_send(connection->bus, reply, NULL);
}

static int process_method_get_config(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusConnection *connection = userdata;
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Process *process = owned_process(message, connection, error);

        if (!process) {
                return -EACCES;
        }
        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
        }
        if (r >= 0) {
                r = bus_describe_append_config(reply, process->config, true);
        }
        if (r >= 0) {
                r = sd_bus_message_close_container(reply);
        }
        /* no fault point: the answer to a question */
        return r < 0 ? r : sd_bus_send(connection->bus, reply, NULL);
}

/* The properties: where their value stands in Process or AppConfig, or what computes it; and what changes
 * them. */
typedef int (*PropertyWriter)(sd_bus_message *reply, const Process *process);

typedef struct Property {
        const char *name;
        char type; /* of a plain field: 's', 'u', 't' */
        bool of_config;
        size_t offset;
        unsigned changes; /* of ProcessChange; 0: not signalled */
        PropertyWriter write;
} Property;

static int write_status(sd_bus_message *reply, const Process *process) {
        return sd_bus_message_append(reply, "s", process_state_to_status(process->state));
}

static int write_unique_id(sd_bus_message *reply, const Process *process) {
        return sd_bus_message_append(reply, "s", process->unique_id);
}

static int write_args(sd_bus_message *reply, const Process *process) {
        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "s");

        for (char *const *word = process->config->args; r >= 0 && *word; word++) {
                g_autofree char *valid = g_utf8_make_valid(*word, -1);
                r = sd_bus_message_append_basic(reply, SD_BUS_TYPE_STRING, valid);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int write_exec_mode(sd_bus_message *reply, const Process *process) {
        return sd_bus_message_append(reply, "s", app_config_exec_mode(process->config));
}

static int write_exit_code(sd_bus_message *reply, const Process *process) {
        return sd_bus_message_append(reply, "i", process->exit_status.code);
}

static int write_exit_signal(sd_bus_message *reply, const Process *process) {
        const char *name = process->exit_status.signal ? signal_to_name(process->exit_status.signal) : NULL;
        return sd_bus_message_append(reply, "s", name ? name : "");
}

static int write_signal_number(sd_bus_message *reply, const Process *process) {
        return sd_bus_message_append(reply, "i", process->exit_status.signal);
}

static int write_status_text(sd_bus_message *reply, const Process *process) {
        const char *told = process->trouble ? process->trouble : self_report_text(&process->report);

        return sd_bus_message_append(reply, "s", process->frozen ? "frozen" : told);
}

static int write_health(sd_bus_message *reply, const Process *process) {
        return sd_bus_message_append(reply, "s", health_to_name(process->health));
}

static int write_watching(sd_bus_message *reply, const Process *process) {
        return sd_bus_message_append(reply, "b", (int) process->watching);
}

#define FIELD(field)        .offset = offsetof(Process, field)
#define CONFIG_FIELD(field) .of_config = true, .offset = offsetof(AppConfig, field)

static const Property properties[] = {
        { "Id", 'u', FIELD(id) },
        { "UniqueId", .write = write_unique_id },
        { "Name", 's', CONFIG_FIELD(name), .changes = CHANGE_CONFIG },
        { "Namespace", 's', CONFIG_FIELD(namespace), .changes = CHANGE_CONFIG },
        { "Owner", 'u', FIELD(owner) },
        { "Status", .write = write_status, .changes = CHANGE_STATUS },
        { "Pid", 'u', FIELD(pid), .changes = CHANGE_PID },
        { "Instance", 'u', FIELD(instance) },
        { "Instances", 'u', FIELD(instances), .changes = CHANGE_INSTANCES },
        { "ExecMode", .write = write_exec_mode, .changes = CHANGE_CONFIG },
        { "ExecPath", 's', FIELD(exec_path), .changes = CHANGE_CONFIG },
        { "Args", .write = write_args, .changes = CHANGE_CONFIG },
        { "Interpreter", 's', FIELD(interpreter), .changes = CHANGE_CONFIG },
        { "Cwd", 's', FIELD(cwd), .changes = CHANGE_CONFIG },
        { "OutLogPath", 's', FIELD(out_log_path), .changes = CHANGE_CONFIG },
        { "ErrorLogPath", 's', FIELD(error_log_path), .changes = CHANGE_CONFIG },
        { "PidPath", 's', FIELD(pid_path), .changes = CHANGE_CONFIG },
        { "RestartCount", 'u', FIELD(restart_count), .changes = CHANGE_RESTART_COUNT },
        { "UnstableRestarts", 'u', FIELD(unstable_restarts), .changes = CHANGE_UNSTABLE_RESTARTS },
        { "StartTimestamp", 't', FIELD(start_realtime_usec), .changes = CHANGE_START_TIMESTAMP },
        { "CreatedTimestamp", 't', FIELD(created_realtime_usec), .changes = CHANGE_CREATED },
        { "ExitCode", .write = write_exit_code, .changes = CHANGE_EXIT_STATUS },
        { "ExitSignal", .write = write_exit_signal, .changes = CHANGE_EXIT_STATUS },
        { "SignalNumber", .write = write_signal_number, .changes = CHANGE_EXIT_STATUS },
        { "LastReason", 's', FIELD(reason), .changes = CHANGE_REASON },
        { "Unit", 's', FIELD(unit), .changes = CHANGE_GROUP },
        { "ControlGroup", 's', FIELD(control_group), .changes = CHANGE_GROUP },
        { "StatusText", .write = write_status_text, .changes = CHANGE_FROZEN | CHANGE_STATUS_TEXT },
        { "Health", .write = write_health, .changes = CHANGE_HEALTH },
        { "Watching", .write = write_watching, .changes = CHANGE_WATCHING },
        { "NextRestart", 't', FIELD(next_restart_realtime_usec), .changes = CHANGE_NEXT_RESTART },
};

size_t bus_process_changed_properties(unsigned changes, const char **names, size_t n_max) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTS(properties) && n + 1 < n_max; i++) {
                if (properties[i].changes & changes) {
                        names[n++] = properties[i].name;
                }
        }
        names[n] = NULL;
        return n;
}

static int write_field(sd_bus_message *reply, const Property *property, const Process *process) {
        const void *base = property->of_config ? (const void *) process->config : (const void *) process;
        const void *field = (const char *) base + property->offset;

        if (property->type == 's') {
                return sd_bus_message_append(reply, "s", *(char *const *) field);
        }
        return property->type == 't' ? sd_bus_message_append(reply, "t", *(const uint64_t *) field)
                                     : sd_bus_message_append(reply, "u", *(const uint32_t *) field);
}

static int write_figure(sd_bus_message *reply, const char *property, Manager *manager, Process *process) {
        ProcessFigures figures;

        manager_read_figures(manager, process, &figures);
        if (strcmp(property, "MemoryBytes") == 0) {
                return sd_bus_message_append(reply, "t", figures.memory_bytes);
        }
        if (strcmp(property, "CpuPercent") == 0) {
                return sd_bus_message_append(reply, "d", figures.cpu_percent);
        }
        if (strcmp(property, "CpuUsageNSec") == 0) {
                return sd_bus_message_append(reply, "t", figures.cpu_nsec);
        }
        return sd_bus_message_append(reply, "u", figures.tasks);
}

static int process_get_property(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const BusConnection *connection = userdata;
        Process *process = process_at(connection, path);

        if (!process) {
                return -ESTALE;
        }
        /* Everybody reads the system bus: arguments hold passwords all too often, and what an app tells of
         * itself is its owner's. */
        bool for_all = connection->broker && manager_is_system(connection->server->manager);
        if (for_all && strcmp(property, "Args") == 0) {
                return sd_bus_message_append(reply, "as", 0);
        }
        if (for_all && strcmp(property, "StatusText") == 0) {
                return sd_bus_message_append(reply, "s", process->frozen ? "frozen" : "");
        }
        for (size_t i = 0; i < ELEMENTS(properties); i++) {
                if (strcmp(properties[i].name, property) == 0) {
                        return properties[i].write ? properties[i].write(reply, process)
                                                   : write_field(reply, &properties[i], process);
                }
        }
        return write_figure(reply, property, connection->server->manager, process);
}

static int find_process(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_found,
                sd_bus_error *error) {
        if (!process_at(userdata, path)) {
                return 0;
        }
        *ret_found = userdata;
        return 1;
}

static int enumerate_processes(
                sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        const BusConnection *connection = userdata;
        const Registry *registry = manager_registry(connection->server->manager);
        const Caller viewer = bus_viewer(connection);
        char **nodes = calloc(
                        registry_count(registry) + 1, sizeof(char *)); /* sd-bus frees it with free() */
        size_t n = 0;

        for (size_t i = 0; nodes && i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                char *path = NULL;
                if (!caller_may_control(&viewer, process->owner)) {
                        continue;
                }
                if (asprintf(&path, PROCESS_PATH_PREFIX "%" PRIu32, process->id) >= 0) {
                        nodes[n++] = path;
                }
        }
        *ret_nodes = nodes;
        return nodes ? 0 : -ENOMEM;
}

int bus_process_attach(BusConnection *connection) {
        sd_bus_slot *slot = NULL;

        int r = sd_bus_add_object_manager(connection->bus, &slot, OBJECTS_PATH);
        if (r >= 0) {
                g_ptr_array_add(connection->slots, slot);
                r = sd_bus_add_fallback_vtable(
                                connection->bus,
                                &slot,
                                PROCESS_PATH,
                                PROCESS_INTERFACE,
                                process_vtable,
                                find_process,
                                connection);
        }
        if (r >= 0) {
                g_ptr_array_add(connection->slots, slot);
                r = sd_bus_add_node_enumerator(
                                connection->bus, &slot, PROCESS_PATH, enumerate_processes, connection);
        }
        if (r >= 0) {
                g_ptr_array_add(connection->slots, slot);
        }
        return r;
}
