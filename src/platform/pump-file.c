/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/pump-file.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        SEARCH_BYTES_MAX = 2 * 1024 * 1024, /* of what others have written meanwhile */
};

struct PumpFile {
        dev_t device;
        ino_t inode;
        unsigned users;
        const void *in_line;  /* whose line at its end is not finished; NULL: none is */
        const void *in_block; /* who has written a part of a block; NULL: nobody */
};

static GHashTable *files; /* of PumpFile, by device and inode; NULL: none yet */

static guint hash_file(gconstpointer key) {
        const PumpFile *file = key;
        return (guint) (file->inode ^ file->device);
}

static gboolean equal_files(gconstpointer a, gconstpointer b) {
        const PumpFile *one = a, *other = b;
        return one->inode == other->inode && one->device == other->device;
}

int pump_file_open(int fd, PumpFile **ret) {
        struct stat status;

        if (fstat(fd, &status) < 0) {
                return -errno;
        }
        PumpFile key = { .device = status.st_dev, .inode = status.st_ino };
        if (!files) {
                files = g_hash_table_new(hash_file, equal_files);
        }
        PumpFile *file = g_hash_table_lookup(files, &key);
        if (!file) {
                file = g_memdup2(&key, sizeof(key));
                (void) g_hash_table_add(files, file);
        }
        file->users++;
        *ret = file;
        return 0;
}

PumpFile *pump_file_unref(PumpFile *file) {
        if (file && --file->users == 0) {
                (void) g_hash_table_remove(files, file);
                g_free(file);
                if (g_hash_table_size(files) == 0) {
                        g_clear_pointer(&files, g_hash_table_unref);
                }
        }
        return NULL;
}

static size_t common(const char *one, size_t one_length, const unsigned char *other, size_t other_length) {
        size_t most = MIN(one_length, other_length), length = 0;

        while (length < most && (unsigned char) one[length] == other[length]) {
                length++;
        }
        return length;
}

/* How much of the block is in what the file has got: right at its beginning, or all of it behind what
 * another has written first. */
static size_t find_block(const char *text, size_t size, const unsigned char *block, size_t length) {
        size_t found = common(text, size, block, length);

        if (found == length || found == size) {
                return found;
        }
        return memmem(text, size, block, length) ? length : found;
}

/* The file has become smaller: its beginning was cut off, and what was written last is at its end. */
static size_t find_at_end(const char *text, size_t size, const unsigned char *block, size_t length) {
        for (size_t most = MIN(size, length); most > 0; most--) {
                if (memcmp(text + size - most, block, most) == 0) {
                        return most;
                }
        }
        return 0;
}

static size_t read_part(int fd, uint64_t from, char *buffer, size_t size) {
        size_t got = 0;

        while (got < size) {
                ssize_t n = pread(fd, buffer + got, size - got, (off_t) (from + got));
                if (n <= 0) {
                        break;
                }
                got += (size_t) n;
        }
        return got;
}

void pump_file_recover(int fd, const unsigned char *block, uint64_t length, PumpProgress *progress) {
        uint64_t done = progress->done;
        struct stat status;

        if (!(done & PUMP_WRITING)) {
                return;
        }
        done &= ~PUMP_WRITING;
        if (done < length && fstat(fd, &status) == 0) {
                uint64_t before = progress->size_bytes, now = (uint64_t) status.st_size,
                         left = length - done;
                bool smaller = now < before;
                uint64_t from = !smaller ? before : now > left ? now - left : 0;
                size_t size = (size_t) MIN(now - from, (uint64_t) SEARCH_BYTES_MAX);
                g_autofree char *text = g_malloc(size + 1);
                size_t got = read_part(fd, from, text, size);
                if (got == 0 && size > 0) {
                        done += MIN(left, now - from); /* it may not be read: then its size tells */
                } else {
                        done += smaller ? find_at_end(text, got, block + done, (size_t) left)
                                        : find_block(text, got, block + done, (size_t) left);
                }
        }
        progress->done = done;
}

static int write_rest(int fd, const unsigned char *block, uint64_t length, PumpProgress *progress) {
        uint64_t done = progress->done;
        struct stat status;

        while (done < length) {
                if (fstat(fd, &status) < 0) {
                        return -errno;
                }
                progress->size_bytes = (uint64_t) status.st_size;
                CHANGE("pump-write-begin",
                       atomic_store_explicit(&progress->done, done | PUMP_WRITING, memory_order_release));
                ssize_t n = CHANGE("pump-write", write(fd, block + done, (size_t) (length - done)));
                int error = n < 0 ? errno : 0;
                done += n > 0 ? (uint64_t) n : 0;
                CHANGE("pump-write-end", atomic_store_explicit(&progress->done, done, memory_order_release));
                if (n <= 0 && error != EINTR) {
                        return n < 0 ? -error : -ENOSPC;
                }
        }
        return 1;
}

int pump_file_write(
                PumpFile *file,
                int fd,
                const void *who,
                const unsigned char *block,
                uint64_t length,
                bool in_line,
                PumpProgress *progress) {
        if (file->in_block && file->in_block != who) {
                return 0;
        }
        if (progress->done == 1 && file->in_line && file->in_line != who && file->in_block != who) {
                progress->done = 0;
        }
        uint64_t before = progress->done;
        int r = write_rest(fd, block, length, progress);
        if (r < 0) {
                file->in_block = progress->done > before || file->in_block == who ? who : NULL;
                return r;
        }
        file->in_block = NULL;
        file->in_line = in_line ? who : NULL;
        return r;
}

void pump_file_give_up(
                PumpFile *file,
                const void *who,
                const unsigned char *block,
                uint64_t length,
                PumpProgress *progress) {
        if (file->in_block == who) {
                file->in_block = NULL;
                file->in_line = progress->done > 0 && block[progress->done - 1] != '\n' ? file : NULL;
        }
        /* no fault point: a successor gives it up anew */
        atomic_store_explicit(&progress->done, length, memory_order_release);
}

void pump_file_claim(PumpFile *file, const void *who, bool in_block) {
        if (in_block) {
                file->in_block = who;
        } else {
                file->in_line = who;
        }
}

void pump_file_leave(PumpFile *file, const void *who) {
        if (file->in_block == who) {
                file->in_block = NULL;
        }
        if (file->in_line == who) {
                file->in_line = file; /* nobody's: the next one begins a line of its own */
        }
}
