/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

enum {
        HOST_FILE_SYSTEMS_MAX = 64,
};

typedef struct HostFileSystem {
        char *folder;
        uint64_t size_bytes;
        uint64_t used_bytes, free_bytes; /* free to ordinary users: less than the rest may be */
} HostFileSystem;

/* Of /proc/self/mounts: where file systems are mounted that may be asked for their size, each once; an array
 * of strings, HOST_FILE_SYSTEMS_MAX at most. They are on block devices of this machine, and no folder on the
 * way to them is on anything that might keep us waiting: a network or FUSE file system whose server is gone,
 * or what an automounter would mount. */
GPtrArray *host_parse_mounts(const char *text);

/* Ask each; an array of HostFileSystem. */
GPtrArray *host_file_systems_read(void);
