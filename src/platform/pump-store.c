/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/pump-store.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "platform/window-file.h"

#include <assert.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STORE_MAGIC UINT64_C(0x31706d75706d3270)

enum {
        FORMAT_VERSION = 1,
        WINDOWS_AT = PUMP_REGION_BYTES,
};

static_assert(sizeof(PumpHead) <= 4096, "one page");

struct PumpStore {
        WindowFile file;
        GArray *used; /* of bool, by slot */
};

static void *map_at(const PumpStore *store, void *place, uint64_t start, size_t size) {
        int flags = MAP_SHARED | (place ? MAP_FIXED : 0);
        void *memory = mmap(place, size, PROT_READ | PROT_WRITE, flags, store->file.fd, (off_t) start);

        return memory == MAP_FAILED ? NULL : memory;
}

int pump_store_new(int fd, PumpStore **ret) {
        static const WindowFormat format = {
                .name = "pm2d-pumps",
                .magic = STORE_MAGIC,
                .version = FORMAT_VERSION,
                .header_bytes = WINDOWS_AT,
                .window_bytes = PUMP_WINDOW_BYTES,
        };
        PumpStore store = { 0 };

        int r = window_file_open(fd, &format, &store.file);
        if (r < 0) {
                return r;
        }
        store.used = g_array_new(false, true, sizeof(bool));
        (void) g_array_set_size(
                        store.used, (guint) ((store.file.size_bytes - WINDOWS_AT) / PUMP_WINDOW_BYTES));
        *ret = g_memdup2(&store, sizeof(store));
        return 0;
}

void pump_store_free(PumpStore *store) {
        if (store) {
                (void) g_array_unref(store->used);
                (void) close_fd(store->file.fd);
                g_free(store);
        }
}

int pump_store_get_fd(const PumpStore *store) {
        return store->file.fd;
}

int pump_store_take_fd(PumpStore *store) {
        return steal_fd(&store->file.fd);
}

uint32_t pump_store_count(const PumpStore *store) {
        return store->used->len;
}

static uint64_t window_start(uint32_t slot) {
        return WINDOWS_AT + slot * (uint64_t) PUMP_WINDOW_BYTES;
}

