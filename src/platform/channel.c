/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/channel.h"

#include "basic/fd-util.h"
#include "basic/macro.h"
#include "platform/channel-inbox.h"
#include "platform/channel-outbox.h"

#include <assert.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/epoll.h>

enum {
        TURN_BYTES_MAX = 256 * 1024, /* received before others have their turn */
        TURN_LINES_MAX = 1024,
        BATCH_TURNS = 4,
        DRAIN_TURNS_MAX = 64, /* more than a socket holds; others may still write to it */
};

struct Channel {
        sd_event_source *io;
        sd_event_source *rest; /* lines that were left for the next turn */
        int fd;
        ChannelWindow window;
        ChannelInbox inbox;
        ChannelOutbox outbox;
        ChannelOptions options;
        uint64_t troubles[_CHANNEL_TROUBLE_MAX];
        uint64_t told[_CHANNEL_TROUBLE_MAX];
        bool closed;
        bool wants_room;     /* somebody has a handle to send */
        bool in_turn, freed; /* freed in a turn: its end frees the memory */
};

/* Writable is asked for while something waits to be sent. */
static void watch(Channel *channel) {
        uint32_t events = EPOLLIN;

        if (channel_outbox_queued_bytes(&channel->outbox) > 0 || channel->wants_room) {
                events |= EPOLLOUT;
        }
        if (!channel->closed) {
                (void) sd_event_source_set_io_events(channel->io, events);
        }
}

static void count(Channel *channel, ChannelItem item) {
        static const ChannelTrouble troubles[] = {
                [CHANNEL_ITEM_EMPTY] = CHANNEL_TROUBLE_EMPTY,
                [CHANNEL_ITEM_TOO_LONG] = CHANNEL_TROUBLE_TOO_LONG,
                [CHANNEL_ITEM_GARBAGE] = CHANNEL_TROUBLE_GARBAGE,
        };

        channel->troubles[troubles[item]]++;
}

/* Hand out what is there, as far as this turn goes. 1: there may be more. */
static int hand_out(Channel *channel, unsigned *lines) {
        while (*lines < TURN_LINES_MAX) {
                const char *line;
                size_t length;
                ChannelItem item = channel_inbox_next(&channel->inbox, &line, &length);
                if (item == CHANNEL_ITEM_NONE) {
                        return 0;
                }
                (*lines)++;
                if (item != CHANNEL_ITEM_LINE) {
                        count(channel, item);
                        continue;
                }
                channel->options.on_line(channel->options.userdata, line, length);
                if (channel->freed) {
                        return 0;
                }
                channel_inbox_consume(&channel->inbox);
        }
        return 1;
}

static void tell_troubles(Channel *channel) {
        for (unsigned i = 0; i < _CHANNEL_TROUBLE_MAX && !channel->freed; i++) {
                if (channel->troubles[i] > channel->told[i]) {
                        channel->told[i] = channel->troubles[i];
                        if (channel->options.on_trouble) {
                                channel->options.on_trouble(
                                                channel->options.userdata, i, channel->troubles[i]);
                        }
                }
        }
}

static void tell_closed(Channel *channel) {
        channel->closed = true;
        (void) sd_event_source_set_enabled(channel->io, SD_EVENT_OFF);
        channel->options.on_closed(channel->options.userdata);
}

static bool is_end(int received) {
        return received != -EAGAIN && received != -EINTR && received != -ENOMEM && received != -ENOBUFS;
}

/* Returns whether the channel has come to its end. */
static bool receive_and_hand_out(Channel *channel) {
        size_t received = 0;
        unsigned lines = 0;

        for (;;) {
                if (hand_out(channel, &lines) > 0) {
                        (void) sd_event_source_set_enabled(channel->rest, SD_EVENT_ONESHOT);
                        return false;
                }
                if (channel->freed) {
                        return false;
                }
                channel_inbox_settle(&channel->inbox);
                if (received >= TURN_BYTES_MAX || (received > 0 && channel->inbox.quiet)) {
                        return false;
                }
                int n = channel_inbox_receive(&channel->inbox, channel->fd);
                if (n <= 0) {
                        channel_inbox_settle(&channel->inbox);
                        return is_end(n);
                }
                received += (size_t) n;
        }
}

static void turn(Channel *channel) {
        channel->in_turn = true;
        bool ended = receive_and_hand_out(channel);
        tell_troubles(channel);
        if (ended && !channel->freed) {
                tell_closed(channel);
        }
        channel->in_turn = false;
        if (channel->freed) {
                g_free(channel);
        }
}

/* Returns whether the channel is still there. */
static bool tell_room(Channel *channel) {
        if (!channel->wants_room || channel_outbox_queued_bytes(&channel->outbox) > 0) {
                return true;
        }
        channel->wants_room = false;
        if (channel->options.on_room) {
                channel->in_turn = true;
                channel->options.on_room(channel->options.userdata);
                channel->in_turn = false;
        }
        if (channel->freed) {
                g_free(channel);
                return false;
        }
        return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Channel *channel = userdata;

        if (revents & EPOLLOUT) {
                (void) channel_outbox_flush(&channel->outbox);
                if (!tell_room(channel)) {
                        return 0;
                }
                watch(channel);
        }
        if (revents & ~(uint32_t) EPOLLOUT) {
                turn(channel);
        }
        return 0;
}

