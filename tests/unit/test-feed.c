/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What both faces have of a feed is tested there (streams of OpenBus, pub.sock); here is what neither shows.
 */

#include "platform/feed.h"

#include "event-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Reader {
        sd_event *event;
        Feed *feed;
        int fd; /* the other end */
        bool gone;
} Reader;

static FeedItem *item_of(const char *text) {
        FeedItem *item = feed_item_new(strlen(text));

        memcpy(item->bytes, text, item->length);
        return item;
}

static FeedItem *render_lost(uint64_t count) {
        g_autofree char *text = g_strdup_printf("<%u lost>", (unsigned) count);

        return item_of(text);
}

static void on_gone(void *userdata, Feed *feed) {
        Reader *reader = userdata;

        g_assert_true(feed == reader->feed);
        g_assert_true(feed_is_gone(feed));
        reader->gone = true;
        g_clear_pointer(&reader->feed, feed_free);
}

static Reader *reader_new(size_t backlog, bool discard_input) {
        Reader *reader = g_new0(Reader, 1);
        const FeedOptions options = {
                .backlog_bytes_max = backlog,
                .discard_input = discard_input,
                .render_lost = render_lost,
                .on_gone = on_gone,
                .userdata = reader,
        };
        int fds[2];

        reader->event = test_event_new();
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
        g_assert_cmpint(feed_new(reader->event, fds[0], &options, &reader->feed), ==, 0);
        reader->fd = fds[1];
        return reader;
}

static void reader_free(Reader *reader) {
        g_clear_pointer(&reader->feed, feed_free);
        (void) close(reader->fd);
        (void) sd_event_unref(reader->event);
        g_free(reader);
}

static void append(Reader *reader, const char *text) {
        FeedItem *item = item_of(text);

        feed_append(reader->feed, item);
        feed_item_unref(item);
}

/* All that is there. */
static char *read_text(Reader *reader) {
        g_autoptr(GString) text = g_string_new(NULL);
        char bytes[4096];
        ssize_t n;

        test_event_drain(reader->event);
        while ((n = recv(reader->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
                g_string_append_len(text, bytes, n);
                test_event_drain(reader->event);
        }
        return g_strdup(text->str);
}

static void assert_text(Reader *reader, const char *expected) {
        g_autofree char *text = read_text(reader);

        g_assert_cmpstr(text, ==, expected);
}

static void test_flush(void) {
        Reader *reader = reader_new(4096, false);

        append(reader, "one,");
        append(reader, "two,");
        assert_text(reader, ""); /* not before it is said */
        feed_flush(reader->feed);
        assert_text(reader, "one,two,");
        append(reader, "three");
        feed_flush(reader->feed);
        assert_text(reader, "three");
        reader_free(reader);
}

/* The bound is for what waits, and each gap is told where it is. */
static void test_lost(void) {
        Reader *reader = reader_new(400, false);
        g_autofree char *large = g_strnfill(1000, 'x');

        append(reader, "first,");
        append(reader, large);
        append(reader, "in the gap");
        append(reader, large);
        feed_flush(reader->feed);
        assert_text(reader, "first,<1 lost>in the gap<1 lost>");
        append(reader, "last");
        feed_flush(reader->feed);
        assert_text(reader, "last");
        reader_free(reader);
}

/* A reader who writes, in a feed that does not look at that: it is not woken, and the end is seen. */
static void test_input_ignored(void) {
        Reader *reader = reader_new(4096, false);

        g_assert_cmpint(send(reader->fd, "hello", 5, 0), ==, 5);
        g_assert_cmpint(sd_event_run(reader->event, 0), ==, 0);
        g_assert_cmpint(shutdown(reader->fd, SHUT_WR), ==, 0);
        test_event_drain(reader->event);
        append(reader, "text");
        feed_flush(reader->feed);
        assert_text(reader, "text");
        g_assert_cmpint(shutdown(reader->fd, SHUT_RDWR), ==, 0);
        test_event_wait_flag(reader->event, &reader->gone, "the end");
        reader_free(reader);
}

static void test_input_discarded(void) {
        Reader *reader = reader_new(4096, true);
        g_autofree char *bytes = g_malloc0(64 * 1024);

        g_assert_cmpint(fcntl(reader->fd, F_SETFL, O_NONBLOCK), ==, 0);
        for (size_t sent = 0; sent < 4 * 1024 * 1024;) {
                ssize_t n = send(reader->fd, bytes, 64 * 1024, 0);
                g_assert_true(n > 0 || errno == EAGAIN);
                sent += (size_t) MAX(n, 0);
                test_event_drain(reader->event);
        }
        append(reader, "text");
        feed_flush(reader->feed);
        assert_text(reader, "text");
        g_assert_cmpint(shutdown(reader->fd, SHUT_WR), ==, 0);
        test_event_wait_flag(reader->event, &reader->gone, "the end");
        reader_free(reader);
}

/* It writes while it waits for room, and goes then. */
static void test_input_while_full(void) {
        Reader *reader = reader_new(1024 * 1024, true);
        g_autofree char *large = g_strnfill(300 * 1000, 'x');

        append(reader, large);
        append(reader, large);
        feed_flush(reader->feed);
        test_event_drain(reader->event);
        g_assert_cmpint(send(reader->fd, "hello", 5, 0), ==, 5);
        test_event_drain(reader->event);
        g_autofree char *text = read_text(reader);
        g_assert_cmpuint(strlen(text), ==, 600 * 1000);
        append(reader, large);
        append(reader, large);
        feed_flush(reader->feed);
        (void) close(reader->fd);
        reader->fd = -EBADF;
        test_event_wait_flag(reader->event, &reader->gone, "the end");
        reader_free(reader);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/feed/flush", test_flush);
        g_test_add_func("/feed/lost", test_lost);
        g_test_add_func("/feed/input-ignored", test_input_ignored);
        g_test_add_func("/feed/input-discarded", test_input_discarded);
        g_test_add_func("/feed/input-while-full", test_input_while_full);
        return g_test_run();
}
