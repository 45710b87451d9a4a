/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What PM2's daemon (7.0.4) can be asked for, and what the methods share. */

#include "compat/compat-internal.h"

#include "basic/macro.h"
#include "basic/parse-util.h"
#include "compat/pm2-process.h"
#include "core/value-text.h"

#include <stdio.h>
#include <string.h>

enum {
        PLAIN_ID_BYTES_MAX = 64,
};

const RpcMethod compat_methods[] = {
        { "prepare", "env cb", compat_prepare },
        { "getMonitorData", "env cb", compat_monitor_data },
        { "getSystemData", "env cb", compat_system_data },
        { "ping", "env cb", compat_ping },
        { "getVersion", "env cb", compat_version },
        { "startProcessId", "id cb", compat_start },
        { "stopProcessId", "id cb", compat_stop },
        { "deleteProcessId", "id cb", compat_delete },
        { "duplicateProcessId", "id cb", compat_duplicate },
        { "resetMetaProcessId", "id cb", compat_reset },
        { "restartProcessId", "opts cb", compat_restart },
        { "softReloadProcessId", "opts cb", compat_soft_reload },
        { "reloadProcessId", "opts cb", compat_reload },
        { "notifyByProcessId", "opts cb", compat_notify },
        { "sendSignalToProcessId", "opts cb", compat_signal_id },
        { "sendSignalToProcessName", "opts cb", compat_signal_name },
        { "reloadLogs", "opts cb", compat_reload_logs },
        { "sendLineToStdin", "packet cb", compat_send_line },
        { "sendDataToProcessId", "packet cb", compat_send_data },
        { "msgProcess", "cmd cb", compat_message },
        { "monitor", "pm_id cb", compat_monitor },
        { "unmonitor", "pm_id cb", compat_unmonitor },
        { "stopWatch", "method value fn", compat_stop_watch },
        { "startWatch", "method value fn", compat_start_watch },
        { "toggleWatch", "method value fn", compat_toggle_watch },
        { "getReport", "arg cb", compat_report },
        { "killMe", "", compat_kill },
        { "notifyKillPM2", "", compat_notify_kill },
        { "profileCPU", "", compat_profile },
        { "profileMEM", "", compat_profile },
};
const size_t n_compat_methods = ELEMENTS(compat_methods);

const Value *rpc_argument(const RpcCall *call, unsigned i) {
        const GPtrArray *items = rpc_call_args(call)->items;
        return i < items->len ? items->pdata[i] : NULL;
}

const Value *rpc_member(const RpcCall *call, unsigned i, const char *key) {
        const Value *argument = rpc_argument(call, i);
        return argument && argument->kind == VALUE_MAP ? value_get(argument, key) : NULL;
}

Process *compat_find(Compat *compat, const RpcCall *call, const Value *id) {
        Process *process = NULL;
        uint32_t number = 0;
        bool good = id && ((id->kind == VALUE_INT && id->integer >= 0 && id->integer <= UINT32_MAX) ||
                           (id->kind == VALUE_STRING && parse_uint32(id->string, &number) >= 0));

        if (good && id->kind == VALUE_INT) {
                number = (uint32_t) id->integer;
        }
        return good && manager_find_id(compat->manager, rpc_call_caller(call), number, &process, NULL) >= 0
                               ? process
                               : NULL;
}

/* As PM2 has it, without quotes, unless it is something odd. */
static bool is_plain(const char *text) {
        size_t length = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.");
        return length > 0 && length <= PLAIN_ID_BYTES_MAX && text[length] == '\0';
}

char *compat_id_text(const Value *id) {
        g_autofree char *word = id ? value_to_text(id) : NULL;

        if (!word) {
                return g_strdup(id && id->kind == VALUE_NULL ? "null" : "undefined");
        }
        return is_plain(word) ? g_steal_pointer(&word) : error_quote(word);
}

void compat_fail_unknown(RpcCall *call, const char *before, const Value *id, const char *after) {
        g_autofree char *word = compat_id_text(id);
        g_autofree char *text = g_strconcat(before, word, after, NULL);

        rpc_call_fail(call, text);
}

void compat_make_target(const Process *process, char target[static COMPAT_TARGET_BYTES]) {
        (void) snprintf(target, COMPAT_TARGET_BYTES, "id:%" PRIu32, process->id);
}

static void on_done_at_once(void *userdata, const Error *error, const GArray *ids) {
        Error *result = userdata;

        if (error->code != ERROR_NONE) {
                error_set_message(result, error->code, "%s", error->message);
        }
}

ManagerCall compat_call_at_once(const RpcCall *call, const Value *options, Error *error) {
        return (ManagerCall){
                .caller = *rpc_call_caller(call),
                .options = options,
                .handler = on_done_at_once,
                .userdata = error,
        };
}

int compat_result_at_once(int r, const Error *error) {
        return r < 0 || error->code == ERROR_NONE ? r : -ECANCELED;
}

void compat_append_all(GString *text, Compat *compat, const Caller *caller, bool figures) {
        const Registry *registry = manager_registry(compat->manager);
        bool any = false;

        g_string_append_c(text, '[');
        for (size_t i = 0; i < registry_count(registry); i++) {
                Process *process = registry_at(registry, i);
                ProcessFigures read = { 0 };
                if (!caller_may_control(caller, process->owner)) {
                        continue;
                }
                if (figures) {
                        manager_read_figures(compat->manager, process, &read);
                }
                if (any) {
                        g_string_append_c(text, ',');
                }
                any = true;
                pm2_process_append(text, compat->texts, process, figures ? &read : NULL);
        }
        g_string_append_c(text, ']');
}
