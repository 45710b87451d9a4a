/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Methods that look at something and change nothing. */

#include "compat/compat-internal.h"

#include "basic/time-util.h"
#include "config/json-text.h"

#include <inttypes.h>
#include <unistd.h>

void compat_monitor_data(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        g_autoptr(GString) text = NULL;

        if (rpc_call_get_mark(call) == MARK_UPDATING) {
                rpc_call_fail(call,
                              "pm2d is updated in place and every process stays: pm2ctl daemon-reexec");
                return;
        }
        text = g_string_sized_new(compat->list_bytes);
        compat_append_all(text, compat, rpc_call_caller(call), true);
        compat->list_bytes = text->len + text->len / 8;
        rpc_call_reply(call, text->str, text->len);
}

void compat_system_data(void *userdata, RpcCall *call) {
        const Compat *compat = userdata;
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(Value) figures = NULL;
        g_auto(Error) error = { 0 };

        if (manager_read_system(compat->manager, &figures, &error) < 0) {
                rpc_call_fail(call, error.message);
                return;
        }
        json_text_append_value(text, figures);
        rpc_call_reply(call, text->str, text->len);
}

void compat_ping(void *userdata, RpcCall *call) {
        static const char pong[] = "{\"msg\":\"pong\"}";

        rpc_call_reply(call, pong, sizeof(pong) - 1);
}

void compat_version(void *userdata, RpcCall *call) {
        const Compat *compat = userdata;
        g_autoptr(GString) text = g_string_new(NULL);

        if (rpc_call_get_mark(call) == MARK_ENDING) {
                rpc_call_set_mark(call, MARK_UPDATING);
        }
        json_text_append_string(text, manager_settings(compat->manager)->pm2_version);
        rpc_call_reply(call, text->str, text->len);
}

/* PM2 tells the whole environment of its daemon: ours is nobody's business. */
void compat_report(void *userdata, RpcCall *call) {
        const Compat *compat = userdata;
        Manager *manager = compat->manager;
        const Caller *caller = rpc_call_caller(call);
        g_autoptr(GString) text = g_string_new("{\"pm2_version\":");

        json_text_append_string(text, manager_settings(manager)->pm2_version);
        g_string_append(text, ",\"pm2d_version\":\"" PM2D_VERSION "\",\"user\":");
        json_text_append_string(text, manager_user_name(manager, caller->uid));
        g_string_append_printf(
                        text,
                        ",\"node_version\":\"\",\"node_path\":\"\",\"argv0\":\"pm2d\",\"argv\":[\"pm2d\"],"
                        "\"uid\":%" PRIu32 ",\"gid\":%" PRIu32
                        ",\"env\":{},\"managed_apps\":%zu,\"started_at\":%" PRIu64 "}",
                        (uint32_t) getuid(),
                        (uint32_t) getgid(),
                        registry_count(manager_registry(manager)),
                        compat->started_realtime_usec / USEC_PER_MSEC);
        rpc_call_reply(call, text->str, text->len);
}

void compat_profile(void *userdata, RpcCall *call) {
        static const char answer[] =
                        "{\"error\":\"pm2d is no program of Node: there is nothing to profile\"}";

        rpc_call_reply(call, answer, sizeof(answer) - 1);
}
