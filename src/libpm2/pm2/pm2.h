/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* libpm2: the PM2 API for C programs. It speaks to pm2d, the process supervisor of the calling user or of
 * the system.
 *
 * Conventions: functions that can fail return a negative errno, else 0 unless stated otherwise. An out
 * parameter is written on success alone. What a function returns through a pm2_value ** belongs to the
 * caller, who ends it with pm2_value_free(); what it returns as const belongs to the object it came from.
 * Objects are not thread-safe; different objects may be used by different threads. Nothing here aborts. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pm2_client pm2_client;
typedef struct pm2_options pm2_options;
typedef struct pm2_value pm2_value;

/* ---- Values: what the supervisor answers ---- */

typedef enum pm2_value_type {
        PM2_VALUE_NULL,
        PM2_VALUE_BOOL,
        PM2_VALUE_INT64,
        PM2_VALUE_UINT64,
        PM2_VALUE_DOUBLE,
        PM2_VALUE_STRING,
        PM2_VALUE_ARRAY,
        PM2_VALUE_OBJECT, /* its keys keep the order in which they were added */
} pm2_value_type;

/* An empty array or object. -ENOMEM. */
int pm2_value_new_array(pm2_value **ret);
int pm2_value_new_object(pm2_value **ret);

/* End a value and all that is in it; NULL is fine. Returns NULL. */
pm2_value *pm2_value_free(pm2_value *value);

/* A copy of a value with all that is in it; NULL gives a null. -ENOMEM. */
int pm2_value_copy(const pm2_value *value, pm2_value **ret);

/* Add to an object under a key, replacing what was there, or to the end of an array with a NULL key.
 * Strings are copied. -EINVAL: the container is neither, or the key does not fit it; -ENOMEM. */
int pm2_value_add_null(pm2_value *container, const char *key);
int pm2_value_add_bool(pm2_value *container, const char *key, bool item);
int pm2_value_add_int64(pm2_value *container, const char *key, int64_t item);
int pm2_value_add_uint64(pm2_value *container, const char *key, uint64_t item);
int pm2_value_add_double(pm2_value *container, const char *key, double item);
int pm2_value_add_string(pm2_value *container, const char *key, const char *item);
/* On success the container owns the item, which must not be changed any more. -ELOOP: nested deeper than
 * 66 levels. */
int pm2_value_add_value(pm2_value *container, const char *key, pm2_value *item);

/* PM2_VALUE_NULL for NULL. */
pm2_value_type pm2_value_get_type(const pm2_value *value);

/* Number of items of an array or object, else 0. */
size_t pm2_value_get_length(const pm2_value *value);

/* The item at an index of an array or object, NULL if there is none; the key of an object's item. */
const pm2_value *pm2_value_get_item(const pm2_value *value, size_t index);
const char *pm2_value_get_key(const pm2_value *value, size_t index);

/* The value at a path of keys and indexes joined by dots, as "0.pm2_env.status"; "" is the value itself. A
 * key that has dots is found where the rest of the path equals it. NULL: there is none. */
const pm2_value *pm2_value_get(const pm2_value *value, const char *path);

/* The same with a type. Numbers are converted where that loses nothing. -ENOENT: there is none; -EINVAL:
 * it has another type; -ERANGE: the number does not fit. */
int pm2_value_get_bool(const pm2_value *value, const char *path, bool *ret);
int pm2_value_get_int64(const pm2_value *value, const char *path, int64_t *ret);
int pm2_value_get_uint64(const pm2_value *value, const char *path, uint64_t *ret);
int pm2_value_get_double(const pm2_value *value, const char *path, double *ret);
int pm2_value_get_string(const pm2_value *value, const char *path, const char **ret);

typedef enum pm2_json_format {
        PM2_JSON_SHORT,  /* one line, no spaces */
        PM2_JSON_PRETTY, /* indented by two */
} pm2_json_format;

/* The value as JSON text without a final newline, to be ended with free(). Numbers that JSON does not know
 * become null. -ENOMEM; -EINVAL: no such format. */
