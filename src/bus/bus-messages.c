/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Signals are for those who look on: everybody near gets some, and nobody may be drowned by a child that
 * talks a lot, least of all a message bus, which all of its users share. OpenBus is for who wants every
 * word.
 *
 * A message goes out when it comes, behind all that is queued: order is kept and nothing is copied to wait.
 */

#include "bus/bus-messages.h"

#include "basic/log.h"
#include "basic/sd-cleanup.h"
#include "basic/time-util.h"
#include "bus/bus-subscribers.h"
#include "manager/log-follow.h"

enum {
        MESSAGES_PER_SECOND_MAX = 200, /* of one process, for those who have not subscribed */
        DATA_BYTES_MAX = 64 * 1024,
        /* Messages that wait to be written to one peer; fewer where they are large. */
        QUEUED_MAX = 256,
        QUEUED_LARGE_MAX = 16,
        LARGE_BYTES = 4096,
};

struct BusMessages {
        BusServer *server;            /* weak */
        GHashTable *shares;           /* Process -> Share */
        sd_event_source *lost_source; /* armed while something was left out and is not told; NULL: never */
};

/* What plain listeners have got of a process in the current second. */
typedef struct Share {
        uint64_t since_usec;
        unsigned count;
} Share;

typedef enum Audience {
        AUDIENCE_NONE,
        AUDIENCE_PLAIN,
        AUDIENCE_SUBSCRIBED,
} Audience;

BusMessages *bus_messages_new(BusServer *server) {
        BusMessages *messages = g_new0(BusMessages, 1);

        messages->server = server;
        messages->shares = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        return messages;
}

void bus_messages_free(BusMessages *messages) {
        if (messages) {
                (void) sd_event_source_disable_unref(messages->lost_source);
                g_hash_table_unref(messages->shares);
                g_free(messages);
        }
}

/* On the system bus nothing of what a process says is broadcast: everybody reads along there. */
static bool is_unicast(const BusConnection *connection) {
        return connection->known_callers;
}

static Audience audience_of(const BusConnection *connection, const Process *process) {
        if (!bus_may_hear(connection, process)) {
                return AUDIENCE_NONE;
        }
        if (is_unicast(connection)) {
                return bus_subscribers_any(connection, process) ? AUDIENCE_SUBSCRIBED : AUDIENCE_NONE;
        }
        return bus_subscribers_any(connection, process) ? AUDIENCE_SUBSCRIBED : AUDIENCE_PLAIN;
}

/* Whether one more message of the process is within the share of plain listeners. */
static bool take_share(BusMessages *messages, const Process *process) {
        Share *share = g_hash_table_lookup(messages->shares, process);
        uint64_t now_usec = 0;

        (void) sd_event_now(messages->server->event, CLOCK_MONOTONIC, &now_usec);
        if (!share) {
                share = g_new0(Share, 1);
                (void) g_hash_table_insert(messages->shares, (void *) process, share);
        }
        if (now_usec - share->since_usec >= USEC_PER_SEC) {
                *share = (Share){ .since_usec = now_usec };
        }
        if (share->count >= MESSAGES_PER_SECOND_MAX) {
                return false;
        }
        share->count++;
        return true;
}

static bool has_room(const BusConnection *connection, size_t bytes) {
        uint64_t queued = 0;

        return sd_bus_get_n_queued_write(connection->bus, &queued) >= 0 &&
               queued < (bytes > LARGE_BYTES ? QUEUED_LARGE_MAX : QUEUED_MAX);
}

/* A signal that is made, to whom it is for. */
typedef struct Words {
        const Process *process;
        const char *path;
        const char *type, *data; /* of a message */
        uint32_t lost;           /* else of this event */
} Words;

static int append_words(sd_bus_message *signal, const Words *words) {
        const Process *process = words->process;

        int r = sd_bus_message_append(signal, "ous", words->path, process->id, process->config->name);
        if (r < 0) {
                return r;
        }
        return words->type ? sd_bus_message_append(signal, "ss", words->type, words->data)
                           : sd_bus_message_append(
                                             signal, "sba{sv}", "lost", 0, 1, "count", "u", words->lost);
}

/* destination NULL: all that listen there. */
static void send_words(const BusConnection *connection, const char *destination, const Words *words) {
        _cleanup_bus_message_ sd_bus_message *signal = NULL;
        const char *member = words->type ? "ProcessMessage" : "ProcessEvent";

        int r = sd_bus_message_new_signal(connection->bus, &signal, MANAGER_PATH, "org.pm2.Manager", member);
        if (r >= 0 && destination) {
                r = sd_bus_message_set_destination(signal, destination);
        }
        if (r >= 0) {
                r = append_words(signal, words);
        }
        if (r >= 0) {
                /* no fault point: a signal tells what has been done */
                r = sd_bus_send(connection->bus, signal, NULL);
        }
        if (r < 0) {
                (void) log_print_errno(LOG_DEBUG, r, "a signal is lost: %m");
        }
}

