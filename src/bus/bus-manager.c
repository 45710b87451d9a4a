/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.pm2.Manager: decode, check the caller, call the manager, reply. */

#include "basic/sd-cleanup.h"
#include "bus/bus-describe.h"
#include "bus/bus-error.h"
#include "bus/bus-messages.h"
#include "bus/bus-streams.h"
#include "bus/org.pm2.Manager.h"
#include "core/target.h"

#include <string.h>

enum {
        API_VERSION = 1,
};

static int call_with_text(
                sd_bus_message *message,
                BusConnection *connection,
                BusTargetCall function,
                sd_bus_error *error) {
        const char *text;
        int r = sd_bus_message_read(message, "s", &text);

        return r < 0 ? r : bus_request_call(connection, message, text, function, error);
}

static int manager_method_start(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_start, error);
}

static int manager_method_start_json(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_start_json, error);
}

static int manager_method_validate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_validate(message, userdata, error);
}

static int manager_method_get_system_data(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_system_data(message, userdata, error);
}

static int manager_method_stop(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_stop, error);
}

static int manager_method_restart(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_restart, error);
}

static int manager_method_delete(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_delete, error);
}

static int manager_method_reload(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_reload, error);
}

static int manager_method_reset(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_reset, error);
}

static int call_with_texts(
                sd_bus_message *message,
                BusConnection *connection,
                BusTextsCall function,
                sd_bus_error *error) {
        const char *target, *text;
        int r = sd_bus_message_read(message, "ss", &target, &text);

        return r < 0 ? r : bus_request_call_texts(connection, message, target, text, function, error);
}

static int manager_method_scale(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_texts(message, userdata, manager_scale, error);
}

static int manager_method_send_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_texts(message, userdata, manager_send_signal, error);
}

static int manager_method_send_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *target, *json;
        int r = sd_bus_message_read(message, "ss", &target, &json);

        return r < 0 ? r : bus_send_message(userdata, message, target, json, error);
}

static int manager_method_send_data(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *type, *data;
        uint32_t id;
        int r = sd_bus_message_read(message, "uss", &id, &type, &data);

        return r < 0 ? r : bus_send_data(userdata, message, id, type, data, error);
}

static int manager_method_send_line(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *line;
        uint32_t id;
        int r = sd_bus_message_read(message, "us", &id, &line);

        return r < 0 ? r : bus_send_line(userdata, message, id, line, error);
}

static int manager_method_trigger(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *target, *action, *params;
        int r = sd_bus_message_read(message, "sss", &target, &action, &params);

        return r < 0 ? r : bus_request_trigger(userdata, message, target, action, params, error);
}

static int manager_method_set_properties(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_set_properties, error);
}

static int manager_method_freeze(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_freeze, error);
}

static int manager_method_thaw(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_thaw, error);
}

static int manager_method_flush(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_flush, error);
}

static int manager_method_reload_logs(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const BusConnection *connection = userdata;

        manager_reload_logs(connection->server->manager, bus_caller(connection));
        /* no fault point: the answer to a question */
        return sd_bus_reply_method_return(message, NULL);
}

static int manager_method_save(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path;
        int r = sd_bus_message_read(message, "s", &path);

        return r < 0 ? r : bus_request_save(userdata, message, path, error);
}

static int manager_method_resurrect(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return call_with_text(message, userdata, manager_resurrect, error);
}

static int manager_method_kill(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_request_kill(userdata, message, error);
}

static int manager_method_reexecute(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_request_reexecute(userdata, message, error);
}

static int manager_method_enable_compat(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_enable_compat(message, userdata, error);
}

static int manager_method_disable_compat(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_disable_compat(message, userdata, error);
}

static int reply_descriptions(
                sd_bus_message *message, BusConnection *connection, const GPtrArray *processes, bool full) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        }
        for (guint i = 0; r >= 0 && i < processes->len; i++) {
                r = bus_describe_append(
                                reply,
                                connection->server->manager,
                                processes->pdata[i],
                                bus_caller(connection),
                                full);
        }
        if (r >= 0) {
                r = sd_bus_message_close_container(reply);
        }
        /* no fault point: the answer to a question */
        return r < 0 ? r : sd_bus_send(connection->bus, reply, NULL);
}

static int describe_target(
                sd_bus_message *message,
                BusConnection *connection,
                const char *target,
                bool full,
                sd_bus_error *ret_error) {
        const Registry *registry = manager_registry(connection->server->manager);
        g_autoptr(GPtrArray) processes = NULL;
        g_auto(Error) error = { 0 };

        int r = target_resolve(registry, bus_caller(connection), target, &processes, &error);
        if (r < 0) {
                return bus_error_from(&error, ret_error);
        }
        return reply_descriptions(message, connection, processes, full);
}

static int manager_method_list(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return describe_target(message, userdata, "all", false, error);
}

static int manager_method_describe(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *target;
        int r = sd_bus_message_read(message, "s", &target);

        return r < 0 ? r : describe_target(message, userdata, target, true, error);
}

