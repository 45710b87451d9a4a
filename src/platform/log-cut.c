/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A cut is one system call, so that there is nothing to be made good after a crash. It takes whole blocks
 * and what is left is to begin with a line: of the block boundaries in reach the one is taken that a line
 * begins at; where there is none, that with the shortest rest of a line behind it, which becomes blanks
 * after the cut. */

/* no fault points here: this is another process */

#include "platform/log-cut.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        BUFFER_BYTES = 65536,
        SEARCH_BLOCKS_MIN = 16,
        SEARCH_BYTES_MAX = 4 * 1024 * 1024,
        BLOCK_BYTES_MAX = 1024 * 1024,
};

void log_search_init(LogSearch *search, uint64_t first, uint64_t block_bytes) {
        *search = (LogSearch){ .block_bytes = block_bytes, .first = first, .position = first - 1 };
}

bool log_search_feed(LogSearch *search, const char *bytes, size_t size) {
        const char *from = bytes, *end = bytes + size, *newline;

        while (from < end && (newline = memchr(from, '\n', (size_t) (end - from)))) {
                uint64_t line = search->position + (uint64_t) (newline - bytes) + 1;
                uint64_t rest = line % search->block_bytes;
                bool better = !search->found || rest < search->rest_bytes ||
                              (search->last && rest == search->rest_bytes);
                if (line - rest >= search->first && better) {
                        search->found = true;
                        search->boundary = line - rest;
                        search->rest_bytes = rest;
                }
                if (search->found && search->rest_bytes == 0 && !search->last) {
                        return true;
                }
                from = newline + 1;
        }
        search->position += size;
        return false;
}

uint64_t log_cut_block_bytes(uint64_t block_bytes) {
        return block_bytes > BLOCK_BYTES_MAX ? 0 : block_bytes;
}

uint64_t log_cut_reach_bytes(uint64_t part_bytes) {
        uint64_t reach = part_bytes / 4;

        return reach > SEARCH_BYTES_MAX ? SEARCH_BYTES_MAX : reach;
}

int log_cut_search(int fd, LogSearch *search, uint64_t end) {
        char buffer[BUFFER_BYTES];

        while (search->position < end) {
                uint64_t left = end - search->position;
                size_t wanted = left < sizeof(buffer) ? (size_t) left : sizeof(buffer);
                ssize_t n = pread(fd, buffer, wanted, (off_t) search->position);
                if (n < 0) {
                        return -errno;
                }
                if (n == 0 || log_search_feed(search, buffer, (size_t) n)) {
                        break;
                }
        }
        return 0;
}

void log_cut_blank(int fd, uint64_t offset, uint64_t rest_bytes) {
        char blanks[4096];

        memset(blanks, ' ', sizeof(blanks));
        for (uint64_t done = 0; done + 1 < rest_bytes;) {
                uint64_t left = rest_bytes - 1 - done;
                size_t size = left < sizeof(blanks) ? (size_t) left : sizeof(blanks);
                ssize_t n = pwrite(fd, blanks, size, (off_t) (offset + done));
                if (n <= 0) {
                        return; /* it looks less tidy, and that is all */
                }
                done += (uint64_t) n;
        }
}

LogCutReport log_cut_failure(int error) {
        LogCutResult result = error == EOPNOTSUPP    ? LOG_CUT_UNABLE
                              : error == EWOULDBLOCK ? LOG_CUT_BUSY
                                                     : LOG_CUT_FAILED;

        return (LogCutReport){ .result = result, .error = error };
}

bool log_cut_has_holes(int fd, uint64_t size_bytes) {
        off_t hole = lseek(fd, 0, SEEK_HOLE);

        return hole >= 0 && (uint64_t) hole < size_bytes;
}

int log_cut_probe(int fd) {
        /* Further than any log goes, which is refused by who can do less. */
        int r = RET_NERRNO(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, (off_t) 1 << 40));

        return r == -EINVAL ? 0 : -EOPNOTSUPP;
}

int log_cut_collapse(int fd, uint64_t bytes) {
        return RET_NERRNO(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, (off_t) bytes));
}

int log_cut_open(int file_fd) {
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
        _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
                return -errno;
        }
        /* The child of a supervisor that has just died may be at it. */
        return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : steal_fd(&fd);
}

LogCutReport log_cut(int file_fd, const LogCutPlan *plan) {
        struct stat status;
        LogSearch search;

        _cleanup_close_ int fd = log_cut_open(file_fd);
        if (fd < 0) {
                return log_cut_failure(-fd);
        }
        if (fstat(fd, &status) < 0) {
                return log_cut_failure(errno);
        }
        uint64_t size = (uint64_t) status.st_size;
        size = plan->seen_bytes < size ? plan->seen_bytes : size;
        uint64_t block_bytes = log_cut_block_bytes((uint64_t) status.st_blksize);
        if (size <= plan->bound_bytes) {
                return (LogCutReport){ .result = LOG_CUT_NOTHING };
        }
        if (block_bytes == 0) {
                return log_cut_failure(EOPNOTSUPP);
        }
        if (log_cut_has_holes(fd, size)) {
                return (LogCutReport){ .result = LOG_CUT_HOLES };
        }
        uint64_t least = size - (plan->bound_bytes - plan->part_bytes);
        log_search_init(&search, (least + block_bytes - 1) / block_bytes * block_bytes, block_bytes);
        /* The cut must end before the file does. */
        uint64_t reach = log_cut_reach_bytes(plan->part_bytes), blocks = SEARCH_BLOCKS_MIN * block_bytes;
        uint64_t end = search.first + (reach > blocks ? reach : blocks);
        int r = log_cut_search(fd, &search, end < size ? end : size - 1);
        if (r < 0) {
                return log_cut_failure(-r);
        }
        /* Lines without an end: anywhere. */
        uint64_t boundary = search.found ? search.boundary : search.first;
        if (boundary >= size) {
                return (LogCutReport){ .result = LOG_CUT_NOTHING }; /* a bound of a few blocks */
        }
        /* What is dirty would be written within the cut, while writers wait: so before it. */
        (void) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
        r = log_cut_collapse(fd, boundary);
        if (r < 0) {
                return log_cut_failure(-r);
        }
        log_cut_blank(fd, 0, search.rest_bytes);
        return (LogCutReport){ .result = LOG_CUT_DONE,
                               .removed_bytes = boundary,
                               .rest_bytes = search.rest_bytes };
}
