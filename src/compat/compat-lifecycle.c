/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods that start, stop and change processes: each becomes one call of the manager, and its reply is
 * made of what the processes are when that is done. */

#include "compat/compat-internal.h"

#include "basic/macro.h"
#include "compat/pm2-process.h"

#include <inttypes.h>

typedef enum ReplyKind {
        REPLY_STARTED_ARRAY, /* of all that were made */
        REPLY_STARTED,
        REPLY_PROCESS,
        REPLY_ALL,
} ReplyKind;

/* A call that the manager works on. */
typedef struct PendingCall {
        Compat *compat; /* weak; NULL: it is gone */
        RpcCall *call;
        ReplyKind reply;
        uint32_t id; /* of a deletion, a reload */
        bool reloads, soft;
        GString *deleted; /* what was there, once it is gone; NULL: not yet, or no deletion */
} PendingCall;

static PendingCall *pending_new(Compat *compat, RpcCall *call, ReplyKind reply) {
        PendingCall *pending = g_new0(PendingCall, 1);

        *pending = (PendingCall){ .compat = compat, .call = call, .reply = reply };
        g_queue_push_tail(&compat->pending, pending);
        return pending;
}

static void pending_free(PendingCall *pending) {
        Compat *compat = pending->compat;

        if (compat) {
                (void) g_queue_remove(&compat->pending, pending);
        }
        if (compat && pending->reloads) {
                (void) g_hash_table_remove(compat->reloading, GUINT_TO_POINTER(pending->id + 1));
        }
        if (pending->deleted) {
                (void) g_string_free(pending->deleted, TRUE);
        }
        g_free(pending);
}

void compat_lifecycle_forget(Compat *compat) {
        PendingCall *pending;

        while ((pending = g_queue_pop_head(&compat->pending))) {
                pending->compat = NULL;
        }
}

void compat_lifecycle_on_removed(Compat *compat, Process *process) {
        for (GList *item = compat->pending.head; item; item = item->next) {
                PendingCall *pending = item->data;
                if (pending->deleted && pending->deleted->len == 0 && pending->id == process->id) {
                        pm2_process_append(pending->deleted, compat->texts, process, NULL);
                }
        }
}

static void append_started(GString *text, Compat *compat, const GArray *ids) {
        g_string_append_c(text, '[');
        for (guint i = 0; i < ids->len; i++) {
                const Process *process = registry_get(
                                manager_registry(compat->manager), g_array_index(ids, uint32_t, i));
                if (!process) {
                        continue;
                }
                if (text->str[text->len - 1] != '[') {
                        g_string_append_c(text, ',');
                }
                pm2_started_append(text, compat->texts, process);
        }
        g_string_append_c(text, ']');
}

static void append_reply(GString *text, const PendingCall *pending, const GArray *ids) {
        Compat *compat = pending->compat;
        const Process *process = ids->len > 0 ? registry_get(manager_registry(compat->manager),
                                                             g_array_index(ids, uint32_t, 0))
                                              : NULL;

        if (pending->reply == REPLY_ALL) {
                compat_append_all(text, compat, rpc_call_caller(pending->call), false);
        } else if (pending->reply == REPLY_STARTED_ARRAY) {
                append_started(text, compat, ids);
        } else if (pending->deleted && pending->deleted->len > 0) {
                g_string_append_len(text, pending->deleted->str, (gssize) pending->deleted->len);
        } else if (!process) {
                g_string_append(text, "null");
        } else if (pending->reply == REPLY_STARTED) {
                pm2_started_append(text, compat->texts, process);
        } else {
                pm2_process_append(text, compat->texts, process, NULL);
        }
}

static void on_done(void *userdata, const Error *error, const GArray *ids) {
        PendingCall *pending = userdata;
        g_autoptr(GString) text = g_string_new(NULL);

        if (!pending->compat) {
                rpc_call_drop(pending->call);
        } else if (error->code != ERROR_NONE) {
                rpc_call_fail(pending->call, error->message);
        } else {
                append_reply(text, pending, ids);
                rpc_call_reply(pending->call, text->str, text->len);
        }
        pending_free(pending);
}

static ManagerCall manager_call_of(PendingCall *pending, const Value *options) {
        return (ManagerCall){
                .caller = *rpc_call_caller(pending->call),
                .options = options,
                .handler = on_done,
                .userdata = pending,
                .soft = pending->soft,
        };
}

/* The manager did not take it on. */
static void fail_and_free(PendingCall *pending, const Error *error) {
        rpc_call_fail(pending->call, error->message);
        pending_free(pending);
}

typedef int (*TargetFunction)(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);

static void run_target(
                PendingCall *pending,
                const Process *process,
                const Value *options,
                TargetFunction function) {
        const ManagerCall call = manager_call_of(pending, options);
        g_auto(Error) error = { 0 };
        char target[COMPAT_TARGET_BYTES];

        compat_make_target(process, target);
        if (function(pending->compat->manager, &call, target, NULL, &error) < 0) {
                fail_and_free(pending, &error);
        }
}

void compat_prepare(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Value *sent = rpc_argument(call, 0);
        g_auto(Pm2App) app = { 0 };
        g_auto(Error) error = { 0 };

        if (!sent || sent->kind != VALUE_MAP) {
                rpc_call_fail(call, "env: expected an object");
                return;
        }
        if (pm2_app_read(sent, PM2_SOURCE_START, &app, &error) < 0) {
                rpc_call_fail(call, error.message);
                return;
        }
        g_autoptr(Value) options = compat_start_options(&app);
        PendingCall *pending = pending_new(compat, call, REPLY_STARTED_ARRAY);
        const ManagerCall manager_call = manager_call_of(pending, options);
        const char *script = value_get(app.attributes, "script")->string;
        if (manager_start(compat->manager, &manager_call, script, NULL, &error) < 0) {
                fail_and_free(pending, &error);
        }
}

