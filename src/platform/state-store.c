/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/state-store.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <assert.h>
#include <fcntl.h>
#include <glib.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#define STORE_MAGIC UINT64_C(0x31737432646d3270)

enum {
        FORMAT_VERSION = 2,
        SLOTS_MIN = 64,
        BLOB_GRANULE = 64,
        BLOBS_BYTES_MIN = 64 * 1024,
        STORE_BYTES_MAX = 1024 * 1024 * 1024,
};

/* One of two copies of a slot's content. */
typedef struct SlotCopy {
        uint64_t generation;
        uint64_t checksum;
        uint64_t size;
        unsigned char content[STATE_SLOT_BYTES];
} SlotCopy;

/* commit: 0 = free, else generation × 2 + which copy counts: one aligned store makes a write valid. */
typedef struct Slot {
        _Atomic uint64_t commit;
        SlotCopy copies[2];
} Slot;

typedef struct Header {
        uint64_t magic;
        uint64_t format;
        uint64_t slot_bytes;
        sd_id128_t boot_id;
        unsigned char reserved[24];
} Header;

typedef struct Area {
        int fd;
        unsigned char *memory;
        size_t size;
} Area;

struct StateStore {
        Area slots;
        Area blobs;
        GArray *used_slots;    /* of bool */
        GArray *used_granules; /* of bool */
        size_t granule_hint;
};

/* FNV-1a: against broken memory and strangers' files, not against forgers. */
static uint64_t checksum_of(const void *bytes, size_t size) {
        const unsigned char *p = bytes;
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < size; i++) {
                hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
        }
        return hash;
}

static int area_resize(Area *area, size_t size) {
        if (size > STORE_BYTES_MAX) {
                return -ENOSPC;
        }
        if (CHANGE("state-grow", ftruncate(area->fd, (off_t) size)) < 0) {
                return -errno;
        }
        void *memory = area->memory ? mremap(area->memory, area->size, size, MREMAP_MAYMOVE)
                                    : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, area->fd, 0);
        if (memory == MAP_FAILED) {
                return -errno;
        }
        area->memory = memory;
        area->size = size;
        return 0;
}

/* Writing to a page that the file system has no room for would be SIGBUS. */
static int reserve(const Area *area, size_t start, size_t size) {
        int r = RET_NERRNO(
                        CHANGE("state-reserve",
                               fallocate(area->fd, FALLOC_FL_KEEP_SIZE, (off_t) start, (off_t) size)));
        return r == -EOPNOTSUPP ? 0 : r;
}

static void area_done(Area *area) {
        if (area->memory) {
                (void) munmap(area->memory, area->size);
        }
        area->fd = close_fd(area->fd);
}

static Slot *slot_at(const StateStore *store, uint32_t slot) {
        return (Slot *) (void *) (store->slots.memory + sizeof(Header)) + slot;
}

uint32_t state_store_count(const StateStore *store) {
        return store->used_slots->len;
}

static size_t slots_that_fit(const StateStore *store) {
        return (store->slots.size - sizeof(Header)) / sizeof(Slot);
}

static StateStore *store_new(void) {
        StateStore *store = g_new0(StateStore, 1);

        store->slots.fd = store->blobs.fd = -EBADF;
        store->used_slots = g_array_new(FALSE, TRUE, sizeof(bool));
        store->used_granules = g_array_new(FALSE, TRUE, sizeof(bool));
        return store;
}

void state_store_free(StateStore *store) {
        if (store) {
                area_done(&store->slots);
                area_done(&store->blobs);
                g_array_unref(store->used_slots);
                g_array_unref(store->used_granules);
                g_free(store);
        }
}

static int write_header(StateStore *store) {
        Header *header = (Header *) (void *) store->slots.memory;

        assert(header);
        header->format = FORMAT_VERSION;
        header->slot_bytes = sizeof(Slot);
        int r = sd_id128_get_boot(&header->boot_id);
        if (r < 0) {
                return r;
        }
        header->magic = STORE_MAGIC;
        return 0;
}

int state_store_new(StateStore **ret) {
        _cleanup_close_ int slots_fd = RET_NERRNO(memfd_create("pm2d-slots", MFD_CLOEXEC));
        _cleanup_close_ int blobs_fd = RET_NERRNO(memfd_create("pm2d-blobs", MFD_CLOEXEC));

        if (slots_fd < 0 || blobs_fd < 0) {
                return slots_fd < 0 ? slots_fd : blobs_fd;
        }
        int r = state_store_new_in(slots_fd, blobs_fd, ret);
        if (r >= 0) {
                (void) steal_fd(&slots_fd);
                (void) steal_fd(&blobs_fd);
        }
        return r;
}

