/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/window-file.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Header {
        _Atomic uint64_t magic; /* written last */
        uint64_t version;
        uint64_t window_bytes;
} Header;

/* The limit is asked first: to reach it is a signal that ends us. */
int window_file_grow(WindowFile *file, uint64_t size_bytes) {
        struct rlimit limit;

        if (size_bytes <= file->size_bytes) {
                return 0;
        }
        if (getrlimit(RLIMIT_FSIZE, &limit) < 0) {
                return -errno;
        }
        if (limit.rlim_cur != RLIM_INFINITY && size_bytes > limit.rlim_cur) {
                return -EFBIG;
        }
        if (CHANGE("window-grow", ftruncate(file->fd, (off_t) size_bytes)) < 0) {
                return -errno;
        }
        file->size_bytes = size_bytes;
        return 0;
}

static int take_header(WindowFile *file, const WindowFormat *format) {
        struct stat status;

        if (fstat(file->fd, &status) < 0) {
                return -errno;
        }
        if (!S_ISREG(status.st_mode) ||
            (status.st_size > 0 && (uint64_t) status.st_size < format->header_bytes)) {
                return -EBADMSG;
        }
        file->size_bytes = (uint64_t) status.st_size;
        int r = window_file_grow(file, format->header_bytes);
        if (r < 0) {
                return r;
        }
        Header *header = mmap(NULL, sizeof(Header), PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
        if (header == MAP_FAILED) {
                return -errno;
        }
        if (header->magic == 0) {
                header->version = format->version;
                header->window_bytes = format->window_bytes;
                CHANGE("window-header",
                       atomic_store_explicit(&header->magic, format->magic, memory_order_release));
        }
        if (header->magic != format->magic) {
                r = -EBADMSG;
        } else if (header->version != format->version || header->window_bytes != format->window_bytes) {
                r = -EPROTONOSUPPORT;
        }
        (void) munmap(header, sizeof(Header));
        return r;
}

int window_file_open(int fd, const WindowFormat *format, WindowFile *ret) {
        _cleanup_close_ int own_fd = fd < 0 ? RET_NERRNO(memfd_create(format->name, MFD_CLOEXEC)) : -EBADF;

        if (fd < 0 && own_fd < 0) {
                return own_fd;
        }
        WindowFile file = { .fd = fd < 0 ? own_fd : fd };
        int r = take_header(&file, format);
        if (r < 0) {
                return r;
        }
        (void) steal_fd(&own_fd);
        *ret = file;
        return 0;
}
