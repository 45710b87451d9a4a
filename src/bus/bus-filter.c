/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-filter.h"

#include "core/target.h"
#include "core/value-text.h"

#include <string.h>

enum {
        EVENTS_MAX = 64,
        EVENT_BYTES_MAX = 256,
};

struct BusFilter {
        Caller caller;
        GPtrArray *events; /* of char *; NULL: all */
        Target *target;    /* NULL: all */
        /* Process -> whether it is meant: an expression may take its time, and is asked once for each. */
        GHashTable *known;
};

static int read_event(BusFilter *filter, const Value *value, Error *error) {
        if (value->kind != VALUE_STRING) {
                g_autofree char *got = value_describe(value);
                return error_set(error, ERROR_INVALID_ARGS, "option events: expected a string, got %s", got);
        }
        if (value->string[0] == '\0' || strlen(value->string) > EVENT_BYTES_MAX) {
                g_autofree char *quoted = error_quote(value->string);
                return error_set(
                                error,
                                ERROR_INVALID_ARGS,
                                "option events: %s has not 1 to %d bytes",
                                quoted,
                                EVENT_BYTES_MAX);
        }
        g_ptr_array_add(filter->events, g_strdup(value->string));
        return 0;
}

static int read_events(BusFilter *filter, const Value *value, Error *error) {
        if (value->kind != VALUE_ARRAY) {
                g_autofree char *got = value_describe(value);
                return error_set(
                                error,
                                ERROR_INVALID_ARGS,
                                "option events: expected an array of strings, got %s",
                                got);
        }
        if (value->items->len == 0 || value->items->len > EVENTS_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_ARGS,
                                "option events: expected 1 to %d names, got %u",
                                EVENTS_MAX,
                                value->items->len);
        }
        filter->events = g_ptr_array_new_with_free_func(g_free);
        for (guint i = 0; i < value->items->len; i++) {
                int r = read_event(filter, value->items->pdata[i], error);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

static int read_target(BusFilter *filter, const Value *value, Error *error) {
        if (value->kind != VALUE_STRING || value->string[0] == '\0') {
                g_autofree char *got = value_describe(value);
                return error_set(error, ERROR_INVALID_ARGS, "option target: expected a target, got %s", got);
        }
        int r = target_new(value->string, &filter->target, error);
        if (r >= 0) {
                filter->known = g_hash_table_new(NULL, NULL);
        }
        return r;
}

int bus_filter_new(const Caller *caller, const Value *options, BusFilter **ret, Error *error) {
        g_autoptr(BusFilter) filter = g_new0(BusFilter, 1);

        filter->caller = *caller;
        for (guint i = 0; i < options->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(options->entries, ValueEntry, i);
                int r;
                if (strcmp(entry->key, "events") == 0) {
                        r = read_events(filter, entry->value, error);
                } else if (strcmp(entry->key, "target") == 0) {
                        r = read_target(filter, entry->value, error);
                } else {
                        g_autofree char *quoted = error_quote(entry->key);
                        r = error_set(error, ERROR_INVALID_ARGS, "unknown option %s", quoted);
                }
                if (r < 0) {
                        return r;
                }
        }
        *ret = g_steal_pointer(&filter);
        return 0;
}

int bus_filter_new_of_logs(
                const Caller *caller,
                const char *target,
                bool out,
                bool error_stream,
                BusFilter **ret,
                Error *error) {
        g_autoptr(BusFilter) filter = g_new0(BusFilter, 1);

        filter->caller = *caller;
        filter->events = g_ptr_array_new_with_free_func(g_free);
        if (out) {
                g_ptr_array_add(filter->events, g_strdup("log:out"));
        }
        if (error_stream) {
                g_ptr_array_add(filter->events, g_strdup("log:err"));
        }
        filter->known = g_hash_table_new(NULL, NULL);
        int r = target_new(target, &filter->target, error);
        if (r >= 0) {
                *ret = g_steal_pointer(&filter);
        }
        return r;
}

void bus_filter_free(BusFilter *filter) {
        if (filter) {
                g_clear_pointer(&filter->events, g_ptr_array_unref);
                g_clear_pointer(&filter->known, g_hash_table_unref);
                target_free(filter->target);
                g_free(filter);
        }
}

bool bus_filter_takes_name(const BusFilter *filter, const char *event) {
        for (guint i = 0; filter->events && i < filter->events->len; i++) {
                const char *wanted = filter->events->pdata[i];
                size_t length = strlen(wanted);
                if (strcmp(event, wanted) == 0 ||
                    (wanted[length - 1] == '*' && strncmp(event, wanted, length - 1) == 0)) {
                        return true;
                }
        }
        return !filter->events;
}

static bool is_meant(BusFilter *filter, const Process *process) {
        void *known;

        if (!filter->target) {
                return true;
        }
        if (!g_hash_table_lookup_extended(filter->known, process, NULL, &known)) {
                known = GINT_TO_POINTER(target_matches(filter->target, process));
                (void) g_hash_table_insert(filter->known, (void *) process, known);
        }
        return GPOINTER_TO_INT(known);
}

bool bus_filter_takes(BusFilter *filter, const Process *process, const char *event) {
        return caller_may_control(&filter->caller, process->owner) && bus_filter_takes_name(filter, event) &&
               is_meant(filter, process);
}

void bus_filter_forget(BusFilter *filter, const Process *process) {
        if (filter->known) {
                (void) g_hash_table_remove(filter->known, process);
        }
}

const Caller *bus_filter_caller(const BusFilter *filter) {
        return &filter->caller;
}
