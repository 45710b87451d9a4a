/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What must outlive the supervisor, in two mapped memfds that the service manager keeps, or files: slots of
 * fixed size, written so that a kill between any two instructions leaves the old or the new content; and
 * blobs, written once before a slot speaks of them. Nothing is ever serialised as a whole. */
typedef struct StateStore StateStore;

enum {
        STATE_SLOT_BYTES = 1600, /* of the content of a slot */
};

/* Where a blob is; length 0: none. Lives in slots. */
typedef struct StateBlob {
        uint32_t offset;
        uint32_t length;
        uint64_t checksum;
} StateBlob;

int state_store_new(StateStore **ret);

/* A new store in two empty files; the fds become the store's on success. */
int state_store_new_in(int slots_fd, int blobs_fd, StateStore **ret);

/* Take over what an earlier supervisor wrote; the fds become the store's on success. -EBADMSG: not ours or
 * broken; -ESTALE: of another boot; -EPROTONOSUPPORT: of another format. Blobs in use must be told by
 * state_store_claim_blob() before new ones are written. */
int state_store_open(int slots_fd, int blobs_fd, StateStore **ret);
void state_store_free(StateStore *store);

/* To be kept by the service manager; borrowed. */
int state_store_slots_fd(const StateStore *store);
int state_store_blobs_fd(const StateStore *store);
/* The same for who goes on with them; the store is not to be changed any more. */
int state_store_take_slots_fd(StateStore *store);
int state_store_take_blobs_fd(StateStore *store);

uint32_t state_store_count(const StateStore *store);

/* A free slot, which counts as used from now on. -ENOSPC. */
int state_store_take_slot(StateStore *store, uint32_t *ret_slot);

/* Replace the content of a slot: at most STATE_SLOT_BYTES. */
void state_store_write(StateStore *store, uint32_t slot, const void *content, size_t size);
void state_store_clear(StateStore *store, uint32_t slot);

/* The content of a slot into a buffer of size bytes, zero-filled. false: free, or broken. */
bool state_store_read(const StateStore *store, uint32_t slot, void *content, size_t size);

int state_store_put_blob(StateStore *store, const void *bytes, size_t size, StateBlob *ret);
/* The bytes of a blob, valid until the next put. NULL: it is broken. */
const void *state_store_get_blob(const StateStore *store, const StateBlob *blob);
int state_store_claim_blob(StateStore *store, const StateBlob *blob);
/* After no slot speaks of it any more. */
void state_store_drop_blob(StateStore *store, const StateBlob *blob);
