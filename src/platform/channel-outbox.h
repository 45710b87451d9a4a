/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/channel-store.h"

/* What goes out by a channel and did not at once: a queue in its window, of which we know to the byte how
 * much was sent, also after a kill; see the head of the .c. */
typedef struct ChannelOutbox {
        const ChannelWindow *window; /* weak */
        int fd;                      /* weak: the socket, non-blocking */
        size_t direct_bytes_max;     /* what the socket takes in whole or not at all */
        size_t released;             /* up to here the ring was given back; from here to the head it may be
                                      * on its way */
} ChannelOutbox;

/* Of a window that is all zeros, or of what an earlier supervisor left. -EBADMSG: that is broken. An answer
 * that the inbox has consumed for is queued: the inbox comes after. */
int channel_outbox_init(ChannelOutbox *outbox, const ChannelWindow *window, int fd);

size_t channel_outbox_queued_bytes(const ChannelOutbox *outbox);

/* Send a line, whose newline is added, or queue it. -EINVAL: it is empty or has a newline or NUL in it;
 * -ENOBUFS: too much is queued; -EPIPE: nobody will read it. */
int channel_outbox_send(ChannelOutbox *outbox, const char *text, size_t length);

/* A line together with one fd, borrowed: it goes out in whole and now, or not at all. -EAGAIN: when there is
 * room; -ENOBUFS: the kernel holds too much for us, later; -EMSGSIZE: longer than what the socket takes at
 * once; else as above. */
int channel_outbox_send_handle(ChannelOutbox *outbox, const char *text, size_t length, int handle);

/* The same in two steps, for an answer that is to be queued exactly once: all but that it counts, and that.
 * In between the caller makes sure that a successor does the second step: it may be done again. */
int channel_outbox_prepare(ChannelOutbox *outbox, const char *text, size_t length);
void channel_outbox_queue_prepared(ChannelOutbox *outbox);

/* Send what the socket takes. -EPIPE: nobody will read it, what was queued is dropped. */
int channel_outbox_flush(ChannelOutbox *outbox);
