/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files as somebody else may have left them, which are refused or opened; then slots and blobs at any place.
 * What was written and claimed stays as it is. */

#include "fuzz.h"

#include "platform/state-store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

enum {
        HEADER_BYTES = 64,
        COPY_BYTES = 3 * sizeof(uint64_t) + STATE_SLOT_BYTES,
        SLOT_BYTES = sizeof(uint64_t) + 2 * COPY_BYTES,
        SLOTS_MAX = 4,
        BLOBS_BYTES_MAX = 16 * 1024,
        GRANULE = 64,
        CHANGES_MAX = 64,
        HELD_MAX = 32,
};

/* A blob, and what must be in it. */
typedef struct Held {
        StateBlob blob;
        unsigned char *bytes;
} Held;

typedef struct Test {
        FuzzReader reader;
        StateStore *store;
        Held held[HELD_MAX];
        unsigned n_held;
} Test;

static uint16_t take16(FuzzReader *reader) {
        uint8_t high = fuzz_byte(reader);
        return (uint16_t) (high << 8 | fuzz_byte(reader));
}

static uint64_t checksum_of(const unsigned char *bytes, size_t size) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < size; i++) {
                hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
        }
        return hash;
}

static int new_file(size_t size) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(ftruncate(fd, (off_t) size), ==, 0);
        return fd;
}

static size_t file_size(int fd) {
        struct stat status;

        g_assert_cmpint(fstat(fd, &status), ==, 0);
        return (size_t) status.st_size;
}

static void put_bytes(int fd, size_t offset, const void *bytes, size_t size) {
        g_assert_cmpint(pwrite(fd, bytes, size, (off_t) offset), ==, (ssize_t) size);
}

/* Bytes of the input at a place of the file, within its size. */
static void patch(FuzzReader *reader, int fd) {
        size_t size = file_size(fd), offset = take16(reader);
        g_autofree char *text = fuzz_string(reader);

        if (offset + strlen(text) <= size) {
                put_bytes(fd, offset, text, strlen(text));
        }
}

/* The fuzzer cannot guess what the boot is, or checksums. */
static void put_header(int fd) {
        uint64_t numbers[] = { UINT64_C(0x31737432646d3270), 1, SLOT_BYTES };
        sd_id128_t boot_id;

        g_assert_cmpint(sd_id128_get_boot(&boot_id), ==, 0);
        put_bytes(fd, 0, numbers, sizeof(numbers));
        put_bytes(fd, sizeof(numbers), &boot_id, sizeof(boot_id));
}

static void seal_slot(int fd, size_t slot, uint64_t generation) {
        unsigned char copy[COPY_BYTES];
        size_t start = HEADER_BYTES + slot * SLOT_BYTES;
        size_t at = start + sizeof(uint64_t) + (generation & 1) * COPY_BYTES;
        uint64_t commit = generation * 2 + (generation & 1), size, checksum;

        g_assert_cmpint(pread(fd, copy, sizeof(copy), (off_t) at), ==, sizeof(copy));
        memcpy(&size, copy + 2 * sizeof(uint64_t), sizeof(size));
        checksum = checksum_of(copy + 3 * sizeof(uint64_t), MIN(size, (uint64_t) STATE_SLOT_BYTES));
        memcpy(copy, &generation, sizeof(generation));
        memcpy(copy + sizeof(uint64_t), &checksum, sizeof(checksum));
        put_bytes(fd, at, copy, sizeof(copy));
        put_bytes(fd, start, &commit, sizeof(commit));
}

static void prepare(FuzzReader *reader, int slots_fd, int blobs_fd) {
        uint8_t how = fuzz_byte(reader);
        size_t slots = file_size(slots_fd) < HEADER_BYTES
                                       ? 0
                                       : (file_size(slots_fd) - HEADER_BYTES) / SLOT_BYTES;

        if (how & 1 && slots > 0) {
                put_header(slots_fd);
        }
        for (unsigned n = how >> 1 & 7; n > 0; n--) {
                patch(reader, fuzz_byte(reader) & 1 ? blobs_fd : slots_fd);
        }
        for (size_t i = 0; i < slots; i++) {
                if (how & 16 << i) {
                        seal_slot(slots_fd, i, 1 + fuzz_byte(reader));
                }
        }
}

/* Of another's making: anywhere, or at a granule. */
static StateBlob any_blob(Test *test) {
        uint8_t how = fuzz_byte(&test->reader);
        uint32_t offset = take16(&test->reader), length = take16(&test->reader);

        return (StateBlob){
                .offset = how & 1 ? offset : offset % (BLOBS_BYTES_MAX / GRANULE * 2) * GRANULE,
                .length = how & 2 ? UINT32_MAX - length : length,
        };
}

static bool overlap(const StateBlob *a, const StateBlob *b) {
        uint64_t end_a = (uint64_t) a->offset + MAX(a->length, 1U),
                 end_b = (uint64_t) b->offset + MAX(b->length, 1U);

        return a->offset / GRANULE <= (end_b - 1) / GRANULE && b->offset / GRANULE <= (end_a - 1) / GRANULE;
}

/* What overlaps with something dropped may be written over. */
static void let_go(Test *test, const StateBlob *blob) {
        for (unsigned i = test->n_held; i > 0; i--) {
                Held *held = &test->held[i - 1];
                if (overlap(&held->blob, blob)) {
                        g_free(held->bytes);
                        *held = test->held[--test->n_held];
                }
        }
}

