/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every event is rendered once, and only if somebody is connected. */

#include "compat/compat-events.h"

#include "basic/time-util.h"
#include "compat/pm2-process.h"
#include "config/json-text.h"
#include "manager/log-follow.h"

#include <inttypes.h>

static uint64_t now_msec(void) {
        return now_realtime_usec() / USEC_PER_MSEC;
}

static void tell(
                Compat *compat,
                const Process *process,
                const char *event,
                bool manually,
                const char *status) {
        if (pub_server_is_idle(compat->pub)) {
                return;
        }
        g_autoptr(GString) payload = g_string_new("{\"event\":");
        json_text_append_string(payload, event);
        g_string_append_printf(payload, ",\"manually\":%s,\"process\":", manually ? "true" : "false");
        pm2_event_process_append(payload, compat->texts, process, status);
        g_string_append_printf(payload, ",\"at\":%" PRIu64 "}", now_msec());
        pub_server_send(compat->pub, "process:event", payload->str, payload->len);
}

void compat_events_tell(Compat *compat, const Process *process, const char *event, bool manually) {
        tell(compat, process, event, manually, NULL);
}

/* An exit is told before anything follows from it. */
static const char *status_at(const Process *process, ProcessEventKind kind) {
        return kind == EVENT_EXIT && process_state_is_running(process->state) ? "stopped" : NULL;
}

static bool is_being_reloaded(const Compat *compat, const Process *process) {
        return g_hash_table_contains(compat->reloading, GUINT_TO_POINTER(process->id + 1));
}

static void on_event(void *userdata, Process *process, ProcessEventKind kind, bool manually) {
        Compat *compat = userdata;

        if (kind == EVENT_CRASH || kind == EVENT_CORE) {
                return; /* of the exit, which they have heard of */
        }
        bool by_reload = manually && (kind == EVENT_RESTART || kind == EVENT_RELOAD);

        /* Who reloads it says so itself. */
        if (!by_reload || !is_being_reloaded(compat, process)) {
                tell(compat, process, process_event_to_name(kind), manually, status_at(process, kind));
        }
}

static void on_message(
                void *userdata,
                Process *process,
                const char *type,
                const char *data,
                size_t data_length,
                bool raw) {
        const Compat *compat = userdata;

        if (pub_server_is_idle(compat->pub)) {
                return;
        }
        g_autoptr(GString) payload = g_string_sized_new(data_length + 128);
        g_string_append_printf(payload, "{\"at\":%" PRIu64 ",\"%s\":", now_msec(), raw ? "raw" : "data");
        g_string_append_len(payload, data, (gssize) data_length);
        g_string_append(payload, ",\"process\":");
        pm2_sender_append(payload, process, !raw);
        g_string_append_c(payload, '}');
        pub_server_send(compat->pub, type, payload->str, payload->len);
}

static bool wants_log(void *userdata, const Process *process, bool error) {
        const Compat *compat = userdata;

        return !pub_server_is_idle(compat->pub);
}

static void on_log(void *userdata, const LogLines *lines) {
        const Compat *compat = userdata;
        const LogSource *source = lines->sources;

        if (pub_server_is_idle(compat->pub)) {
                return;
        }
        g_autoptr(GString) payload = g_string_sized_new(lines->length + 128);
        g_string_append(payload, "{\"process\":");
        pm2_logger_append(payload, source->process);
        g_string_append_printf(payload, ",\"at\":%" PRIu64, lines->at_realtime_usec / USEC_PER_MSEC);
        if (lines->lost_bytes == 0) {
                g_string_append(payload, ",\"data\":");
                json_text_append_bytes(payload, lines->bytes, lines->length);
        } else if (lines->lost_bytes < UINT64_MAX) {
                g_string_append_printf(payload, ",\"bytes\":%" PRIu64, lines->lost_bytes);
        }
        g_string_append_c(payload, '}');
        pub_server_send(compat->pub,
                        lines->lost_bytes > 0 ? "lost"
                        : source->error       ? "log:err"
                                              : "log:out",
                        payload->str,
                        payload->len);
}

void compat_events_on_audience(void *userdata) {
        const Compat *compat = userdata;

        if (pub_server_is_idle(compat->pub)) {
                manager_logs_are_less_wanted(compat->manager);
        } else {
                manager_logs_are_wanted(compat->manager);
        }
}

void compat_events_tell_killed(Compat *compat, const char *reason) {
        g_autoptr(GString) payload = g_string_new("{\"status\":\"killed\",\"msg\":");

        json_text_append_string(payload, reason);
        g_string_append_c(payload, '}');
        pub_server_send(compat->pub, "pm2:kill", payload->str, payload->len);
}

static void on_killed(void *userdata, const char *reason) {
        Compat *compat = userdata;

        if (!compat->told_killed) {
                g_autofree char *text = g_strdup_printf("pm2 has been killed by %s", reason);
                compat_events_tell_killed(compat, text);
        }
}

/* Whoever waits for a deletion is answered with what was there. */
static void on_removed(void *userdata, Process *process) {
        Compat *compat = userdata;

        compat_lifecycle_on_removed(compat, process);
        pm2_texts_forget(compat->texts, process);
}

void compat_events_init(ManagerObserver *observer) {
        observer->event = on_event;
        observer->message = on_message;
        observer->wants_log = wants_log;
        observer->log = on_log;
        observer->removed = on_removed;
        observer->killed = on_killed;
}
