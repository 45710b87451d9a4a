/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a channel can hold for a child that does not read, and the answers that there is room for still. */

#include "channel-fixture.h"

#include <errno.h>
#include <string.h>

enum {
        LINE_MAX_USUAL = CHANNEL_LINE_BYTES_MAX,
};

#define SENT_MAX ((size_t) CHANNEL_QUEUE_BYTES_MAX - CHANNEL_ANSWERS_BYTES_MAX)
#define ANSWERS  "answer\nanswer\n"

static void test_queue_full(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 99999);
        size_t sent = 0;
        int r;

        while ((r = channel_send(test->channel, text, 99999)) == 0) {
                sent++;
        }
        g_assert_cmpint(r, ==, -ENOBUFS);
        size_t queued = channel_queued_bytes(test->channel);
        g_assert_cmpuint(queued, <=, SENT_MAX);
        g_assert_cmpuint(queued + 100000, >, SENT_MAX);
        g_assert_cmpint(channel_send(test->channel, text, SENT_MAX - queued), ==, -ENOBUFS);
        g_assert_cmpuint(channel_queued_bytes(test->channel), ==, queued);
        size_t last = SENT_MAX - queued - 1;
        g_assert_cmpint(channel_send(test->channel, text, last), ==, 0);
        g_assert_cmpuint(channel_queued_bytes(test->channel), ==, SENT_MAX);
        g_assert_cmpint(channel_send(test->channel, "1", 1), ==, -ENOBUFS);
        test->answer = "answer";
        test_channel_feed_text(test, "one\ntwo\n");
        test_channel_assert_lines(test, "[one][two]");
        test_channel_renew(test);
        g_autofree char *got = test_channel_drink(test, sent * 100000 + last + 1 + strlen(ANSWERS));
        for (size_t i = 0; i < sent; i++) {
                g_assert_cmpint(memcmp(got + i * 100000, text, 99999), ==, 0);
                g_assert_cmpint(got[i * 100000 + 99999], ==, '\n');
        }
        g_assert_cmpint(memcmp(got + sent * 100000, text, last), ==, 0);
        g_assert_cmpint(got[sent * 100000 + last], ==, '\n');
        g_assert_cmpint(memcmp(got + sent * 100000 + last + 1, ANSWERS, strlen(ANSWERS)), ==, 0);
        g_assert_cmpuint(channel_queued_bytes(test->channel), ==, 0);
        g_assert_cmpint(channel_send(test->channel, text, SENT_MAX), ==, -ENOBUFS);
        test_channel_free(test);
}

/* In between other messages, and more than there is room for. */
static void test_answers(void) {
        TestChannel *test = test_channel_new(LINE_MAX_USUAL);
        g_autofree char *text = test_channel_text(1, 900000);

        test->answer = "answer";
        test_channel_feed_text(test, "one\n");
        g_assert_cmpint(channel_send(test->channel, "sent", 4), ==, 0);
        test_channel_feed_text(test, "two\nthr");
        test_channel_renew(test);
        test_channel_feed_text(test, "ee\n");
        g_autofree char *got = test_channel_drink(test, strlen("sent\n") + 3 * strlen("answer\n"));
        g_assert_cmpstr(got, ==, "answer\nsent\nanswer\nanswer\n");
        test_channel_assert_lines(test, "[one][two][three]");
        g_assert_cmpint(channel_answer(test->channel, text, CHANNEL_QUEUE_BYTES_MAX), ==, -ENOBUFS);
        g_assert_cmpint(channel_answer(test->channel, "a\nb", 3), ==, -EINVAL);
        test_channel_free(test);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/channel/queue-full", test_queue_full);
        g_test_add_func("/platform/channel/answers", test_answers);
        return g_test_run();
}
