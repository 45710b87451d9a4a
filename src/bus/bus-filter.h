/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/caller.h"
#include "core/error.h"
#include "core/process.h"
#include "core/value.h"

/* What the reader of a stream of events wants of them, and may have. */
typedef struct BusFilter BusFilter;

/* options: the map that OpenBus of org.pm2.Manager describes. InvalidArgs, or InvalidData for a target that
 * cannot be read. */
int bus_filter_new(const Caller *caller, const Value *options, BusFilter **ret, Error *error);
/* What is logged by the processes of a target: events "log:out" and "log:err". InvalidData for a target that
 * cannot be read. */
int bus_filter_new_of_logs(
                const Caller *caller,
                const char *target,
                bool out,
                bool error_stream,
                BusFilter **ret,
                Error *error);
void bus_filter_free(BusFilter *filter);

/* Whether an event of this name and process is wanted. */
bool bus_filter_takes(BusFilter *filter, const Process *process, const char *event);
/* The same of one that is of no process. */
bool bus_filter_takes_name(const BusFilter *filter, const char *event);

/* The process goes, or has another config now. */
void bus_filter_forget(BusFilter *filter, const Process *process);

/* Who reads. */
const Caller *bus_filter_caller(const BusFilter *filter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BusFilter, bus_filter_free)
