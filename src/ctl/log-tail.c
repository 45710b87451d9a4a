/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of one log file. A file may be truncated, be replaced by another, or lose its oldest part while
 * it is read (pm2d bounds logs that way, in whole blocks). So the last bytes that were read are remembered:
 * where they are not found before the offset any more, they are looked for some blocks earlier, and only if
 * they are nowhere the file is read from its beginning: it is a new one, or all that was read is gone. What
 * is read counts only if they are still in their place afterwards, for a cut may come in between. */

#include "log-tail.h"

#include "basic/cleanup.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_SIZE 4096
#define MARK_MAX   1024
#define MARK_MIN   64 /* of which the oldest part may have been cut off */
#define READ_SIZE  65536
#define LINE_MAX_  (1U << 20)  /* longer ones are handed out in pieces */
#define SEARCH_MAX (64U << 20) /* how far back the last lines are looked for */

struct LogTail {
        char *path;
        LogLineHandler handler;
        void *userdata;
        int fd;
        off_t offset;
        GByteArray *partial; /* a line without its end */
        char mark[MARK_MAX]; /* the bytes before the offset */
        size_t mark_length;
};

LogTail *log_tail_new(const char *path, LogLineHandler handler, void *userdata) {
        LogTail *tail = g_new0(LogTail, 1);
        tail->path = g_strdup(path);
        tail->handler = handler;
        tail->userdata = userdata;
        tail->fd = -EBADF;
        tail->partial = g_byte_array_new();
        return tail;
}

void log_tail_free(LogTail *tail) {
        if (tail) {
                (void) close_fd(tail->fd);
                (void) g_byte_array_unref(tail->partial);
                g_free(tail->path);
                g_free(tail);
        }
}

const char *log_tail_get_path(const LogTail *tail) {
        return tail->path;
}

void log_tail_finish(LogTail *tail) {
        if (tail->partial->len > 0) {
                tail->handler(tail->userdata, (const char *) tail->partial->data, tail->partial->len);
                (void) g_byte_array_set_size(tail->partial, 0);
        }
}

static void take_bytes(LogTail *tail, const char *bytes, size_t length) {
        while (length > 0) {
                const char *newline = memchr(bytes, '\n', length);
                size_t part = newline ? (size_t) (newline - bytes) : length;
                if (newline && tail->partial->len == 0) {
                        tail->handler(tail->userdata, bytes, part);
                } else {
                        (void) g_byte_array_append(tail->partial, (const guint8 *) bytes, (guint) part);
                        if (newline && tail->partial->len == 0) {
                                tail->handler(tail->userdata, "", 0);
                        } else if (newline || tail->partial->len >= LINE_MAX_) {
                                log_tail_finish(tail);
                        }
                }
                part += newline ? 1 : 0;
                bytes += part;
                length -= part;
        }
}

/* pread() all that is there. */
static ssize_t read_at(int fd, char *buffer, size_t size, off_t offset) {
        size_t used = 0;

        while (used < size) {
                ssize_t n = pread(fd, buffer + used, size - used, offset + (off_t) used);
                if (n < 0 && errno == EINTR) {
                        continue;
                }
                if (n < 0) {
                        return -errno;
                }
                if (n == 0) {
                        break;
                }
                used += (size_t) n;
        }
        return (ssize_t) used;
}

/* Begin behind what was not read. */
static void set_mark(LogTail *tail) {
        size_t length = tail->offset < MARK_MAX ? (size_t) tail->offset : MARK_MAX;
        ssize_t n = read_at(tail->fd, tail->mark, length, tail->offset - (off_t) length);
        tail->mark_length = n == (ssize_t) length ? length : 0;
}

static void extend_mark(LogTail *tail, const char *bytes, size_t length) {
        size_t added = MIN(length, MARK_MAX);
        size_t kept = MIN(tail->mark_length, MARK_MAX - added);

        memmove(tail->mark, tail->mark + tail->mark_length - kept, kept);
        memcpy(tail->mark + kept, bytes + length - added, added);
        tail->mark_length = kept + added;
}

/* A cut leaves blanks at the beginning of a file, for what was left of a line. */
static size_t count_blanks(const char *bytes, size_t length, off_t offset) {
        size_t count = 0;

        while (offset < BLOCK_SIZE && count < length && bytes[count] == ' ') {
                count++;
        }
        return count;
}

