/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/channel-store.h"

/* What comes in by a channel, received straight into its window and split into lines there, so that a kill
 * at any instruction loses and tears nothing; see the head of the .c. */
typedef struct ChannelInbox {
        const ChannelWindow *window; /* weak */
        size_t line_bytes_max;
        unsigned half;
        bool skipping;       /* what is read belongs to a line that is too long */
        size_t parsed;       /* all before was handed out */
        size_t next;         /* behind the line that is handed out */
        size_t searched;     /* no newline between parsed and this */
        size_t end;          /* of what was received */
        size_t read_bytes;   /* how much to ask for */
        size_t populated[2]; /* of each half, from its beginning */
        bool quiet;          /* all that there was has been received */
} ChannelInbox;

typedef enum ChannelItem {
        CHANNEL_ITEM_NONE,     /* no whole line is there */
        CHANNEL_ITEM_LINE,     /* to be left behind by channel_inbox_consume() */
        CHANNEL_ITEM_EMPTY,    /* an empty line, left behind already, as the following */
        CHANNEL_ITEM_TOO_LONG, /* said once for each line, maybe before its end is there */
        CHANNEL_ITEM_GARBAGE,  /* a line with bytes that no text has: NUL, 0xff */
} ChannelItem;

/* Of a window that is all zeros, or of what an earlier supervisor left. -EBADMSG: that is broken. */
int channel_inbox_init(ChannelInbox *inbox, const ChannelWindow *window, size_t line_bytes_max);

/* The next line, without its newline; valid until it is consumed. */
ChannelItem channel_inbox_next(ChannelInbox *inbox, const char **ret_line, size_t *ret_length);
void channel_inbox_consume(ChannelInbox *inbox);
/* The same, and in that instant what channel_outbox_prepare() prepared is to be sent; to be consumed again
 * when it is queued. */
void channel_inbox_consume_answered(ChannelInbox *inbox);

/* Make room, when no whole line is there; before more is received, and when there is no more. */
void channel_inbox_settle(ChannelInbox *inbox);

/* Receive once from a socket. Fds that come along are closed. Returns the number of bytes; 0: end of file;
 * -EAGAIN: nothing is there; -ENOMEM: for now there is no room. */
int channel_inbox_receive(ChannelInbox *inbox, int fd);
