/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The place of a reader in a log file, over all that may happen to the file. */

#include "platform/log-reader.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Fixture {
        char *path;
        int fd; /* of the writer */
        LogReader reader;
        LogBuffer buffer;
} Fixture;

static void append(const Fixture *fixture, const char *text) {
        g_assert_cmpint(write(fixture->fd, text, strlen(text)), ==, (ssize_t) strlen(text));
}

static int open_again(const Fixture *fixture) {
        int fd = log_reader_open(fixture->fd);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

static void set_up(Fixture *fixture, gconstpointer data) {
        fixture->path = g_strdup("/tmp/test-log-reader-XXXXXX");
        int fd = g_mkstemp(fixture->path);
        g_assert_cmpint(fd, >=, 0);
        (void) close(fd);
        fixture->fd = open(fixture->path, O_WRONLY | O_APPEND | O_CLOEXEC);
        g_assert_cmpint(fixture->fd, >=, 0);
        log_reader_init(&fixture->reader, open_again(fixture), 0);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
        log_reader_done(&fixture->reader);
        log_buffer_clear(&fixture->buffer);
        (void) close(fixture->fd);
        (void) g_unlink(fixture->path);
        g_free(fixture->path);
}

static void assert_read(Fixture *fixture, bool final, LogReadResult expected, const char *text) {
        const char *bytes = NULL;
        size_t length = 0;

        g_assert_cmpint(log_reader_read(&fixture->reader, &fixture->buffer, final, &bytes, &length),
                        ==,
                        expected);
        g_autofree char *copy = g_strndup(bytes ? bytes : "", length);
        g_assert_cmpstr(copy, ==, text);
}

static void begin_at_end(Fixture *fixture) {
        log_reader_done(&fixture->reader);
        log_reader_init_at_end(&fixture->reader, open_again(fixture));
}

static void test_lines(Fixture *fixture, gconstpointer data) {
        assert_read(fixture, false, LOG_READ_NOTHING, "");
        append(fixture, "one\ntwo\nthr");
        assert_read(fixture, false, LOG_READ_LINES, "one\ntwo\n");
        assert_read(fixture, false, LOG_READ_NOTHING, "");
        append(fixture, "ee\n");
        assert_read(fixture, false, LOG_READ_LINES, "three\n");
        append(fixture, "\nend");
        assert_read(fixture, true, LOG_READ_MORE, "\n");
        assert_read(fixture, true, LOG_READ_MORE, "end");
        assert_read(fixture, true, LOG_READ_NOTHING, "");
        append(fixture, " of it\n");
        assert_read(fixture, false, LOG_READ_LINES, " of it\n");
}

static void test_at_end(Fixture *fixture, gconstpointer data) {
        append(fixture, "unfinished");
        begin_at_end(fixture);
        append(fixture, " line\n");
        assert_read(fixture, false, LOG_READ_LINES, "unfinished line\n");
        begin_at_end(fixture);
        append(fixture, "next\n");
        assert_read(fixture, false, LOG_READ_LINES, "next\n");
        g_autofree char *long_part = g_strnfill(10000, 'x');
        append(fixture, long_part);
        begin_at_end(fixture);
        g_assert_cmpuint(fixture->reader.offset, ==, 21);
}

static void test_long_lines(Fixture *fixture, gconstpointer data) {
        g_autofree char *line = g_strnfill(300000, 'x'), *huge = g_strnfill(LOG_READER_LINE_BYTES, 'y');
        const char *bytes;
        size_t length = 0;

        append(fixture, line);
        assert_read(fixture, false, LOG_READ_NOTHING, "");
        append(fixture, "\nshort\n");
        g_assert_cmpint(log_reader_read(&fixture->reader, &fixture->buffer, false, &bytes, &length),
                        ==,
                        LOG_READ_LINES);
        g_assert_cmpuint(length, ==, 300007);
        append(fixture, huge);
        append(fixture, "rest\n");
        g_assert_cmpint(log_reader_read(&fixture->reader, &fixture->buffer, false, &bytes, &length),
                        ==,
                        LOG_READ_MORE);
        g_assert_cmpuint(length, ==, LOG_READER_LINE_BYTES);
        assert_read(fixture, false, LOG_READ_LINES, "rest\n");
}

static void test_much_is_read_in_parts(Fixture *fixture, gconstpointer data) {
        g_autoptr(GString) all = g_string_new(NULL), found = g_string_new(NULL);
        const char *bytes = NULL;
        size_t length = 0;

        for (unsigned i = 0; i < 20000; i++) {
                g_string_append_printf(all, "line %u\n", i);
        }
        append(fixture, all->str);
        while (log_reader_read(&fixture->reader, &fixture->buffer, false, &bytes, &length) !=
               LOG_READ_NOTHING) {
                g_assert_cmpuint(length, <=, 65536);
                g_assert_cmpint(bytes[length - 1], ==, '\n');
                g_string_append_len(found, bytes, (gssize) length);
        }
        g_assert_cmpstr(found->str, ==, all->str);
}

static void test_emptied(Fixture *fixture, gconstpointer data) {
        append(fixture, "one\ntwo\n");
        assert_read(fixture, false, LOG_READ_LINES, "one\ntwo\n");
        g_assert_cmpint(ftruncate(fixture->fd, 0), ==, 0);
        assert_read(fixture, false, LOG_READ_EMPTIED, "");
        append(fixture, "new\n");
        assert_read(fixture, false, LOG_READ_LINES, "new\n");
        /* and has grown beyond the place before anybody looked */
        g_assert_cmpint(ftruncate(fixture->fd, 0), ==, 0);
        append(fixture, "others, and more of them\n");
        assert_read(fixture, false, LOG_READ_EMPTIED, "");
        assert_read(fixture, false, LOG_READ_LINES, "others, and more of them\n");
}

/* As a cut does, but at any byte. */
static void take_off(const Fixture *fixture, size_t count) {
        char *text;
        size_t length;

        g_assert_true(g_file_get_contents(fixture->path, &text, &length, NULL));
        g_assert_cmpint(ftruncate(fixture->fd, 0), ==, 0);
        append(fixture, text + count);
        g_free(text);
}

static void test_cut(Fixture *fixture, gconstpointer data) {
        append(fixture, "one\ntwo\nthree\n");
        begin_at_end(fixture);
        append(fixture, "four\n");
        take_off(fixture, 8);
        g_assert_cmpuint(log_reader_cut(&fixture->reader, 8, 0), ==, 0);
        assert_read(fixture, false, LOG_READ_LINES, "four\n");
        append(fixture, "five\nsix\n");
        take_off(fixture, 6 + 5 + 5); /* one more line than was read */
        g_assert_cmpuint(log_reader_cut(&fixture->reader, 16, 0), ==, 5);
        assert_read(fixture, false, LOG_READ_LINES, "six\n");
        g_assert_cmpuint(log_reader_cut(&fixture->reader, 0, 0), ==, 0);
        g_assert_true(log_reader_check(&fixture->reader));
        take_off(fixture, 2);
        append(fixture, "seven\nei");
        g_assert_false(log_reader_check(&fixture->reader));
        append(fixture, "ght\n");
        assert_read(fixture, false, LOG_READ_LINES, "eight\n");
}

static void put_blanks(const Fixture *fixture, size_t count) {
        g_autofree char *blanks = g_strnfill(count, ' ');
        int fd = open(fixture->path, O_WRONLY | O_CLOEXEC);

        g_assert_cmpint(pwrite(fd, blanks, count, 0), ==, (ssize_t) count);
        (void) close(fd);
}

/* The line that the cut divides is not told of as one of blanks. */
static void test_cut_within_a_line(Fixture *fixture, gconstpointer data) {
        append(fixture, "one\ntwo\nthree\nfour\nfive\n");
        assert_read(fixture, false, LOG_READ_LINES, "one\ntwo\nthree\nfour\nfive\n");
        append(fixture, "six\nseven\n");
        take_off(fixture, 10);
        put_blanks(fixture, 3);
        g_assert_cmpuint(log_reader_cut(&fixture->reader, 10, 4), ==, 0);
        assert_read(fixture, false, LOG_READ_LINES, "six\nseven\n");
        append(fixture, "eight\nnine\n");
        take_off(fixture, 4 + 5 + 5 + 4 + 6 + 3); /* into a line that was not read */
        put_blanks(fixture, 2);
        g_assert_cmpuint(log_reader_cut(&fixture->reader, 27, 3), ==, 6);
        assert_read(fixture, false, LOG_READ_LINES, "nine\n");
}

static void test_begun_in_a_cut(Fixture *fixture, gconstpointer data) {
        append(fixture, "one\ntwo\nthree\n");
        begin_at_end(fixture); /* before it */
        append(fixture, "four\n");
        take_off(fixture, 8);
        log_reader_find(&fixture->reader, 8, 0);
        assert_read(fixture, false, LOG_READ_LINES, "four\n");
        begin_at_end(fixture); /* behind it */
        log_reader_find(&fixture->reader, 8, 0);
        append(fixture, "five\n");
        assert_read(fixture, false, LOG_READ_LINES, "five\n");
        begin_at_end(fixture); /* before it; the mark is blanks in part */
        take_off(fixture, 8);
        put_blanks(fixture, 2);
        append(fixture, "six\n");
        log_reader_find(&fixture->reader, 8, 3);
        assert_read(fixture, false, LOG_READ_LINES, "six\n");
        begin_at_end(fixture); /* behind it, and before the blanks */
        put_blanks(fixture, 7);
        append(fixture, "seven\n");
        log_reader_find(&fixture->reader, 20, 8);
        assert_read(fixture, false, LOG_READ_LINES, "seven\n");
}

static void assert_tail(
                Fixture *fixture, uint64_t end, unsigned lines, size_t bytes_max, const char *expected) {
        const char *bytes = NULL;
        size_t length = 0;

        log_reader_tail(fixture->reader.fd, &fixture->buffer, end, lines, bytes_max, &bytes, &length);
        g_autofree char *copy = g_strndup(bytes ? bytes : "", length);
        g_assert_cmpstr(copy, ==, expected);
}

static void test_tail(Fixture *fixture, gconstpointer data) {
        assert_tail(fixture, 0, 5, 100, "");
        append(fixture, "one\ntwo\nthree\npart");
        assert_tail(fixture, 18, 0, 100, "");
        assert_tail(fixture, 18, 1, 100, "part");
        assert_tail(fixture, 18, 2, 100, "three\npart");
        assert_tail(fixture, 14, 2, 100, "two\nthree\n");
        assert_tail(fixture, 14, 3, 100, "one\ntwo\nthree\n");
        assert_tail(fixture, 14, 9, 100, "one\ntwo\nthree\n");
        assert_tail(fixture, 14, 9, 8, "three\n");
        assert_tail(fixture, 14, 9, 3, "");
        assert_tail(fixture, 4, 9, 4, "one\n");
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                void (*function)(Fixture *fixture, gconstpointer data);
        } tests[] = {
                { "/log-reader/lines", test_lines },
                { "/log-reader/at-end", test_at_end },
                { "/log-reader/long-lines", test_long_lines },
                { "/log-reader/much-is-read-in-parts", test_much_is_read_in_parts },
                { "/log-reader/emptied", test_emptied },
                { "/log-reader/cut", test_cut },
                { "/log-reader/cut-within-a-line", test_cut_within_a_line },
                { "/log-reader/begun-in-a-cut", test_begun_in_a_cut },
                { "/log-reader/tail", test_tail },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
                g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].function, tear_down);
        }
        return g_test_run();
}
