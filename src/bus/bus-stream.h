/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* A line of text that several streams may have to write. */
typedef struct BusLine {
        unsigned references;
        size_t length;
        char text[];
} BusLine;

/* text is for the caller to fill. One reference. */
BusLine *bus_line_new(size_t length);
BusLine *bus_line_ref(BusLine *line);
void bus_line_unref(BusLine *line);

/* One reader of lines at the other end of a socket. It gets whole lines, in order; what it does not read is
 * kept up to a bound, and what is beyond is dropped by whole lines and counted. */
typedef struct BusStream BusStream;

/* on_gone is called from the loop alone, when the reader has closed its end. ret_reader_fd is the caller's.
 */
int bus_stream_new(
                sd_event *event,
                size_t backlog_bytes_max,
                void (*on_gone)(void *userdata, BusStream *stream),
                void *userdata,
                BusStream **ret,
                int *ret_reader_fd);
/* The reader finds the end of the stream behind what was written so far. */
void bus_stream_free(BusStream *stream);

/* Takes a reference of its own. What is appended is written by bus_stream_flush(); much of it at once. */
void bus_stream_append(BusStream *stream, BusLine *line);
/* Write what the reader has room for; the rest goes when it has. */
void bus_stream_flush(BusStream *stream);

/* Nobody reads any more. */
bool bus_stream_is_gone(const BusStream *stream);
