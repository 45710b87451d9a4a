/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/pump-store.h"

#include <sys/types.h>

/* A log that pumps write to: one, whatever its name, for all that do. Whole lines, one behind the other. */
typedef struct PumpFile PumpFile;

/* The file of a descriptor, which stays the caller's; a reference. Negative errno. */
int pump_file_open(int fd, PumpFile **ret);
PumpFile *pump_file_unref(PumpFile *file);

/* Of a block that was being written when an earlier supervisor died: how far it came. It appends, as all do
 * who write to logs; the guarantee holds for what nobody else writes to or empties in that instant. */
void pump_file_recover(int fd, const unsigned char *block, uint64_t length, PumpProgress *progress);

/* Write what is left of a block whose first byte is a newline, which goes out only where another's line is
 * not at its end. who: whose block it is; in_line: the line at its end will be gone on with. 1: all of it is
 * out; 0: another's block must be finished first; negative errno: some of it may be out. */
int pump_file_write(
                PumpFile *file,
                int fd,
                const void *who,
                const unsigned char *block,
                uint64_t length,
                bool in_line,
                PumpProgress *progress);

/* What is left of the block is not written, though its beginning may be. */
void pump_file_give_up(
                PumpFile *file,
                const void *who,
                const unsigned char *block,
                uint64_t length,
                PumpProgress *progress);

/* It is known to have begun a line, or to be in the midst of a block. */
void pump_file_claim(PumpFile *file, const void *who, bool in_block);
/* It will write nothing more. */
void pump_file_leave(PumpFile *file, const void *who);
