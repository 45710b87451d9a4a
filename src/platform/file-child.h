/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/exec-child.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a child does to one file: system calls alone, for between fork(2) and _exit(2). */

/* Where it failed. */
typedef enum FileStage {
        FILE_STAGE_USER,
        FILE_STAGE_FOLDER,
        FILE_STAGE_OPEN,
        FILE_STAGE_READ,
        FILE_STAGE_WRITE,
        FILE_STAGE_SYNC,
        FILE_STAGE_KEEP, /* the previous copy */
        FILE_STAGE_RENAME,
        FILE_STAGE_LOST, /* the child was killed before it reported */
        _FILE_STAGE_MAX,
} FileStage;

/* error: 0 or a positive errno; ENXIO: not a regular file; ELOOP: a symbolic link; EFBIG: too large. */
typedef struct FileReport {
        int32_t stage;
        int32_t error;
} FileReport;

/* A file to be replaced as a whole. At any instant, also after a loss of power, there is the old or the new
 * content at the name, or (where the file system has no hard links) the old content as the previous copy. */
typedef struct FileReplacement {
        const char *folder;
        bool make_folder;      /* with its parents, 0700 */
        const char *name;      /* in the folder, as the next two */
        const char *previous;  /* what becomes of the old content */
        const char *temporary; /* what is written first; always the same, and left where a writer was killed
                                */
        const void *bytes;
        size_t size;
} FileReplacement;

FileReport file_replace(const FileReplacement *replacement);

/* Copy a regular file of at most limit bytes into an open file; never through a symbolic link. */
FileReport file_copy_out(const char *path, size_t limit, int target_fd);