/* The ring a second time behind itself. */
static unsigned char *map_ring(const PumpStore *store, uint64_t start) {
        unsigned char *place = mmap(
                        NULL, (size_t) 2 * PUMP_RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (place == MAP_FAILED) {
                return NULL;
        }
        if (!map_at(store, place, start, PUMP_RING_BYTES) ||
            !map_at(store, place + PUMP_RING_BYTES, start, PUMP_RING_BYTES)) {
                (void) munmap(place, (size_t) 2 * PUMP_RING_BYTES);
                return NULL;
        }
        return place;
}

static int map_window(PumpStore *store, uint32_t slot, PumpWindow *ret) {
        PumpWindow window = { .store = store, .start = window_start(slot) };

        window.head = map_at(store, NULL, window.start, PUMP_REGION_BYTES);
        bool mapped = window.head;
        for (int i = 0; i < PUMP_STREAMS; i++) {
                uint64_t start = window.start + PUMP_REGION_BYTES + (uint64_t) i * PUMP_STREAM_BYTES;
                window.streams[i].start = start;
                window.streams[i].ring = map_ring(store, start);
                window.streams[i].block = map_at(store, NULL, start + PUMP_RING_BYTES, PUMP_BLOCK_BYTES);
                mapped = mapped && window.streams[i].ring && window.streams[i].block;
        }
        int r = mapped ? pump_store_populate(&window, (unsigned char *) window.head, sizeof(PumpHead))
                       : -ENOMEM;
        if (r < 0) {
                pump_window_close(&window);
                return r;
        }
        *ret = window;
        return 0;
}

int pump_store_take_slot(PumpStore *store, uint32_t *ret_slot, PumpWindow *ret) {
        uint32_t slot = 0;

        while (slot < store->used->len && g_array_index(store->used, bool, slot)) {
                slot++;
        }
        if (slot >= PUMP_SLOT_MAX) {
                return -ENOSPC;
        }
        int r = window_file_grow(&store->file, window_start(slot + 1));
        if (r >= 0) {
                r = map_window(store, slot, ret);
        }
        if (r < 0) {
                return r;
        }
        memset(ret->head, 0, sizeof(*ret->head));
        for (int i = 0; i < PUMP_STREAMS; i++) {
                ret->head->streams[i].head = ret->head->streams[i].tail = ret->streams[i].start;
        }
        if (slot >= store->used->len) {
                (void) g_array_set_size(store->used, slot + 1);
        }
        g_array_index(store->used, bool, slot) = true;
        *ret_slot = slot;
        return 0;
}

void pump_window_use(PumpWindow *window) {
        CHANGE("pump-use", atomic_store_explicit(&window->head->used, 1, memory_order_release));
}

static bool is_in_ring(const PumpWindow *window, int stream, uint64_t position) {
        uint64_t start = window->streams[stream].start;
        return position >= start && position <= start + PUMP_RING_BYTES;
}

static bool is_good(const PumpWindow *window) {
        for (int i = 0; i < PUMP_STREAMS; i++) {
                const PumpWords *words = &window->head->streams[i];
                if (!is_in_ring(window, i, words->head) || !is_in_ring(window, i, words->tail) ||
                    words->block > PUMP_BLOCK_BYTES ||
                    (words->block > 0 && !is_in_ring(window, i, words->next_tail))) {
                        return false;
                }
        }
        return true;
}

int pump_store_open_slot(PumpStore *store, uint32_t slot, PumpWindow *ret) {
        PumpWindow window;

        int r = map_window(store, slot, &window);
        if (r < 0) {
                return r;
        }
        bool used = atomic_load_explicit(&window.head->used, memory_order_acquire) == 1;
        if (!used || !is_good(&window)) {
                pump_window_release(&window);
                return used ? -EBADMSG : 0;
        }
        g_array_index(store->used, bool, slot) = true;
        *ret = window;
        return 1;
}

void pump_window_close(PumpWindow *window) {
        if (window->head) {
                (void) munmap(window->head, PUMP_REGION_BYTES);
        }
        for (int i = 0; i < PUMP_STREAMS; i++) {
                if (window->streams[i].ring) {
                        (void) munmap(window->streams[i].ring, (size_t) 2 * PUMP_RING_BYTES);
                }
                if (window->streams[i].block) {
                        (void) munmap(window->streams[i].block, PUMP_BLOCK_BYTES);
                }
        }
        *window = (PumpWindow){ .store = window->store, .start = window->start };
}

void pump_window_release(PumpWindow *window) {
        PumpStore *store = window->store;
        uint32_t slot = (uint32_t) ((window->start - WINDOWS_AT) / PUMP_WINDOW_BYTES);

        CHANGE("pump-release", atomic_store_explicit(&window->head->used, 0, memory_order_release));
        pump_window_close(window);
        pump_store_trim(store, window->start, window->start + PUMP_WINDOW_BYTES);
        g_array_index(store->used, bool, slot) = false;
}

int pump_store_populate(const PumpWindow *window, unsigned char *memory, size_t bytes) {
        int r = RET_NERRNO(madvise(memory, bytes, MADV_POPULATE_WRITE));
        return r == -EINVAL ? 0 : r; /* Linux before 5.14 */
}

void pump_store_trim(const PumpStore *store, uint64_t from, uint64_t to) {
        uint64_t page = (uint64_t) sysconf(_SC_PAGESIZE);

        from = (from + page - 1) / page * page;
        to = to / page * page;
        if (from < to) {
                (void) CHANGE("pump-trim",
                              fallocate(store->file.fd,
                                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        (off_t) from,
                                        (off_t) (to - from)));
        }
}