static void hold(Test *test, const StateBlob *blob, const void *bytes) {
        if (test->n_held < HELD_MAX) {
                test->held[test->n_held++] = (Held){ *blob, g_memdup2(bytes, blob->length) };
        }
}

static void check_held(const Test *test) {
        for (unsigned i = 0; i < test->n_held; i++) {
                const Held *held = &test->held[i];
                const void *bytes = state_store_get_blob(test->store, &held->blob);
                g_assert_nonnull(bytes);
                g_assert_true(held->blob.length == 0 || memcmp(bytes, held->bytes, held->blob.length) == 0);
        }
}

static void claim(Test *test) {
        StateBlob blob = any_blob(test);
        int fd = state_store_blobs_fd(test->store);

        int r = state_store_claim_blob(test->store, &blob);
        if (r < 0) {
                g_assert_cmpint(r, ==, -EBADMSG);
                g_assert_null(state_store_get_blob(test->store, &blob));
                return;
        }
        g_assert_cmpuint(blob.offset % GRANULE, ==, 0);
        g_assert_cmpuint((uint64_t) blob.offset + blob.length, <=, file_size(fd));
        g_autofree unsigned char *bytes = g_malloc(blob.length + 1UL);
        g_assert_cmpint(pread(fd, bytes, blob.length, blob.offset), ==, blob.length);
        blob.checksum = checksum_of(bytes, blob.length);
        hold(test, &blob, bytes);
}

static void put(Test *test) {
        unsigned char bytes[4096];
        size_t size = take16(&test->reader) % sizeof(bytes);
        StateBlob blob;

        memset(bytes, fuzz_byte(&test->reader), size);
        g_assert_cmpint(state_store_put_blob(test->store, bytes, size, &blob), ==, 0);
        hold(test, &blob, bytes);
}

static void drop(Test *test) {
        StateBlob blob = any_blob(test);

        if (fuzz_byte(&test->reader) & 1 && test->n_held > 0) {
                blob = test->held[fuzz_byte(&test->reader) % test->n_held].blob;
        }
        let_go(test, &blob);
        state_store_drop_blob(test->store, &blob);
}

static void write_slot(Test *test, uint32_t slot) {
        unsigned char content[STATE_SLOT_BYTES], again[STATE_SLOT_BYTES];
        size_t size = take16(&test->reader) % (STATE_SLOT_BYTES + 1);

        uint64_t commit;

        g_assert_cmpint(pread(state_store_slots_fd(test->store),
                              &commit,
                              sizeof(commit),
                              (off_t) (HEADER_BYTES + slot * (size_t) SLOT_BYTES)),
                        ==,
                        sizeof(commit));
        memset(content, 0, sizeof(content));
        memset(content, fuzz_byte(&test->reader), size);
        state_store_write(test->store, slot, content, size);
        if (commit / 2 == INT64_MAX) { /* after the last of all generations comes "free" */
                return;
        }
        g_assert_true(state_store_read(test->store, slot, again, sizeof(again)));
        g_assert_cmpmem(content, sizeof(content), again, sizeof(again));
}

static void read_slots(const Test *test) {
        unsigned char content[STATE_SLOT_BYTES];

        for (uint32_t slot = 0; slot < state_store_count(test->store); slot++) {
                size_t size = sizeof(content) >> (slot % 4);
                g_autofree unsigned char *exact = g_malloc(size);
                (void) state_store_read(test->store, slot, exact, size);
        }
}

static void change(Test *test) {
        uint32_t slot = fuzz_byte(&test->reader) % state_store_count(test->store);

        switch (fuzz_byte(&test->reader) % 7) {
        case 0:
                g_assert_cmpint(state_store_take_slot(test->store, &slot), ==, 0);
                g_assert_cmpuint(slot, <, state_store_count(test->store));
                break;
        case 1:
                write_slot(test, slot);
                break;
        case 2:
                state_store_clear(test->store, slot);
                g_assert_false(state_store_read(
                                test->store, slot, (char[STATE_SLOT_BYTES]){ 0 }, STATE_SLOT_BYTES));
                break;
        case 3:
                claim(test);
                break;
        case 4:
                put(test);
                break;
        case 5:
                drop(test);
                break;
        default:
                read_slots(test);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Test test = { .reader = { data, size } };
        int slots_fd = new_file(take16(&test.reader) % (HEADER_BYTES + SLOTS_MAX * SLOT_BYTES + 1));
        int blobs_fd = new_file(take16(&test.reader) % BLOBS_BYTES_MAX);

        prepare(&test.reader, slots_fd, blobs_fd);
        int r = state_store_open(slots_fd, blobs_fd, &test.store);
        if (r < 0) {
                g_assert_true(r == -EBADMSG || r == -ESTALE || r == -EPROTONOSUPPORT);
                (void) close(slots_fd);
                (void) close(blobs_fd);
                return 0;
        }
        g_assert_cmpuint(state_store_count(test.store), >, 0);
        read_slots(&test);
        for (unsigned i = 0; i < CHANGES_MAX && test.reader.size > 0; i++) {
                change(&test);
                check_held(&test);
        }
        while (test.n_held > 0) {
                g_free(test.held[--test.n_held].bytes);
        }
        state_store_free(test.store);
        return 0;
}