int pm2_value_to_json(const pm2_value *value, pm2_json_format format, char **ret);

/* JSON text of length bytes as a value. Whole numbers become uint64, or int64 below 0, other numbers double;
 * \u0000 and halves of surrogate pairs become U+FFFD. Of equal keys in an object all are kept, and the first
 * is found. -EBADMSG: it is no JSON, or not UTF-8; -ELOOP: nested deeper than 66 levels; -ENOMEM. */
int pm2_value_from_json(const char *text, size_t length, pm2_value **ret);

/* ---- Options: what a call sends beside its arguments ---- */

/* No options yet. -ENOMEM. */
int pm2_options_new(pm2_options **ret);

/* NULL is fine. Returns NULL. */
pm2_options *pm2_options_free(pm2_options *options);

/* Set an option, replacing an earlier value of this key. All is copied. Strings that are not UTF-8 are
 * sent as bytes. -EINVAL: the key is empty or not UTF-8, or that of a map's assignment is; -ENOMEM. */
int pm2_options_set_string(pm2_options *options, const char *key, const char *value);
int pm2_options_set_bool(pm2_options *options, const char *key, bool value);
int pm2_options_set_int(pm2_options *options, const char *key, int64_t value);
int pm2_options_set_uint(pm2_options *options, const char *key, uint64_t value);
int pm2_options_set_double(pm2_options *options, const char *key, double value);
/* strings ends with NULL. */
int pm2_options_set_strv(pm2_options *options, const char *key, const char *const *strings);
/* assignments are "KEY=VALUE" and end with NULL; of equal keys the last counts. */
int pm2_options_set_map(pm2_options *options, const char *key, const char *const *assignments);

/* Whether the key is set. */
bool pm2_options_has(const pm2_options *options, const char *key);

/* ---- Connection ---- */

typedef enum pm2_connect_flags {
        /* Neither start a supervisor nor have the bus start one. */
        PM2_CONNECT_NO_SPAWN = 1 << 0,
        /* The supervisor of the system, which keeps the processes of all users, rather than the user's. */
        PM2_CONNECT_SYSTEM = 1 << 1,
        /* If no supervisor runs, start one of the caller's own, which ends with it. */
        PM2_CONNECT_NO_DAEMON = 1 << 2,
} pm2_connect_flags;

/* A client that is not connected yet. -ENOMEM. */
int pm2_client_new(pm2_client **ret);

/* Disconnect and end; NULL is fine. Returns NULL. */
pm2_client *pm2_client_free(pm2_client *client);

/* Connect to the supervisor of the calling user: by its private socket, else over the user bus, which may
 * start it; where neither leads to one, a private supervisor is started (PM2D_PATH names its program for
 * an uninstalled tree). With PM2_CONNECT_SYSTEM to that of the system: by its socket, else over the system
 * bus, which may start it. flags: pm2_connect_flags joined by |. Returns 0 also if already connected; a
 * connection to the other instance is closed first. -ENOTCONN: none runs and none may or can be started;
 * -EPERM: the socket or bus name belongs to another user; -EINVAL: unknown flags, or such as do not go
 * together; -ECONNREFUSED: a supervisor was started and failed.
 *
 * With PM2_CONNECT_NO_DAEMON a supervisor of the user that runs already is used as it is, and stays; one
 * that is about to end is waited for (-ESHUTDOWN: for 30 s in vain). Else the bus is not asked: a private
 * supervisor is started that belongs to this client. It stops all its processes, in order, and ends, when
 * the client is disconnected or ended, and when the program ends, however it does. Other clients may use it
 * meanwhile, and lose it with that. It is held by an open descriptor that programs which the caller executes
 * do not inherit; a child that was forked and executes nothing holds it as well until it ends the client or
 * itself. With PM2_CONNECT_NO_SPAWN none is started. Not with PM2_CONNECT_SYSTEM: -EINVAL. */
int pm2_connect(pm2_client *client, uint64_t flags);

/* Close the connection; the client may connect again. A supervisor of its own begins to end: to wait for
 * that, pm2_kill_daemon() comes before. */
