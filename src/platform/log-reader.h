/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the reader of a log file is: at the beginning of a line, with the last bytes before it, by which it
 * knows the place again. What was read and is no whole line yet is read again, so nothing is kept. */

enum {
        LOG_READER_MARK_BYTES = 256,
        LOG_READER_LINE_BYTES = 1024 * 1024, /* a longer line is handed out in pieces */
};

typedef struct LogReader {
        int fd;
        uint64_t offset;
        size_t mark_length;
        char mark[LOG_READER_MARK_BYTES];
} LogReader;

/* Room to read into, for any number of readers: empty at first. */
typedef struct LogBuffer {
        char *bytes;
        size_t size;
} LogBuffer;

void log_buffer_clear(LogBuffer *buffer);

typedef enum LogReadResult {
        LOG_READ_NOTHING, /* nothing that is complete */
        LOG_READ_LINES,
        LOG_READ_MORE,    /* lines, and there may be more of them already */
        LOG_READ_EMPTIED, /* somebody has emptied the file: the reader is at its beginning */
} LogReadResult;

/* Open the file that a descriptor is of (O_PATH is enough) with the rights that we have now; it is neither
 * waited for nor changed. Negative errno. */
int log_reader_open(int file_fd);

/* Begin at an offset, or before the line that is at the end without being complete. The fd is taken over. */
void log_reader_init(LogReader *reader, int fd, uint64_t offset);
void log_reader_init_at_end(LogReader *reader, int fd);
void log_reader_done(LogReader *reader);

/* The next lines, in the buffer; final: what is at the end counts as a line, complete or not. One call reads
 * a bounded part of the file. */
LogReadResult log_reader_read(
                LogReader *reader, LogBuffer *buffer, bool final, const char **ret, size_t *ret_length);

/* The file lost its first bytes meanwhile, and what is left of a line behind them is blanks, rest_bytes with
 * the newline. Returns how many of those that it lost had not been read. */
uint64_t log_reader_cut(LogReader *reader, uint64_t removed_bytes, uint64_t rest_bytes);
/* The same for a reader that was begun while it happened, before it or after it. */
void log_reader_find(LogReader *reader, uint64_t removed_bytes, uint64_t rest_bytes);
/* It may have lost some. Returns whether the reader is where it was; else it is at the end. */
bool log_reader_check(LogReader *reader);

/* The last lines before an offset, in the buffer: as many as are wanted, and as are whole in that many
 * bytes.
 */
void log_reader_tail(
                int fd,
                LogBuffer *buffer,
                uint64_t end,
                unsigned lines,
                size_t bytes_max,
                const char **ret,
                size_t *ret_length);
