/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happened is queued as it happens and goes out once in each turn of the loop: for each process its
 * changed properties before the events that tell of them, and a reply behind everything that its call
 * caused. */

#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/sd-cleanup.h"
#include "basic/signal-util.h"
#include "bus/bus-messages.h"
#include "bus/bus-streams.h"
#include "bus/bus-value.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
        QUEUED_WRITES_MAX = 4096, /* messages that a peer may leave unread */
        PROPERTIES_MAX = 40,
};

typedef enum ItemKind {
        ITEM_ADDED,
        ITEM_EVENT,
        ITEM_REPLY,
        ITEM_KILLED,
        ITEM_MANAGER_PROPERTY,
} ItemKind;

typedef struct Item {
        ItemKind kind;
        Process *process; /* weak: the queue is flushed before a process goes */
        ProcessEventKind event;
        bool manually;
        uint32_t pid, restart_count;
        int exit_code;
        int exit_signal;
        uint64_t memory_bytes, memory_limit_bytes; /* of EVENT_MEMORY */
        Value *crash;              /* of EVENT_CRASH and EVENT_CORE, owned; NULL: of another */
        const char *text;          /* static: of a reason or property */
        BusConnection *connection; /* weak: of a reply; NULL: it has gone */
        sd_bus_message *reply;
} Item;

struct BusSignals {
        BusServer *server; /* weak */
        ManagerObserver observer;
        sd_event_source *flush_source;
        GQueue items;
        GHashTable *changes; /* Process -> unsigned */
};

/* A connection that reads nothing is closed: a slow reader costs only itself. */
static void drop_slow_readers(BusServer *server) {
        for (guint i = server->connections->len; i > 0; i--) {
                BusConnection *connection = server->connections->pdata[i - 1];
                uint64_t queued = 0;
                if (connection->broker) {
                        continue;
                }
                if (sd_bus_get_n_queued_write(connection->bus, &queued) >= 0 && queued > QUEUED_WRITES_MAX) {
                        log_warning("private socket: a client leaves %" PRIu64 " messages unread: closed",
                                    queued);
                        (void) g_ptr_array_remove_index(server->connections, i - 1);
                }
        }
}

bool bus_may_hear(const BusConnection *connection, const Process *process) {
        const Caller viewer = bus_viewer(connection);

        return bus_connection_is_ready(connection) &&
               (!process || caller_may_control(&viewer, process->owner));
}

static void emit_properties(BusSignals *signals, Process *process, unsigned changes) {
        const char *names[PROPERTIES_MAX];
        g_autofree char *path = bus_process_path(process->id);

        if (bus_process_changed_properties(changes, names, PROPERTIES_MAX) == 0) {
                return;
        }
        for (guint i = 0; i < signals->server->connections->len; i++) {
                const BusConnection *connection = signals->server->connections->pdata[i];
                if (bus_may_hear(connection, process)) {
                        (void) sd_bus_emit_properties_changed_strv(
                                        connection->bus, path, "org.pm2.Process", (char **) names);
                }
        }
}

static void emit_changes_of(BusSignals *signals, Process *process) {
        unsigned changes = GPOINTER_TO_UINT(g_hash_table_lookup(signals->changes, process));

        if (g_hash_table_remove(signals->changes, process)) {
                emit_properties(signals, process, changes);
        }
}

static void emit_all_changes(BusSignals *signals) {
        GHashTableIter iterator;
        void *process, *changes;

        g_hash_table_iter_init(&iterator, signals->changes);
        while (g_hash_table_iter_next(&iterator, &process, &changes)) {
                emit_properties(signals, process, GPOINTER_TO_UINT(changes));
        }
        g_hash_table_remove_all(signals->changes);
}

/* What an app has written is for nobody but its owner. */
static int append_crash(sd_bus_message *message, const Value *crash, bool private) {
        static const char *const texts[] = { "out", "error" };
        int r = 0;

        for (guint i = 0; r >= 0 && i < crash->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(crash->entries, ValueEntry, i);
                bool text = strcmp(entry->key, texts[0]) == 0 || strcmp(entry->key, texts[1]) == 0;
                if ((private || !text) && strcmp(entry->key, "pid") != 0 &&
                    strcmp(entry->key, "restart_time") != 0) {
                        r = bus_value_append_entry(message, entry->key, entry->value);
                }
        }
        return r;
}

