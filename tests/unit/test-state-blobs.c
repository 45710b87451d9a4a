/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Blobs: what is kept, used again, given back and refused. */

#include "platform/state-store.h"

#include "store-fixture.h"

#include <errno.h>
#include <unistd.h>

static void test_blobs(void) {
        static const size_t sizes[] = { 0, 1, STORE_GRANULE - 1, STORE_GRANULE, STORE_GRANULE + 1, 5000 };
        StateStore *store = test_store_new();
        StateBlob blobs[G_N_ELEMENTS(sizes)];

        for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
                blobs[i] = test_store_put(store, i, sizes[i]);
        }
        for (int turn = 0; turn < 2; turn++) {
                for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
                        test_store_assert_blob(store, &blobs[i], i);
                        if (turn == 1) {
                                g_assert_cmpint(state_store_claim_blob(store, &blobs[i]), ==, 0);
                        }
                }
                store = turn == 0 ? test_store_reopen(store) : store;
        }
        /* What was claimed is not written over: not by as many as fit, nor by those that need more room. */
        for (unsigned i = 0; i < STORE_BLOBS_FILE_BYTES / STORE_GRANULE + 100; i++) {
                (void) test_store_put(store, 50 + i, STORE_GRANULE);
        }
        g_assert_cmpuint(test_file_bytes(state_store_blobs_fd(store)), >, STORE_BLOBS_FILE_BYTES);
        for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
                test_store_assert_blob(store, &blobs[i], i);
        }
        state_store_free(store);
}

/* An environment may be empty: its blob has a place of its own all the same, which is given back with it. */
static void test_empty_blob(void) {
        StateStore *store = test_store_new();
        StateBlob empty = test_store_put(store, 1, 0);

        store = test_store_reopen(store);
        g_assert_cmpint(state_store_claim_blob(store, &empty), ==, 0);
        StateBlob first = test_store_put(store, 2, STORE_GRANULE);
        state_store_drop_blob(store, &empty);
        (void) test_store_put(store, 3, STORE_BLOBS_FILE_BYTES - 2 * STORE_GRANULE);
        StateBlob second = test_store_put(store, 4, STORE_GRANULE);
        test_store_assert_blob(store, &first, 2);
        test_store_assert_blob(store, &second, 4);
        g_assert_cmpuint(second.offset, ==, empty.offset);
        state_store_free(store);
}

/* Room that was dropped is used again, before the file grows. */
static void test_blob_reuse(void) {
        StateStore *store = test_store_new();
        StateBlob kept = test_store_put(store, 1, 1000);

        for (unsigned i = 0; i < 1000; i++) {
                StateBlob blob = test_store_put(store, i, 20000);
                test_store_assert_blob(store, &blob, i);
                state_store_drop_blob(store, &blob);
        }
        g_assert_cmpuint(test_file_bytes(state_store_blobs_fd(store)), ==, STORE_BLOBS_FILE_BYTES);
        test_store_assert_blob(store, &kept, 1);
        /* One that is larger than all there is. */
        StateBlob large = test_store_put(store, 2, 3 * STORE_BLOBS_FILE_BYTES + 1);
        test_store_assert_blob(store, &large, 2);
        test_store_assert_blob(store, &kept, 1);
        StateBlob refused = { 1, 2, 3 };
        g_assert_cmpint(state_store_put_blob(store, "x", 1024 * 1024 * 1024, &refused), ==, -ENOSPC);
        g_assert_cmpuint(refused.offset, ==, 1);
        test_store_assert_blob(store, &large, 2);
        state_store_free(store);
}

static void test_broken_blobs(void) {
        StateStore *store = test_store_new();
        StateBlob blob = test_store_put(store, 1, 300);
        StateBlob other = test_store_put(store, 2, 300);
        int fd = state_store_blobs_fd(store);

        for (size_t i = 0; i < 300; i++) {
                test_file_flip(fd, blob.offset + i, (unsigned char) (1U << i % 8));
                g_assert_null(state_store_get_blob(store, &blob));
                test_file_flip(fd, blob.offset + i, (unsigned char) (1U << i % 8));
        }
        test_store_assert_blob(store, &blob, 1);
        StateBlob none = { 0 }, shorter = blob, elsewhere = blob, changed = blob;
        shorter.length--;
        elsewhere.offset = other.offset;
        changed.checksum++;
        g_assert_null(state_store_get_blob(store, &none));
        g_assert_null(state_store_get_blob(store, &shorter));
        g_assert_null(state_store_get_blob(store, &elsewhere));
        g_assert_null(state_store_get_blob(store, &changed));
        test_store_assert_blob(store, &other, 2);
        state_store_free(store);
}

