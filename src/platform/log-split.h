/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/log-cut.h"

/* Moving the oldest part of a log file, which others append to, into a file of its own: NAME.1, NAME.2 and
 * so on, the highest is the newest. For a child, with the rights of the owner: it may wait for the disk, and
 * executes the program that compresses.
 *
 * A kill at any instant loses nothing and doubles nothing, once log_split() was called again: see the
 * source.
 */

typedef struct LogSplitPlan {
        const char *folder;  /* where the files are */
        const char *name;    /* of the log */
        uint64_t size_bytes; /* of a file at most, unless a single line is longer; a log that is not larger
                              * is left as it is */
        uint64_t seen_bytes; /* of the log: what is behind them stays for now */
        uint64_t retain;     /* so many are kept, at least one */
        const char *compressor; /* absolute, reads standard input and writes standard output with the option
                                 * "-c"; NULL: none */
        const char *suffix;     /* that goes with it: ".gz"; without one "" */
} LogSplitPlan;

/* Finish what was begun, and move one part if there is one. */
LogCutReport log_split(int file_fd, const LogSplitPlan *plan);
