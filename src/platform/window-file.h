/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* A sparse memfd that outlives us: a header, and behind it windows of one size. Pages that nobody wrote to
 * cost nothing. What lies in the windows is its user's. */
typedef struct WindowFile {
        int fd;
        uint64_t size_bytes;
} WindowFile;

typedef struct WindowFormat {
        const char *name;      /* of a new one, for those who look at our descriptors */
        uint64_t magic;        /* first word of the file */
        uint64_t version;      /* of what lies in the windows */
        uint64_t header_bytes; /* where the first window begins */
        uint64_t window_bytes;
} WindowFormat;

/* fd: what an earlier supervisor left, the file's on success; negative: a new one. -EBADMSG: not ours;
 * -EPROTONOSUPPORT: of another format. */
int window_file_open(int fd, const WindowFormat *format, WindowFile *ret);

/* Make it as large, if it is smaller. Negative errno; -EFBIG: over the limit of the process. */
int window_file_grow(WindowFile *file, uint64_t size_bytes);
