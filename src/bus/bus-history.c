/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* RecentEvents: what the history of a process holds. */

#include "basic/sd-cleanup.h"
#include "basic/signal-util.h"
#include "bus/bus-internal.h"
#include "bus/bus-value.h"

static void set_text(Value *map, const char *key, const char *text) {
        if (text[0]) {
                value_set(map, key, value_new_string(text));
        }
}

static bool is_of_crash(const Process *process, const HistoryEntry *entry) {
        const Value *at = process->crash ? value_get(process->crash, "at") : NULL;

        return at && at->kind == VALUE_INT && (uint64_t) at->integer == entry->at_realtime_usec;
}

static Value *entry_to_value(const Process *process, const HistoryEntry *entry) {
        Value *map = value_new_map();

        value_set(map, "id", value_new_int(process->id));
        value_set(map, "name", value_new_string(process->config->name));
        value_set(map, "at", value_new_int((int64_t) entry->at_realtime_usec));
        value_set(map, "event", value_new_string(history_kind_to_name(entry->kind)));
        if (entry->kind == HISTORY_EXIT) {
                const char *signal =
                                entry->exit_status.signal ? signal_to_name(entry->exit_status.signal) : NULL;
                value_set(map, "exit_code", value_new_int(entry->exit_status.code));
                value_set(map, "signal", value_new_string(signal ? signal : ""));
        }
        if (entry->kind == HISTORY_EXIT && is_of_crash(process, entry)) {
                value_set(map, "crash", value_copy(process->crash));
        }
        if (entry->kind == HISTORY_RESTART) {
                value_set(map, "delay", value_new_int((int64_t) entry->delay_usec));
        }
        if (entry->asked) {
                value_set(map, "uid", value_new_int(entry->uid));
        }
        set_text(map, "verb", entry->verb);
        set_text(map, "reason", entry->text);
        return map;
}

static int append_history(sd_bus_message *reply, const Process *process, unsigned count_max) {
        unsigned count = history_count(process->history);
        unsigned first = count_max > 0 && count > count_max ? count - count_max : 0;
        int r = 0;

        for (unsigned i = first; r >= 0 && i < count; i++) {
                g_autoptr(Value) value = entry_to_value(process, history_at(process->history, i));
                r = bus_value_append_map(reply, value);
        }
        return r;
}

int bus_history_reply(
                sd_bus_message *message,
                BusConnection *connection,
                const GPtrArray *processes,
                unsigned count_max) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0) {
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        }
        for (guint i = 0; r >= 0 && i < processes->len; i++) {
                r = append_history(reply, processes->pdata[i], count_max);
        }
        if (r >= 0) {
                r = sd_bus_message_close_container(reply);
        }
        /* no fault point: the answer to a question */
        return r < 0 ? r : sd_bus_send(connection->bus, reply, NULL);
}
