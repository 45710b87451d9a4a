/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/state-store.h"

#include <glib.h>

/* The format, as a supervisor of another version finds it: a change here needs a new number of the format.
 */
enum {
        STORE_FORMAT_AT = 8,
        STORE_SLOT_BYTES_AT = 16,
        STORE_BOOT_ID_AT = 24,
        STORE_HEADER_BYTES = 64,
        STORE_COPY_HEAD_BYTES = 3 * sizeof(uint64_t), /* generation, checksum, size */
        STORE_COPY_BYTES = STORE_COPY_HEAD_BYTES + STATE_SLOT_BYTES,
        STORE_SLOT_BYTES = sizeof(uint64_t) + 2 * STORE_COPY_BYTES, /* commit, the copies */
        STORE_SLOTS = 64,
        STORE_SLOTS_FILE_BYTES = STORE_HEADER_BYTES + STORE_SLOTS * STORE_SLOT_BYTES,
        STORE_BLOBS_FILE_BYTES = 64 * 1024,
        STORE_GRANULE = 64,
};

StateStore *test_store_new(void);
/* The same memory in a new store; the old one is gone. */
StateStore *test_store_reopen(StateStore *store);
uint32_t test_store_take(StateStore *store);

/* Bytes that another seed or size does not give. */
void test_store_fill(unsigned char *bytes, size_t size, unsigned seed);
void test_store_write(StateStore *store, uint32_t slot, unsigned seed, size_t size);
void test_store_assert(const StateStore *store, uint32_t slot, unsigned seed, size_t size);
/* It is said to be free or broken, and nothing of it is given out. */
void test_store_assert_unreadable(const StateStore *store, uint32_t slot);
StateBlob test_store_put(StateStore *store, unsigned seed, size_t size);
void test_store_assert_blob(const StateStore *store, const StateBlob *blob, unsigned seed);

/* The files behind it. */
size_t test_file_bytes(int fd);
/* Memory that the system holds for a file. */
size_t test_held_bytes(int fd);
unsigned char *test_file_all(int fd, size_t *ret_size);
/* A file of the same bytes. */
int test_file_copy(int fd);
void test_file_set(int fd, size_t offset, const void *bytes, size_t size);
/* Change bits of one byte. */
void test_file_flip(int fd, size_t offset, unsigned char bits);
uint64_t test_file_number(int fd, size_t offset);
void test_file_set_number(int fd, size_t offset, uint64_t number);
void test_file_assert_zeros(int fd, size_t start, size_t end);
