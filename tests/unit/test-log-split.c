/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Older parts of a log in files of their own: whatever was killed and when, each line is there once. The
 * child is traced, and ends at each of its system calls in turn. */

#include "platform/log-split.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        SIZE = 65536,
        LINES = 3400,    /* a bit more than three parts */
        LINE_BYTES = 64, /* divides a block: with what is before the first, no line begins at a boundary */
        STATUS_SKIPPED = 77,
};

typedef struct Log {
        char *folder, *path;
        int fd, path_fd;
        unsigned next; /* number */
        LogSplitPlan plan;
} Log;

static void append_lines(Log *log, unsigned count) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < count; i++) {
                g_string_append_printf(text, "%0*u\n", LINE_BYTES - 1, log->next++);
        }
        g_assert_cmpint(write(log->fd, text->str, text->len), ==, (ssize_t) text->len);
}

/* odd: each part ends within a line. */
static Log log_new(bool odd) {
        Log log = { .folder = test_folder_new(), .next = 1 };

        log.path = test_path(log.folder, "log");
        log.fd = open(log.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        log.path_fd = open(log.path, O_PATH | O_CLOEXEC);
        log.plan = (LogSplitPlan){ .folder = log.folder,
                                   .name = "log",
                                   .size_bytes = SIZE,
                                   .seen_bytes = UINT64_MAX,
                                   .retain = 100,
                                   .suffix = "" };
        if (odd) {
                g_assert_cmpint(write(log.fd, "000\n", 4), ==, 4);
        }
        append_lines(&log, LINES);
        return log;
}

static void log_done(Log *log) {
        (void) close_fd(log->fd);
        (void) close_fd(log->path_fd);
        g_free(log->path);
        test_folder_remove(log->folder);
}

/* Where nothing can be cut the case is left out. */
static bool skips(LogCutReport report) {
        if (report.result == LOG_CUT_UNABLE) {
                g_test_skip("the file system cannot cut files");
        }
        return report.result == LOG_CUT_UNABLE;
}

static bool split_all(const Log *log) {
        for (unsigned i = 0; i < 10000; i++) {
                LogCutReport report = log_split(log->path_fd, &log->plan);
                if (report.result == LOG_CUT_BUSY) { /* one that was to be executed by the killed one */
                        g_usleep(1000);
                        continue;
                }
                if (skips(report)) {
                        return false;
                }
                if (report.result == LOG_CUT_NOTHING) {
                        return true;
                }
                g_assert_cmpint(report.error, ==, 0);
                g_assert_cmpint(report.result, ==, LOG_CUT_DONE);
        }
        g_assert_not_reached();
}

static char *read_text(const Log *log, unsigned number) {
        g_autofree char *path = number > 0 ? g_strdup_printf("%s.%u%s", log->path, number, log->plan.suffix)
                                           : g_strdup(log->path);
        g_autofree char *command = g_strdup_printf("gzip -dc '%s'", path);
        char *text = NULL;

        if (access(path, F_OK) < 0) {
                return NULL;
        }
        if (number > 0 && log->plan.compressor) {
                g_assert_true(g_spawn_command_line_sync(command, &text, NULL, NULL, NULL));
        } else {
                g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        }
        return text;
}

/* All lines, each once and in order: from the oldest file to the log. Lines of blanks are rests. */
static void assert_all(const Log *log, unsigned first, unsigned when) {
        unsigned expected = first;

        for (unsigned number = 1; number <= 200; number++) {
                bool last = number == 200;
                g_autofree char *text = read_text(log, last ? 0 : number);
                g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
                if (text && !last) {
                        g_assert_cmpuint(strlen(text), <=, SIZE);
                }
                for (char **line = lines; *line; line++) {
                        if (strspn(*line, " 0") == strlen(*line)) {
                                continue;
                        }
                        if (strtoul(*line, NULL, 10) != expected) {
                                g_error("stop %u: file %u: line %s, not %u", when, number, *line, expected);
                        }
                        expected++;
                }
        }
        g_assert_cmpuint(expected, ==, log->next);
}

static unsigned count_hidden(const Log *log) {
        g_autoptr(GDir) folder = g_dir_open(log->folder, 0, NULL);
        const char *name;
        unsigned count = 0;

        while ((name = g_dir_read_name(folder))) {
                count += name[0] == '.';
        }
        return count;
}

static void test_parts(void) {
        for (int odd = 0; odd < 2; odd++) {
                Log log = log_new(odd);
                struct stat status;
                if (split_all(&log)) {
                        g_autofree char *third = g_strconcat(log.path, ".3", NULL);
                        assert_all(&log, 1, 0);
                        g_assert_cmpint(stat(third, &status), ==, 0);
                        g_assert_cmpint(status.st_mode & 0777, ==, 0640);
                        g_assert_cmpint(stat(log.path, &status), ==, 0);
                        g_assert_cmpint(status.st_size, <=, SIZE);
                        g_assert_cmpuint(count_hidden(&log), ==, 0);
                }
                log_done(&log);
        }
}

/* What the caller has not seen stays, however large the log is. */
static void test_seen(void) {
        Log log = log_new(true);

        log.plan.seen_bytes = SIZE;
        LogCutReport report = log_split(log.path_fd, &log.plan);
        if (!skips(report)) {
                g_assert_cmpint(report.result, ==, LOG_CUT_NOTHING);
                log.plan.seen_bytes = 2 * SIZE;
                report = log_split(log.path_fd, &log.plan);
                g_assert_cmpint(report.result, ==, LOG_CUT_DONE);
                g_assert_cmpuint(report.removed_bytes + report.rest_bytes, <=, SIZE);
                g_assert_cmpuint(report.rest_bytes, ==, 4);
                g_assert_cmpint(log_split(log.path_fd, &log.plan).result, ==, LOG_CUT_DONE);
                log.plan.seen_bytes = SIZE;
                g_assert_cmpint(log_split(log.path_fd, &log.plan).result, ==, LOG_CUT_NOTHING);
                assert_all(&log, 1, 0);
        }
        log_done(&log);
}

static void test_retain(void) {
        Log log = log_new(false);

        log.plan.retain = 2;
        if (split_all(&log)) {
                append_lines(&log, LINES);
                g_assert_true(split_all(&log));
                unsigned there = 0, highest = 0;
                for (unsigned number = 1; number < 20; number++) {
                        g_autofree char *text = read_text(&log, number);
                        there += text != NULL;
                        highest = text ? number : highest;
                }
                g_assert_cmpuint(there, ==, 2);
                g_assert_cmpuint(highest, >=, 6);
                g_autofree char *oldest = read_text(&log, highest - 1);
                assert_all(&log, (unsigned) strtoul(oldest, NULL, 10), 0);
        }
        log_done(&log);
}

/* What is not of that form is nobody's business. */
static void test_names_of_others(void) {
        static const char *const names[] = {
                "log.0", "log.old", "log.1.bak", "log.01", "log2.1", "log.1.gz"
        };
        Log log = log_new(false);

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                test_file_put(log.folder, names[i], "mine");
        }
        log.plan.retain = 50;
        if (split_all(&log)) {
                for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                        g_autofree char *path = test_path(log.folder, names[i]);
                        g_autofree char *text = test_file_read(path);
                        g_assert_cmpstr(text, ==, "mine");
                }
                g_autofree char *first = read_text(&log, 1), *second = read_text(&log, 2);
                g_assert_null(first); /* log.1.gz has the number */
                g_assert_nonnull(second);
        }
        log_done(&log);
}

