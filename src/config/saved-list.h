/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"

#include <stddef.h>

/* The saved list as text. Ours is a JSON object:
 *
 *   "pm2d_saved_list": 1
 *   "environments": [{"NAME": "value", ...}, ...]   each once, however many apps start from it
 *   "apps": [{"status": "online", "stopped" (by hand) or "ended" (by itself), "environment": its index,
 *             "config": {the given attributes}}]
 *
 * in the order of the list. JSON holds no bytes that are not UTF-8: such a string is {"$bytes": "base64"},
 * and a map with such a key, or one that begins with '$', is {"$map": [[key, value], ...]}. PM2's own
 * dump.pm2, an array of its process objects, is read as well. */

enum {
        SAVED_LIST_BYTES_MAX = 32 * 1024 * 1024,
        SAVED_LIST_APPS_MAX = 100000,
};

typedef enum SavedStatus {
        SAVED_ONLINE,
        SAVED_STOPPED, /* by hand */
        SAVED_ENDED,   /* by itself, or never started: its cron_restart starts it */
        _SAVED_STATUS_MAX,
} SavedStatus;

const char *saved_status_to_name(SavedStatus status);

typedef struct SavedListWriter SavedListWriter;

SavedListWriter *saved_list_writer_new(void);
void saved_list_writer_add(
                SavedListWriter *writer,
                const AppConfig *config,
                const Environment *environment,
                SavedStatus status);
/* The text, freed by the caller; the writer is gone. */
char *saved_list_writer_finish(SavedListWriter *writer, size_t *ret_length);

/* One app of a list. */
typedef struct SavedEntry {
        unsigned line;
        SavedStatus status;
        Value *attributes;        /* map, to be set by name */
        Environment *environment; /* that it started from; NULL: not told */
} SavedEntry;

void saved_entry_done(SavedEntry *entry);

typedef struct SavedListReader SavedListReader;

/* Look at the outer shape; the text is borrowed. InvalidData with the line. */
int saved_list_reader_new(const char *text, size_t length, SavedListReader **ret, Error *error);
void saved_list_reader_free(SavedListReader *reader);

/* Check one more piece. 1: there may be more; 0: all of it is good. What attributes mean is not looked at.
 */
int saved_list_reader_check(SavedListReader *reader, Error *error);

/* After that: the next app. 1: there is one; 0: there is none left. A negative result is about this app
 * alone, and the next one can be read. */
int saved_list_reader_next(SavedListReader *reader, SavedEntry *ret, Error *error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SavedEntry, saved_entry_done)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SavedListReader, saved_list_reader_free)
