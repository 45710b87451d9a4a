/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-subscribers.h"

#include "manager/log-follow.h"

enum {
        SUBSCRIBERS_MAX = 256, /* of one message bus */
};

typedef struct Subscriber {
        BusConnection *connection; /* weak */
        char *name;
        uid_t uid;
        sd_bus_slot *watch_slot, *question_slot;
} Subscriber;

static void free_subscriber(void *userdata) {
        Subscriber *subscriber = userdata;

        (void) sd_bus_slot_unref(subscriber->watch_slot);
        (void) sd_bus_slot_unref(subscriber->question_slot);
        g_free(subscriber->name);
        g_free(subscriber);
}

static void drop(Subscriber *subscriber) {
        manager_logs_are_less_wanted(subscriber->connection->server->manager);
        (void) g_hash_table_remove(subscriber->connection->subscribers, subscriber->name);
}

static int on_left(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        drop(userdata);
        return 0;
}

/* Who cannot be watched would stay for good. */
static int on_watched(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_is_method_error(message, NULL)) {
                drop(userdata);
        }
        return 0;
}

/* It may have left before the watch was there. */
static int on_has_owner(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        int there = 0;

        if (sd_bus_message_read(reply, "b", &there) < 0 || !there) {
                drop(userdata);
        }
        return 0;
}

static int watch(Subscriber *subscriber) {
        sd_bus *bus = subscriber->connection->bus;
        g_autofree char *match = g_strdup_printf(
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s',arg2=''",
                        subscriber->name);

        int r = sd_bus_add_match_async(bus, &subscriber->watch_slot, match, on_left, on_watched, subscriber);
        if (r < 0) {
                return r;
        }
        /* no fault point: a question */
        return sd_bus_call_method_async(
                        bus,
                        &subscriber->question_slot,
                        "org.freedesktop.DBus",
                        "/org/freedesktop/DBus",
                        "org.freedesktop.DBus",
                        "NameHasOwner",
                        on_has_owner,
                        subscriber,
                        "s",
                        subscriber->name);
}

static int add_name(BusConnection *connection, const char *name, sd_bus_error *error) {
        if (!name) {
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "it is not known who calls");
        }
        if (!connection->subscribers) {
                connection->subscribers =
                                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_subscriber);
        }
        if (g_hash_table_contains(connection->subscribers, name)) {
                return 0;
        }
        if (g_hash_table_size(connection->subscribers) >= SUBSCRIBERS_MAX) {
                return sd_bus_error_setf(
                                error,
                                "org.pm2.Error.LimitExceeded",
                                "%d clients have subscribed already",
                                SUBSCRIBERS_MAX);
        }
        Subscriber *subscriber = g_new0(Subscriber, 1);
        subscriber->connection = connection;
        subscriber->name = g_strdup(name);
        subscriber->uid = bus_caller(connection)->uid;
        (void) g_hash_table_insert(connection->subscribers, subscriber->name, subscriber);
        int r = watch(subscriber);
        if (r < 0) {
                drop(subscriber);
        }
        return r;
}

int bus_subscribers_add(BusConnection *connection, const char *sender, sd_bus_error *error) {
        if (connection->broker) {
                return add_name(connection, sender, error);
        }
        connection->subscribed = true;
        return 0;
}

void bus_subscribers_remove(BusConnection *connection, const char *sender) {
        connection->subscribed = false;
        if (connection->subscribers && sender) {
                (void) g_hash_table_remove(connection->subscribers, sender);
        }
}

void bus_subscribers_forget(BusConnection *connection) {
        connection->subscribed = false;
        g_clear_pointer(&connection->subscribers, g_hash_table_unref);
}

static bool may_see(const Subscriber *subscriber, const Process *process) {
        const Caller caller = { .uid = subscriber->uid };

        return caller_may_control(&caller, process->owner);
}

bool bus_subscribers_any(const BusConnection *connection, const Process *process) {
        GHashTableIter iterator;
        void *subscriber;

        if (!connection->subscribers) {
                return connection->subscribed;
        }
        g_hash_table_iter_init(&iterator, connection->subscribers);
        while (g_hash_table_iter_next(&iterator, NULL, &subscriber)) {
                if (may_see(subscriber, process)) {
                        return true;
                }
        }
        return false;
}

void bus_subscribers_foreach(
                const BusConnection *connection,
                const Process *process,
                void (*function)(void *userdata, const char *name),
                void *userdata) {
        GHashTableIter iterator;
        void *subscriber;

        if (!connection->subscribers) {
                return;
        }
        g_hash_table_iter_init(&iterator, connection->subscribers);
        while (g_hash_table_iter_next(&iterator, NULL, &subscriber)) {
                if (may_see(subscriber, process)) {
                        function(userdata, ((const Subscriber *) subscriber)->name);
                }
        }
}

void bus_subscribers_each(
                const BusConnection *connection,
                void (*function)(void *userdata, const char *name, const Caller *viewer),
                void *userdata) {
        GHashTableIter iterator;
        void *value;

        if (!connection->subscribers) {
                return;
        }
        g_hash_table_iter_init(&iterator, connection->subscribers);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                const Subscriber *subscriber = value;
                const Caller viewer = { .uid = subscriber->uid };
                function(userdata, subscriber->name, &viewer);
        }
}
