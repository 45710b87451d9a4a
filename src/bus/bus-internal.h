/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the D-Bus face. */

#include "bus/bus-dispatch.h"
#include "bus/bus-server.h"
#include "manager/manager.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define BUS_NAME            "org.pm2.Manager"
#define MANAGER_PATH        "/org/pm2/Manager"
#define OBJECTS_PATH        "/org/pm2"
#define PROCESS_PATH        "/org/pm2/Process"
#define PROCESS_PATH_PREFIX PROCESS_PATH "/"

typedef struct BusSignals BusSignals;
typedef struct BusStreams BusStreams;
typedef struct BusMessages BusMessages;

/* One connection: a peer of the private socket, or the message bus. */
struct BusConnection {
        BusServer *server; /* weak */
        sd_bus *bus;
        sd_event_source *ready_source; /* until the first messages were read */
        GPtrArray *slots;              /* of sd_bus_slot */
        bool broker;                   /* the message bus: many callers */
        Caller caller;                 /* of the method call that is being handled */
        GHashTable *known_callers;     /* unique name -> uid; NULL: the caller is always the same */
        GQueue waiting_calls;          /* see bus-dispatch.c */
        GQueue requests;               /* of BusRequest */
        bool subscribed;               /* the peer itself has called Subscribe */
        GHashTable *subscribers;       /* of a message bus: see bus-subscribers.c; NULL: none yet */
        GHashTable *lost;              /* Process -> messages it was not told; NULL: none yet */
};

struct BusServer {
        sd_event *event;
        Manager *manager;
        BusSignals *signals;
        BusStreams *streams;
        BusMessages *messages;
        int listen_fd;
        char *socket_path;
        sd_event_source *listen_source;
        GPtrArray *connections; /* of BusConnection, owned */
};

/* Who calls. */
static inline const Caller *bus_caller(const BusConnection *connection) {
        return &connection->caller;
}

/* Who looks: on a message bus a property has no caller, and holds nothing private. */
static inline Caller bus_viewer(const BusConnection *connection) {
        return connection->broker ? (Caller){ .uid = 0, .via = "bus" } : connection->caller;
}

/* bus-dispatch.c */
void bus_dispatch_forget(BusConnection *connection);

/* bus-connection.c */
/* The connection is among those of the server. bus is taken over. */
int bus_connection_new_broker(
                BusServer *server,
                sd_bus *bus,
                bool system,
                sd_bus_message_handler_t on_lost,
                void *userdata,
                BusConnection **ret);
int bus_connection_new(BusServer *server, int fd, uid_t uid, gid_t gid, BusConnection **ret);
void bus_connection_free(BusConnection *connection);
/* Not ready yet, or gone: nothing is sent to it. */
bool bus_connection_is_ready(const BusConnection *connection);

/* bus-manager.c, bus-process.c, bus-driver.c: put the objects on a connection. */
int bus_manager_attach(BusConnection *connection);
int bus_process_attach(BusConnection *connection);
int bus_driver_attach(BusConnection *connection);

/* The names of the org.pm2.Process properties that follow from the changes; ends with NULL, n_max entries.
 */
size_t bus_process_changed_properties(unsigned changes, const char **names, size_t n_max);

/* "/org/pm2/Process/<id>"; freed by the caller. */
char *bus_process_path(uint32_t id);

/* bus-request.c: calls that are answered when the work is done. */
typedef int (*BusTargetCall)(
                Manager *manager, const ManagerCall *call, const char *text, Operation **ret, Error *error);

/* Read the options at the read position and make the call with this text (a target, script or document). The
 * reply lists paths. What a method handler returns. */
int bus_request_call(
                BusConnection *connection,
                sd_bus_message *message,
                const char *text,
                BusTargetCall function,
                sd_bus_error *error);
/* Trigger; the reply is a(uss). */
int bus_request_trigger(
                BusConnection *connection,
                sd_bus_message *message,
                const char *target,
                const char *action,
                const char *params,
                sd_bus_error *error);
/* The object paths of processes, as an array. */
int bus_request_append_paths(sd_bus_message *reply, const GArray *ids);

/* bus-send.c: what method handlers return. */
int bus_send_message(
                BusConnection *connection,
                sd_bus_message *message,
                const char *target,
                const char *json,
                sd_bus_error *error);
int bus_send_data(
                BusConnection *connection,
                sd_bus_message *message,
                uint32_t id,
                const char *type,
                const char *data,
                sd_bus_error *error);
int bus_send_line(
                BusConnection *connection,
                sd_bus_message *message,
                uint32_t id,
                const char *line,
                sd_bus_error *error);

/* The same with a target and one more text. */
typedef int (*BusTextsCall)(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *text,
                Operation **ret,
                Error *error);
int bus_request_call_texts(
                BusConnection *connection,
                sd_bus_message *message,
                const char *target,
                const char *text,
                BusTextsCall function,
                sd_bus_error *error);
/* The reply is the path of the list. */
int bus_request_save(
                BusConnection *connection, sd_bus_message *message, const char *path, sd_bus_error *error);
int bus_request_kill(BusConnection *connection, sd_bus_message *message, sd_bus_error *error);
/* bus-validate.c: answer Validate; what a method handler returns. */
int bus_validate(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);

/* bus-validate.c too: answer GetSystemData. */
int bus_system_data(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);

/* bus-compat.c: answer EnableCompat and DisableCompat. */
int bus_enable_compat(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);
int bus_disable_compat(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);

/* bus-history.c: answer RecentEvents with the last events of each process; count_max 0: all. */
int bus_history_reply(
                sd_bus_message *message,
                BusConnection *connection,
                const GPtrArray *processes,
                unsigned count_max);

int bus_request_reexecute(BusConnection *connection, sd_bus_message *message, sd_bus_error *error);
/* All that wait are told that the supervisor is being renewed. */
void bus_requests_refuse(BusConnection *connection);
/* Nobody is there to be answered any more. */
void bus_requests_forget(BusConnection *connection);

/* A peer hears of what it may see; a message bus of all, for nothing private is said there. process NULL: of
 * the manager. */
bool bus_may_hear(const BusConnection *connection, const Process *process);

/* bus-signals.c: what goes out, once in each turn of the loop and in order. */
int bus_signals_new(BusServer *server, BusSignals **ret);
void bus_signals_free(BusSignals *signals);
const ManagerObserver *bus_signals_observer(BusSignals *signals);
/* The pid that an event speaks of: of what has ended, that which it was. */
pid_t bus_event_pid(const Process *process, ProcessEventKind kind);
/* Send a reply behind the signals of what caused it; taken over. */
void bus_signals_queue_reply(BusSignals *signals, BusConnection *connection, sd_bus_message *reply);
void bus_signals_forget_connection(BusSignals *signals, const BusConnection *connection);
void bus_signals_flush(BusSignals *signals);
/* After a call: a client that calls and never reads is closed in the next turn of the loop. */
void bus_signals_check_reader(BusSignals *signals, const BusConnection *connection);
