/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/bus-filter.h"
#include "manager/manager.h"
#include "platform/feed.h"

/* OpenLogs: what its reader asks for, and how lines of logs are put to it. */

typedef enum BusLogFormat {
        BUS_LOG_EVENTS, /* as all else in OpenBus */
        BUS_LOG_RAW,
        BUS_LOG_JSON,
} BusLogFormat;

typedef struct BusLogRequest {
        BusFilter *filter;
        BusLogFormat format;
        unsigned lines;
        bool follow;
} BusLogRequest;

/* What the caller asks for; NoSuchProcess and AccessDenied as for any target, NotSupported where none of its
 * processes has a log that can be read. The filter is the caller's to free. */
int bus_log_request_read(
                Manager *manager,
                const Caller *caller,
                const char *target,
                const Value *values,
                BusLogRequest *ret,
                Error *error);

/* The name of the event that a stream has in OpenBus. */
const char *bus_log_event(bool error_stream);

/* The stream that the lines are shown as to who has this filter: the first that it takes; NULL: none. */
const LogSource *bus_log_source(BusFilter *filter, const LogLines *lines);

/* Append a FeedItem for each line. Not for BUS_LOG_EVENTS. */
void bus_log_render(const LogSource *source, const LogLines *lines, BusLogFormat format, GPtrArray *items);

/* What a slow reader of BUS_LOG_RAW finds in place of so many lines. */
FeedItem *bus_log_render_lost(uint64_t count);