/* Places that only somebody else can have written into a slot. */
static void test_blobs_outside(void) {
        static const StateBlob blobs[] = {
                { .offset = STORE_BLOBS_FILE_BYTES, .length = 0 },
                { .offset = STORE_BLOBS_FILE_BYTES, .length = 1 },
                { .offset = STORE_BLOBS_FILE_BYTES + STORE_GRANULE, .length = 0 },
                { .offset = STORE_BLOBS_FILE_BYTES - STORE_GRANULE, .length = STORE_GRANULE + 1 },
                { .offset = 0, .length = STORE_BLOBS_FILE_BYTES + 1 },
                { .offset = 0, .length = UINT32_MAX },
                { .offset = UINT32_MAX - STORE_GRANULE + 1, .length = STORE_GRANULE },
                { .offset = UINT32_MAX - STORE_GRANULE + 1, .length = UINT32_MAX },
                { .offset = UINT32_MAX, .length = 1 },
                { .offset = 1, .length = 1 },
                { .offset = STORE_GRANULE - 1, .length = STORE_GRANULE },
        };
        StateStore *store = test_store_new();
        StateBlob kept = test_store_put(store, 1, 2 * STORE_GRANULE);

        for (size_t i = 0; i < G_N_ELEMENTS(blobs); i++) {
                g_assert_cmpint(state_store_claim_blob(store, &blobs[i]), ==, -EBADMSG);
                g_assert_null(state_store_get_blob(store, &blobs[i]));
                state_store_drop_blob(store, &blobs[i]);
                test_store_assert_blob(store, &kept, 1);
        }
        /* Nothing was marked by them: all the rest fits in. */
        (void) test_store_put(store, 2, STORE_BLOBS_FILE_BYTES - 2 * STORE_GRANULE);
        g_assert_cmpuint(test_file_bytes(state_store_blobs_fd(store)), ==, STORE_BLOBS_FILE_BYTES);
        test_store_assert_blob(store, &kept, 1);
        state_store_free(store);
}

/* A file that is cut in the middle of a granule: what lies there is not in it. */
static void test_cut_blobs(void) {
        StateStore *store = test_store_new();
        StateBlob kept = test_store_put(store, 1, STORE_GRANULE), last = test_store_put(store, 2, 10);

        g_assert_cmpint(ftruncate(state_store_blobs_fd(store), STORE_GRANULE + 10), ==, 0);
        store = test_store_reopen(store);
        test_store_assert_blob(store, &kept, 1);
        g_assert_cmpint(state_store_claim_blob(store, &kept), ==, 0);
        g_assert_cmpint(state_store_claim_blob(store, &last), ==, -EBADMSG);
        g_assert_null(state_store_get_blob(store, &last));
        state_store_drop_blob(store, &last);
        last = test_store_put(store, 3, STORE_GRANULE);
        test_store_assert_blob(store, &last, 3);
        test_store_assert_blob(store, &kept, 1);
        state_store_free(store);
}

static void test_memory_of_blobs(void) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        StateStore *store = test_store_new();
        int fd = state_store_blobs_fd(store);
        StateBlob blobs[64];

        g_assert_cmpuint(test_held_bytes(fd), ==, 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(blobs); i++) {
                blobs[i] = test_store_put(store, i, 1000);
        }
        g_assert_cmpuint(test_held_bytes(fd), >=, 64UL * 1000);
        for (unsigned i = 0; i < G_N_ELEMENTS(blobs); i++) {
                if (i != 20) {
                        state_store_drop_blob(store, &blobs[i]);
                        test_store_assert_blob(store, &blobs[20], 20);
                }
        }
        g_assert_cmpuint(test_held_bytes(fd), <=, 2 * page);
        state_store_drop_blob(store, &blobs[20]);
        g_assert_cmpuint(test_held_bytes(fd), ==, 0);
        test_file_assert_zeros(fd, 0, STORE_BLOBS_FILE_BYTES);
        state_store_free(store);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/state-blobs/kept", test_blobs);
        g_test_add_func("/platform/state-blobs/empty", test_empty_blob);
        g_test_add_func("/platform/state-blobs/reuse", test_blob_reuse);
        g_test_add_func("/platform/state-blobs/broken", test_broken_blobs);
        g_test_add_func("/platform/state-blobs/outside", test_blobs_outside);
        g_test_add_func("/platform/state-blobs/cut", test_cut_blobs);
        g_test_add_func("/platform/state-blobs/memory", test_memory_of_blobs);
        return g_test_run();
}
