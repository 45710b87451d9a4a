/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Taking the oldest part from a log file that others append to, without copying: the file loses whole blocks
 * at its beginning (FALLOC_FL_COLLAPSE_RANGE). For a child: it may wait for the disk. */

typedef enum LogCutResult {
        LOG_CUT_DONE,
        LOG_CUT_NOTHING, /* it is within its bound */
        LOG_CUT_HOLES,   /* somebody does not append to it: what was cut would be holes again */
        LOG_CUT_BUSY,    /* somebody has it locked: another cut, or a program */
        LOG_CUT_UNABLE,  /* its file system cannot */
        LOG_CUT_FAILED,
        _LOG_CUT_RESULT_MAX,
} LogCutResult;

typedef struct LogCutPlan {
        uint64_t bound_bytes; /* a file that is not larger is left as it is */
        uint64_t seen_bytes;  /* of the file: what is behind them stays, and does not count */
        uint64_t part_bytes;  /* by how much it is smaller than its bound afterwards, or a little more */
} LogCutPlan;

typedef struct LogCutReport {
        int32_t result;         /* of LogCutResult */
        int32_t error;          /* of LOG_CUT_FAILED: a positive errno */
        uint64_t removed_bytes; /* also where it failed afterwards */
        uint64_t rest_bytes; /* of the line that the cut divides: blanks, and then what begins with a line */
        uint64_t kept_bytes, kept_files; /* of log_split(): what lies beside the log */
} LogCutReport;

/* Looks, in content that is fed from the byte before a boundary of a block on, for the boundary that has the
 * next beginning of a line nearest behind it: at best a line begins right there. */
typedef struct LogSearch {
        uint64_t block_bytes;
        uint64_t first;    /* boundary */
        uint64_t position; /* of the byte that is fed next */
        bool last;         /* of boundaries that are as good the last is wanted, not the first */
        bool found;
        uint64_t boundary;
        uint64_t rest_bytes; /* of the line that the boundary divides */
} LogSearch;

void log_search_init(LogSearch *search, uint64_t first, uint64_t block_bytes);
/* True: nothing better can come. */
bool log_search_feed(LogSearch *search, const char *bytes, size_t size);

/* Cut the file that a descriptor is of (O_PATH is enough), with our own rights. */
LogCutReport log_cut(int file_fd, const LogCutPlan *plan);

/* What log-split.h is made of as well. */

/* The file of a descriptor, to be read and written and locked against others that cut. Negative errno;
 * -EWOULDBLOCK: it is locked. */
int log_cut_open(int file_fd);
LogCutReport log_cut_failure(int error);
/* The size of its blocks; 0: it has none that could be cut off. */
uint64_t log_cut_block_bytes(uint64_t block_bytes);
bool log_cut_has_holes(int fd, uint64_t size_bytes);
/* Feed the content up to an offset, or to the end. */
int log_cut_search(int fd, LogSearch *search, uint64_t end);
/* How far a boundary is looked for, in a part of that size. */
uint64_t log_cut_reach_bytes(uint64_t part_bytes);
/* Blanks over the rest of a line from an offset on; its newline stays. */
void log_cut_blank(int fd, uint64_t offset, uint64_t rest_bytes);
/* Whether that can be done at all: 0, or a negative errno. */
int log_cut_probe(int fd);
/* Take away the first bytes, a number of whole blocks. Negative errno. */
int log_cut_collapse(int fd, uint64_t bytes);