typedef struct Unicast {
        const BusConnection *connection;
        const Words *words;
} Unicast;

static void send_to_one(void *userdata, const char *name) {
        const Unicast *unicast = userdata;

        send_words(unicast->connection, name, unicast->words);
}

static void send_to_all(const BusConnection *connection, const Words *words) {
        if (is_unicast(connection)) {
                Unicast unicast = { .connection = connection, .words = words };
                bus_subscribers_foreach(connection, words->process, send_to_one, &unicast);
        } else {
                send_words(connection, NULL, words);
        }
}

static void tell_lost(const BusConnection *connection, const Process *process, uint32_t count) {
        g_autofree char *path = bus_process_path(process->id);

        send_to_all(connection, &(Words){ .process = process, .path = path, .lost = count });
}

static void arm(BusMessages *messages);

static int on_lost(sd_event_source *source, uint64_t usec, void *userdata) {
        BusMessages *messages = userdata;
        const GPtrArray *connections = messages->server->connections;

        bus_signals_flush(messages->server->signals);
        for (guint i = 0; i < connections->len; i++) {
                BusConnection *connection = connections->pdata[i];
                GHashTableIter iterator;
                void *process, *count;
                if (!connection->lost || g_hash_table_size(connection->lost) == 0) {
                        continue;
                }
                if (!has_room(connection, 0)) {
                        arm(messages);
                        continue;
                }
                g_hash_table_iter_init(&iterator, connection->lost);
                while (g_hash_table_iter_next(&iterator, &process, &count)) {
                        tell_lost(connection, process, GPOINTER_TO_UINT(count));
                }
                g_hash_table_remove_all(connection->lost);
        }
        return 0;
}

static void arm(BusMessages *messages) {
        int r;

        if (!messages->lost_source) {
                r = sd_event_add_time_relative(
                                messages->server->event,
                                &messages->lost_source,
                                CLOCK_MONOTONIC,
                                USEC_PER_SEC,
                                0,
                                on_lost,
                                messages);
        } else {
                r = sd_event_source_set_time_relative(messages->lost_source, USEC_PER_SEC);
                if (r >= 0) {
                        r = sd_event_source_set_enabled(messages->lost_source, SD_EVENT_ONESHOT);
                }
        }
        if (r < 0) {
                (void) log_warning_errno(r, "cannot tell of messages that were left out: %m");
        }
}

static bool is_armed(const BusMessages *messages) {
        return messages->lost_source && sd_event_source_get_enabled(messages->lost_source, NULL) > 0;
}

static void count_lost(BusMessages *messages, BusConnection *connection, const Process *process) {
        if (!connection->lost) {
                connection->lost = g_hash_table_new(NULL, NULL);
        }
        guint before = GPOINTER_TO_UINT(g_hash_table_lookup(connection->lost, process));
        guint count = before < G_MAXUINT32 ? before + 1 : before;
        (void) g_hash_table_insert(connection->lost, (void *) process, GUINT_TO_POINTER(count));
        if (!is_armed(messages)) {
                arm(messages);
        }
}

static bool has_any_audience(const BusMessages *messages, const Process *process) {
        const GPtrArray *connections = messages->server->connections;

        for (guint i = 0; i < connections->len; i++) {
                if (audience_of(connections->pdata[i], process) != AUDIENCE_NONE) {
                        return true;
                }
        }
        return false;
}

void bus_messages_tell(
                BusMessages *messages,
                const Process *process,
                const char *type,
                const char *data,
                size_t data_length) {
        const GPtrArray *connections = messages->server->connections;
        g_autofree char *path = NULL, *text = NULL;

        if (!has_any_audience(messages, process)) {
                return;
        }
        bool within_share = take_share(messages, process);
        for (guint i = 0; i < connections->len; i++) {
                BusConnection *connection = connections->pdata[i];
                Audience audience = audience_of(connection, process);
                if (audience == AUDIENCE_NONE) {
                        continue;
                }
                if (data_length > DATA_BYTES_MAX || (audience == AUDIENCE_PLAIN && !within_share) ||
                    !has_room(connection, data_length)) {
                        count_lost(messages, connection, process);
                        continue;
                }
                if (!text) {
                        bus_signals_flush(messages->server->signals);
                        path = bus_process_path(process->id);
                        text = g_strndup(data, data_length);
                }
                send_to_all(connection,
                            &(Words){ .process = process, .path = path, .type = type, .data = text });
        }
}

