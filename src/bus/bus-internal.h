/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the D-Bus face. */

#include "bus/bus-server.h"
#include "manager/manager.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define MANAGER_PATH        "/org/pm2/Manager"
#define OBJECTS_PATH        "/org/pm2"
#define PROCESS_PATH        "/org/pm2/Process"
#define PROCESS_PATH_PREFIX PROCESS_PATH "/"

typedef struct BusSignals BusSignals;

/* One connection: a peer of the private socket. */
typedef struct BusConnection {
        BusServer *server; /* weak */
        sd_bus *bus;
        sd_event_source *ready_source; /* until the first messages were read */
        GPtrArray *slots;              /* of sd_bus_slot */
        Caller caller;
        GQueue requests; /* of BusRequest */
} BusConnection;

struct BusServer {
        sd_event *event;
        Manager *manager;
        BusSignals *signals;
        int listen_fd;
        char *socket_path;
        sd_event_source *listen_source;
        GPtrArray *connections; /* of BusConnection, owned */
};

/* Who calls. */
static inline const Caller *bus_caller(const BusConnection *connection) {
        return &connection->caller;
}

/* bus-connection.c */
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
/* The same for SendSignal and Kill. */
int bus_request_send_signal(
                BusConnection *connection,
                sd_bus_message *message,
                const char *target,
                const char *signal_name,
                sd_bus_error *error);
int bus_request_kill(BusConnection *connection, sd_bus_message *message, sd_bus_error *error);
/* Nobody is there to be answered any more. */
void bus_requests_forget(BusConnection *connection);

/* bus-signals.c: what goes out, once in each turn of the loop and in order. */
int bus_signals_new(BusServer *server, BusSignals **ret);
void bus_signals_free(BusSignals *signals);
const ManagerObserver *bus_signals_observer(BusSignals *signals);
/* Send a reply behind the signals of what caused it; taken over. */
void bus_signals_queue_reply(BusSignals *signals, BusConnection *connection, sd_bus_message *reply);
void bus_signals_forget_connection(BusSignals *signals, const BusConnection *connection);
void bus_signals_flush(BusSignals *signals);
