/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods that send something to processes. */

#include "compat/compat-internal.h"

#include "basic/signal-util.h"
#include "config/json-text.h"
#include "core/value-text.h"

#include <string.h>

static bool is_signal(const char *name) {
        return name && signal_from_text(name) >= 0;
}

/* signal: as the client wrote it; NULL: not at all. */
static int send_signal(
                Compat *compat, RpcCall *call, const Process *process, const char *signal, Error *error) {
        g_autoptr(Value) options = value_new_map();
        const ManagerCall manager_call = compat_call_at_once(call, options, error);
        char target[COMPAT_TARGET_BYTES];

        if (!is_signal(signal)) {
                return error_set(error, ERROR_INVALID_DATA, "Error when sending signal (signal unknown)");
        }
        compat_make_target(process, target);
        int r = manager_send_signal(compat->manager, &manager_call, target, signal, NULL, error);
        return compat_result_at_once(r, error);
}

static void reply_all(Compat *compat, RpcCall *call) {
        g_autoptr(GString) text = g_string_new(NULL);

        compat_append_all(text, compat, rpc_call_caller(call), false);
        rpc_call_reply(call, text->str, text->len);
}

void compat_signal_id(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Value *id = rpc_member(call, 0, "process_id");
        const Value *signal = rpc_member(call, 0, "signal");
        const Process *process = compat_find(compat, call, id);
        g_autofree char *name = signal ? value_to_text(signal) : NULL;
        g_auto(Error) error = { 0 };

        if (!process) {
                compat_fail_unknown(call, "", id, " id unknown");
                return;
        }
        if (send_signal(compat, call, process, name, &error) < 0) {
                rpc_call_fail(call, error.message);
        } else {
                reply_all(compat, call);
        }
}

static bool is_meant(const Process *process, const char *name) {
        return strcmp(name, "all") == 0 || strcmp(process->config->name, name) == 0 ||
               strcmp(process->exec_path, name) == 0;
}

void compat_signal_name(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Registry *registry = manager_registry(compat->manager);
        const Value *name = rpc_member(call, 0, "process_name");
        const Value *signal = rpc_member(call, 0, "signal");
        g_autofree char *signal_name = signal ? value_to_text(signal) : NULL;
        g_auto(Error) error = { 0 };
        bool any = false;

        for (size_t i = 0; name && name->kind == VALUE_STRING && i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                if (!is_meant(process, name->string) || !process_state_is_running(process->state) ||
                    !caller_may_control(rpc_call_caller(call), process->owner)) {
                        continue;
                }
                any = true;
                if (!is_signal(signal_name)) {
                        g_autofree char *word = compat_id_text(signal);
                        g_autofree char *text = g_strconcat("Unknown signal: ", word, NULL);
                        rpc_call_fail(call, text);
                        return;
                }
                if (send_signal(compat, call, process, signal_name, &error) < 0) {
                        rpc_call_fail(call, error.message);
                        return;
                }
        }
        if (any) {
                reply_all(compat, call);
        } else {
                rpc_call_fail(call, "Unknown process name");
        }
}

/* The call is answered where it is not. */
static bool is_reachable(RpcCall *call, const Process *process, const Value *id) {
        bool running = process && process_state_is_running(process->state);

        if (!running) {
                compat_fail_unknown(call, "Process with ID <", id, process ? "> offline." : "> unknown.");
        }
        return running;
}

void compat_send_line(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Value *id = rpc_member(call, 0, "pm_id");
        const Value *line = rpc_member(call, 0, "line");
        const Process *process = compat_find(compat, call, id);
        g_autoptr(GString) text = g_string_new(NULL);
        g_auto(Error) error = { 0 };

        if (!id || !line || line->kind != VALUE_STRING) {
                rpc_call_fail(call, "pm_id or line field missing");
                return;
        }
        /* Whether it runs or not. */
        if (process && process->config->exec_mode == EXEC_MODE_CLUSTER) {
                rpc_call_fail(call, "Cannot send line to processes in cluster mode");
                return;
        }
        if (!is_reachable(call, process, id)) {
                return;
        }
        /* PM2's line ends with its newline; ours has none. */
        size_t length = strlen(line->string);
        g_autofree char *bare = g_strndup(
                        line->string, length - (length > 0 && line->string[length - 1] == '\n' ? 1 : 0));
        if (manager_send_line(compat->manager, rpc_call_caller(call), process->id, bare, &error) < 0) {
                rpc_call_fail(call, error.message);
                return;
        }
        json_text_append_value(text, rpc_argument(call, 0));
        rpc_call_reply(call, text->str, text->len);
}

