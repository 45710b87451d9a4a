/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/log-reader.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        READ_BYTES = 64 * 1024, /* in one call, unless a line is longer */
};

void log_buffer_clear(LogBuffer *buffer) {
        g_free(buffer->bytes);
        *buffer = (LogBuffer){ 0 };
}

static char *make_room(LogBuffer *buffer, size_t size) {
        if (buffer->size < size) {
                log_buffer_clear(buffer);
                *buffer = (LogBuffer){ .bytes = g_malloc(size), .size = size };
        }
        return buffer->bytes;
}

int log_reader_open(int file_fd) {
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
        return RET_NERRNO(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

/* How much of it there is; an error counts as the end. */
static size_t read_at(int fd, char *bytes, size_t size, uint64_t offset) {
        size_t used = 0;

        while (used < size) {
                ssize_t n = pread(fd, bytes + used, size - used, (off_t) (offset + used));
                if (n <= 0) {
                        break;
                }
                used += (size_t) n;
        }
        return used;
}

static uint64_t size_of(int fd) {
        struct stat status;

        return fstat(fd, &status) < 0 ? 0 : (uint64_t) status.st_size;
}

static void take_mark(LogReader *reader) {
        size_t length = MIN(reader->offset, (uint64_t) LOG_READER_MARK_BYTES);

        if (read_at(reader->fd, reader->mark, length, reader->offset - length) < length) {
                reader->offset = length = 0;
        }
        reader->mark_length = length;
}

void log_reader_init(LogReader *reader, int fd, uint64_t offset) {
        *reader = (LogReader){ .fd = fd, .offset = MIN(offset, size_of(fd)) };
        take_mark(reader);
}

/* Behind the last newline within reach; without one, the end. */
static uint64_t find_last_line(int fd) {
        char bytes[4096];
        uint64_t end = size_of(fd), position = end;

        while (position > 0 && end - position < LOG_READER_LINE_BYTES) {
                size_t length = MIN(position, (uint64_t) sizeof(bytes));
                const char *newline;
                if (read_at(fd, bytes, length, position - length) < length) {
                        return end;
                }
                position -= length;
                newline = memrchr(bytes, '\n', length);
                if (newline) {
                        return position + (uint64_t) (newline - bytes) + 1;
                }
        }
        return position > 0 ? end : 0;
}

void log_reader_init_at_end(LogReader *reader, int fd) {
        log_reader_init(reader, fd, find_last_line(fd));
}

void log_reader_done(LogReader *reader) {
        reader->fd = close_fd(reader->fd);
}

static void advance(LogReader *reader, const char *bytes, size_t length) {
        size_t added = MIN(length, (size_t) LOG_READER_MARK_BYTES);
        size_t kept = MIN(reader->mark_length, LOG_READER_MARK_BYTES - added);

        memmove(reader->mark, reader->mark + reader->mark_length - kept, kept);
        memcpy(reader->mark + kept, bytes + length - added, added);
        reader->mark_length = kept + added;
        reader->offset += length;
}

/* What is behind the mark, of a buffer that begins with it. False: it is not there any more. */
static bool read_behind_mark(
                const LogReader *reader, LogBuffer *buffer, size_t size, char **ret, size_t *ret_length) {
        size_t wanted = reader->mark_length + size;
        char *bytes = make_room(buffer, wanted);
        size_t n = read_at(reader->fd, bytes, wanted, reader->offset - reader->mark_length);

        if (n < reader->mark_length || memcmp(bytes, reader->mark, reader->mark_length) != 0) {
                return false;
        }
        *ret = bytes + reader->mark_length;
        *ret_length = n - reader->mark_length;
        return true;
}

LogReadResult log_reader_read(
                LogReader *reader, LogBuffer *buffer, bool final, const char **ret, size_t *ret_length) {
        size_t size = READ_BYTES, length;
        char *bytes;

        for (;;) {
                if (!read_behind_mark(reader, buffer, size, &bytes, &length)) {
                        reader->offset = reader->mark_length = 0;
                        return LOG_READ_EMPTIED;
                }
                const char *newline = memrchr(bytes, '\n', length);
                bool full = length == size;
                if (newline) {
                        length = (size_t) (newline - bytes) + 1;
                } else if (full && size < LOG_READER_LINE_BYTES) {
                        size = LOG_READER_LINE_BYTES;
                        continue;
                } else if (!full && !final) {
                        length = 0;
                }
                advance(reader, bytes, length);
                *ret = bytes;
                *ret_length = length;
                return length == 0 ? LOG_READ_NOTHING : full || final ? LOG_READ_MORE : LOG_READ_LINES;
        }
}

/* Or as much of it as has room between the first byte that counts and the offset. */
static bool mark_is_at(const LogReader *reader, uint64_t offset, uint64_t first) {
        char bytes[LOG_READER_MARK_BYTES];
        size_t length = MIN(reader->mark_length, offset - first);

        return read_at(reader->fd, bytes, length, offset - length) == length &&
               memcmp(bytes, reader->mark + reader->mark_length - length, length) == 0;
}

static void go_to(LogReader *reader, uint64_t offset) {
        reader->offset = offset;
        take_mark(reader);
}

uint64_t log_reader_cut(LogReader *reader, uint64_t removed_bytes, uint64_t rest_bytes) {
        uint64_t end = removed_bytes + rest_bytes;

        if (removed_bytes == 0) {
                return 0;
        }
        uint64_t missed_bytes = end > reader->offset ? end - reader->offset : 0;
        /* also where it is the same place: the mark may be in what is blanks now */
        go_to(reader, MAX(reader->offset, end) - removed_bytes);
        return missed_bytes;
}

void log_reader_find(LogReader *reader, uint64_t removed_bytes, uint64_t rest_bytes) {
        if (removed_bytes > 0 && reader->offset >= removed_bytes + rest_bytes &&
            mark_is_at(reader, reader->offset - removed_bytes, rest_bytes)) {
                go_to(reader, reader->offset - removed_bytes);
        } else {
                go_to(reader, MAX(reader->offset, rest_bytes));
        }
}

bool log_reader_check(LogReader *reader) {
        if (mark_is_at(reader, reader->offset, 0)) {
                return true;
        }
        go_to(reader, find_last_line(reader->fd));
        return false;
}

void log_reader_tail(
                int fd,
                LogBuffer *buffer,
                uint64_t end,
                unsigned lines,
                size_t bytes_max,
                const char **ret,
                size_t *ret_length) {
        size_t length = MIN(end, (uint64_t) bytes_max), start = 0;
        char *bytes = make_room(buffer, length);

        *ret_length = 0;
        if (lines == 0 || length == 0 || read_at(fd, bytes, length, end - length) < length) {
                return;
        }
        size_t first_whole = length; /* a line may have begun before what was read */
        for (size_t i = length; i > 0 && lines > 0; i--) {
                if (bytes[i - 1] == '\n' && i < length) {
                        first_whole = i;
                        lines--;
                }
        }
        start = end == length && lines > 0 ? 0 : first_whole;
        *ret = bytes + start;
        *ret_length = length - start;
}
