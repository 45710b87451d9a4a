/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/channel.h"

#include <glib.h>

/* A channel in a loop of its own, its other end, and all that was heard of it. */
typedef struct TestChannel {
        sd_event *event;
        ChannelStore *store;
        Channel *channel;
        uint32_t slot;
        size_t line_bytes_max;
        uint64_t batch_usec; /* of the next channel */
        int peer;            /* the child's end, non-blocking */
        GPtrArray *lines;    /* of GBytes */
        uint64_t troubles[_CHANNEL_TROUBLE_MAX];
        unsigned closed, room;
        const char *answer; /* to each line; NULL: none */
        bool free_at_line, free_at_trouble, free_at_closed, free_at_room;
        bool channel_gone; /* freed by a callback */
} TestChannel;

TestChannel *test_channel_new(size_t line_bytes_max);
void test_channel_free(TestChannel *test);

/* Leave it as a supervisor does that ends, or is killed: the same to who comes after; and go on as a
 * successor. */
void test_channel_renew(TestChannel *test);

/* The same without a successor yet: returns our end. */
int test_channel_leave(TestChannel *test);
void test_channel_adopt(TestChannel *test, int fd);

/* What the child writes, all of it; the loop runs meanwhile. */
void test_channel_feed(TestChannel *test, const void *bytes, size_t length);
void test_channel_feed_text(TestChannel *test, const char *text);

/* All that reaches the child until length bytes are there; the loop runs meanwhile. */
char *test_channel_drink(TestChannel *test, size_t length);

/* The lines so far as text, each in brackets: to be compared. Freed by the caller. */
char *test_channel_lines(const TestChannel *test);

#define test_channel_assert_lines(test, expected)                                                           \
        do {                                                                                                \
                g_autofree char *lines_ = test_channel_lines(test);                                         \
                g_assert_cmpstr(lines_, ==, expected);                                                      \
        } while (0)

void test_channel_forget_lines(TestChannel *test);

/* A text of this length that another seed does not give: no newline, no NUL. */
char *test_channel_text(unsigned seed, size_t length);
