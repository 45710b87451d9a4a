/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/bus-internal.h"

/* The signals ProcessMessage and Log, and who subscribed to it. Plain listeners get a bounded share of what
 * children say, subscribers all of it while they keep up; what is left out is counted and told by a
 * ProcessEvent "lost". */
typedef struct BusMessages BusMessages;

BusMessages *bus_messages_new(BusServer *server);
void bus_messages_free(BusMessages *messages);

void bus_messages_tell(
                BusMessages *messages,
                const Process *process,
                const char *type,
                const char *data,
                size_t data_length);

/* The signal Log, for subscribers alone. */
bool bus_messages_want_log(const BusMessages *messages, const Process *process);
void bus_messages_tell_log(BusMessages *messages, const LogLines *lines);

/* The process goes: what is left to tell of it is told. */
void bus_messages_forget(BusMessages *messages, const Process *process);
void bus_messages_forget_connection(BusConnection *connection);

/* Answer Subscribe and Unsubscribe; what a method handler returns. */
int bus_messages_subscribe(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);
int bus_messages_unsubscribe(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);