int state_store_new_in(int slots_fd, int blobs_fd, StateStore **ret) {
        StateStore *store = store_new();

        store->slots.fd = slots_fd;
        store->blobs.fd = blobs_fd;
        int r = area_resize(&store->slots, sizeof(Header) + SLOTS_MIN * sizeof(Slot));
        if (r >= 0) {
                r = area_resize(&store->blobs, BLOBS_BYTES_MIN);
        }
        if (r >= 0) {
                r = reserve(&store->slots, 0, sizeof(Header));
        }
        if (r >= 0) {
                r = write_header(store);
        }
        if (r < 0) {
                store->slots.fd = store->blobs.fd = -EBADF;
                state_store_free(store);
                return r;
        }
        g_array_set_size(store->used_slots, SLOTS_MIN);
        g_array_set_size(store->used_granules, BLOBS_BYTES_MIN / BLOB_GRANULE);
        *ret = store;
        return 0;
}

static int map_existing(Area *area, int fd, size_t minimum) {
        struct stat status;

        if (fstat(fd, &status) < 0) {
                return -errno;
        }
        if (!S_ISREG(status.st_mode) || (size_t) status.st_size < minimum ||
            (size_t) status.st_size > STORE_BYTES_MAX) {
                return -EBADMSG;
        }
        void *memory = mmap(NULL, (size_t) status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED) {
                return -errno;
        }
        area->memory = memory;
        area->size = (size_t) status.st_size;
        return 0;
}

static int check_header(const StateStore *store) {
        const Header *header = (const Header *) (const void *) store->slots.memory;
        sd_id128_t boot_id;

        assert(header);
        if (header->magic != STORE_MAGIC) {
                return -EBADMSG;
        }
        if (header->format != FORMAT_VERSION || header->slot_bytes != sizeof(Slot)) {
                return -EPROTONOSUPPORT;
        }
        int r = sd_id128_get_boot(&boot_id);
        if (r < 0) {
                return r;
        }
        return sd_id128_equal(boot_id, header->boot_id) ? 0 : -ESTALE;
}

int state_store_open(int slots_fd, int blobs_fd, StateStore **ret) {
        StateStore *store = store_new();

        int r = map_existing(&store->slots, slots_fd, sizeof(Header) + sizeof(Slot));
        if (r >= 0) {
                r = map_existing(&store->blobs, blobs_fd, BLOB_GRANULE);
        }
        if (r >= 0) {
                r = check_header(store);
        }
        if (r < 0) {
                state_store_free(store);
                return r;
        }
        store->slots.fd = slots_fd;
        store->blobs.fd = blobs_fd;
        g_array_set_size(store->used_slots, (guint) slots_that_fit(store));
        g_array_set_size(store->used_granules, (guint) (store->blobs.size / BLOB_GRANULE));
        for (uint32_t i = 0; i < store->used_slots->len; i++) {
                g_array_index(store->used_slots, bool, i) = atomic_load(&slot_at(store, i)->commit) != 0;
        }
        *ret = store;
        return 0;
}

int state_store_slots_fd(const StateStore *store) {
        return store->slots.fd;
}

int state_store_blobs_fd(const StateStore *store) {
        return store->blobs.fd;
}

static int use_slot(StateStore *store, uint32_t slot, uint32_t *ret_slot) {
        int r = reserve(&store->slots, sizeof(Header) + slot * sizeof(Slot), sizeof(Slot));

        if (r >= 0) {
                g_array_index(store->used_slots, bool, slot) = true;
                *ret_slot = slot;
        }
        return r;
}

int state_store_take_slots_fd(StateStore *store) {
        return steal_fd(&store->slots.fd);
}

int state_store_take_blobs_fd(StateStore *store) {
        return steal_fd(&store->blobs.fd);
}

int state_store_take_slot(StateStore *store, uint32_t *ret_slot) {
        for (uint32_t i = 0; i < store->used_slots->len; i++) {
                if (!g_array_index(store->used_slots, bool, i)) {
                        return use_slot(store, i, ret_slot);
                }
        }
        uint32_t first_new = store->used_slots->len;
        int r = area_resize(&store->slots, sizeof(Header) + 2UL * first_new * sizeof(Slot));
        if (r < 0) {
                return r;
        }
        g_array_set_size(store->used_slots, 2 * first_new);
        return use_slot(store, first_new, ret_slot);
}

void state_store_write(StateStore *store, uint32_t slot, const void *content, size_t size) {
        Slot *target = slot_at(store, slot);
        uint64_t commit = atomic_load(&target->commit);
        uint64_t generation = commit / 2 + 1;
        SlotCopy *copy = &target->copies[generation & 1];

        assert(size <= STATE_SLOT_BYTES);
        copy->generation = generation;
        copy->size = size;
        memcpy(copy->content, content, size);
        copy->checksum = checksum_of(copy->content, size);
        CHANGE("slot-commit",
               atomic_store_explicit(
                               &target->commit, generation * 2 + (generation & 1), memory_order_release));
}

/* Give whole pages back; they read as zeros from now on, which is what a free slot is. */
static void release_pages(const Area *area, size_t start, size_t end) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);

        start = (start + page - 1) / page * page;
        end = end / page * page;
        if (start < end) {
                (void) CHANGE("state-release",
                              fallocate(area->fd,
                                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        (off_t) start,
                                        (off_t) (end - start)));
        }
}