void pm2_disconnect(pm2_client *client);

/* Where the client is connected to: "unix:path=..." or "bus"; NULL while it is not. */
const char *pm2_get_address(const pm2_client *client);

/* The last failure: the D-Bus name of the error, "" for one of this side, and its text. Valid until the
 * next call. */
const char *pm2_last_error_name(const pm2_client *client);
const char *pm2_last_error_message(const pm2_client *client);

/* ---- The PM2 API ----
 *
 * target: the exact name, else a namespace, else an id; "all"; "/regex/"; "name:x", "ns:x", "id:5" and
 * "uid:..." force the kind. options may be NULL; every call that takes them knows "wait" (bool, default
 * true: return when the work is done) and "timeout" (uint, microseconds). ret_processes may be NULL; else
 * it gets an array of the processes concerned, each in the documented process structure. For
 * pm2_delete() that is as they were before.
 *
 * Failures of the supervisor, by the name that pm2_last_error_name() has after "org.pm2.Error.":
 * NoSuchProcess -ESRCH, AlreadyExists -EEXIST, InvalidConfig -EINVAL, SpawnFailed -ENOEXEC, NotOnline
 * -EHOSTDOWN, NoChannel -ENOSTR, NoSuchAction -ENOSYS, Timeout -ETIMEDOUT, Cancelled -ECANCELED,
 * LimitExceeded -EDQUOT, Restarting -ERESTART, ShuttingDown -ESHUTDOWN, InvalidData -EBADMSG, NotSupported
 * -EOPNOTSUPP, Busy -EBUSY; PartialFailure and others -EREMOTEIO; the standard AccessDenied -EACCES and
 * InvalidArgs -EINVAL. A lost connection is -ECONNRESET; the calls that only read are then tried once more.
 */

/* Start a script (a path, a command) or what names existing stopped processes. options: any attribute of
 * an app, "force", "start". "cwd" and "caller_env" are the caller's unless given; existing processes keep
 * the "cwd" that they have. */
int pm2_start(pm2_client *client, const char *script, const pm2_options *options, pm2_value **ret_processes);

/* Start what a JSON text declares: one app, an array of apps, or {"apps": [...]}. Comments as in C and
 * commas before closing brackets are fine. options: "only", "env" (a profile: "env_NAME" of an app is put
 * over its "env"), "update_env"; "cwd" and "caller_env" are the caller's unless given. */
int pm2_start_json(
                pm2_client *client,
                const char *document,
                const pm2_options *options,
                pm2_value **ret_processes);

/* What pm2_start_json() would do, without doing it: an object with "ok", "errors", "notices" and "apps", as
 * Validate of org.pm2.Manager describes it. With the option "saved" the text is a saved list, ours or PM2's
 * dump.pm2, and it is what pm2_resurrect() would do. -EBADMSG and -EINVAL: the text itself cannot be read.
 */
int pm2_validate(pm2_client *client, const char *document, const pm2_options *options, pm2_value **ret);

/* Whether a path is that of an ecosystem file by its name: .json, .yaml, .yml, .config.js, .config.cjs,
 * .config.mjs. */
bool pm2_is_ecosystem_path(const char *path);

/* Read an ecosystem file into JSON for pm2_start_json() and pm2_validate(), to be ended with free(). The
 * client need not be connected; it gets the text of a failure, with file and line. YAML is turned into JSON
 * with everything on the line that it has in the file. JavaScript is run by the "node" that is in PATH, as a
 * child of the caller, for at most timeout_usec (0: 30 s). -EINVAL: another kind of file by its name;
 * -EBADMSG: it cannot be read; -EFBIG: it is over 1 MiB; -ENOENT: there is no such file, or no node;
 * -ETIMEDOUT. */
int pm2_read_ecosystem(pm2_client *client, const char *path, uint64_t timeout_usec, char **ret_document);

int pm2_stop(pm2_client *client, const char *target, const pm2_options *options, pm2_value **ret_processes);

