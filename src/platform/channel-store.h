/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The buffers of all channels (platform/channel.h): one sparse memfd that the service manager keeps, with a
 * window of fixed size for each slot of the state store. Pages that nobody wrote to cost nothing. */
typedef struct ChannelStore ChannelStore;

enum {
        CHANNEL_LINE_BYTES_MAX = 1024 * 1024,      /* what a channel may be told to take as one line */
        CHANNEL_QUEUE_BYTES_MAX = 2 * 1024 * 1024, /* what may wait to be sent, newlines included */
        CHANNEL_ANSWERS_BYTES_MAX = 16 * 1024,     /* of that for channel_answer() alone */
        CHANNEL_SLOT_MAX = 1024 * 1024,
};

/* fd: what an earlier supervisor left, the store's on success; negative: a new one. -EBADMSG: not ours;
 * -EPROTONOSUPPORT: of another format. */
int channel_store_new(int fd, ChannelStore **ret);
/* Its channels are gone by then. */
void channel_store_free(ChannelStore *store);

/* To be kept by the service manager; borrowed. */
int channel_store_get_fd(const ChannelStore *store);
/* The same for who goes on with it; the store is not to be used any more. */
int channel_store_take_fd(ChannelStore *store);

/* What follows is for the two directions of a channel (channel-inbox.h, channel-outbox.h) alone. */

enum {
        /* So that whole pages of any size can be given back. */
        CHANNEL_REGION_BYTES = 64 * 1024,
        CHANNEL_HALF_BYTES = CHANNEL_LINE_BYTES_MAX + CHANNEL_REGION_BYTES,
        CHANNEL_RING_BYTES = CHANNEL_QUEUE_BYTES_MAX + 2 * CHANNEL_REGION_BYTES,
        CHANNEL_HALVES_AT = CHANNEL_REGION_BYTES,
        CHANNEL_RING_AT = CHANNEL_HALVES_AT + 2 * CHANNEL_HALF_BYTES,
        CHANNEL_WINDOW_BYTES = CHANNEL_RING_AT + CHANNEL_RING_BYTES,
};

/* The first bytes of a window; all zero: nothing was received, nothing is queued. */
typedef struct ChannelWords {
        _Atomic uint64_t inbox;
        _Atomic uint64_t outbox_head; /* stored by the kernel: a position in the file */
        _Atomic uint64_t outbox_tail;
        _Atomic uint64_t answer; /* what the tail becomes with the answer to a line; see channel_answer() */
} ChannelWords;

/* Of the inbox' word: the line before has been answered, though the tail may not say so yet. */
#define CHANNEL_INBOX_ANSWERED (UINT64_C(1) << 63)

/* A window while its channel is open. */
typedef struct ChannelWindow {
        int store_fd; /* weak */
        uint64_t start;
        unsigned char *memory;
        ChannelWords *words;
} ChannelWindow;

/* fresh: what is in it is thrown away first. */
int channel_window_open(ChannelStore *store, uint32_t slot, bool fresh, ChannelWindow *ret);
void channel_window_close(ChannelWindow *window);

/* Have memory for what is to be written: without it a write is a signal, and one by the kernel can fail in
 * its middle. */
int channel_window_populate(const ChannelWindow *window, size_t from, size_t to);

/* Give whole pages back: zeros from now on. Whoever still has a reference to a page keeps its content. */
int channel_window_release(const ChannelWindow *window, size_t from, size_t to);

/* The end of the last page between two offsets that has memory; from, if none has. */
size_t channel_window_end_of_data(const ChannelWindow *window, size_t from, size_t to);
