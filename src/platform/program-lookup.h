/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* What stands at a path that is to be run. */
typedef struct ProgramFile {
        bool executable;     /* by us */
        bool self_contained; /* a binary, or a script that names its interpreter */
} ProgramFile;

/* -ENOENT and so on; -EISDIR: a folder; -EPERM never; -ENXIO: another kind than a regular file. */
int program_inspect(const char *path, ProgramFile *ret);

/* The absolute path of an executable: name itself if it has a slash, else the first in the folders of
 * search_path (NULL: the default of the C library). -ENOENT: none. Freed by the caller with g_free(). */
int program_find(const char *name, const char *search_path, char **ret);

/* 0 for a folder that can be entered; -ENOTDIR, -ENOENT, -EACCES... */
int program_check_folder(const char *path);

/* 0 if a log may be appended there or be made; -EISDIR, -ENXIO: something else than a regular file. */
int program_check_log_file(const char *path);
