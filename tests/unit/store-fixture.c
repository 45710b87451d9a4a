/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store-fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

StateStore *test_store_new(void) {
        StateStore *store = NULL;

        g_assert_cmpint(state_store_new(&store), ==, 0);
        return store;
}

StateStore *test_store_reopen(StateStore *store) {
        int slots_fd = fcntl(state_store_slots_fd(store), F_DUPFD_CLOEXEC, 3);
        int blobs_fd = fcntl(state_store_blobs_fd(store), F_DUPFD_CLOEXEC, 3);
        StateStore *again = NULL;

        state_store_free(store);
        g_assert_cmpint(state_store_open(slots_fd, blobs_fd, &again), ==, 0);
        g_assert_cmpint(state_store_slots_fd(again), ==, slots_fd);
        g_assert_cmpint(state_store_blobs_fd(again), ==, blobs_fd);
        return again;
}

uint32_t test_store_take(StateStore *store) {
        uint32_t slot = UINT32_MAX;

        g_assert_cmpint(state_store_take_slot(store, &slot), ==, 0);
        g_assert_cmpuint(slot, <, state_store_count(store));
        return slot;
}

void test_store_fill(unsigned char *bytes, size_t size, unsigned seed) {
        for (size_t i = 0; i < size; i++) {
                bytes[i] = (unsigned char) (seed * 31 + size + i * 7 + i / 251);
        }
}

void test_store_write(StateStore *store, uint32_t slot, unsigned seed, size_t size) {
        unsigned char content[STATE_SLOT_BYTES];

        test_store_fill(content, size, seed);
        state_store_write(store, slot, content, size);
}

void test_store_assert(const StateStore *store, uint32_t slot, unsigned seed, size_t size) {
        unsigned char content[STATE_SLOT_BYTES], expected[STATE_SLOT_BYTES] = { 0 };

        test_store_fill(expected, size, seed);
        memset(content, 0xee, sizeof(content));
        g_assert_true(state_store_read(store, slot, content, sizeof(content)));
        g_assert_cmpmem(content, sizeof(content), expected, sizeof(expected));
}

void test_store_assert_unreadable(const StateStore *store, uint32_t slot) {
        unsigned char content[STATE_SLOT_BYTES], untouched[STATE_SLOT_BYTES];

        memset(content, 0xee, sizeof(content));
        memset(untouched, 0xee, sizeof(untouched));
        g_assert_false(state_store_read(store, slot, content, sizeof(content)));
        g_assert_cmpmem(content, sizeof(content), untouched, sizeof(untouched));
}

StateBlob test_store_put(StateStore *store, unsigned seed, size_t size) {
        g_autofree unsigned char *bytes = g_malloc(size + 1);
        StateBlob blob;

        test_store_fill(bytes, size, seed);
        g_assert_cmpint(state_store_put_blob(store, bytes, size, &blob), ==, 0);
        g_assert_cmpuint(blob.length, ==, size);
        return blob;
}

void test_store_assert_blob(const StateStore *store, const StateBlob *blob, unsigned seed) {
        g_autofree unsigned char *expected = g_malloc(blob->length + 1UL);
        const void *bytes = state_store_get_blob(store, blob);

        test_store_fill(expected, blob->length, seed);
        g_assert_nonnull(bytes);
        g_assert_cmpint(memcmp(bytes, expected, blob->length), ==, 0);
}

size_t test_file_bytes(int fd) {
        struct stat status;

        g_assert_cmpint(fstat(fd, &status), ==, 0);
        return (size_t) status.st_size;
}

size_t test_held_bytes(int fd) {
        struct stat status;

        g_assert_cmpint(fstat(fd, &status), ==, 0);
        return (size_t) status.st_blocks * 512;
}

unsigned char *test_file_all(int fd, size_t *ret_size) {
        size_t size = test_file_bytes(fd);
        unsigned char *bytes = g_malloc(size + 1);

        g_assert_cmpint(pread(fd, bytes, size, 0), ==, (ssize_t) size);
        *ret_size = size;
        return bytes;
}

int test_file_copy(int fd) {
        size_t size;
        g_autofree unsigned char *bytes = test_file_all(fd, &size);
        int copy = memfd_create("copy", MFD_CLOEXEC);

        g_assert_cmpint(copy, >=, 0);
        test_file_set(copy, 0, bytes, size);
        return copy;
}

void test_file_set(int fd, size_t offset, const void *bytes, size_t size) {
        g_assert_cmpint(pwrite(fd, bytes, size, (off_t) offset), ==, (ssize_t) size);
}

void test_file_flip(int fd, size_t offset, unsigned char bits) {
        unsigned char byte;

        g_assert_cmpint(pread(fd, &byte, 1, (off_t) offset), ==, 1);
        byte ^= bits;
        test_file_set(fd, offset, &byte, 1);
}

uint64_t test_file_number(int fd, size_t offset) {
        uint64_t number;

        g_assert_cmpint(pread(fd, &number, sizeof(number), (off_t) offset), ==, sizeof(number));
        return number;
}

void test_file_set_number(int fd, size_t offset, uint64_t number) {
        test_file_set(fd, offset, &number, sizeof(number));
}

void test_file_assert_zeros(int fd, size_t start, size_t end) {
        size_t size;
        g_autofree unsigned char *bytes = test_file_all(fd, &size);

        for (size_t i = start; i < end; i++) {
                g_assert_cmpint(bytes[i], ==, 0);
        }
}