static int on_rest(sd_event_source *source, void *userdata) {
        Channel *channel = userdata;

        if (!channel->closed) {
                turn(channel);
        }
        return 0;
}

/* The socket stays open. */
static void let_go(Channel *channel) {
        channel->io = sd_event_source_disable_unref(channel->io);
        channel->rest = sd_event_source_disable_unref(channel->rest);
        channel_window_close(&channel->window);
        if (channel->in_turn) {
                channel->freed = true;
        } else {
                g_free(channel);
        }
}

static int set_up(Channel *channel, sd_event *event, int fd) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
                return -errno;
        }
        int r = channel_outbox_init(&channel->outbox, &channel->window, fd);
        if (r >= 0) {
                r = channel_inbox_init(&channel->inbox, &channel->window, channel->options.line_bytes_max);
        }
        if (r >= 0) {
                r = sd_event_add_io(event, &channel->io, fd, EPOLLIN, on_io, channel);
        }
        if (r >= 0 && channel->options.batch_usec > 0) {
                r = sd_event_source_set_ratelimit(channel->io, channel->options.batch_usec, BATCH_TURNS);
        }
        if (r >= 0) {
                r = sd_event_add_defer(event, &channel->rest, on_rest, channel);
        }
        return r;
}

static int open_channel(
                sd_event *event,
                ChannelStore *store,
                uint32_t slot,
                int fd,
                bool fresh,
                const ChannelOptions *options,
                Channel **ret) {
        Channel *channel = g_new0(Channel, 1);

        channel->options = *options;
        channel->fd = -EBADF;
        int r = channel_window_open(store, slot, fresh, &channel->window);
        if (r >= 0) {
                r = set_up(channel, event, fd);
        }
        if (r < 0) {
                let_go(channel);
                return r;
        }
        channel->fd = fd;
        watch(channel);
        if (fresh) {
                (void) sd_event_source_set_enabled(channel->rest, SD_EVENT_OFF);
        }
        *ret = channel;
        return 0;
}

int channel_new(sd_event *event,
                ChannelStore *store,
                uint32_t slot,
                int fd,
                const ChannelOptions *options,
                Channel **ret) {
        return open_channel(event, store, slot, fd, true, options, ret);
}

int channel_adopt(
                sd_event *event,
                ChannelStore *store,
                uint32_t slot,
                int fd,
                const ChannelOptions *options,
                Channel **ret) {
        return open_channel(event, store, slot, fd, false, options, ret);
}

void channel_free(Channel *channel) {
        if (channel && !channel->freed) {
                int fd = channel->fd;
                (void) channel_window_release(&channel->window, 0, CHANNEL_WINDOW_BYTES);
                let_go(channel);
                (void) close_fd(fd);
        }
}

int channel_leave(Channel *channel) {
        int fd = channel->fd;

        let_go(channel);
        return fd;
}

int channel_get_fd(const Channel *channel) {
        return channel->fd;
}

int channel_send(Channel *channel, const char *text, size_t length) {
        if (channel->closed) {
                return -EPIPE;
        }
        int r = channel_outbox_send(&channel->outbox, text, length);
        watch(channel);
        return r;
}

int channel_send_handle(Channel *channel, const char *text, size_t length, int handle) {
        if (channel->closed) {
                return -EPIPE;
        }
        int r = channel_outbox_send_handle(&channel->outbox, text, length, handle);
        channel->wants_room = channel->wants_room || r == -EAGAIN;
        watch(channel);
        return r;
}

int channel_answer(Channel *channel, const char *text, size_t length) {
        if (channel->closed) {
                return -EPIPE;
        }
        int r = channel_outbox_prepare(&channel->outbox, text, length);
        if (r < 0) {
                return r;
        }
        channel_inbox_consume_answered(&channel->inbox);
        channel_outbox_queue_prepared(&channel->outbox);
        channel_inbox_consume(&channel->inbox);
        r = channel_outbox_flush(&channel->outbox);
        watch(channel);
        return r;
}

void channel_drain(Channel *channel) {
        channel->in_turn = true;
        for (unsigned i = 0; i < DRAIN_TURNS_MAX && !channel->closed; i++) {
                int left = SD_EVENT_OFF;
                (void) sd_event_source_set_enabled(channel->rest, SD_EVENT_OFF);
                bool ended = receive_and_hand_out(channel);
                tell_troubles(channel);
                if (channel->freed) {
                        break;
                }
                (void) sd_event_source_get_enabled(channel->rest, &left);
                if (ended || (left == SD_EVENT_OFF && channel->inbox.quiet)) {
                        break;
                }
        }
        channel->in_turn = false;
        if (channel->freed) {
                g_free(channel);
        }
}

size_t channel_queued_bytes(const Channel *channel) {
        return channel_outbox_queued_bytes(&channel->outbox);
}
