/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The PM2 API: each function is one method of org.pm2.Manager. Lifecycle methods answer with object paths;
 * who asks for the processes gets them in the documented structure, by one more List. */

#include "api.h"

#include "value-bus.h"

#include "basic/parse-util.h"
#include "basic/sd-cleanup.h"
#include "basic/utf8.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TIMEOUT_MARGIN_USEC (UINT64_C(10) * 1000000)
#define GONE_TIMEOUT_MSEC   10000

static int path_to_id(const char *path, uint32_t *ret) {
        size_t length = strlen(PROCESS_PATH);
        return strncmp(path, PROCESS_PATH, length) == 0 ? parse_uint32(path + length, ret) : -EBADMSG;
}

uint64_t api_call_timeout(const pm2_options *options) {
        const Option *option = options_find(options, "timeout");
        uint64_t usec = 0;

        if (option && option->type == OPTION_UINT) {
                usec = option->uint64;
        } else if (option && option->type == OPTION_INT && option->int64 > 0) {
                usec = (uint64_t) option->int64;
        }
        return usec == 0 || usec > UINT64_MAX / 2 ? UINT64_MAX : usec + TIMEOUT_MARGIN_USEC;
}

/* Move the process of an id from the list into the array; the search goes on from where the last one was
 * found, as both are in the order of ids. */
static int move_process(pm2_value *list, size_t *cursor, uint32_t id, pm2_value *array) {
        for (size_t n = 0; list && n < list->length; n++) {
                size_t i = (*cursor + n) % list->length;
                pm2_value *process = list->items[i];
                if (!process || pm2_process_get_id(process) != id) {
                        continue;
                }
                int r = value_append(array, NULL, process);
                if (r >= 0) {
                        list->items[i] = NULL;
                        *cursor = i + 1;
                }
                return r;
        }
        return -ENOENT;
}

/* What is left to say of a process that ended between its call and the list. */
static int add_bare_process(uint32_t id, pm2_value *array) {
        _cleanup_value_ pm2_value *process = NULL;

        int r = pm2_value_new_object(&process);
        if (r >= 0) {
                r = pm2_value_add_uint64(process, "pm_id", id);
        }
        if (r >= 0) {
                r = value_append(array, NULL, process);
        }
        if (r >= 0) {
                process = NULL;
        }
        return r;
}

/* The processes of these paths; list, an array, loses those that are found in it. */
static int select_processes(const pm2_value *paths, pm2_value *list, pm2_value **ret) {
        _cleanup_value_ pm2_value *array = NULL;
        size_t cursor = 0;

        int r = pm2_value_new_array(&array);
        for (size_t i = 0; r >= 0 && i < pm2_value_get_length(paths); i++) {
                const char *path;
                uint32_t id;
                if (pm2_value_get_string(pm2_value_get_item(paths, i), "", &path) < 0 ||
                    path_to_id(path, &id) < 0) {
                        continue;
                }
                r = move_process(list, &cursor, id, array);
                if (r == -ENOENT) {
                        r = add_bare_process(id, array);
                }
        }
        if (r < 0) {
                return r;
        }
        *ret = array;
        array = NULL;
        return 0;
}

static int list_processes(pm2_client *client, pm2_value **ret) {
        _cleanup_value_ pm2_value *list = NULL;

        int r = client_call_value(
                        client,
                        &(Call){ .member = "List", .reads = true, .timeout_usec = READ_TIMEOUT_USEC },
                        &list);
        if (r < 0) {
                return r;
        }
        if (pm2_value_get_type(list) != PM2_VALUE_ARRAY) {
                return client_fail(client, -EBADMSG, "pm2d's answer to List makes no sense");
        }
        *ret = list;
        list = NULL;
        return 0;
}

int api_change(pm2_client *client, const Call *call, bool list_before, pm2_value **ret_processes) {
        _cleanup_value_ pm2_value *paths = NULL, *list = NULL;
        int r = 0;

        if (ret_processes && list_before) {
                r = list_processes(client, &list);
        }
        if (r >= 0) {
                r = client_call_value(client, call, &paths);
        }
        if (r < 0 || !ret_processes) {
                return r;
        }
        if (!list_before && list_processes(client, &list) < 0) {
                /* The work is done all the same: answer with the ids alone. */
                client_clear_error(client);
                r = pm2_value_new_array(&list);
        }
        if (r >= 0) {
                r = select_processes(paths, list, ret_processes);
        }
        return r < 0 ? client_fail(client, r, "cannot read the processes: %m") : 0;
}

int api_check_text(pm2_client *client, const char *what, const char *text) {
        if (!utf8_is_valid(text, strlen(text))) {
                return client_fail(client, -EINVAL, "the %s is not UTF-8", what);
        }
        return 0;
}

