/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading the end of a log file over all that may happen to it. */

#include "ctl/log-tail.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Fixture {
        char *folder, *path;
        LogTail *tail;
        GString *lines; /* what was handed out, joined by "|" */
} Fixture;

static void take_line(void *userdata, const char *line, size_t length) {
        Fixture *fixture = userdata;
        (void) g_string_append_len(fixture->lines, line, (gssize) length);
        g_string_append_c(fixture->lines, '|');
}

static void set_up(Fixture *fixture, gconstpointer data) {
        fixture->folder = g_dir_make_tmp("test-ctl-logs-XXXXXX", NULL);
        fixture->path = g_build_filename(fixture->folder, "a.log", NULL);
        fixture->lines = g_string_new(NULL);
        fixture->tail = log_tail_new(fixture->path, take_line, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
        log_tail_free(fixture->tail);
        (void) g_string_free(fixture->lines, true);
        (void) g_unlink(fixture->path);
        (void) g_rmdir(fixture->folder);
        g_free(fixture->path);
        g_free(fixture->folder);
}

static void append(const Fixture *fixture, const char *text) {
        FILE *file = fopen(fixture->path, "ae");
        g_assert_nonnull(file);
        g_assert_cmpint(fputs(text, file), >=, 0);
        g_assert_cmpint(fclose(file), ==, 0);
}

static void assert_lines(Fixture *fixture, const char *expected) {
        g_assert_cmpstr(fixture->lines->str, ==, expected);
        (void) g_string_truncate(fixture->lines, 0);
}

static void assert_update(Fixture *fixture, const char *expected) {
        g_assert_cmpint(log_tail_update(fixture->tail), ==, 0);
        assert_lines(fixture, expected);
}

static void test_last_lines(Fixture *fixture, gconstpointer data) {
        static const struct {
                const char *text;
                unsigned lines;
                const char *expected;
        } samples[] = {
                { "", 15, "" },       { "a\nb\nc\n", 2, "b|c|" }, { "a\nb\nc", 2, "b|c|" },
                { "a\n", 0, "" },     { "a\nb\n", 9, "a|b|" },    { "\n\n\n", 2, "||" },
                { "abc", 1, "abc|" }, { "a\n\nb\n", 2, "|b|" },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                LogTail *tail = log_tail_new(fixture->path, take_line, fixture);
                g_assert_true(g_file_set_contents(fixture->path, samples[i].text, -1, NULL));
                g_assert_cmpint(log_tail_start(tail, samples[i].lines), ==, 0);
                log_tail_finish(tail);
                assert_lines(fixture, samples[i].expected);
                log_tail_free(tail);
        }
}

/* Over the bounds of the blocks that are read. */
static void test_last_of_many(Fixture *fixture, gconstpointer data) {
        g_autoptr(GString) text = g_string_new(NULL), expected = g_string_new(NULL);

        for (unsigned i = 0; i < 40000; i++) {
                g_string_append_printf(text, "line %u\n", i);
                if (i >= 20000) {
                        g_string_append_printf(expected, "line %u|", i);
                }
        }
        append(fixture, text->str);
        g_assert_cmpint(log_tail_start(fixture->tail, 20000), ==, 0);
        assert_lines(fixture, expected->str);
}

static void test_growing(Fixture *fixture, gconstpointer data) {
        g_assert_cmpint(log_tail_start(fixture->tail, 15), ==, 0);
        assert_update(fixture, "");
        append(fixture, "on");
        assert_update(fixture, "");
        append(fixture, "e\ntwo\n\nthr");
        assert_update(fixture, "one|two||");
        log_tail_finish(fixture->tail);
        assert_lines(fixture, "thr|");
        log_tail_finish(fixture->tail);
        assert_lines(fixture, "");
}

static void test_truncated(Fixture *fixture, gconstpointer data) {
        append(fixture, "old one\nold two\npart");
        g_assert_cmpint(log_tail_start(fixture->tail, 2), ==, 0);
        assert_lines(fixture, "old two|");
        g_assert_cmpint(truncate(fixture->path, 0), ==, 0);
        append(fixture, "new\n");
        assert_update(fixture, "part|new|");
        /* Also where it has grown beyond the old size since. */
        g_assert_cmpint(truncate(fixture->path, 0), ==, 0);
        append(fixture, "much longer than before\n");
        assert_update(fixture, "much longer than before|");
}

static void test_replaced(Fixture *fixture, gconstpointer data) {
        g_autofree char *old = g_strconcat(fixture->path, ".1", NULL);

        append(fixture, "one\n");
        g_assert_cmpint(log_tail_start(fixture->tail, 15), ==, 0);
        append(fixture, "two\n");
        g_assert_cmpint(g_rename(fixture->path, old), ==, 0);
        append(fixture, "three\n");
        assert_update(fixture, "one|two|three|");
        (void) g_unlink(old);
        (void) g_unlink(fixture->path);
        assert_update(fixture, "");
}

/* The oldest blocks are cut off, as pm2d bounds its logs. */
static void test_cut(Fixture *fixture, gconstpointer data) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < 2000; i++) {
                g_string_append_printf(text, "line %u\n", i);
        }
        append(fixture, text->str);
        g_assert_cmpint(log_tail_start(fixture->tail, 0), ==, 0);
        (void) g_string_append(text, "after\n");
        int fd = open(fixture->path, O_WRONLY | O_CLOEXEC);
        g_assert_cmpint(fd, >=, 0);
        size_t left = text->len - 8192;
        g_assert_cmpint(pwrite(fd, text->str + 8192, left, 0), ==, (ssize_t) left);
        g_assert_cmpint(ftruncate(fd, (off_t) left), ==, 0);
        (void) close(fd);
        assert_update(fixture, "after|");
}

static void test_refused(Fixture *fixture, gconstpointer data) {
        g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
        g_assert_cmpint(log_tail_start(fixture->tail, 15), ==, -ENXIO);
        assert_lines(fixture, "");
}

/* A line without an end does not grow for ever. */
static void test_long_line(Fixture *fixture, gconstpointer data) {
        g_autofree char *text = g_strnfill(3 << 20, 'x');

        append(fixture, text);
        g_assert_cmpint(log_tail_start(fixture->tail, 1), ==, 0);
        g_assert_cmpuint(fixture->lines->len, >=, 2 << 20);
        log_tail_finish(fixture->tail);
        g_assert_cmpuint(fixture->lines->len, >=, 3 << 20);
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                void (*run)(Fixture *fixture, gconstpointer data);
        } tests[] = {
                { "/ctl/log-tail/last-lines", test_last_lines },
                { "/ctl/log-tail/last-of-many", test_last_of_many },
                { "/ctl/log-tail/growing", test_growing },
                { "/ctl/log-tail/truncated", test_truncated },
                { "/ctl/log-tail/replaced", test_replaced },
                { "/ctl/log-tail/cut", test_cut },
                { "/ctl/log-tail/refused", test_refused },
                { "/ctl/log-tail/long-line", test_long_line },
        };
        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
                g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
        }
        return g_test_run();
}
