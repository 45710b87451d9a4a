/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods about the daemon itself, and those that put marks on processes. */

#include "compat/compat-events.h"

#include "core/value-text.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

/* What the manager tells of by itself: the client's word for it would be the second one. */
static bool is_told(const char *action) {
        static const char *const names[] = { "restart", "stop", "start", "delete" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                if (strcmp(names[i], action) == 0) {
                        return true;
                }
        }
        return false;
}

void compat_notify(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Value *id = rpc_member(call, 0, "id");
        const Value *action = rpc_member(call, 0, "action_name");
        const Process *process = compat_find(compat, call, id);

        if (!id) {
                rpc_call_fail(call, "process id missing");
                return;
        }
        if (!process) {
                rpc_call_fail(call, "process id doesnt exists");
                return;
        }
        if (!action || action->kind != VALUE_STRING || strlen(action->string) > 256) {
                rpc_call_fail(call, "action_name: expected a name");
                return;
        }
        if (!is_told(action->string)) {
                compat_events_tell(compat, process, action->string, rpc_member(call, 0, "manually") != NULL);
        }
        rpc_call_reply(call, "", 0);
}

/* PM2's daemon never starts anything again after it: one client that dies then has crippled it. Here who
 * wants the processes gone deletes them, and that is all that it takes. */
void compat_notify_kill(void *userdata, RpcCall *call) {
        if (rpc_call_get_mark(call) != MARK_UPDATING) {
                rpc_call_set_mark(call, MARK_ENDING);
        }
        rpc_call_drop(call);
}

static void signal_client(RpcCall *call, int number) {
        const Value *pid = rpc_member(call, 0, "pid");

        if (pid && pid->kind == VALUE_INT && pid->integer > 0 && pid->integer <= INT32_MAX) {
                rpc_call_signal_client(call, (pid_t) pid->integer, number);
        }
}

/* The client waits for SIGQUIT, or three seconds. Never unlink or stop listening while we are there: it, or
 * the next one, would start PM2's own daemon. That is what "pm2 update" does next, so it goes no further. */
void compat_kill(void *userdata, RpcCall *call) {
        Compat *compat = userdata;

        if (rpc_call_get_mark(call) == MARK_UPDATING) {
                signal_client(call, SIGTERM);
                rpc_call_drop(call);
                return;
        }
        compat_events_tell_killed(compat, "pm2 has been killed via CLI");
        pub_server_flush(compat->pub);
        signal_client(call, SIGQUIT);
        rpc_call_drop(call);
        if (compat->on_kill) {
                compat->told_killed = true;
                compat->on_kill(compat->userdata);
        }
}

static void mark(Compat *compat, RpcCall *call, bool monitored) {
        const Process *process = compat_find(compat, call, rpc_argument(call, 0));
        g_autoptr(Value) options = value_new_map();
        g_auto(Error) error = { 0 };
        char target[COMPAT_TARGET_BYTES];

        if (!process) {
                rpc_call_fail(call, "Unknown pm_id");
                return;
        }
        Value *extra = process->config->extra ? value_copy(process->config->extra) : value_new_map();
        value_remove(extra, "_km_monitored");
        value_set(extra, "_km_monitored", value_new_bool(monitored));
        value_set(options, "extra", extra);
        const ManagerCall manager_call = compat_call_at_once(call, options, &error);
        compat_make_target(process, target);
        uint32_t id = process->id;
        int r = manager_set_properties(compat->manager, &manager_call, target, NULL, &error);
        if (compat_result_at_once(r, &error) < 0) {
                rpc_call_fail(call, error.message);
                return;
        }
        g_autofree char *reply = g_strdup_printf("{\"success\":true,\"pm_id\":%" PRIu32 "}", id);
        rpc_call_reply(call, reply, strlen(reply));
}

void compat_monitor(void *userdata, RpcCall *call) {
        mark(userdata, call, true);
}

void compat_unmonitor(void *userdata, RpcCall *call) {
        mark(userdata, call, false);
}

static void reply_watch(RpcCall *call, bool changed) {
        const char *reply = changed ? "{\"success\":true}" : "{\"success\":true,\"notrestarted\":true}";

        rpc_call_reply(call, reply, strlen(reply));
}

/* The paths are kept. A client pauses the watch before a stop or delete; the next start lets it go on. An id
 * that nobody has is no error, as with PM2. */
void compat_stop_watch(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Registry *registry = manager_registry(compat->manager);
        const Value *method = rpc_argument(call, 0);
        const char *name = method && method->kind == VALUE_STRING ? method->string : "";
        bool all = strcmp(name, "stopAll") == 0 || strcmp(name, "deleteAll") == 0;

        for (size_t i = 0; all && i < registry_count(registry); i++) {
                Process *process = registry_at(registry, i);
                if (caller_may_control(rpc_call_caller(call), process->owner)) {
                        (void) manager_set_watch(process, false);
                }
        }
        Process *process =
                        strstr(name, "ProcessId") ? compat_find(compat, call, rpc_argument(call, 1)) : NULL;
        if (process) {
                (void) manager_set_watch(process, false);
        }
        reply_watch(call, true);
}

static Process *find_watched(Compat *compat, const RpcCall *call) {
        const Value *method = rpc_argument(call, 0);
        bool by_id = method && method->kind == VALUE_STRING && strstr(method->string, "ProcessId");

        return by_id ? compat_find(compat, call, rpc_member(call, 1, "id")) : NULL;
}

void compat_start_watch(void *userdata, RpcCall *call) {
        Process *process = find_watched(userdata, call);

        reply_watch(call, !process || manager_set_watch(process, true));
}

void compat_toggle_watch(void *userdata, RpcCall *call) {
        Process *process = find_watched(userdata, call);

        if (process) {
                (void) manager_set_watch(process, !process->config->watch.on);
        }
        reply_watch(call, true);
}

/* Processes write to their files themselves: none is held open here, and what they write to is looked at. */
void compat_reload_logs(void *userdata, RpcCall *call) {
        const Compat *compat = userdata;

        manager_reload_logs(compat->manager, rpc_call_caller(call));
        rpc_call_reply(call, "{}", 2);
}
