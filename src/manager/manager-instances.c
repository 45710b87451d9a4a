/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How many processes each app has, kept at the processes. One more or less is told to all of its app: at
 * once where they are few; of many that come or go one after the other not each time, or the end of a
 * thousand would be half a million messages. */

#include "basic/time-util.h"
#include "manager/start-internal.h"

#include <string.h>

enum {
        TOLD_AT_ONCE_MAX = 32,
};

/* After that time for each of them: some hundred messages a second. */
#define TELL_USEC_EACH (3 * USEC_PER_MSEC)

static void set_count(Manager *manager, Process *process, uint32_t count) {
        process_set_instances(process, count);
        if (process->handle && process->changes & CHANGE_INSTANCES) { /* else nobody knows it yet */
                manager_notify_changes(manager, process);
        }
}

static guint hash_app(const void *item) {
        const Process *process = item;
        return g_str_hash(process->config->name) ^ process->owner;
}

static gboolean same_app(const void *a, const void *b) {
        const Process *first = a, *second = b;
        return first->owner == second->owner && strcmp(first->config->name, second->config->name) == 0;
}

void instances_settle(Manager *manager) {
        g_autoptr(GHashTable) counts = g_hash_table_new(hash_app, same_app);

        manager->instances_due = false;
        (void) sd_event_source_set_enabled(manager->instances_source, SD_EVENT_OFF);
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                Process *process = registry_at(manager->registry, i);
                guint count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, process));
                (void) g_hash_table_replace(counts, process, GUINT_TO_POINTER(count + 1));
        }
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                Process *process = registry_at(manager->registry, i);
                set_count(manager, process, GPOINTER_TO_UINT(g_hash_table_lookup(counts, process)));
        }
}

static int on_settle(sd_event_source *source, uint64_t usec, void *userdata) {
        instances_settle(userdata);
        return 0;
}

static int settle_later(Manager *manager, uint64_t usec) {
        if (manager->instances_due) {
                return 0;
        }
        int r = manager->instances_source
                                ? sd_event_source_set_time_relative(manager->instances_source, usec)
                                : sd_event_add_time_relative(
                                                  manager->event,
                                                  &manager->instances_source,
                                                  CLOCK_BOOTTIME,
                                                  usec,
                                                  USEC_PER_MSEC,
                                                  on_settle,
                                                  manager);
        if (r >= 0) {
                r = sd_event_source_set_enabled(manager->instances_source, SD_EVENT_ONESHOT);
        }
        manager->instances_due = r >= 0;
        return r;
}

void instances_touch(Manager *manager, uid_t owner, const char *name) {
        g_autoptr(GPtrArray) processes = processes_of_app(manager, owner, name);

        if (processes->len > TOLD_AT_ONCE_MAX &&
            settle_later(manager, processes->len * TELL_USEC_EACH) >= 0) {
                return;
        }
        for (guint i = 0; i < processes->len; i++) {
                set_count(manager, processes->pdata[i], processes->len);
        }
}