/* options: attributes to change, "update_env" (then "caller_env" is the caller's unless given). */
int pm2_restart(pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes);

/* Put a new process in the place of each; what runs in fork mode is restarted. options: as above. */
int pm2_reload(pm2_client *client,
               const char *target,
               const pm2_options *options,
               pm2_value **ret_processes);

/* Count restarts from 0 again, and what is created from now on. */
int pm2_reset(pm2_client *client, const char *target, const pm2_options *options, pm2_value **ret_processes);

/* Change the number of processes of one app: count is "4", "+2" or "-1". New ones are as the first of it is;
 * those with the highest instance numbers are deleted. ret_processes gets all that the app has then.
 * -EINVAL: a wrong count, or a target that means several apps. */
int pm2_scale(pm2_client *client,
              const char *target,
              const char *count,
              const pm2_options *options,
              pm2_value **ret_processes);

int pm2_delete(pm2_client *client,
               const char *target,
               const pm2_options *options,
               pm2_value **ret_processes);

/* Save the caller's processes: what was declared of each, its environment, and whether it was stopped. path:
 * an absolute one, or NULL for the default. options: "force" (an empty list is refused without it).
 * ret_path, to be ended with free() and may be NULL: where the list is. */
int pm2_dump(pm2_client *client, const char *path, const pm2_options *options, char **ret_path);

/* Start what was saved, or register it where it was stopped; PM2's dump.pm2 is read as well. Names that are
 * in the list already are skipped, and their processes are among those returned. */
int pm2_resurrect(
                pm2_client *client, const char *path, const pm2_options *options, pm2_value **ret_processes);

/* Every process, by increasing id: the documented fields. */
int pm2_list(pm2_client *client, pm2_value **ret_processes);

/* The processes of a target with every attribute and fact. */
int pm2_describe(pm2_client *client, const char *target, pm2_value **ret_processes);

/* The last events of each process that a target names, the oldest first, as org.pm2.Manager(5) has them:
 * what happened, who asked for it, and whether it is restarted. count: at most so many of each, 0: all. */
int pm2_recent_events(pm2_client *client, const char *target, uint32_t count, pm2_value **ret_events);

/* Figures of the machine by their names in PM2 ("CPU Usage", "RAM Usage", "net:rx_5:eth0"...): an object of
 * objects with "value", "type", "unit" and "historic", as GetSystemData of org.pm2.Manager(5) has them. */
int pm2_get_system_data(pm2_client *client, pm2_value **ret);

/* Stop every process and end the supervisor; returns when it is gone. The connection is closed. */
int pm2_kill_daemon(pm2_client *client, const pm2_options *options);

/* Put the installed supervisor in the place of the running one; every process stays, and one of the client's
 * own stays so. The connection is closed: connect again. */
int pm2_reexecute(pm2_client *client);

/* Serve the clients of npm's pm2 beside: listen at rpc.sock and pub.sock in a home of PM2, an absolute path,
 * or NULL for that of the supervisor. The sockets stay until pm2_disable_compat() or until the supervisor is
 * stopped; the property CompatSocket tells where. AlreadyRunning (-EALREADY): PM2's own daemon is at work
 * there; -EEXIST: another home is served already. */
int pm2_enable_compat(pm2_client *client, const char *home, const pm2_options *options);
int pm2_disable_compat(pm2_client *client, const pm2_options *options);

/* signal: a name with or without SIG, or a number. */
int pm2_send_signal(
                pm2_client *client,
                const char *signal,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes);
int pm2_send_signal_to_process_name(
                pm2_client *client, const char *signal, const char *name, pm2_value **ret_processes);
int pm2_send_signal_to_process_id(
                pm2_client *client, const char *signal, uint32_t id, pm2_value **ret_processes);

/* Send data to a process over its channel: sendDataToProcessId({id, type, topic: true, data}) of the PM2
 * API, whose packet.topic is always true. Its "message" event gets {"id", "type", "topic", "data"}; type is
 * "process:msg" by custom. data: any value, NULL is a null. It is not known whether the process read it.
 * -EHOSTDOWN: it does not run; -ENOSTR: it has no channel; -EDQUOT: it does not read, and no more can wait.
 */
