/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes from a child, cut anywhere, with a successor now and then: the same lines as a plain splitter
 * finds. Each is sent back, and comes back as it was. */

#include "fuzz.h"

#include "platform/channel.h"

#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        CUTS = 8,
        BYTES_MAX = 64 * 1024, /* what the socket takes at once */
};

typedef struct Heard {
        Channel *channel;
        int peer;          /* the child's end */
        GByteArray *lines; /* with their newlines */
        GByteArray *echo;  /* what reached the child */
        uint64_t dropped;  /* by those before */
        uint64_t troubles[_CHANNEL_TROUBLE_MAX];
        bool closed;
} Heard;

static void on_line(void *userdata, const char *line, size_t length) {
        Heard *heard = userdata;

        (void) g_byte_array_append(heard->lines, (const uint8_t *) line, (guint) length);
        (void) g_byte_array_append(heard->lines, (const uint8_t *) "\n", 1);
        g_assert_cmpint(channel_send(heard->channel, line, length), ==, 0);
}

static void on_closed(void *userdata) {
        Heard *heard = userdata;

        g_assert_false(heard->closed);
        heard->closed = true;
}

static void on_trouble(void *userdata, ChannelTrouble trouble, uint64_t count) {
        Heard *heard = userdata;

        g_assert_cmpuint(count, >, heard->troubles[trouble]);
        heard->troubles[trouble] = count;
}

/* The plain splitter; returns how many lines are dropped. */
static uint64_t split(const uint8_t *bytes, size_t size, size_t line_max, GByteArray *lines) {
        uint64_t dropped = 0;
        const uint8_t *newline;

        for (; (newline = memchr(bytes, '\n', size));
             size -= (size_t) (newline + 1 - bytes), bytes = newline + 1) {
                size_t length = (size_t) (newline - bytes);
                bool good = length > 0 && length <= line_max && !memchr(bytes, 0, length) &&
                            !memchr(bytes, 0xff, length);
                if (good) {
                        (void) g_byte_array_append(lines, bytes, (guint) length + 1);
                }
                dropped += !good;
        }
        return dropped + (size > line_max); /* said before its end */
}

/* Until nothing moves any more. */
static void run(sd_event *event, Heard *heard) {
        uint8_t bytes[4096];
        ssize_t n;

        do {
                while (sd_event_run(event, 0) > 0) {
                }
                n = recv(heard->peer, bytes, sizeof(bytes), MSG_DONTWAIT);
                (void) g_byte_array_append(heard->echo, bytes, (guint) MAX(n, 0));
        } while (n > 0);
}

static void feed(sd_event *event, Heard *heard, const uint8_t *bytes, size_t size) {
        g_assert_cmpint(size > 0 ? send(heard->peer, bytes, size, MSG_DONTWAIT) : 0, ==, (ssize_t) size);
        run(event, heard);
}

static void renew(sd_event *event, ChannelStore *store, const ChannelOptions *options) {
        Heard *heard = options->userdata;
        int fd = channel_leave(heard->channel);

        for (unsigned i = 0; i < _CHANNEL_TROUBLE_MAX; i++) {
                heard->dropped += heard->troubles[i];
                heard->troubles[i] = 0;
        }
        g_assert_cmpint(channel_adopt(event, store, 0, fd, options, &heard->channel), ==, 0);
}

static void check(const Heard *heard, const uint8_t *bytes, size_t size, size_t line_max) {
        g_autoptr(GByteArray) expected = g_byte_array_new();
        uint64_t dropped = heard->dropped;

        for (unsigned i = 0; i < _CHANNEL_TROUBLE_MAX; i++) {
                dropped += heard->troubles[i];
        }
        g_assert_cmpuint(split(bytes, size, line_max, expected), ==, dropped);
        g_assert_cmpmem(expected->data, expected->len, heard->lines->data, heard->lines->len);
        g_assert_cmpmem(expected->data, expected->len, heard->echo->data, heard->echo->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader reader = { data, MIN(size, (size_t) BYTES_MAX) };
        size_t line_max = 1 + fuzz_byte(&reader) % 64, cuts[CUTS];
        unsigned successors = fuzz_byte(&reader);
        Heard heard = { .lines = g_byte_array_new(), .echo = g_byte_array_new() };
        ChannelOptions options = {
                .line_bytes_max = line_max,
                .userdata = &heard,
                .on_line = on_line,
                .on_closed = on_closed,
                .on_trouble = on_trouble,
        };
        sd_event *event = NULL;
        ChannelStore *store = NULL;
        int ends[2];

        for (unsigned i = 0; i < CUTS; i++) {
                cuts[i] = fuzz_byte(&reader);
        }
        g_assert_cmpint(sd_event_new(&event), >=, 0);
        g_assert_cmpint(channel_store_new(-1, &store), ==, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        g_assert_cmpint(channel_new(event, store, 0, ends[0], &options, &heard.channel), ==, 0);
        heard.peer = ends[1];
        const uint8_t *next = reader.data, *end = reader.data + reader.size;
        for (unsigned i = 0; i < CUTS; i++) {
                size_t piece = MIN(cuts[i], (size_t) (end - next));
                feed(event, &heard, next, piece);
                next += piece;
                if (successors & 1U << i) {
                        renew(event, store, &options);
                }
        }
        feed(event, &heard, next, (size_t) (end - next));
        g_assert_false(heard.closed);
        check(&heard, reader.data, reader.size, line_max);
        (void) shutdown(ends[1], SHUT_WR);
        run(event, &heard);
        g_assert_true(heard.closed);
        channel_free(heard.channel);
        channel_store_free(store);
        (void) close(ends[1]);
        (void) sd_event_unref(event);
        g_byte_array_unref(heard.lines);
        g_byte_array_unref(heard.echo);
        return 0;
}
