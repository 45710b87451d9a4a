/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* Bytes that several feeds may have to write: a line of text, a frame. */
typedef struct FeedItem {
        unsigned references;
        size_t length;
        char bytes[];
} FeedItem;

/* bytes is for the caller to fill. One reference. */
FeedItem *feed_item_new(size_t length);
FeedItem *feed_item_ref(FeedItem *item);
void feed_item_unref(FeedItem *item);

/* One reader of items at the other end of a stream socket. It gets whole items, in order; what it does not
 * read is kept up to a bound, and what is beyond is dropped by whole items and counted. */
typedef struct Feed Feed;

typedef struct FeedOptions {
        size_t backlog_bytes_max;
        /* The reader may write, and what it writes is thrown away; the end of that is its end. Otherwise it
         * is gone when it has closed its end, and nothing else is looked at. */
        bool discard_input;
        /* The item that tells the reader how many are missing in this place. One reference. */
        FeedItem *(*render_lost)(uint64_t count);
        /* Called from the loop alone, when nobody reads any more; the feed may be freed in it. */
        void (*on_gone)(void *userdata, Feed *feed);
        void *userdata;
} FeedOptions;

/* Takes the fd over, also when it fails. Options are copied. */
int feed_new(sd_event *event, int fd, const FeedOptions *options, Feed **ret);
/* The reader finds the end of the stream behind what was written so far. */
void feed_free(Feed *feed);

/* Takes a reference of its own. What is appended is written by feed_flush(); much of it at once. */
void feed_append(Feed *feed, FeedItem *item);
/* Write what the reader has room for; the rest goes when it has. */
void feed_flush(Feed *feed);
/* Nothing more is appended: when all of it is written nobody is taken to read any more. */
void feed_finish(Feed *feed);

/* Nobody reads any more. */
bool feed_is_gone(const Feed *feed);