void compat_start(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Process *process = compat_find(compat, call, rpc_argument(call, 0));
        g_autoptr(Value) options = value_new_map();

        if (!process) {
                compat_fail_unknown(call, "", rpc_argument(call, 0), " id unknown");
        } else if (process->state == PROCESS_ONLINE) {
                rpc_call_fail(call, "process already online");
        } else if (process_state_is_running(process->state)) {
                rpc_call_fail(call, "process already started");
        } else {
                run_target(pending_new(compat, call, REPLY_STARTED), process, options, manager_start_target);
        }
}

/* The id, bare or as a member. */
static const Value *id_of(const RpcCall *call) {
        const Value *argument = rpc_argument(call, 0);
        return argument && argument->kind == VALUE_MAP ? value_get(argument, "id") : argument;
}

void compat_stop(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Process *process = compat_find(compat, call, id_of(call));
        g_autoptr(Value) options = value_new_map();

        if (!process) {
                compat_fail_unknown(call, "", id_of(call), " : id unknown");
        } else {
                run_target(pending_new(compat, call, REPLY_PROCESS), process, options, manager_stop);
        }
}

void compat_delete(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Process *process = compat_find(compat, call, id_of(call));
        g_autoptr(Value) options = value_new_map();

        if (!process) {
                compat_fail_unknown(call, "", id_of(call), " : id unknown");
                return;
        }
        PendingCall *pending = pending_new(compat, call, REPLY_PROCESS);
        pending->id = process->id;
        pending->deleted = g_string_new(NULL);
        run_target(pending, process, options, manager_delete);
}

/* Change it as the client says, and have the function do it; takes the pending call. */
static void run_change(PendingCall *pending, const Process *process, TargetFunction function) {
        g_autoptr(Value) options = NULL;
        g_auto(Error) error = { 0 };

        if (compat_change_options(process, rpc_member(pending->call, 0, "env"), &options, &error) < 0) {
                fail_and_free(pending, &error);
        } else {
                run_target(pending, process, options, function);
        }
}

void compat_restart(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Value *id = rpc_member(call, 0, "id");
        const Process *process = compat_find(compat, call, id);

        if (!id) {
                rpc_call_fail(call, "opts.id not passed to restartProcessId");
        } else if (!process) {
                rpc_call_fail(call, "God db process id unknown");
        } else {
                run_change(pending_new(compat, call, REPLY_STARTED), process, manager_restart);
        }
}

/* PM2 answers a reload of a cluster with a process, that of a fork as a restart. */
static ReplyKind reply_of_reload(const Process *process) {
        bool serves_on = process->config->exec_mode == EXEC_MODE_CLUSTER && process->state == PROCESS_ONLINE;
        return serves_on ? REPLY_PROCESS : REPLY_STARTED;
}

static void reload(Compat *compat, RpcCall *call, const Process *process, bool soft) {
        if (!g_hash_table_add(compat->reloading, GUINT_TO_POINTER(process->id + 1))) {
                g_autofree char *text = g_strdup_printf(
                                "Reload already in progress for process id %" PRIu32 ", retry later",
                                process->id);
                rpc_call_fail(call, text);
                return;
        }
        PendingCall *pending = pending_new(compat, call, reply_of_reload(process));
        pending->id = process->id;
        pending->reloads = true;
        pending->soft = soft;
        run_change(pending, process, manager_reload);
}

void compat_reload(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Process *process = compat_find(compat, call, rpc_member(call, 0, "id"));

        if (!process) {
                rpc_call_fail(call, "PM2 ID unknown");
        } else {
                reload(compat, call, process, false);
        }
}

static void fail_soft_reload(RpcCall *call, const Value *id) {
        g_autofree char *word = compat_id_text(id);
        g_autofree char *text = g_strdup_printf("pm_id %s not available in %s", word, word);

        rpc_call_fail(call, text);
}

void compat_soft_reload(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Value *id = rpc_member(call, 0, "id");
        const Process *process = compat_find(compat, call, id);

        if (!process) {
                fail_soft_reload(call, id);
        } else {
                reload(compat, call, process, true);
        }
}

static void duplicate(PendingCall *pending, uint32_t id) {
        g_autoptr(Value) options = value_new_map();
        const ManagerCall call = manager_call_of(pending, options);
        g_auto(Error) error = { 0 };

        if (manager_duplicate(pending->compat->manager, &call, id, NULL, &error) < 0) {
                fail_and_free(pending, &error);
        }
}

void compat_duplicate(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Process *process = compat_find(compat, call, rpc_argument(call, 0));

        if (!process) {
                compat_fail_unknown(call, "", rpc_argument(call, 0), " id unknown");
        } else {
                duplicate(pending_new(compat, call, REPLY_STARTED), process->id);
        }
}

void compat_reset(void *userdata, RpcCall *call) {
        Compat *compat = userdata;
        const Process *process = compat_find(compat, call, rpc_argument(call, 0));
        g_autoptr(Value) options = value_new_map();

        if (!process) {
                compat_fail_unknown(call, "", rpc_argument(call, 0), " id unknown");
        } else {
                run_target(pending_new(compat, call, REPLY_ALL), process, options, manager_reset);
        }
}