int pm2_send_data_to_process_id(pm2_client *client, uint32_t id, const char *type, const pm2_value *data);

/* Send any value as it is to every process of a target, or the JSON text of one. -EBADMSG: the text is none,
 * or it is an object whose "cmd" begins with "NODE_", which is Node's own; else as above, and -EREMOTEIO
 * where some of several did not get it. */
int pm2_send_message(
                pm2_client *client, const char *target, const pm2_value *message, pm2_value **ret_processes);
int pm2_send_message_json(
                pm2_client *client, const char *target, const char *json, pm2_value **ret_processes);

/* Write a line, whose newline is added, to the standard input of a process: PM2's sendLineToStdin. -EBADMSG:
 * it has more than 4095 bytes or a newline in it; -ENOSTR: its standard input is not the pipe that it was
 * given; -EDQUOT: the pipe is full. */
int pm2_send_line(pm2_client *client, uint32_t id, const char *line);

/* Have every process of a target perform an action that it has announced, as by @pm2/io, and wait for what
 * it returns. params: a string for the action; NULL or "" is none. options: "timeout" is that of each answer
 * (30 s); without "wait" nothing is waited for. ret_answers, which may be NULL, gets an array of objects:
 * "pm_id", "error": "" or a name as NoSuchAction, NoChannel, NotOnline, Timeout or Busy, then "message", or
 * what the action gave as "return", where it was waited for. 0 is returned also where answers are errors. */
int pm2_trigger(pm2_client *client,
                const char *target,
                const char *action,
                const char *params,
                const pm2_options *options,
                pm2_value **ret_answers);

/* Change attributes that take effect without a restart, such as memory_max or restart_delay. -EOPNOTSUPP:
 * one takes a restart, or its cgroup controller is not there. */
int pm2_set_properties(
                pm2_client *client,
                const char *target,
                const pm2_options *options,
                pm2_value **ret_processes);

/* Let every process of an app stand still, and go on. -EOPNOTSUPP: there is no cgroup that could. */
int pm2_freeze(pm2_client *client,
               const char *target,
               const pm2_options *options,
               pm2_value **ret_processes);
int pm2_thaw(pm2_client *client, const char *target, const pm2_options *options, pm2_value **ret_processes);

/* Empty the log files of processes, whether they run or not. */
int pm2_flush(pm2_client *client, const char *target, const pm2_options *options, pm2_value **ret_processes);

/* Have the supervisor look anew at which files processes write to. */
int pm2_reload_logs(pm2_client *client);

/* ---- The message bus ----
 *
 * What happens to processes and what their children say, in the order in which it happens. A packet is an
 * object with "event", "at" (milliseconds since 1970), "process" and "data", as OpenBus of org.pm2.Manager
 * describes it; an event "lost" says that the program did not keep up and how many packets it missed there.
 */

typedef struct pm2_bus pm2_bus;

/* packet is valid until the handler returns. It may call pm2_bus_on() and pm2_bus_off(), but neither
 * pm2_bus_process() nor pm2_bus_close(). */
typedef void (*pm2_bus_handler)(const char *event, const pm2_value *packet, void *userdata);

/* Open the message bus. filter: "events" (strings: names of events, "axm:*" for all that begin so) and
 * "target"; NULL is all. It does not need the client any more then. -EDQUOT: too many are open. */
int pm2_launch_bus(pm2_client *client, const pm2_options *filter, pm2_bus **ret);

/* Close it; NULL is fine. Returns NULL. */
pm2_bus *pm2_bus_close(pm2_bus *bus);

/* Have a function called for each packet of an event: its name, or one that ends with "*" for all that begin
 * so,
 * "*" for all. Several are called in the order in which they were added. -EINVAL: there is no name or no
 * function; -ENOMEM. */
int pm2_bus_on(pm2_bus *bus, const char *event, pm2_bus_handler handler, void *userdata);

