/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "stream-fixture.h"

#include "event-fixture.h"
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

sd_bus_message *test_open_message(sd_bus *client, const char *events, const char *target) {
        sd_bus_message *message = test_message_new(client, MANAGER_PATH, "org.pm2.Manager", "OpenBus");

        g_assert_cmpint(sd_bus_message_open_container(message, 'a', "{sv}"), >=, 0);
        if (events) {
                g_auto(GStrv) names = g_strsplit(events, " ", -1);
                g_assert_cmpint(sd_bus_message_open_container(message, 'e', "sv"), >=, 0);
                g_assert_cmpint(sd_bus_message_append(message, "s", "events"), >=, 0);
                g_assert_cmpint(sd_bus_message_open_container(message, 'v', "as"), >=, 0);
                g_assert_cmpint(sd_bus_message_append_strv(message, names), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
        }
        if (target) {
                g_assert_cmpint(sd_bus_message_append(message, "{sv}", "target", "s", target), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
        return message;
}

int test_take_fd(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int borrowed = -1;

        if (error) {
                g_error("%s: %s", error->name, error->message);
        }
        g_assert_cmpint(sd_bus_message_read(reply, "h", &borrowed), >, 0);
        int fd = fcntl(borrowed, F_DUPFD_CLOEXEC, 3);
        g_assert_cmpint(fd, >=, 0);
        (void) sd_bus_message_unref(reply);
        return fd;
}

TestReader *test_reader_new(TestService *service, sd_bus *client, const char *events, const char *target) {
        TestReader *reader = g_new0(TestReader, 1);

        reader->service = service;
        reader->fd = test_take_fd(
                        test_call_message(service, client, test_open_message(client, events, target)));
        /* the reader's own end waits unless the reader says otherwise */
        g_assert_cmpint(fcntl(reader->fd, F_GETFL) & O_NONBLOCK, ==, 0);
        g_assert_cmpint(fcntl(reader->fd, F_SETFL, O_NONBLOCK), ==, 0);
        reader->text = g_string_new(NULL);
        return reader;
}

void test_reader_free(TestReader *reader) {
        (void) close(reader->fd);
        (void) g_string_free(reader->text, TRUE);
        g_free(reader);
}

static char *take_line(TestReader *reader) {
        const char *end = strchr(reader->text->str, '\n');

        if (!end) {
                return NULL;
        }
        size_t length = (size_t) (end - reader->text->str);
        char *line = g_strndup(reader->text->str, length);
        (void) g_string_erase(reader->text, 0, (gssize) length + 1);
        return line;
}

char *test_reader_peek(TestReader *reader) {
        char buffer[65536];
        char *line = take_line(reader);

        while (!line && !reader->ended) {
                ssize_t n = read(reader->fd, buffer, sizeof(buffer));
                if (n < 0) {
                        g_assert_cmpint(errno, ==, EAGAIN);
                        return NULL;
                }
                reader->ended = n == 0;
                g_string_append_len(reader->text, buffer, n);
                line = take_line(reader);
        }
        return line;
}

typedef struct Wish {
        TestReader *reader;
        char *line;
} Wish;

static bool is_fulfilled(void *userdata) {
        Wish *wish = userdata;

        wish->line = test_reader_peek(wish->reader);
        return wish->line || wish->reader->ended;
}

char *test_reader_next(TestReader *reader) {
        Wish wish = { .reader = reader };

        test_event_wait(reader->service->event, is_fulfilled, &wish, "a line of the stream");
        g_assert_nonnull(wish.line);
        return wish.line;
}

void test_reader_assert_nothing(TestReader *reader) {
        test_event_drain(reader->service->event);
        g_autofree char *line = test_reader_peek(reader);
        g_assert_cmpstr(line, ==, NULL);
}

char *test_between(const char *line, const char *before, const char *after) {
        test_assert_contains(line, before);
        const char *start = strstr(line, before) + strlen(before);
        test_assert_contains(start, after);
        return g_strndup(start, (gsize) (strstr(start, after) - start));
}