static int append_details(sd_bus_message *message, const Item *item, bool private) {
        const char *signal_name = item->exit_signal ? signal_to_name(item->exit_signal) : NULL;

        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0) {
                r = sd_bus_message_append(
                                message,
                                "{sv}{sv}",
                                "pid",
                                "u",
                                item->pid,
                                "restart_time",
                                "u",
                                item->restart_count);
        }
        if (r >= 0 && item->event == EVENT_EXIT) {
                r = sd_bus_message_append(
                                message,
                                "{sv}{sv}",
                                "exit_code",
                                "i",
                                item->exit_code,
                                "signal",
                                "s",
                                signal_name ? signal_name : "");
        }
        if (r >= 0 && item->crash) {
                r = append_crash(message, item->crash, private);
        }
        if (r >= 0 && item->event == EVENT_MEMORY) {
                r = sd_bus_message_append(
                                message,
                                "{sv}{sv}",
                                "memory",
                                "t",
                                item->memory_bytes,
                                "limit",
                                "t",
                                item->memory_limit_bytes);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int send_event(sd_bus *bus, const char *path, const Item *item, bool private) {
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        assert(item->process);

        int r = sd_bus_message_new_signal(bus, &message, MANAGER_PATH, "org.pm2.Manager", "ProcessEvent");
        if (r >= 0) {
                r = sd_bus_message_append(
                                message,
                                "oussb",
                                path,
                                item->process->id,
                                item->process->config->name,
                                process_event_to_name(item->event),
                                (int) item->manually);
        }
        if (r >= 0) {
                r = append_details(message, item, private);
        }
        /* no fault point: a signal tells what has been done */
        return r < 0 ? r : sd_bus_send(bus, message, NULL);
}

/* private: nobody but who may control the process hears it. */
static int send_item(sd_bus *bus, const Item *item, bool private) {
        g_autofree char *path = item->process ? bus_process_path(item->process->id) : NULL;

        switch (item->kind) {
        case ITEM_ADDED:
                return sd_bus_emit_object_added(bus, path);
        case ITEM_EVENT:
                return send_event(bus, path, item, private);
        case ITEM_KILLED:
                return sd_bus_emit_signal(bus, MANAGER_PATH, "org.pm2.Manager", "Killed", "s", item->text);
        case ITEM_MANAGER_PROPERTY:
                return sd_bus_emit_properties_changed(
                                bus, MANAGER_PATH, "org.pm2.Manager", item->text, NULL);
        case ITEM_REPLY:
        default:
                return 0;
        }
}

static void broadcast(BusSignals *signals, const Item *item) {
        for (guint i = 0; i < signals->server->connections->len; i++) {
                const BusConnection *connection = signals->server->connections->pdata[i];
                if (!bus_may_hear(connection, item->process)) {
                        continue;
                }
                bool private = !connection->broker || !manager_is_system(signals->server->manager);
                int r = send_item(connection->bus, item, private);
                if (r < 0) {
                        (void) log_print_errno(LOG_DEBUG, r, "private socket: a signal is lost: %m");
                }
        }
}

static void send_reply(Item *item) {
        if (item->connection) {
                int r = CHANGE("reply-send", sd_bus_send(item->connection->bus, item->reply, NULL));
                if (r < 0) {
                        (void) log_print_errno(LOG_DEBUG, r, "private socket: a reply is lost: %m");
                }
        }
        (void) sd_bus_message_unref(item->reply);
}

void bus_signals_flush(BusSignals *signals) {
        Item *item;

        if (!g_queue_is_empty(&signals->items)) {
                bus_streams_flush(signals->server->streams); /* who has a reply can read what came before */
        }
        while ((item = g_queue_pop_head(&signals->items))) {
                if (item->kind == ITEM_REPLY) {
                        emit_all_changes(signals);
                        send_reply(item);
                } else {
                        if (item->kind == ITEM_EVENT) {
                                emit_changes_of(signals, item->process);
                        }
                        broadcast(signals, item);
                }
                value_free(item->crash);
                g_free(item);
        }
        emit_all_changes(signals);
}

void bus_signals_check_reader(BusSignals *signals, const BusConnection *connection) {
        uint64_t queued = 0;

        if (sd_bus_get_n_queued_write(connection->bus, &queued) >= 0 && queued > QUEUED_WRITES_MAX) {
                (void) sd_event_source_set_enabled(signals->flush_source, SD_EVENT_ONESHOT);
        }
}

/* From the loop alone: a flush may be part of a call of the very connection that is to be closed. */
static int on_flush(sd_event_source *source, void *userdata) {
        BusSignals *signals = userdata;

        bus_signals_flush(signals);
        drop_slow_readers(signals->server);
        return 0;
}

static void wake(BusSignals *signals) {
        (void) sd_event_source_set_enabled(signals->flush_source, SD_EVENT_ONESHOT);
}

static void queue_item(BusSignals *signals, const Item *item) {
        g_queue_push_tail(&signals->items, g_memdup2(item, sizeof(*item)));
        wake(signals);
}

static void on_added(void *userdata, Process *process) {
        BusSignals *signals = userdata;

        queue_item(signals, &(Item){ .kind = ITEM_ADDED, .process = process });
        queue_item(signals, &(Item){ .kind = ITEM_MANAGER_PROPERTY, .text = "ProcessCount" });
}

static void on_changed(void *userdata, Process *process, unsigned changes) {
        BusSignals *signals = userdata;
        unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(signals->changes, process));

        if (changes & CHANGE_CONFIG) {
                bus_streams_forget(signals->server->streams, process);
        }
        (void) g_hash_table_insert(signals->changes, process, GUINT_TO_POINTER(before | changes));
        wake(signals);
}