/* End that, for every handler of this name; event NULL: of all names, handler NULL: all functions. */
void pm2_bus_off(pm2_bus *bus, const char *event, pm2_bus_handler handler);

/* Open what processes of a target log, as OpenLogs of org.pm2.Manager(5). options: "lines", "follow",
 * "streams", "format", or NULL. ret_fd: to be read, and closed by the caller; it ends with the supervisor.
 * Returns 0; the errors of any call; -EOPNOTSUPP: none of them logs to a file that can be read. */
int pm2_open_logs(pm2_client *client, const char *target, const pm2_options *options, int *ret_fd);

/* A descriptor that polls readable when pm2_bus_process() has something to do. It belongs to the bus. */
int pm2_bus_get_fd(const pm2_bus *bus);

/* Read what is there, at most 64 KiB at once, and call the handlers; never waits. Returns the number of
 * packets, also those that nobody wanted. -ECONNRESET: the supervisor has ended, or was replaced by a new
 * one: close it and launch another. -EBADMSG: a line was no packet; it was left out, and one may go on.
 * -EMSGSIZE: it has no lines. */
int pm2_bus_process(pm2_bus *bus);

/* Wait until there is something to process, or until timeout_usec is over (UINT64_MAX: never). Returns 1 or
 * 0; -EINTR: a signal came. */
int pm2_bus_wait(const pm2_bus *bus, uint64_t timeout_usec);

/* ---- Further calls ---- */

/* The process whose main process or descendant has this pid. */
int pm2_get_process_by_pid(pm2_client *client, uint32_t pid, uint32_t *ret_id);

/* The processes of exactly this name in the documented structure; an empty array if there is none. */
int pm2_get_processes_by_name(pm2_client *client, const char *name, pm2_value **ret_processes);

/* The properties of org.pm2.Manager (Version, ApiVersion, Features, ProcessCount, ShuttingDown,
 * Capabilities) and those of org.pm2.Process for an id, as an object. */
int pm2_get_manager_properties(pm2_client *client, pm2_value **ret);
int pm2_get_process_properties(pm2_client *client, uint32_t id, pm2_value **ret);

/* What the next start finds in its environment, as an object of strings; variables that are not UTF-8 are
 * left out. Of own processes alone. */
int pm2_get_process_environment(pm2_client *client, uint32_t id, pm2_value **ret);

/* The supervisor's version, to be ended with free(). */
int pm2_get_version(pm2_client *client, char **ret);

/* The version of this library: static text. */
const char *pm2_library_version(void);

/* ---- The documented process structure ----
 *
 * Of one process of the arrays above; 0 or "" where the structure lacks the field. Times are milliseconds
 * since 1970. */
const char *pm2_process_get_name(const pm2_value *process);
uint32_t pm2_process_get_pid(const pm2_value *process);
uint32_t pm2_process_get_id(const pm2_value *process); /* pm_id */
uint64_t pm2_process_get_memory(const pm2_value *process);
double pm2_process_get_cpu(const pm2_value *process);
const char *pm2_process_get_cwd(const pm2_value *process);
const char *pm2_process_get_out_log_path(const pm2_value *process);
const char *pm2_process_get_err_log_path(const pm2_value *process);
const char *pm2_process_get_interpreter(const pm2_value *process);
uint64_t pm2_process_get_uptime(const pm2_value *process); /* pm_uptime: when it was started */
uint32_t pm2_process_get_unstable_restarts(const pm2_value *process);
uint32_t pm2_process_get_restart_time(const pm2_value *process); /* how often it was restarted */
const char *pm2_process_get_status(const pm2_value *process);
uint32_t pm2_process_get_instances(const pm2_value *process);
const char *pm2_process_get_exec_path(const pm2_value *process);
const char *pm2_process_get_namespace(const pm2_value *process);
const char *pm2_process_get_exec_mode(const pm2_value *process);
const char *pm2_process_get_version(const pm2_value *process);
const char *pm2_process_get_username(const pm2_value *process);
uint64_t pm2_process_get_created_at(const pm2_value *process);

#ifdef __cplusplus
}
#endif
