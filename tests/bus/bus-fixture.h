/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/sd-cleanup.h"
#include "bus/bus-internal.h"

#include <glib.h>

/* A manager (isolation "none") and the D-Bus face at a private socket, in a folder of their own, with
 * clients on the same loop. */
typedef struct TestService {
        char *folder;
        sd_event *event;
        Settings settings;
        InstancePaths paths;
        Manager *manager;
        BusServer *server;
} TestService;

/* limit_pending: pending_calls_max, 0: the default; limit_peers likewise. */
TestService *test_service_new(uint64_t limit_pending, uint64_t limit_peers);
/* Deletes every process first. */
void test_service_free(TestService *service);

/* A client that is connected. */
sd_bus *test_client_new(TestService *service);
void test_client_free(sd_bus *client);

/* Make a call with these arguments and turn the loop until the reply is there: a return or an error. */
sd_bus_message *test_call(
                TestService *service,
                sd_bus *client,
                const char *path,
                const char *interface,
                const char *member,
                const char *types,
                ...);

/* The same for a message that is ready; taken over. */
sd_bus_message *test_call_message(TestService *service, sd_bus *client, sd_bus_message *message);

/* A method call that is only made. */
sd_bus_message *test_message_new(
                sd_bus *client, const char *path, const char *interface, const char *member);

/* The reply is a return, or an error of this name ("NoSuchProcess": org.pm2.Error.*, or a full name) whose
 * message holds the part. Both unref the reply. */
void test_assert_return(sd_bus_message *reply);
void test_assert_error(sd_bus_message *reply, const char *name, const char *part);

/* Register a process that is not started: its id. */
uint32_t test_register(TestService *service, sd_bus *client, const char *name);

/* A property as text: s and o as they are, numbers in decimal. Freed by the caller. */
char *test_property(
                TestService *service,
                sd_bus *client,
                const char *path,
                const char *interface,
                const char *name);

/* How many messages wait to be written to the newest connection. */
uint64_t test_queued_writes(const TestService *service);
