/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/channel-store.h"

#include <systemd/sd-event.h>

/* Our end of the channel of one process: a stream socket that carries lines of text without NUL, as Node's
 * JSON messages. No line is ever torn, lost or put out of order, in either direction, whenever we are
 * killed: a successor that has the socket and the store goes on. The line that was being handed out then is
 * handed out again; one that was being sent by channel_send() may have gone out though the caller has not
 * learned it. SIGPIPE must be ignored. */
typedef struct Channel Channel;

typedef enum ChannelTrouble {
        CHANNEL_TROUBLE_TOO_LONG,
        CHANNEL_TROUBLE_EMPTY,
        CHANNEL_TROUBLE_GARBAGE, /* NUL, or bytes that no text has */
        _CHANNEL_TROUBLE_MAX,
} ChannelTrouble;

/* Any of the callbacks may free the channel. */
typedef struct ChannelOptions {
        size_t line_bytes_max; /* without the newline; at most CHANNEL_LINE_BYTES_MAX */
        /* Who sends one line after another is read four times in this time and no more: then there are many
         * to take at once, and each costs a third. Short enough for the socket to hold them. 0: at once. */
        uint64_t batch_usec;
        void *userdata;
        /* A line without its newline, and without a NUL behind it; gone when the call returns. */
        void (*on_line)(void *userdata, const char *line, size_t length);
        /* Once: there will be no more lines. Half a line at the end was dropped. */
        void (*on_closed)(void *userdata);
        /* Once after channel_send_handle() has said -EAGAIN: there is room. May be NULL. */
        void (*on_room)(void *userdata);
        /* Lines were dropped: how many by now for this reason. May be NULL. */
        void (*on_trouble)(void *userdata, ChannelTrouble trouble, uint64_t count);
} ChannelOptions;

/* The channel of a new child. The fd becomes the channel's on success. */
int channel_new(sd_event *event,
                ChannelStore *store,
                uint32_t slot,
                int fd,
                const ChannelOptions *options,
                Channel **ret);

/* What an earlier supervisor left. Lines that lie there come from the loop. -EBADMSG: what is in the store
 * is broken. */
int channel_adopt(
                sd_event *event,
                ChannelStore *store,
                uint32_t slot,
                int fd,
                const ChannelOptions *options,
                Channel **ret);

/* The end of it: the socket is closed, what was queued is gone. */
void channel_free(Channel *channel);

/* For us; a successor goes on with it. Returns the socket, which is the caller's now. */
int channel_leave(Channel *channel);

int channel_get_fd(const Channel *channel);

/* A line whose newline is added. It is sent, or queued behind those before it. -EINVAL: it is empty or has
 * a newline or NUL in it; -ENOBUFS: too much would be queued; -EPIPE: nobody will read it. */
int channel_send(Channel *channel, const char *text, size_t length);

/* A line together with one fd, borrowed: both go out at once, behind all that is queued, or nothing does.
 * -EAGAIN: there is no room, on_room will be called; -ENOBUFS: the kernel has no memory for it, and nobody
 * is told when it has; -EMSGSIZE: longer than one buffer of the socket (32 KiB); else as channel_send(). */
int channel_send_handle(Channel *channel, const char *text, size_t length, int handle);

/* In on_line: the answer to that line, which is left behind in the same instant. However often we are killed
 * the answer goes out exactly once. There is room for some when channel_send() has none. */
int channel_answer(Channel *channel, const char *text, size_t length);

/* Hand out what lies there now, its process having ended. Not from within a callback. */
void channel_drain(Channel *channel);

size_t channel_queued_bytes(const Channel *channel);
