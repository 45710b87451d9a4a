/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Items wait in a queue and are written by as few calls as they can. While the socket is full nothing is
 * tried until the kernel says that there is room, which for a socket means a good part of its buffer.
 *
 * Once an item was dropped all that follow are dropped too, until half of the backlog is free again: so
 * there is one gap to tell of and not one for every other item. */

#include "platform/feed.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <assert.h>
#include <glib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
        PARTS_MAX = 256,                 /* of one write */
        WRITE_AT_ONCE_BYTES = 64 * 1024, /* rather than at the end of the loop's turn */
        ITEMS_KEPT_MAX = 1024,           /* room for so many stays when all are written */
        DISCARD_BYTES = 16 * 1024,       /* of input, in a turn */
};

struct Feed {
        int fd;
        sd_event_source *source;
        bool full; /* the source waits for room */
        bool gone;
        bool finishing; /* it is gone when all is written */
        FeedOptions options;

        GPtrArray *items; /* of FeedItem */
        guint first;      /* of those that are not written yet */
        size_t written;   /* bytes of the first */
        size_t backlog_bytes;
        uint64_t lost; /* items, not told of yet */
};

FeedItem *feed_item_new(size_t length) {
        FeedItem *item = g_malloc(sizeof(*item) + length);

        item->references = 1;
        item->length = length;
        return item;
}

FeedItem *feed_item_ref(FeedItem *item) {
        item->references++;
        return item;
}

void feed_item_unref(FeedItem *item) {
        if (--item->references == 0) {
                g_free(item);
        }
}

static void unref_item(void *item) {
        if (item) {
                feed_item_unref(item);
        }
}

/* What it takes to keep it. */
static size_t item_bytes(const FeedItem *item) {
        return sizeof(*item) + item->length + sizeof(void *);
}

static bool is_empty(const Feed *feed) {
        return feed->first == feed->items->len;
}

static void push(Feed *feed, FeedItem *item) {
        g_ptr_array_add(feed->items, feed_item_ref(item));
        feed->backlog_bytes += item_bytes(item);
}

/* Close the gap, where there is room again. */
static void tell_lost(Feed *feed) {
        if (feed->lost == 0 || feed->backlog_bytes > feed->options.backlog_bytes_max / 2) {
                return;
        }
        FeedItem *item = feed->options.render_lost(feed->lost);
        push(feed, item);
        feed_item_unref(item);
        feed->lost = 0;
}

void feed_append(Feed *feed, FeedItem *item) {
        if (feed->gone) {
                return;
        }
        tell_lost(feed);
        if (feed->lost > 0 || feed->backlog_bytes + item_bytes(item) > feed->options.backlog_bytes_max) {
                feed->lost++;
                return;
        }
        push(feed, item);
        if (feed->backlog_bytes >= MIN(WRITE_AT_ONCE_BYTES, feed->options.backlog_bytes_max / 2)) {
                feed_flush(feed);
        }
}

/* Forget what was written, counted from the start of the first item. */
static void drop_written(Feed *feed, size_t bytes) {
        while (!is_empty(feed)) {
                FeedItem *item = feed->items->pdata[feed->first];
                if (bytes < item->length) {
                        break;
                }
                bytes -= item->length;
                feed->backlog_bytes -= item_bytes(item);
                feed->items->pdata[feed->first++] = NULL;
                feed_item_unref(item);
        }
        feed->written = bytes;
        if (is_empty(feed) && feed->items->len > ITEMS_KEPT_MAX) {
                g_ptr_array_unref(feed->items);
                feed->items = g_ptr_array_new_with_free_func(unref_item);
                feed->first = 0;
        } else if (is_empty(feed) || (feed->first > ITEMS_KEPT_MAX && feed->first > feed->items->len / 2)) {
                g_ptr_array_remove_range(feed->items, 0, feed->first);
                feed->first = 0;
        }
}

static uint32_t events_always(const Feed *feed) {
        return feed->options.discard_input ? EPOLLIN : 0;
}

static void write_items(Feed *feed) {
        struct iovec parts[PARTS_MAX];
        size_t count = 0;

        for (guint i = feed->first; i < feed->items->len && count < PARTS_MAX; i++) {
                FeedItem *item = feed->items->pdata[i];
                parts[count++] = (struct iovec){ .iov_base = item->bytes, .iov_len = item->length };
        }
        assert(count > 0);
        parts[0].iov_base = (char *) parts[0].iov_base + feed->written;
        parts[0].iov_len -= feed->written;
        const struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
        /* no fault point: it tells what has been done */
        ssize_t n = sendmsg(feed->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
                drop_written(feed, feed->written + (size_t) n);
        } else if (errno == EAGAIN) {
                feed->full = sd_event_source_set_io_events(feed->source, EPOLLOUT | events_always(feed)) >=
                             0;
                feed->gone = !feed->full;
        } else if (errno != EINTR) {
                feed->gone = true;
        }
}

void feed_flush(Feed *feed) {
        while (!feed->gone && !feed->full) {
                tell_lost(feed);
                if (is_empty(feed)) {
                        feed->gone = feed->finishing;
                        break;
                }
                write_items(feed);
        }
}

void feed_finish(Feed *feed) {
        feed->finishing = true;
}

bool feed_is_gone(const Feed *feed) {
        return feed->gone;
}

/* A part of it in each turn: others wait. */
static void discard_input(Feed *feed) {
        char bytes[DISCARD_BYTES];
        ssize_t n = recv(feed->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
                feed->gone = true;
        }
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Feed *feed = userdata;

        if (events & (EPOLLHUP | EPOLLERR)) {
                feed->gone = true;
        } else if (events & EPOLLIN) {
                discard_input(feed);
        }
        if (events & EPOLLOUT && !feed->gone) {
                feed->full = false;
                feed_flush(feed);
                if (!feed->full) {
                        (void) sd_event_source_set_io_events(source, events_always(feed));
                }
        }
        if (feed->gone) {
                feed->options.on_gone(feed->options.userdata, feed);
        }
        return 0;
}

int feed_new(sd_event *event, int fd, const FeedOptions *options, Feed **ret) {
        Feed *feed = g_new0(Feed, 1);

        feed->fd = fd;
        feed->options = *options;
        feed->items = g_ptr_array_new_with_free_func(unref_item);
        int r = sd_event_add_io(event, &feed->source, fd, events_always(feed), on_ready, feed);
        if (r < 0) {
                feed_free(feed);
                return r;
        }
        *ret = feed;
        return 0;
}

void feed_free(Feed *feed) {
        (void) sd_event_source_disable_unref(feed->source);
        (void) close_fd(feed->fd);
        g_ptr_array_unref(feed->items);
        g_free(feed);
}