bool bus_messages_want_log(const BusMessages *messages, const Process *process) {
        const GPtrArray *connections = messages->server->connections;

        for (guint i = 0; i < connections->len; i++) {
                if (audience_of(connections->pdata[i], process) == AUDIENCE_SUBSCRIBED) {
                        return true;
                }
        }
        return false;
}

typedef struct LogUnicast {
        BusMessages *messages;
        BusConnection *connection;
        const LogLines *lines;
} LogUnicast;

static int append_log(sd_bus_message *signal, const LogSource *source, const LogLines *lines) {
        const Process *process = source->process;
        g_autofree char *path = bus_process_path(process->id);

        int r = sd_bus_message_append(
                        signal,
                        "ousst",
                        path,
                        process->id,
                        process->config->name,
                        source->error ? "err" : "out",
                        lines->at_realtime_usec);
        return r < 0 ? r : sd_bus_message_append_array(signal, 'y', lines->bytes, lines->length);
}

/* name NULL: the peer itself. */
static void send_log(const LogUnicast *unicast, const char *name, const Caller *viewer) {
        _cleanup_bus_message_ sd_bus_message *signal = NULL;
        const LogLines *lines = unicast->lines;
        const LogSource *source = NULL;
        sd_bus *bus = unicast->connection->bus;

        for (size_t i = 0; i < lines->n_sources && !source; i++) {
                bool seen = caller_may_control(viewer, lines->sources[i].process->owner);
                source = seen ? &lines->sources[i] : NULL;
        }
        if (!source) {
                return;
        }
        if (lines->lost_bytes > 0 || lines->length > DATA_BYTES_MAX ||
            !has_room(unicast->connection, lines->length)) {
                count_lost(unicast->messages, unicast->connection, source->process);
                return;
        }
        bus_signals_flush(unicast->messages->server->signals);
        int r = sd_bus_message_new_signal(bus, &signal, MANAGER_PATH, "org.pm2.Manager", "Log");
        if (r >= 0 && name) {
                r = sd_bus_message_set_destination(signal, name);
        }
        if (r >= 0) {
                r = append_log(signal, source, lines);
        }
        if (r >= 0) {
                /* no fault point: a signal tells what has been done */
                r = sd_bus_send(bus, signal, NULL);
        }
        if (r < 0) {
                (void) log_print_errno(LOG_DEBUG, r, "a signal is lost: %m");
        }
}

static void send_log_to_one(void *userdata, const char *name, const Caller *viewer) {
        send_log(userdata, name, viewer);
}

void bus_messages_tell_log(BusMessages *messages, const LogLines *lines) {
        const GPtrArray *connections = messages->server->connections;

        for (guint i = 0; i < connections->len; i++) {
                BusConnection *connection = connections->pdata[i];
                LogUnicast unicast = { messages, connection, lines };
                if (!bus_connection_is_ready(connection)) {
                        continue;
                }
                if (connection->broker) {
                        bus_subscribers_each(connection, send_log_to_one, &unicast);
                } else if (connection->subscribed) {
                        send_log(&unicast, NULL, &connection->caller);
                }
        }
}

void bus_messages_forget(BusMessages *messages, const Process *process) {
        const GPtrArray *connections = messages->server->connections;

        (void) g_hash_table_remove(messages->shares, process);
        for (guint i = 0; i < connections->len; i++) {
                BusConnection *connection = connections->pdata[i];
                void *count;
                if (connection->lost &&
                    g_hash_table_steal_extended(connection->lost, process, NULL, &count)) {
                        tell_lost(connection, process, GPOINTER_TO_UINT(count));
                }
        }
}

void bus_messages_forget_connection(BusConnection *connection) {
        g_clear_pointer(&connection->lost, g_hash_table_unref);
        bus_subscribers_forget(connection);
        manager_logs_are_less_wanted(connection->server->manager);
}

int bus_messages_subscribe(sd_bus_message *message, BusConnection *connection, sd_bus_error *error) {
        int r = bus_subscribers_add(connection, sd_bus_message_get_sender(message), error);

        if (r < 0) {
                return r;
        }
        manager_logs_are_wanted(connection->server->manager);
        return sd_bus_reply_method_return(message, NULL);
}

int bus_messages_unsubscribe(sd_bus_message *message, BusConnection *connection, sd_bus_error *error) {
        bus_subscribers_remove(connection, sd_bus_message_get_sender(message));
        manager_logs_are_less_wanted(connection->server->manager);
        return sd_bus_reply_method_return(message, NULL);
}
