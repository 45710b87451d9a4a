/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where a log is cut, and what is left of it. */

#include "platform/log-cut.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        PART = 65536,
        BOUND = 6 * PART,
};

static void assert_search(const char *text, size_t chunk, int64_t boundary, uint64_t rest) {
        LogSearch search;
        bool done = false;

        log_search_init(&search, 8, 4);
        for (size_t at = 7; at < strlen(text) && !done; at += chunk) {
                done = log_search_feed(&search, text + at, MIN(chunk, strlen(text) - at));
        }
        g_assert_cmpint(search.found, ==, boundary >= 0);
        if (boundary >= 0) {
                g_assert_cmpint((int64_t) search.boundary, ==, boundary);
                g_assert_cmpuint(search.rest_bytes, ==, rest);
        }
}

static void test_search(void) {
        static const struct {
                const char *text;
                int64_t boundary;
                uint64_t rest;
        } samples[] = {
                { "0123456\n89012345678901", 8, 0 }, /* right before the first */
                { "0123456789012345678901", -1, 0 }, /* no line at all */
                { "01234567890\n2345678901", 12, 0 },   { "0123456789\n12345678901", 8, 3 },
                { "01234567\n901234\n6789\n1", 16, 0 }, { "01234567\n90123456\n89012", 8, 1 },
                { "012345678\n01234567\n901", 8, 2 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                for (size_t chunk = 1; chunk < 20; chunk++) {
                        assert_search(samples[i].text, chunk, samples[i].boundary, samples[i].rest);
                }
        }
}

/* The file of a test, as an O_PATH descriptor and one to write to it. */
typedef struct Fixture {
        char *folder, *path;
        int fd, path_fd;
        GString *text; /* what was written */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
        fixture->folder = test_folder_new();
        fixture->path = g_build_filename(fixture->folder, "log", NULL);
        fixture->fd = open(fixture->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        fixture->path_fd = open(fixture->path, O_PATH | O_CLOEXEC);
        g_assert_cmpint(fixture->fd, >=, 0);
        g_assert_cmpint(fixture->path_fd, >=, 0);
        fixture->text = g_string_new(NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
        (void) close_fd(fixture->fd);
        (void) close_fd(fixture->path_fd);
        (void) g_string_free(fixture->text, TRUE);
        g_free(fixture->path);
        test_folder_remove(fixture->folder);
}

static void fill(Fixture *fixture, size_t bytes, size_t line_bytes) {
        for (unsigned number = 0; fixture->text->len < bytes; number++) {
                g_string_append_printf(fixture->text, "%0*u\n", (int) line_bytes - 1, number);
        }
        ssize_t n = write(fixture->fd, fixture->text->str, fixture->text->len);
        g_assert_cmpint(n, ==, (ssize_t) fixture->text->len);
}

static LogCutReport cut_seen(const Fixture *fixture, uint64_t seen_bytes) {
        const LogCutPlan plan = { .bound_bytes = BOUND, .seen_bytes = seen_bytes, .part_bytes = PART };
        return log_cut(fixture->path_fd, &plan);
}

static LogCutReport cut(const Fixture *fixture) {
        return cut_seen(fixture, UINT64_MAX);
}

/* Where there is none of it the case is left out. */
static bool is_done(LogCutReport report) {
        if (report.result == LOG_CUT_UNABLE) {
                g_test_skip("the file system cannot cut files");
                return false;
        }
        g_assert_cmpint(report.result, ==, LOG_CUT_DONE);
        return true;
}

static char *read_rest(const Fixture *fixture, size_t *ret_length) {
        char *text = NULL;
        g_assert_true(g_file_get_contents(fixture->path, &text, ret_length, NULL));
        return text;
}

static void test_whole_lines(Fixture *fixture, gconstpointer data) {
        fill(fixture, BOUND + 100, 100);
        LogCutReport report = cut(fixture);
        if (!is_done(report)) {
                return;
        }
        size_t length;
        g_autofree char *rest = read_rest(fixture, &length);
        g_assert_cmpuint(report.removed_bytes % 100, ==, 0);
        g_assert_cmpuint(report.removed_bytes, >=, PART);
        g_assert_cmpuint(length, ==, fixture->text->len - report.removed_bytes);
        g_assert_cmpint(memcmp(rest, fixture->text->str + report.removed_bytes, length), ==, 0);
        /* It is within its bound now. */
        g_assert_cmpint(cut(fixture).result, ==, LOG_CUT_NOTHING);
}

static void test_divided_line(Fixture *fixture, gconstpointer data) {
        (void) g_string_append(fixture->text, "one\n");
        fill(fixture, (size_t) 2 * BOUND, 64);
        LogCutReport report = cut(fixture);
        if (!is_done(report)) {
                return;
        }
        size_t length;
        g_autofree char *rest = read_rest(fixture, &length);
        const char *expected = fixture->text->str + report.removed_bytes;
        size_t blanks = strspn(rest, " ");
        g_assert_cmpuint(blanks, ==, 3);
        g_assert_cmpuint(length, <=, BOUND - PART + 4096);
        g_assert_cmpint(memcmp(rest + blanks, expected + blanks, length - blanks), ==, 0);
        g_assert_cmpint(rest[blanks], ==, '\n');
}

static void test_no_lines(Fixture *fixture, gconstpointer data) {
        (void) g_string_append(fixture->text, "x");
        for (unsigned i = 0; i < 3 * BOUND; i++) {
                g_string_append_c(fixture->text, (char) ('a' + i % 26));
        }
        fill(fixture, 0, 1);
        LogCutReport report = cut(fixture);
        if (!is_done(report)) {
                return;
        }
        size_t length;
        g_autofree char *rest = read_rest(fixture, &length);
        g_assert_cmpuint(length, ==, fixture->text->len - report.removed_bytes);
        g_assert_cmpint(memcmp(rest, fixture->text->str + report.removed_bytes, length), ==, 0);
}

static void test_holes(Fixture *fixture, gconstpointer data) {
        fill(fixture, BOUND + 100, 100);
        g_assert_cmpint(ftruncate(fixture->fd, 0), ==, 0);
        int fd = open(fixture->path, O_WRONLY | O_CLOEXEC);
        g_assert_cmpint(pwrite(fd, "late\n", 5, 2 * BOUND), ==, 5);
        (void) close(fd);
        LogCutReport report = cut(fixture);
        g_assert_cmpint(report.result, ==, LOG_CUT_HOLES);
        struct stat status;
        g_assert_cmpint(stat(fixture->path, &status), ==, 0);
        g_assert_cmpint(status.st_size, ==, 2 * BOUND + 5);
}

static void test_locked(Fixture *fixture, gconstpointer data) {
        fill(fixture, BOUND + 100, 100);
        g_assert_cmpint(flock(fixture->fd, LOCK_EX), ==, 0);
        g_assert_cmpint(cut(fixture).result, ==, LOG_CUT_BUSY);
        g_assert_cmpint(flock(fixture->fd, LOCK_UN), ==, 0);
        (void) is_done(cut(fixture));
}

/* So much is left of what the caller has seen, however much there is. */
static void test_seen(Fixture *fixture, gconstpointer data) {
        fill(fixture, (size_t) 4 * BOUND, 100);
        LogCutReport report = cut_seen(fixture, BOUND);
        if (report.result != LOG_CUT_UNABLE) {
                g_assert_cmpint(report.result, ==, LOG_CUT_NOTHING);
        }
        report = cut_seen(fixture, BOUND + 1);
        if (is_done(report)) {
                g_assert_cmpuint(report.removed_bytes, >=, PART);
                g_assert_cmpuint(report.removed_bytes + report.rest_bytes, <=, BOUND);
        }
}

static void test_small(Fixture *fixture, gconstpointer data) {
        g_assert_cmpint(cut(fixture).result, ==, LOG_CUT_NOTHING);
        fill(fixture, BOUND - 100, 100);
        g_assert_cmpint(cut(fixture).result, ==, LOG_CUT_NOTHING);
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                void (*run)(Fixture *fixture, gconstpointer data);
        } tests[] = {
                { "/platform/log-cut/whole-lines", test_whole_lines },
                { "/platform/log-cut/divided-line", test_divided_line },
                { "/platform/log-cut/no-lines", test_no_lines },
                { "/platform/log-cut/holes", test_holes },
                { "/platform/log-cut/locked", test_locked },
                { "/platform/log-cut/seen", test_seen },
                { "/platform/log-cut/small", test_small },
        };
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/log-cut/search", test_search);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
                g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
        }
        return g_test_run();
}