pid_t bus_event_pid(const Process *process, ProcessEventKind kind) {
        const Value *pid =
                        kind == EVENT_CRASH || kind == EVENT_CORE ? value_get(process->crash, "pid") : NULL;

        return pid && pid->kind == VALUE_INT ? (pid_t) pid->integer
               : kind == EVENT_EXIT          ? process->exited_pid
                                             : process->pid;
}

static void on_event(void *userdata, Process *process, ProcessEventKind kind, bool manually) {
        BusSignals *signals = userdata;
        const Value *crash = kind == EVENT_CRASH  ? process->crash
                             : kind == EVENT_CORE ? value_get(process->crash, "core")
                                                  : NULL;

        bus_streams_tell_event(signals->server->streams, process, kind, manually);
        queue_item(signals,
                   &(Item){
                                   .kind = ITEM_EVENT,
                                   .process = process,
                                   .event = kind,
                                   .manually = manually,
                                   .pid = (uint32_t) bus_event_pid(process, kind),
                                   .restart_count = process->restart_count,
                                   .exit_code = process->exit_status.code,
                                   .exit_signal = process->exit_status.signal,
                                   .crash = crash ? value_copy(crash) : NULL,
                                   .memory_bytes = process->memory_excess_bytes,
                                   .memory_limit_bytes = process->config->max_memory_restart_bytes,
                   });
}

static void on_message(
                void *userdata,
                Process *process,
                const char *type,
                const char *data,
                size_t data_length,
                bool raw) {
        BusSignals *signals = userdata;

        bus_streams_tell_message(signals->server->streams, process, type, data, data_length);
        bus_messages_tell(signals->server->messages, process, type, data, data_length);
}

static bool wants_log(void *userdata, const Process *process, bool error) {
        const BusSignals *signals = userdata;

        return bus_streams_want_log(signals->server->streams, process, error) ||
               bus_messages_want_log(signals->server->messages, process);
}

static void on_log(void *userdata, const LogLines *lines) {
        BusSignals *signals = userdata;

        bus_streams_tell_log(signals->server->streams, lines);
        bus_messages_tell_log(signals->server->messages, lines);
}