static bool mark_is_at(const LogTail *tail, off_t offset) {
        char bytes[MARK_MAX];
        size_t length = MIN(tail->mark_length, (size_t) offset);
        const char *mark = tail->mark + tail->mark_length - length;

        if (read_at(tail->fd, bytes, length, offset - (off_t) length) != (ssize_t) length) {
                return false;
        }
        if (length == tail->mark_length && memcmp(bytes, mark, length) == 0) {
                return true;
        }
        size_t blanks = count_blanks(bytes, length, offset - (off_t) length);
        return length - blanks >= MARK_MIN && memcmp(bytes + blanks, mark + blanks, length - blanks) == 0;
}

/* Find the place where reading stopped, should it have moved. */
static void find_place(LogTail *tail) {
        struct stat status;

        if (mark_is_at(tail, tail->offset) || fstat(tail->fd, &status) < 0) {
                return;
        }
        for (off_t cut = BLOCK_SIZE; cut < tail->offset && tail->mark_length > 0; cut += BLOCK_SIZE) {
                off_t offset = tail->offset - cut;
                if (offset <= status.st_size && mark_is_at(tail, offset)) {
                        tail->offset = offset;
                        return;
                }
        }
        log_tail_finish(tail);
        tail->offset = 0;
        tail->mark_length = 0;
}

static int read_new(LogTail *tail) {
        g_autofree char *buffer = g_malloc(READ_SIZE);

        for (;;) {
                find_place(tail);
                ssize_t n = read_at(tail->fd, buffer, READ_SIZE, tail->offset);
                if (n <= 0) {
                        return (int) n;
                }
                if (mark_is_at(tail, tail->offset)) {
                        tail->offset += n;
                        extend_mark(tail, buffer, (size_t) n);
                        take_bytes(tail, buffer, (size_t) n);
                }
        }
}

/* Open the path unless it is what is open already. 1: opened, at its beginning. */
static int open_path(LogTail *tail) {
        struct stat now, before;

        _cleanup_close_ int fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
                return errno == ENOENT ? 0 : -errno;
        }
        if (fstat(fd, &now) < 0) {
                return -errno;
        }
        if (!S_ISREG(now.st_mode)) {
                return -ENXIO;
        }
        if (tail->fd >= 0 && fstat(tail->fd, &before) == 0 && before.st_dev == now.st_dev &&
            before.st_ino == now.st_ino) {
                return 0;
        }
        log_tail_finish(tail);
        (void) close_fd(tail->fd);
        tail->fd = steal_fd(&fd);
        tail->offset = 0;
        tail->mark_length = 0;
        return 1;
}

/* Where the last lines begin. */
static off_t find_lines(int fd, off_t size, unsigned lines) {
        g_autofree char *buffer = g_malloc(READ_SIZE);
        off_t end = size;

        if (lines == 0) {
                return size;
        }
        while (end > 0 && size - end < SEARCH_MAX) {
                size_t length = end < READ_SIZE ? (size_t) end : READ_SIZE;
                off_t start = end - (off_t) length;
                ssize_t n = read_at(fd, buffer, length, start);
                if (n != (ssize_t) length) {
                        return start;
                }
                for (size_t i = length; i > 0; i--) {
                        bool last = start + (off_t) i == size; /* ends the last line, begins none */
                        if (buffer[i - 1] == '\n' && !last && --lines == 0) {
                                return start + (off_t) i;
                        }
                }
                end = start;
        }
        return end;
}

int log_tail_start(LogTail *tail, unsigned lines) {
        struct stat status;

        int r = open_path(tail);
        if (r <= 0) {
                return r;
        }
        if (fstat(tail->fd, &status) < 0) {
                return -errno;
        }
        tail->offset = find_lines(tail->fd, status.st_size, lines);
        set_mark(tail);
        return read_new(tail);
}

int log_tail_start_at(LogTail *tail, uint64_t offset) {
        struct stat status;

        int r = open_path(tail);
        if (r <= 0) {
                return r;
        }
        if (fstat(tail->fd, &status) < 0) {
                return -errno;
        }
        tail->offset = offset <= (uint64_t) status.st_size ? (off_t) offset : 0;
        set_mark(tail);
        return read_new(tail);
}

int log_tail_update(LogTail *tail) {
        int r = 0;

        if (tail->fd >= 0) {
                r = read_new(tail);
        }
        if (r >= 0) {
                r = open_path(tail);
        }
        return r > 0 ? read_new(tail) : r;
}
