/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "channel-fixture.h"

#include "event-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void drop_channel(TestChannel *test) {
        channel_free(test->channel);
        test->channel = NULL;
        test->channel_gone = true;
}

static void on_line(void *userdata, const char *line, size_t length) {
        TestChannel *test = userdata;

        g_assert_false(test->channel_gone);
        g_ptr_array_add(test->lines, g_bytes_new(line, length));
        if (test->answer) {
                g_assert_cmpint(channel_answer(test->channel, test->answer, strlen(test->answer)), ==, 0);
        }
        if (test->free_at_line) {
                drop_channel(test);
        }
}

static void on_closed(void *userdata) {
        TestChannel *test = userdata;

        g_assert_false(test->channel_gone);
        test->closed++;
        if (test->free_at_closed) {
                drop_channel(test);
        }
}

static void on_trouble(void *userdata, ChannelTrouble trouble, uint64_t count) {
        TestChannel *test = userdata;

        g_assert_false(test->channel_gone);
        g_assert_cmpuint(count, >, test->troubles[trouble]);
        test->troubles[trouble] = count;
        if (test->free_at_trouble) {
                drop_channel(test);
        }
}

static void on_room(void *userdata) {
        TestChannel *test = userdata;

        g_assert_false(test->channel_gone);
        test->room++;
        if (test->free_at_room) {
                drop_channel(test);
        }
}

static ChannelOptions options_of(TestChannel *test) {
        return (ChannelOptions){
                .line_bytes_max = test->line_bytes_max,
                .batch_usec = test->batch_usec,
                .userdata = test,
                .on_line = on_line,
                .on_closed = on_closed,
                .on_room = on_room,
                .on_trouble = on_trouble,
        };
}

TestChannel *test_channel_new(size_t line_bytes_max) {
        TestChannel *test = g_new0(TestChannel, 1);
        int ends[2];

        test->event = test_event_new();
        test->slot = 3;
        test->line_bytes_max = line_bytes_max;
        test->lines = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        g_assert_cmpint(channel_store_new(-1, &test->store), ==, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        g_assert_cmpint(fcntl(ends[1], F_SETFL, O_NONBLOCK), ==, 0);
        test->peer = ends[1];
        ChannelOptions options = options_of(test);
        g_assert_cmpint(channel_new(test->event, test->store, test->slot, ends[0], &options, &test->channel),
                        ==,
                        0);
        g_assert_cmpint(channel_get_fd(test->channel), ==, ends[0]);
        return test;
}

void test_channel_free(TestChannel *test) {
        channel_free(test->channel);
        channel_store_free(test->store);
        if (test->peer >= 0) {
                (void) close(test->peer);
        }
        g_ptr_array_unref(test->lines);
        (void) sd_event_unref(test->event);
        g_free(test);
}

int test_channel_leave(TestChannel *test) {
        int fd = channel_leave(test->channel);

        test->channel = NULL;
        return fd;
}

void test_channel_adopt(TestChannel *test, int fd) {
        ChannelOptions options = options_of(test);
        int store_fd = channel_store_take_fd(test->store);

        channel_store_free(test->store);
        g_assert_cmpint(channel_store_new(store_fd, &test->store), ==, 0);
        g_assert_cmpint(channel_store_get_fd(test->store), ==, store_fd);
        memset(test->troubles, 0, sizeof(test->troubles));
        guint before = test->lines->len;
        g_assert_cmpint(channel_adopt(test->event, test->store, test->slot, fd, &options, &test->channel),
                        ==,
                        0);
        g_assert_cmpuint(test->lines->len, ==, before); /* they come from the loop */
}

void test_channel_renew(TestChannel *test) {
        test_channel_adopt(test, test_channel_leave(test));
}

void test_channel_feed(TestChannel *test, const void *bytes, size_t length) {
        const char *next = bytes;

        while (length > 0) {
                ssize_t n = send(test->peer, next, length, MSG_NOSIGNAL);
                if (n < 0) {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        g_assert_cmpint(sd_event_run(test->event, UINT64_MAX), >=, 0);
                        continue;
                }
                next += n;
                length -= (size_t) n;
        }
        test_event_drain(test->event);
}

void test_channel_feed_text(TestChannel *test, const char *text) {
        test_channel_feed(test, text, strlen(text));
}

char *test_channel_drink(TestChannel *test, size_t length) {
        char *bytes = g_malloc(length + 1);
        size_t got = 0;

        while (got < length) {
                ssize_t n = recv(test->peer, bytes + got, length - got, 0);
                if (n < 0) {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        g_assert_cmpint(sd_event_run(test->event, UINT64_MAX), >=, 0);
                        continue;
                }
                g_assert_cmpint(n, >, 0);
                got += (size_t) n;
        }
        bytes[got] = '\0';
        return bytes;
}

char *test_channel_lines(const TestChannel *test) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < test->lines->len; i++) {
                GBytes *line = test->lines->pdata[i];
                g_string_append_c(text, '[');
                g_string_append_len(text, g_bytes_get_data(line, NULL), (gssize) g_bytes_get_size(line));
                g_string_append_c(text, ']');
        }
        return g_strdup(text->str);
}

void test_channel_forget_lines(TestChannel *test) {
        g_ptr_array_set_size(test->lines, 0);
}

char *test_channel_text(unsigned seed, size_t length) {
        char *text = g_malloc(length + 1);

        for (size_t i = 0; i < length; i++) {
                text[i] = (char) ('!' + (seed * 131 + i * 7 + i / 91 + i / 5003) % 90);
        }
        text[length] = '\0';
        return text;
}