/* Nothing in the queue may speak of it any more, and it must still be found to be announced as removed. */
static void on_removed(void *userdata, Process *process) {
        BusSignals *signals = userdata;
        g_autofree char *path = bus_process_path(process->id);

        bus_signals_flush(signals);
        bus_streams_forget(signals->server->streams, process);
        bus_messages_forget(signals->server->messages, process);
        for (guint i = 0; i < signals->server->connections->len; i++) {
                const BusConnection *connection = signals->server->connections->pdata[i];
                if (bus_may_hear(connection, process)) {
                        (void) sd_bus_emit_object_removed(connection->bus, path);
                }
        }
        queue_item(signals, &(Item){ .kind = ITEM_MANAGER_PROPERTY, .text = "ProcessCount" });
}

static void on_shutting_down(void *userdata) {
        queue_item(userdata, &(Item){ .kind = ITEM_MANAGER_PROPERTY, .text = "ShuttingDown" });
}

static void on_compat_changed(void *userdata) {
        queue_item(userdata, &(Item){ .kind = ITEM_MANAGER_PROPERTY, .text = "CompatSocket" });
}

static void on_killed(void *userdata, const char *reason) {
        BusSignals *signals = userdata;

        bus_streams_tell_killed(signals->server->streams, reason);
        queue_item(signals, &(Item){ .kind = ITEM_KILLED, .text = reason });
}

static void on_leaving(void *userdata) {
        BusSignals *signals = userdata;

        for (guint i = 0; i < signals->server->connections->len; i++) {
                const BusConnection *connection = signals->server->connections->pdata[i];
                if (connection->broker) {
                        (void) CHANGE("name-release",
                                      sd_bus_release_name_async(
                                                      connection->bus, NULL, BUS_NAME, NULL, NULL));
                }
        }
}

static void on_restarting(void *userdata) {
        BusSignals *signals = userdata;

        for (guint i = 0; i < signals->server->connections->len; i++) {
                bus_requests_refuse(signals->server->connections->pdata[i]);
        }
        bus_signals_flush(signals); /* the loop turns no more */
}

int bus_signals_new(BusServer *server, BusSignals **ret) {
        BusSignals *signals = g_new0(BusSignals, 1);

        signals->server = server;
        g_queue_init(&signals->items);
        signals->changes = g_hash_table_new(NULL, NULL);
        signals->observer = (ManagerObserver){
                .added = on_added,
                .changed = on_changed,
                .event = on_event,
                .message = on_message,
                .wants_log = wants_log,
                .log = on_log,
                .removed = on_removed,
                .shutting_down = on_shutting_down,
                .killed = on_killed,
                .leaving = on_leaving,
                .restarting = on_restarting,
                .compat_changed = on_compat_changed,
                .userdata = signals,
        };
        int r = sd_event_add_defer(server->event, &signals->flush_source, on_flush, signals);
        if (r >= 0) {
                r = sd_event_source_set_enabled(signals->flush_source, SD_EVENT_OFF);
        }
        if (r < 0) {
                bus_signals_free(signals);
                return r;
        }
        *ret = signals;
        return 0;
}

void bus_signals_free(BusSignals *signals) {
        Item *item;

        if (!signals) {
                return;
        }
        while ((item = g_queue_pop_head(&signals->items))) {
                (void) sd_bus_message_unref(item->reply);
                value_free(item->crash);
                g_free(item);
        }
        (void) sd_event_source_disable_unref(signals->flush_source);
        g_hash_table_unref(signals->changes);
        g_free(signals);
}

const ManagerObserver *bus_signals_observer(BusSignals *signals) {
        return &signals->observer;
}

void bus_signals_queue_reply(BusSignals *signals, BusConnection *connection, sd_bus_message *reply) {
        queue_item(signals, &(Item){ .kind = ITEM_REPLY, .connection = connection, .reply = reply });
}

void bus_signals_forget_connection(BusSignals *signals, const BusConnection *connection) {
        for (GList *node = signals->items.head; node; node = node->next) {
                Item *item = node->data;
                if (item->connection == connection) {
                        item->connection = NULL;
                }
        }
}
