/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "options.h"
#include "value.h"

#include "basic/instance-paths.h"

#include <sys/types.h>
#include <systemd/sd-bus.h>

#define MANAGER_BUS_NAME  "org.pm2.Manager"
#define MANAGER_PATH      "/org/pm2/Manager"
#define MANAGER_INTERFACE "org.pm2.Manager"
#define PROCESS_PATH      "/org/pm2/Process/"
#define PROCESS_INTERFACE "org.pm2.Process"
#define ERROR_PREFIX      "org.pm2.Error."

/* How long a call that only reads may take. */
#define READ_TIMEOUT_USEC (UINT64_C(60) * 1000000)

struct pm2_client {
        sd_bus *bus;     /* kept after the connection broke, until the next attempt */
        bool peer;       /* the private socket rather than a message bus */
        uint64_t flags;  /* of the last pm2_connect() */
        int lifeline_fd; /* the supervisor of our own ends with it; negative: there is none */
        char *address;
        char *error_name;
        char *error_message;
};

/* Note a failure of this side, with the text of the error as %m, and return the error. */
int client_fail(pm2_client *client, int error, const char *format, ...) PRINTF_LIKE(3, 4);

/* Note a failed call: the reply's error, else the errno that the call returned. Returns the errno that
 * stands for the error's name. */
int client_fail_call(pm2_client *client, int error, const sd_bus_error *bus_error);

void client_clear_error(pm2_client *client);

/* Close the connection alone: a supervisor of our own goes on. */
void client_close_connection(pm2_client *client);

/* The negative errno of a D-Bus error name, -EREMOTEIO for names without one. */
int error_name_to_errno(const char *name);

/* Whether an error of a call means that the supervisor is not there any more. */
bool error_is_disconnect(int error, const char *name);

/* Whether a supervisor that runs as this user is one to talk to. */
bool client_trusts(const pm2_client *client, uid_t server);

/* Process what the supervisor sent unasked, so that it does not pile up. Returns whether the connection
 * stands. */
bool client_drain(pm2_client *client);

/* Start a private supervisor, with PM2_CONNECT_NO_DAEMON one on our lifeline, and wait until it is ready.
 * -ECONNREFUSED: it failed; client_fail() holds why. -EALREADY: it ended because another one runs. */
int client_spawn(pm2_client *client, const InstancePaths *paths);

/* One method call. path NULL is the manager, interface NULL the manager's. */
typedef struct Call {
        const char *path;
        const char *interface;
        const char *member;
        const uint32_t *id;         /* the leading number, NULL for none */
        const char *strings[3];     /* then strings, NULL for none */
        const uint32_t *number;     /* then a number, NULL for none */
        const pm2_options *options; /* then these, if takes_options; NULL for none */
        bool takes_options;
        bool reads;            /* changes nothing: tried again after a lost connection */
        uint64_t timeout_usec; /* UINT64_MAX: none */
} Call;

/* Make the call and return its reply, which the caller unrefs. */
int client_call(pm2_client *client, const Call *call, sd_bus_message **ret);

/* Make the call and return the first argument of its reply. */
int client_call_value(pm2_client *client, const Call *call, pm2_value **ret);

/* A message bus that is read from fd, which is taken over in any case. */
int bus_new(int fd, pm2_bus **ret);