static void test_line_without_end(void) {
        Log log = { .folder = test_folder_new() };
        g_autofree char *text = g_strnfill((gsize) 4 * SIZE, 'x');

        log.path = test_path(log.folder, "log");
        log.fd = open(log.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        log.path_fd = open(log.path, O_PATH | O_CLOEXEC);
        log.plan = (LogSplitPlan){ .folder = log.folder,
                                   .name = "log",
                                   .size_bytes = SIZE,
                                   .seen_bytes = UINT64_MAX,
                                   .retain = 100,
                                   .suffix = "" };
        g_assert_cmpint(write(log.fd, text, strlen(text)), ==, (ssize_t) strlen(text));
        if (split_all(&log)) {
                size_t total = 0;
                for (unsigned number = 0; number < 10; number++) {
                        g_autofree char *part = read_text(&log, number);
                        total += part ? strlen(part) : 0;
                }
                g_assert_cmpuint(total, ==, strlen(text));
        }
        log_done(&log);
}

static void test_no_folder(void) {
        Log log = log_new(false);

        log.plan.folder = "/nowhere";
        LogCutReport report = log_split(log.path_fd, &log.plan);
        g_assert_cmpint(report.error, ==, ENOENT);
        log_done(&log);
}

static void test_compressor(void) {
        Log log = log_new(true);

        log.plan.compressor = "/bin/false";
        log.plan.suffix = ".gz";
        LogCutReport report = log_split(log.path_fd, &log.plan);
        if (!skips(report)) {
                g_assert_cmpint(report.error, ==, EIO);
                log.plan.compressor = "/nowhere/gzip";
                g_assert_cmpint(log_split(log.path_fd, &log.plan).error, ==, EIO);
                g_assert_cmpuint(count_hidden(&log), ==, 0);
                log.plan.compressor = "/bin/gzip";
                g_assert_true(split_all(&log));
                assert_all(&log, 1, 0);
        }
        log_done(&log);
}

/* A child that splits once; it stops before it begins. */
static pid_t start_traced(const Log *log) {
        pid_t pid = fork();

        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
                        _exit(STATUS_SKIPPED);
                }
                (void) raise(SIGSTOP);
                LogCutReport report = log_split(log->path_fd, &log->plan);
                _exit(report.result == LOG_CUT_UNABLE ? STATUS_SKIPPED : report.result != LOG_CUT_DONE);
        }
        g_assert_cmpint(pid, >, 0);
        return pid;
}

