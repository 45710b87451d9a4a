/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/channel-store.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "platform/window-file.h"

#include <assert.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STORE_MAGIC UINT64_C(0x316e6863646d3270)

enum {
        FORMAT_VERSION = 1,
        WINDOWS_AT = CHANNEL_REGION_BYTES,
};

struct ChannelStore {
        WindowFile file;
};

/* Without large pages: the kernel would zero a part of one in place, also under bytes that are on their way
 * to the child (channel-outbox.c). It has none for memfds unless told so, and may not know the advice. NULL:
 * see errno. */
static void *map(const ChannelStore *store, uint64_t start, size_t size) {
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, store->file.fd, (off_t) start);

        if (memory == MAP_FAILED) {
                return NULL;
        }
        (void) madvise(memory, size, MADV_NOHUGEPAGE);
        return memory;
}

int channel_store_new(int fd, ChannelStore **ret) {
        static const WindowFormat format = {
                .name = "pm2d-channels",
                .magic = STORE_MAGIC,
                .version = FORMAT_VERSION,
                .header_bytes = WINDOWS_AT,
                .window_bytes = CHANNEL_WINDOW_BYTES,
        };
        ChannelStore store = { 0 };

        int r = window_file_open(fd, &format, &store.file);
        if (r < 0) {
                return r;
        }
        *ret = g_memdup2(&store, sizeof(store));
        return 0;
}

void channel_store_free(ChannelStore *store) {
        if (store) {
                (void) close_fd(store->file.fd);
                g_free(store);
        }
}

int channel_store_get_fd(const ChannelStore *store) {
        return store->file.fd;
}

int channel_store_take_fd(ChannelStore *store) {
        return steal_fd(&store->file.fd);
}

int channel_window_open(ChannelStore *store, uint32_t slot, bool fresh, ChannelWindow *ret) {
        uint64_t start = WINDOWS_AT + slot * (uint64_t) CHANNEL_WINDOW_BYTES;

        if (slot >= CHANNEL_SLOT_MAX) {
                return -EINVAL;
        }
        int r = window_file_grow(&store->file, start + CHANNEL_WINDOW_BYTES);
        if (r < 0) {
                return r;
        }
        void *memory = map(store, start, CHANNEL_WINDOW_BYTES);
        if (!memory) {
                return -errno;
        }
        ChannelWindow window = {
                .store_fd = store->file.fd, .start = start, .memory = memory, .words = memory
        };
        if (fresh) {
                r = channel_window_release(&window, 0, CHANNEL_WINDOW_BYTES);
        }
        if (r >= 0) {
                r = channel_window_populate(&window, 0, sizeof(ChannelWords));
        }
        if (r < 0) {
                channel_window_close(&window);
                return r;
        }
        *ret = window;
        return 0;
}

void channel_window_close(ChannelWindow *window) {
        if (window->memory) {
                (void) munmap(window->memory, CHANNEL_WINDOW_BYTES);
                window->memory = NULL;
        }
}

static size_t page_bytes(void) {
        static size_t bytes;

        if (bytes == 0) {
                bytes = (size_t) sysconf(_SC_PAGESIZE);
                assert(CHANNEL_REGION_BYTES % bytes == 0);
        }
        return bytes;
}

int channel_window_populate(const ChannelWindow *window, size_t from, size_t to) {
        size_t page = page_bytes();
        size_t first = from / page * page;

        int r = RET_NERRNO(madvise(window->memory + first, to - first, MADV_POPULATE_WRITE));
        return r == -EINVAL ? 0 : r; /* Linux before 5.14 */
}

int channel_window_release(const ChannelWindow *window, size_t from, size_t to) {
        size_t page = page_bytes();

        from = (from + page - 1) / page * page;
        to = to / page * page;
        if (from >= to) {
                return 0;
        }
        return RET_NERRNO(
                        CHANGE("channel-release",
                               fallocate(window->store_fd,
                                         FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                         (off_t) (window->start + from),
                                         (off_t) (to - from))));
}

size_t channel_window_end_of_data(const ChannelWindow *window, size_t from, size_t to) {
        size_t end = from;

        while (end < to) {
                off_t data = lseek(window->store_fd, (off_t) (window->start + end), SEEK_DATA);
                off_t hole = data < 0 ? -1 : lseek(window->store_fd, data, SEEK_HOLE);
                if (hole < 0 || (uint64_t) data >= window->start + to) {
                        break;
                }
                from = end = MIN((size_t) ((uint64_t) hole - window->start), to);
        }
        return from;
}