static int manager_method_recent_events(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        BusConnection *connection = userdata;
        const Registry *registry = manager_registry(connection->server->manager);
        g_autoptr(GPtrArray) processes = NULL;
        g_auto(Error) error = { 0 };
        const char *target;
        uint32_t count_max;

        int r = sd_bus_message_read(message, "su", &target, &count_max);
        if (r < 0) {
                return r;
        }
        if (target_resolve(registry, bus_caller(connection), target, &processes, &error) < 0) {
                return bus_error_from(&error, ret_error);
        }
        return bus_history_reply(message, connection, processes, count_max);
}

static int manager_method_open_bus(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_streams_open(message, userdata, error);
}

static int manager_method_open_logs(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_streams_open_logs(message, userdata, error);
}

static int manager_method_subscribe(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_messages_subscribe(message, userdata, error);
}

static int manager_method_unsubscribe(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_messages_unsubscribe(message, userdata, error);
}

static int reply_path(
                sd_bus_message *message,
                int result,
                const Process *process,
                const Error *error,
                sd_bus_error *ret) {
        if (result < 0) {
                return bus_error_from(error, ret);
        }
        g_autofree char *path = bus_process_path(process->id);
        return sd_bus_reply_method_return(message, "o", path);
}

static int manager_method_get_process(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        BusConnection *connection = userdata;
        g_auto(Error) error = { 0 };
        Process *process = NULL;
        uint32_t id;

        int r = sd_bus_message_read(message, "u", &id);
        if (r < 0) {
                return r;
        }
        r = manager_find_id(connection->server->manager, bus_caller(connection), id, &process, &error);
        return reply_path(message, r, process, &error, ret_error);
}

static int manager_method_get_process_by_pid(
                sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        BusConnection *connection = userdata;
        g_auto(Error) error = { 0 };
        Process *process = NULL;
        uint32_t pid;

        int r = sd_bus_message_read(message, "u", &pid);
        if (r < 0) {
                return r;
        }
        r = manager_find_pid(
                        connection->server->manager,
                        bus_caller(connection),
                        pid > INT32_MAX ? 0 : (pid_t) pid,
                        &process,
                        &error);
        return reply_path(message, r, process, &error, ret_error);
}

static int manager_method_get_processes_by_name(
                sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusConnection *connection = userdata;
        const Registry *registry = manager_registry(connection->server->manager);
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const char *name;

        int r = sd_bus_message_read(message, "s", &name);
        if (r >= 0) {
                r = sd_bus_message_new_method_return(message, &reply);
        }
        if (r >= 0) {
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "o");
        }
        for (size_t i = 0; r >= 0 && i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                if (strcmp(process->config->name, name) == 0 &&
                    caller_may_control(bus_caller(connection), process->owner)) {
                        g_autofree char *path = bus_process_path(process->id);
                        r = sd_bus_message_append_basic(reply, SD_BUS_TYPE_OBJECT_PATH, path);
                }
        }
        if (r >= 0) {
                r = sd_bus_message_close_container(reply);
        }
        /* no fault point: the answer to a question */
        return r < 0 ? r : sd_bus_send(connection->bus, reply, NULL);
}

static int append_controllers(sd_bus_message *reply) {
        g_auto(GStrv) controllers = manager_list_controllers();

        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r >= 0) {
                r = sd_bus_message_append_basic(reply, SD_BUS_TYPE_STRING, "controllers");
        }
        if (r >= 0) {
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_VARIANT, "as");
        }
        if (r >= 0) {
                r = sd_bus_message_append_strv(reply, controllers);
        }
        if (r >= 0) {
                r = sd_bus_message_close_container(reply);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_capabilities(sd_bus_message *reply, Manager *manager) {
        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0) {
                r = sd_bus_message_append(
                                reply,
                                "{sv}{sv}{sv}",
                                "isolation",
                                "s",
                                manager_isolation_name(manager),
                                "isolation_complete",
                                "b",
                                (int) manager_isolation_is_complete(manager),
                                "processes_max",
                                "u",
                                (uint32_t) manager_settings(manager)->processes_max);
        }
        if (r >= 0) {
                r = append_controllers(reply);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int manager_get_property(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        Manager *manager = ((BusConnection *) userdata)->server->manager;

        if (strcmp(property, "Version") == 0) {
                return sd_bus_message_append(reply, "s", PM2D_VERSION);
        }
        if (strcmp(property, "ApiVersion") == 0) {
                return sd_bus_message_append(reply, "u", (uint32_t) API_VERSION);
        }
        if (strcmp(property, "Features") == 0) {
                return sd_bus_message_append(reply, "as", 0);
        }
        if (strcmp(property, "ProcessCount") == 0) {
                return sd_bus_message_append(
                                reply, "u", (uint32_t) registry_count(manager_registry(manager)));
        }
        if (strcmp(property, "ShuttingDown") == 0) {
                return sd_bus_message_append(reply, "b", (int) manager_is_shutting_down(manager));
        }
        if (strcmp(property, "CompatSocket") == 0) {
                return sd_bus_message_append(reply, "s", manager_compat_path(manager));
        }
        return append_capabilities(reply, manager);
}

int bus_manager_attach(BusConnection *connection) {
        sd_bus_slot *slot = NULL;
        int r = sd_bus_add_object_vtable(
                        connection->bus, &slot, MANAGER_PATH, MANAGER_INTERFACE, manager_vtable, connection);

        if (r >= 0) {
                g_ptr_array_add(connection->slots, slot);
        }
        return r;
}