/* Complete options by what the supervisor cannot know of the caller. */
static int add_caller(const pm2_options *options, bool with_cwd, pm2_options **ret) {
        _cleanup_options_ pm2_options *complete = NULL;

        int r = options_copy(options, &complete);
        if (r >= 0 && with_cwd && !pm2_options_has(complete, "cwd")) {
                _cleanup_free_ char *cwd = getcwd(NULL, 0);
                r = cwd ? pm2_options_set_string(complete, "cwd", cwd) : 0;
        }
        if (r >= 0 && !pm2_options_has(complete, "caller_env")) {
                r = options_set_environment(complete, "caller_env", environ);
        }
        if (r < 0) {
                return r;
        }
        *ret = complete;
        complete = NULL;
        return 0;
}

static bool option_is_true(const pm2_options *options, const char *key) {
        const Option *option = options_find(options, key);
        return option && option->type == OPTION_BOOL && option->boolean;
}

/* Whether the script is what names existing processes, by the supervisor's own rule. Those keep the folder
 * that they have: the caller's is not meant for them. */
static bool names_existing(pm2_client *client, const char *script, const pm2_options *options) {
        _cleanup_value_ pm2_value *processes = NULL;

        if (pm2_options_has(options, "name") || option_is_true(options, "force")) {
                return false;
        }
        return pm2_describe(client, script, &processes) >= 0 && pm2_value_get_length(processes) > 0;
}

static int start(
                pm2_client *client,
                const char *member,
                const char *what,
                const char *text,
                const pm2_options *options,
                pm2_value **ret_processes) {
        _cleanup_options_ pm2_options *complete = NULL;

        client_clear_error(client);
        int r = api_check_text(client, what, text);
        if (r < 0) {
                return r;
        }
        bool document = strcmp(member, "StartJson") == 0;
        r = add_caller(options, document || !names_existing(client, text, options), &complete);
        if (r < 0) {
                return client_fail(client, r, "cannot prepare the call: %m");
        }
        const Call call = {
                .member = member,
                .strings = { text },
                .options = complete,
                .takes_options = true,
                .timeout_usec = api_call_timeout(complete),
        };
        return api_change(client, &call, false, ret_processes);
}

PM2_EXPORT int pm2_start(
                pm2_client *client,
                const char *script,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return start(client, "Start", "script", script, options, ret_processes);
}

PM2_EXPORT int pm2_start_json(
                pm2_client *client,
                const char *document,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return start(client, "StartJson", "document", document, options, ret_processes);
}

PM2_EXPORT int pm2_validate(
                pm2_client *client, const char *document, const pm2_options *options, pm2_value **ret) {
        _cleanup_options_ pm2_options *complete = NULL;

        client_clear_error(client);
        int r = api_check_text(client, "document", document);
        if (r < 0) {
                return r;
        }
        r = add_caller(options, true, &complete);
        if (r < 0) {
                return client_fail(client, r, "cannot prepare the call: %m");
        }
        const Call call = {
                .member = "Validate",
                .strings = { document },
                .options = complete,
                .takes_options = true,
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };
        return client_call_value(client, &call, ret);
}

static int change_target(
                pm2_client *client,
                const char *member,
                const char *target,
                const char *argument,
                const pm2_options *options,
                pm2_value **ret_processes) {
        client_clear_error(client);
        int r = api_check_text(client, "target", target);
        if (r >= 0 && argument) {
                r = api_check_text(client, strcmp(member, "Scale") == 0 ? "count" : "signal", argument);
        }
        if (r < 0) {
                return r;
        }
        const Call call = {
                .member = member,
                .strings = { target, argument },
                .options = options,
                .takes_options = true,
                .timeout_usec = api_call_timeout(options),
        };
        return api_change(client, &call, strcmp(member, "Delete") == 0, ret_processes);
}

PM2_EXPORT int pm2_stop(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "Stop", target, NULL, options, ret_processes);
}

/* Restart, or Reload. */
static int relaunch(
                pm2_client *client,
                const char *member,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        _cleanup_options_ pm2_options *complete = NULL;

        if (option_is_true(options, "update_env")) {
                int r = add_caller(options, false, &complete);
                if (r < 0) {
                        return client_fail(client, r, "cannot prepare the call: %m");
                }
                options = complete;
        }
        return change_target(client, member, target, NULL, options, ret_processes);
}

PM2_EXPORT int pm2_restart(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return relaunch(client, "Restart", target, options, ret_processes);
}

PM2_EXPORT int pm2_reload(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return relaunch(client, "Reload", target, options, ret_processes);
}

