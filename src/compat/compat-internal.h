/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of this layer. */

#include "compat/compat.h"
#include "compat/pm2-texts.h"
#include "compat/pub-server.h"
#include "compat/rpc-server.h"
#include "config/pm2-app.h"

struct Compat {
        sd_event *event;
        Manager *manager;
        ManagerObserver observer;
        RpcServer *rpc;
        PubServer *pub;
        Pm2Texts *texts;
        GHashTable *reloading; /* ids + 1 of processes that a client is reloading */
        GQueue pending;        /* of PendingCall: what the manager works on */
        bool told_killed;
        size_t list_bytes; /* about what a list takes */
        uint64_t started_realtime_usec;
        void (*on_kill)(void *userdata);
        void *userdata;
};

/* Marks on a connection. */
enum {
        MARK_ENDING = 1, /* the client means to end the daemon (notifyKillPM2) */
        MARK_UPDATING,   /* and has asked for its version then: so does "pm2 update" alone */
};

/* compat-methods.c */
extern const RpcMethod compat_methods[];
extern const size_t n_compat_methods;

/* The i-th argument; NULL if there are fewer. */
const Value *rpc_argument(const RpcCall *call, unsigned i);
/* The member of an argument that is an object; NULL if it is none. */
const Value *rpc_member(const RpcCall *call, unsigned i, const char *key);
/* The process that a value names, a number or its digits; NULL: there is none that the caller may see. */
Process *compat_find(Compat *compat, const RpcCall *call, const Value *id);
/* An id as messages have it; freed by the caller. */
char *compat_id_text(const Value *id);
/* Fail with the id between these two: each method of PM2 has its own form. */
void compat_fail_unknown(RpcCall *call, const char *before, const Value *id, const char *after);
/* The target that means one process and nothing else. */
enum {
        COMPAT_TARGET_BYTES = 32,
};
void compat_make_target(const Process *process, char target[static COMPAT_TARGET_BYTES]);
/* A call of the manager that is done when it returns; the result is its error's, in either way of failing.
 */
ManagerCall compat_call_at_once(const RpcCall *call, const Value *options, Error *error);
int compat_result_at_once(int r, const Error *error);
/* Append all processes that the caller may see, in an array. */
void compat_append_all(GString *text, Compat *compat, const Caller *caller, bool figures);

/* compat-lifecycle.c: methods */
void compat_prepare(void *userdata, RpcCall *call);
void compat_start(void *userdata, RpcCall *call);
void compat_stop(void *userdata, RpcCall *call);
void compat_restart(void *userdata, RpcCall *call);
void compat_reload(void *userdata, RpcCall *call);
void compat_soft_reload(void *userdata, RpcCall *call);
void compat_delete(void *userdata, RpcCall *call);
void compat_duplicate(void *userdata, RpcCall *call);
void compat_reset(void *userdata, RpcCall *call);
/* A process is about to be removed. */
void compat_lifecycle_on_removed(Compat *compat, Process *process);
/* Whoever waits is not answered any more. */
void compat_lifecycle_forget(Compat *compat);

/* compat-send.c: methods */
void compat_signal_id(void *userdata, RpcCall *call);
void compat_signal_name(void *userdata, RpcCall *call);
void compat_send_line(void *userdata, RpcCall *call);
void compat_send_data(void *userdata, RpcCall *call);
void compat_message(void *userdata, RpcCall *call);

/* compat-look.c: methods that look at something */
void compat_monitor_data(void *userdata, RpcCall *call);
void compat_system_data(void *userdata, RpcCall *call);
void compat_ping(void *userdata, RpcCall *call);
void compat_version(void *userdata, RpcCall *call);
void compat_report(void *userdata, RpcCall *call);
void compat_profile(void *userdata, RpcCall *call);

/* compat-daemon.c: methods about the daemon itself, and marks on processes */
void compat_notify(void *userdata, RpcCall *call);
void compat_notify_kill(void *userdata, RpcCall *call);
void compat_kill(void *userdata, RpcCall *call);
void compat_monitor(void *userdata, RpcCall *call);
void compat_unmonitor(void *userdata, RpcCall *call);
void compat_stop_watch(void *userdata, RpcCall *call);
void compat_start_watch(void *userdata, RpcCall *call);
void compat_toggle_watch(void *userdata, RpcCall *call);
void compat_reload_logs(void *userdata, RpcCall *call);

/* compat-options.c */
/* The options of a Start, and of a Restart of a process, from what a client sends. To be freed. */
Value *compat_start_options(const Pm2App *app);
int compat_change_options(const Process *process, const Value *sent, Value **ret, Error *error);
