/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods about the daemon itself, and those that put marks on processes. */

#include "compat/compat-events.h"

#include "core/value-text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
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

static void on_marked(void *userdata, const Error *error, const GArray *ids) {
        Error *result = userdata;

        if (error->code != ERROR_NONE) {
                error_set_message(result, error->code, "%s", error->message);
        }
}

static void mark(Compat *compat, RpcCall *call, bool monitored) {
        const Process *process = compat_find(compat, call, rpc_argument(call, 0));
        g_autoptr(Value) options = value_new_map();
        g_auto(Error) error = { 0 };
        char target[32];

        if (!process) {
                rpc_call_fail(call, "Unknown pm_id");
                return;
        }
        Value *extra = process->config->extra ? value_copy(process->config->extra) : value_new_map();
        value_remove(extra, "_km_monitored");
        value_set(extra, "_km_monitored", value_new_bool(monitored));
        value_set(options, "extra", extra);
        const ManagerCall manager_call = {
                .caller = *rpc_call_caller(call),
                .options = options,
                .handler = on_marked,
                .userdata = &error,
        };
        (void) snprintf(target, sizeof(target), "id:%" PRIu32, process->id);
        uint32_t id = process->id;
        if (manager_set_properties(compat->manager, &manager_call, target, NULL, &error) < 0 ||
            error.code != ERROR_NONE) {
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

/* Nothing is watched by this version (an app that asks for it is refused), so there is nothing to end; PM2
 * answers the same for ids that it does not know. */
void compat_watch(void *userdata, RpcCall *call) {
        static const char success[] = "{\"success\":true}";

        rpc_call_reply(call, success, sizeof(success) - 1);
}

/* Processes write to their files themselves: none is held open here. */
void compat_reload_logs(void *userdata, RpcCall *call) {
        rpc_call_reply(call, "{}", 2);
}