static int send_json(Compat *compat, RpcCall *call, const Process *process, const char *json, Error *error) {
        g_autoptr(Value) options = value_new_map();
        const ManagerCall manager_call = compat_call_at_once(call, options, error);
        char target[COMPAT_TARGET_BYTES];

        compat_make_target(process, target);
        int r = manager_send_message(compat->manager, &manager_call, target, json, NULL, error);
        return compat_result_at_once(r, error);
}

static bool is_truthy(const Value *value) {
        return value && value->kind != VALUE_NULL && (value->kind != VALUE_BOOL || value->boolean) &&
               (value->kind != VALUE_STRING || value->string[0]) &&
               (value->kind != VALUE_INT || value->integer != 0);
}

void compat_send_data(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Value *id = rpc_member(call, 0, "id");
        const Process *process = compat_find(compat, call, id);
        g_autoptr(GString) packet = g_string_new(NULL);
        g_auto(Error) error = { 0 };

        if (!id || !rpc_member(call, 0, "data") || !is_truthy(rpc_member(call, 0, "topic"))) {
                rpc_call_fail(call, "ID, DATA or TOPIC field is missing");
                return;
        }
        if (!is_reachable(call, process, id)) {
                return;
        }
        json_text_append_value(packet, rpc_argument(call, 0));
        if (send_json(compat, call, process, packet->str, &error) < 0) {
                rpc_call_fail(call, error.message);
                return;
        }
        g_autofree char *reply = g_strconcat("{\"success\":true,\"data\":", packet->str, "}", NULL);
        rpc_call_reply(call, reply, strlen(reply));
}

/* The action's name alone, or all that the client wrote where there are parameters: as PM2 sends it. */
static char *make_message(const RpcCall *call) {
        const Value *options = rpc_member(call, 0, "opts");
        bool bare = (!options || options->kind == VALUE_NULL) && !rpc_member(call, 0, "uuid");
        g_autoptr(GString) text = g_string_new(NULL);

        json_text_append_value(text, bare ? rpc_member(call, 0, "msg") : rpc_argument(call, 0));
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static void reply_count(RpcCall *call, unsigned count) {
        g_autofree char *reply = g_strdup_printf("{\"process_count\":%u,\"success\":true}", count);
        rpc_call_reply(call, reply, strlen(reply));
}

static bool offers(const Process *process, const char *action) {
        return process_state_is_running(process->state) && self_report_has_action(&process->report, action);
}

static void message_id(Compat *compat, RpcCall *call, const char *action) {
        const Value *id = rpc_member(call, 0, "id");
        const Process *process = compat_find(compat, call, id);
        g_auto(Error) error = { 0 };

        if (!process) {
                compat_fail_unknown(call, "", id, " id unknown");
                return;
        }
        if (!offers(process, action)) {
                g_autofree char *text = g_strdup_printf(
                                "Action doesn't exist %s for %s", action, process->config->name);
                rpc_call_fail(call, text);
                return;
        }
        g_autofree char *json = make_message(call);
        if (send_json(compat, call, process, json, &error) < 0) {
                rpc_call_fail(call, error.message);
        } else {
                reply_count(call, 1);
        }
}

static bool is_addressed(const Process *process, const char *name) {
        const char *base = strrchr(process->exec_path, '/');
        return is_meant(process, name) || strcmp(process->config->namespace, name) == 0 ||
               (base && strcmp(base + 1, name) == 0);
}

static void message_name(Compat *compat, RpcCall *call, const char *action, const char *name) {
        const Registry *registry = manager_registry(compat->manager);
        g_autofree char *json = make_message(call);
        unsigned count = 0;

        for (size_t i = 0; i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                g_auto(Error) error = { 0 };
                if (is_addressed(process, name) && offers(process, action) &&
                    caller_may_control(rpc_call_caller(call), process->owner)) {
                        count += send_json(compat, call, process, json, &error) >= 0;
                }
        }
        reply_count(call, count);
}

void compat_message(void *userdata, RpcCall *call) {
        const Value *action = rpc_member(call, 0, "msg");
        const Value *name = rpc_member(call, 0, "name");
        bool named = name && name->kind == VALUE_STRING;

        if (!rpc_member(call, 0, "id") && !named) {
                rpc_call_fail(call, "method requires name or id field");
        } else if (!action || action->kind != VALUE_STRING) {
                rpc_call_fail(call, "msg: expected the name of an action");
        } else if (rpc_member(call, 0, "id")) {
                message_id(userdata, call, action->string);
        } else if (named) {
                message_name(userdata, call, action->string, name->string);
        }
}
