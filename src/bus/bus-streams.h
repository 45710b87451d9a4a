/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/bus-internal.h"

/* Every stream of OpenBus and OpenLogs. What happens is rendered and queued at once, so in the order in
 * which it happened; with nobody who wants it nothing is rendered. */
typedef struct BusStreams BusStreams;

int bus_streams_new(BusServer *server, BusStreams **ret);
/* All readers find the end. */
void bus_streams_free(BusStreams *streams);

/* Answer OpenBus; what a method handler returns. */
int bus_streams_open(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);

/* The same of OpenLogs. */
int bus_streams_open_logs(sd_bus_message *message, BusConnection *connection, sd_bus_error *error);

void bus_streams_tell_event(
                BusStreams *streams, const Process *process, ProcessEventKind kind, bool manually);
void bus_streams_tell_message(
                BusStreams *streams,
                const Process *process,
                const char *type,
                const char *data,
                size_t data_length);
bool bus_streams_want_log(const BusStreams *streams, const Process *process, bool error_stream);
void bus_streams_tell_log(BusStreams *streams, const LogLines *lines);
void bus_streams_tell_killed(BusStreams *streams, const char *reason);

/* The process goes, or has another config. */
void bus_streams_forget(BusStreams *streams, const Process *process);

/* Write what is queued, without waiting. Never while they are being told of something. */
void bus_streams_flush(BusStreams *streams);
