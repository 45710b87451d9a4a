/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/history.h"

#include "basic/macro.h"

#include <assert.h>
#include <string.h>

struct History {
        GPtrArray *entries; /* of HistoryEntry */
        uint64_t version;
};

static void free_entry(void *item) {
        HistoryEntry *entry = item;

        g_free(entry->verb);
        g_free(entry->text);
        g_free(entry);
}

History *history_new(void) {
        History *history = g_new0(History, 1);

        history->entries = g_ptr_array_new_with_free_func(free_entry);
        return history;
}

void history_free(History *history) {
        if (history) {
                g_ptr_array_unref(history->entries);
                g_free(history);
        }
}

/* At most so many bytes, and no half character. */
static char *bounded(const char *text) {
        size_t length = text ? strlen(text) : 0;

        if (length > HISTORY_TEXT_BYTES_MAX) {
                length = HISTORY_TEXT_BYTES_MAX;
                while (length > 0 && ((unsigned char) text[length] & 0xc0) == 0x80) {
                        length--;
                }
        }
        return g_strndup(text ? text : "", length);
}

void history_add(History *history, const HistoryEntry *entry) {
        HistoryEntry *copy = g_memdup2(entry, sizeof(*entry));

        copy->verb = bounded(entry->verb);
        copy->text = bounded(entry->text);
        if (history->entries->len == HISTORY_COUNT_MAX) {
                g_ptr_array_remove_index(history->entries, 0);
        }
        g_ptr_array_add(history->entries, copy);
        history->version++;
}

unsigned history_count(const History *history) {
        return history->entries->len;
}

const HistoryEntry *history_at(const History *history, unsigned i) {
        return history->entries->pdata[i];
}

uint64_t history_version(const History *history) {
        return history->version;
}

const char *history_kind_to_name(HistoryKind kind) {
        static const char *const names[] = {
                [HISTORY_COMMAND] = "command",
                [HISTORY_SIGNAL] = "signal",
                [HISTORY_ONLINE] = "online",
                [HISTORY_EXIT] = "exit",
                [HISTORY_FAILED] = "failed",
                [HISTORY_HOOK] = "hook",
                [HISTORY_RESTART] = "restart",
                [HISTORY_STOPPED] = "stopped",
                [HISTORY_ERRORED] = "errored",
                [HISTORY_TAKEN_OVER] = "taken-over",
                [HISTORY_OOM] = "oom",
                [HISTORY_READY_TIMEOUT] = "ready-timeout",
                [HISTORY_WATCHDOG] = "watchdog",
                [HISTORY_RELOAD] = "reload",
                [HISTORY_RETIRED] = "retired",
                [HISTORY_CRON] = "cron",
                [HISTORY_MEMORY] = "memory",
                [HISTORY_HEALTHY] = "healthy",
                [HISTORY_UNHEALTHY] = "unhealthy",
                [HISTORY_WATCH] = "watch",
        };
        static_assert(ELEMENTS(names) == _HISTORY_KIND_MAX, "a name for every kind");
        return names[kind];
}