/* The pages that a freed run of units, and free neighbours in the same pages, lie in. */
static void release_units(
                const Area *area, const GArray *used, size_t base, size_t unit, size_t first, size_t end) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        size_t lowest = (base + first * unit) / page * page;
        size_t highest = (base + end * unit + page - 1) / page * page;

        while (first > 0 && base + first * unit > lowest && !g_array_index(used, bool, first - 1)) {
                first--;
        }
        while (end < used->len && base + end * unit < highest && !g_array_index(used, bool, end)) {
                end++;
        }
        release_pages(area, base + first * unit, base + end * unit);
}

void state_store_clear(StateStore *store, uint32_t slot) {
        CHANGE("slot-clear", atomic_store_explicit(&slot_at(store, slot)->commit, 0, memory_order_release));
        g_array_index(store->used_slots, bool, slot) = false;
        release_units(&store->slots, store->used_slots, sizeof(Header), sizeof(Slot), slot, slot + 1UL);
}

bool state_store_read(const StateStore *store, uint32_t slot, void *content, size_t size) {
        const Slot *source = slot_at(store, slot);
        uint64_t commit = atomic_load_explicit(&source->commit, memory_order_acquire);
        const SlotCopy *copy = &source->copies[commit & 1];

        if (commit == 0 || copy->generation != commit / 2 || copy->size > STATE_SLOT_BYTES ||
            copy->size > size || copy->checksum != checksum_of(copy->content, copy->size)) {
                return false;
        }
        memset(content, 0, size);
        memcpy(content, copy->content, copy->size);
        return true;
}

static size_t granules_of(size_t size) {
        return (size + BLOB_GRANULE - 1) / BLOB_GRANULE;
}

static bool is_used(const StateStore *store, size_t granule) {
        return g_array_index(store->used_granules, bool, granule);
}

/* First fit from where the last search ended. Returns the number of granules if there is none. */
static size_t find_free_run(const StateStore *store, size_t start, size_t wanted) {
        size_t run = 0;

        for (size_t i = start; i < store->used_granules->len; i++) {
                run = is_used(store, i) ? 0 : run + 1;
                if (run == wanted) {
                        return i + 1 - wanted;
                }
        }
        return store->used_granules->len;
}

static void set_used(StateStore *store, size_t first, size_t count, bool used) {
        for (size_t i = first; i < first + count; i++) {
                g_array_index(store->used_granules, bool, i) = used;
        }
}

static int grow_blobs(StateStore *store, size_t wanted) {
        size_t granules = MAX(2UL * store->used_granules->len, store->used_granules->len + wanted);

        int r = area_resize(&store->blobs, granules * BLOB_GRANULE);
        if (r >= 0) {
                g_array_set_size(store->used_granules, (guint) granules);
        }
        return r;
}

int state_store_put_blob(StateStore *store, const void *bytes, size_t size, StateBlob *ret) {
        size_t wanted = MAX(granules_of(size), (size_t) 1);
        size_t before = store->used_granules->len;

        size_t first = find_free_run(store, store->granule_hint, wanted);
        if (first == before) {
                first = find_free_run(store, 0, wanted);
        }
        if (first == before) {
                int grown = grow_blobs(store, wanted);
                if (grown < 0) {
                        return grown;
                }
                first = find_free_run(store, 0, wanted);
        }
        int r = reserve(&store->blobs, first * BLOB_GRANULE, wanted * BLOB_GRANULE);
        if (r < 0) {
                return r;
        }
        set_used(store, first, wanted, true);
        store->granule_hint = first + wanted;
        (void) CHANGE("blob-write", memcpy(store->blobs.memory + first * BLOB_GRANULE, bytes, size));
        *ret = (StateBlob){
                .offset = (uint32_t) (first * BLOB_GRANULE),
                .length = (uint32_t) size,
                .checksum = checksum_of(bytes, size),
        };
        return 0;
}

static bool blob_is_inside(const StateStore *store, const StateBlob *blob) {
        size_t end = blob->offset / BLOB_GRANULE + MAX(granules_of(blob->length), (size_t) 1);

        return blob->offset % BLOB_GRANULE == 0 && end <= store->used_granules->len;
}

const void *state_store_get_blob(const StateStore *store, const StateBlob *blob) {
        if (!blob_is_inside(store, blob) ||
            checksum_of(store->blobs.memory + blob->offset, blob->length) != blob->checksum) {
                return NULL;
        }
        return store->blobs.memory + blob->offset;
}

int state_store_claim_blob(StateStore *store, const StateBlob *blob) {
        if (!blob_is_inside(store, blob)) {
                return -EBADMSG;
        }
        set_used(store, blob->offset / BLOB_GRANULE, MAX(granules_of(blob->length), (size_t) 1), true);
        return 0;
}

void state_store_drop_blob(StateStore *store, const StateBlob *blob) {
        if (blob_is_inside(store, blob)) {
                size_t first = blob->offset / BLOB_GRANULE;
                size_t count = MAX(granules_of(blob->length), (size_t) 1);
                set_used(store, first, count, false);
                release_units(&store->blobs, store->used_granules, 0, BLOB_GRANULE, first, first + count);
        }
}