PM2_EXPORT int pm2_reset(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "Reset", target, NULL, options, ret_processes);
}

PM2_EXPORT int pm2_scale(
                pm2_client *client,
                const char *target,
                const char *count,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "Scale", target, count, options, ret_processes);
}

PM2_EXPORT int pm2_delete(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "Delete", target, NULL, options, ret_processes);
}

/* NULL is the default place. */
static int prepare_list_call(
                pm2_client *client,
                const char *member,
                const char *path,
                const pm2_options *options,
                Call *ret) {
        client_clear_error(client);
        *ret = (Call){
                .member = member,
                .strings = { path ? path : "" },
                .options = options,
                .takes_options = true,
                .timeout_usec = api_call_timeout(options),
        };
        return api_check_text(client, "path", ret->strings[0]);
}

PM2_EXPORT int pm2_dump(pm2_client *client, const char *path, const pm2_options *options, char **ret_path) {
        _cleanup_value_ pm2_value *reply = NULL;
        const char *saved = "";
        Call call;

        int r = prepare_list_call(client, "Save", path, options, &call);
        if (r >= 0) {
                r = client_call_value(client, &call, &reply);
        }
        if (r < 0 || !ret_path) {
                return r;
        }
        (void) pm2_value_get_string(reply, "", &saved);
        *ret_path = strdup(saved);
        return *ret_path ? 0 : client_fail(client, -ENOMEM, "cannot copy the path: %m");
}

PM2_EXPORT int pm2_resurrect(
                pm2_client *client,
                const char *path,
                const pm2_options *options,
                pm2_value **ret_processes) {
        Call call;
        int r = prepare_list_call(client, "Resurrect", path, options, &call);

        return r < 0 ? r : api_change(client, &call, false, ret_processes);
}

PM2_EXPORT int pm2_list(pm2_client *client, pm2_value **ret_processes) {
        return list_processes(client, ret_processes);
}

PM2_EXPORT int pm2_describe(pm2_client *client, const char *target, pm2_value **ret_processes) {
        client_clear_error(client);
        int r = api_check_text(client, "target", target);
        if (r < 0) {
                return r;
        }
        const Call call = {
                .member = "Describe",
                .strings = { target },
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };
        return client_call_value(client, &call, ret_processes);
}

PM2_EXPORT int pm2_recent_events(
                pm2_client *client, const char *target, uint32_t count, pm2_value **ret_events) {
        client_clear_error(client);
        int r = api_check_text(client, "target", target);
        if (r < 0) {
                return r;
        }
        const Call call = {
                .member = "RecentEvents",
                .strings = { target },
                .number = &count,
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };
        return client_call_value(client, &call, ret_events);
}

PM2_EXPORT int pm2_get_system_data(pm2_client *client, pm2_value **ret) {
        const Call call = {
                .member = "GetSystemData",
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };
        return client_call_value(client, &call, ret);
}

/* Something that polls readable or hung up once the supervisor is gone: our connection, or, where a broker
 * stands between, its process. -EBADF if there is no such thing. */
static int open_daemon_end(pm2_client *client) {
        _cleanup_bus_creds_ sd_bus_creds *creds = NULL;
        pid_t pid;

        if (client->peer) {
                return dup(sd_bus_get_fd(client->bus));
        }
        int r = sd_bus_get_name_creds(client->bus, MANAGER_BUS_NAME, SD_BUS_CREDS_PID, &creds);
        if (r < 0 || sd_bus_creds_get_pid(creds, &pid) < 0) {
                return -EBADF;
        }
        return (int) syscall(SYS_pidfd_open, pid, 0);
}

PM2_EXPORT int pm2_reexecute(pm2_client *client) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Call call = { .member = "Reexecute", .timeout_usec = READ_TIMEOUT_USEC };

        int r = client_call(client, &call, &reply);
        if (r >= 0) {
                client_close_connection(client);
        }
        return r;
}

PM2_EXPORT int pm2_kill_daemon(pm2_client *client, const pm2_options *options) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Call call = {
                .member = "Kill",
                .options = options,
                .takes_options = true,
                .timeout_usec = api_call_timeout(options),
        };

        _cleanup_close_ int end_fd = client->bus ? open_daemon_end(client) : -EBADF;
        int r = client_call(client, &call, &reply);
        if (r < 0) {
                return r;
        }
        if (end_fd >= 0) {
                struct pollfd gone = {
                        .fd = end_fd,
                        .events = client->peer ? POLLRDHUP : POLLIN,
                };
                while (poll(&gone, 1, GONE_TIMEOUT_MSEC) < 0 && errno == EINTR) {
                }
        }
        pm2_disconnect(client);
        return 0;
}

