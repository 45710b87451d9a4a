/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called for each line, without its newline; the text is not terminated and may hold any bytes. */
typedef void (*LogLineHandler)(void *userdata, const char *line, size_t length);

/* Reads a log file line by line, over truncation, replacement and the cutting of its oldest part. */
typedef struct LogTail LogTail;

/* handler gets the lines. The file need not exist yet. Aborts on OOM as GLib does. */
LogTail *log_tail_new(const char *path, LogLineHandler handler, void *userdata);
void log_tail_free(LogTail *tail);

/* Read the last lines of what is there. Returns 0 also if there is no file; -ENXIO: it is no regular file;
 * other errors of opening and reading. */
int log_tail_start(LogTail *tail, unsigned lines);

/* Read what is behind an offset, from the beginning if the file is shorter. The same errors. */
int log_tail_start_at(LogTail *tail, uint64_t offset);

/* Read what has come since. The same errors. */
int log_tail_update(LogTail *tail);

/* Hand out a last line that has no newline. */
void log_tail_finish(LogTail *tail);

const char *log_tail_get_path(const LogTail *tail);