/* Go to the next stop. False: it has ended, with *ret_status. */
static bool go_on(pid_t pid, int *ret_status) {
        int status;

        for (;;) {
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                if (!WIFSTOPPED(status)) {
                        *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
                        return false;
                }
                if (WSTOPSIG(status) != SIGCHLD) { /* of the program that compresses */
                        return true;
                }
                g_assert_cmpint(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), ==, 0);
        }
}

/* It is killed at each of its system calls; at fewer where each takes its time. */
static unsigned step(void) {
        return g_getenv("PM2D_TEST_VALGRIND") ? 9 : 1;
}

/* Kill it at the n-th stop. True: it had ended before. */
static bool kill_at(const Log *log, unsigned n, int *ret_status) {
        pid_t pid = start_traced(log);

        for (unsigned i = 0; go_on(pid, ret_status); i++) {
                if (i == 0) {
                        g_assert_cmpint(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *) PTRACE_O_EXITKILL),
                                        ==,
                                        0);
                }
                if (i == n) {
                        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                        g_assert_cmpint(waitpid(pid, ret_status, 0), ==, pid);
                        return false;
                }
                g_assert_cmpint(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), ==, 0);
        }
        return true;
}

static void test_killed(gconstpointer data) {
        bool compress = GPOINTER_TO_INT(data), ended = false;
        unsigned begun = 0;

        for (unsigned n = 1; !ended; n += step()) {
                Log log = log_new(n % 2);
                int status = 0;
                log.plan.compressor = compress ? "/bin/gzip" : NULL;
                log.plan.suffix = compress ? ".gz" : "";
                ended = kill_at(&log, n, &status);
                if (ended && status == STATUS_SKIPPED) {
                        g_test_skip("no ptrace(), or a file system that cannot cut files");
                        log_done(&log);
                        return;
                }
                g_assert_cmpint(ended ? status : 0, ==, 0);
                begun += count_hidden(&log) > 0;
                append_lines(&log, 10); /* the app goes on */
                g_assert_true(split_all(&log));
                assert_all(&log, 1, n);
                g_assert_cmpuint(count_hidden(&log), ==, 0);
                log_done(&log);
        }
        g_assert_cmpuint(begun * step(), >, 10);
}

/* Somebody empties the log between the end of one that was at it and the next. */
static void test_killed_and_emptied(void) {
        bool ended = false;

        for (unsigned n = 1; !ended; n += step()) {
                Log log = log_new(n % 2);
                int status = 0;
                ended = kill_at(&log, n, &status);
                if (ended && status == STATUS_SKIPPED) {
                        g_test_skip("no ptrace(), or a file system that cannot cut files");
                        log_done(&log);
                        return;
                }
                g_assert_cmpint(ftruncate(log.fd, 0), ==, 0);
                unsigned first = log.next;
                append_lines(&log, LINES);
                g_assert_true(split_all(&log));
                g_autofree char *all = g_strdup("");
                for (unsigned number = 1; number < 20; number++) {
                        g_autofree char *text = read_text(&log, number);
                        g_autofree char *more = text ? g_strconcat(all, text, NULL) : g_strdup(all);
                        g_free(g_steal_pointer(&all));
                        all = g_steal_pointer(&more);
                }
                g_autofree char *rest = read_text(&log, 0);
                g_autofree char *text = g_strconcat(all, rest, NULL);
                g_autofree char *start = g_strdup_printf("%0*u\n", LINE_BYTES - 1, first);
                const char *fresh = strstr(text, start);
                g_assert_nonnull(fresh);
                g_auto(GStrv) lines = g_strsplit(fresh, "\n", -1);
                unsigned expected = first;
                for (char **line = lines; *line; line++) {
                        if (strspn(*line, " ") < strlen(*line)) {
                                g_assert_cmpuint(strtoul(*line, NULL, 10), ==, expected);
                                expected++;
                        }
                }
                g_assert_cmpuint(expected, ==, log.next);
                log_done(&log);
        }
}

int main(int argc, char **argv) {
        (void) signal(SIGPIPE, SIG_IGN); /* as in the service: a program that compresses may end early */
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/log-split/parts", test_parts);
        g_test_add_func("/platform/log-split/seen", test_seen);
        g_test_add_func("/platform/log-split/retain", test_retain);
        g_test_add_func("/platform/log-split/names-of-others", test_names_of_others);
        g_test_add_func("/platform/log-split/line-without-end", test_line_without_end);
        g_test_add_func("/platform/log-split/no-folder", test_no_folder);
        g_test_add_func("/platform/log-split/compressor", test_compressor);
        g_test_add_data_func("/platform/log-split/killed", GINT_TO_POINTER(0), test_killed);
        g_test_add_data_func(
                        "/platform/log-split/killed-while-compressing", GINT_TO_POINTER(1), test_killed);
        g_test_add_func("/platform/log-split/killed-and-emptied", test_killed_and_emptied);
        return g_test_run();
}