PM2_EXPORT int pm2_send_signal(
                pm2_client *client,
                const char *signal,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "SendSignal", target, signal, options, ret_processes);
}

PM2_EXPORT int pm2_set_properties(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "SetProperties", target, NULL, options, ret_processes);
}

PM2_EXPORT int pm2_freeze(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "Freeze", target, NULL, options, ret_processes);
}

PM2_EXPORT int pm2_thaw(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "Thaw", target, NULL, options, ret_processes);
}

PM2_EXPORT int pm2_flush(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes) {
        return change_target(client, "Flush", target, NULL, options, ret_processes);
}

PM2_EXPORT int pm2_reload_logs(pm2_client *client) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Call call = { .member = "ReloadLogs", .timeout_usec = READ_TIMEOUT_USEC };

        return client_call(client, &call, &reply);
}

PM2_EXPORT int pm2_send_signal_to_process_name(
                pm2_client *client, const char *signal, const char *name, pm2_value **ret_processes) {
        _cleanup_free_ char *target = NULL;

        if (asprintf(&target, "name:%s", name) < 0) {
                target = NULL;
                return client_fail(client, -ENOMEM, "cannot prepare the call: %m");
        }
        return pm2_send_signal(client, signal, target, NULL, ret_processes);
}

PM2_EXPORT int pm2_send_signal_to_process_id(
                pm2_client *client, const char *signal, uint32_t id, pm2_value **ret_processes) {
        char target[sizeof("id:4294967295")];

        (void) snprintf(target, sizeof(target), "id:%" PRIu32, id);
        return pm2_send_signal(client, signal, target, NULL, ret_processes);
}

PM2_EXPORT int pm2_get_process_by_pid(pm2_client *client, uint32_t pid, uint32_t *ret_id) {
        _cleanup_value_ pm2_value *reply = NULL;
        const char *path = "";
        const Call call = {
                .member = "GetProcessByPid",
                .number = &pid,
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };

        int r = client_call_value(client, &call, &reply);
        if (r < 0) {
                return r;
        }
        (void) pm2_value_get_string(reply, "", &path);
        r = path_to_id(path, ret_id);
        return r < 0 ? client_fail(client, r, "\"%s\" is no process", path) : 0;
}

PM2_EXPORT int pm2_get_processes_by_name(pm2_client *client, const char *name, pm2_value **ret_processes) {
        _cleanup_value_ pm2_value *paths = NULL, *list = NULL;

        client_clear_error(client);
        int r = api_check_text(client, "name", name);
        if (r < 0) {
                return r;
        }
        const Call call = {
                .member = "GetProcessesByName",
                .strings = { name },
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };
        r = client_call_value(client, &call, &paths);
        if (r >= 0) {
                r = list_processes(client, &list);
        }
        if (r < 0) {
                return r;
        }
        r = select_processes(paths, list, ret_processes);
        return r < 0 ? client_fail(client, r, "cannot read the processes: %m") : 0;
}

static int get_properties(pm2_client *client, const char *path, const char *interface, pm2_value **ret) {
        const Call call = {
                .path = path,
                .interface = "org.freedesktop.DBus.Properties",
                .member = "GetAll",
                .strings = { interface },
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };
        return client_call_value(client, &call, ret);
}

PM2_EXPORT int pm2_get_manager_properties(pm2_client *client, pm2_value **ret) {
        return get_properties(client, MANAGER_PATH, MANAGER_INTERFACE, ret);
}

PM2_EXPORT int pm2_get_process_properties(pm2_client *client, uint32_t id, pm2_value **ret) {
        char path[sizeof(PROCESS_PATH "4294967295")];

        (void) snprintf(path, sizeof(path), PROCESS_PATH "%" PRIu32, id);
        return get_properties(client, path, PROCESS_INTERFACE, ret);
}

PM2_EXPORT int pm2_get_process_environment(pm2_client *client, uint32_t id, pm2_value **ret) {
        char path[sizeof(PROCESS_PATH "4294967295")];
        const Call call = {
                .path = path,
                .interface = PROCESS_INTERFACE,
                .member = "GetEnvironment",
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };

        (void) snprintf(path, sizeof(path), PROCESS_PATH "%" PRIu32, id);
        return client_call_value(client, &call, ret);
}

PM2_EXPORT int pm2_get_version(pm2_client *client, char **ret) {
        _cleanup_value_ pm2_value *properties = NULL;
        const char *version = "";

        int r = pm2_get_manager_properties(client, &properties);
        if (r < 0) {
                return r;
        }
        (void) pm2_value_get_string(properties, "Version", &version);
        *ret = strdup(version);
        return *ret ? 0 : client_fail(client, -ENOMEM, "cannot copy the version: %m");
}
