/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files read and replaced by a child, told in the loop. */

#include "platform/file-job.h"

#include "event-fixture.h"
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Outcome {
        bool done;
        FileReport report;
        char *bytes;
        size_t size;
} Outcome;

static void on_done(void *userdata, const FileReport *report, char **bytes, size_t size) {
        Outcome *outcome = userdata;

        outcome->done = true;
        outcome->report = *report;
        outcome->bytes = g_steal_pointer(bytes);
        outcome->size = size;
}

static Outcome read_file_by_job(sd_event *event, const char *path, size_t limit) {
        Outcome outcome = { 0 };
        FileJob *job = NULL;

        g_assert_cmpint(file_job_read(event, path, limit, NULL, on_done, &outcome, &job), ==, 0);
        test_event_wait_flag(event, &outcome.done, "the file was read");
        return outcome;
}

static void test_read(void) {
        sd_event *event = test_event_new();
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "file", "text");
        g_autofree char *empty = test_file_write(folder, "empty", "");

        Outcome outcome = read_file_by_job(event, path, 4);
        g_assert_cmpint(outcome.report.error, ==, 0);
        g_assert_cmpstr(outcome.bytes, ==, "text");
        g_assert_cmpuint(outcome.size, ==, 4);
        g_free(outcome.bytes);
        outcome = read_file_by_job(event, empty, 4);
        g_assert_cmpint(outcome.report.error, ==, 0);
        g_assert_cmpstr(outcome.bytes, ==, "");
        g_free(outcome.bytes);
        outcome = read_file_by_job(event, path, 3);
        g_assert_cmpint(outcome.report.error, ==, EFBIG);
        g_assert_null(outcome.bytes);
        outcome = read_file_by_job(event, "/nowhere", 3);
        g_assert_cmpint(outcome.report.error, ==, ENOENT);
        g_autofree char *text = file_report_describe(&outcome.report);
        g_assert_cmpstr(text, ==, "cannot be opened: No such file or directory");
        test_folder_remove(folder);
        (void) sd_event_unref(event);
}

static void test_replace(void) {
        sd_event *event = test_event_new();
        char *folder = test_folder_new();
        g_autofree char *text = g_strdup("new");
        FileReplacement replacement = {
                .folder = folder,
                .name = "list",
                .previous = "list.bak",
                .temporary = ".list.new",
                .bytes = text,
                .size = strlen(text),
        };
        Outcome outcome = { 0 };
        FileJob *job = NULL;

        g_assert_cmpint(file_job_replace(event, &replacement, NULL, on_done, &outcome, &job), ==, 0);
        memset(text, 'x', strlen(text)); /* the child has its own */
        test_event_wait_flag(event, &outcome.done, "the file was replaced");
        g_assert_cmpint(outcome.report.error, ==, 0);
        g_assert_null(outcome.bytes);
        g_autofree char *path = test_path(folder, "list");
        g_autofree char *content = test_file_read(path);
        g_assert_cmpstr(content, ==, "new");
        test_folder_remove(folder);
        (void) sd_event_unref(event);
}

/* The rights of another user, taken whole. */
static void test_user(void) {
        enum {
                OTHER = 65534,
        };
        const gid_t groups[] = { OTHER };
        const ExecUser user = { .uid = OTHER, .gid = OTHER, .groups = groups, .n_groups = 1 };
        sd_event *event = test_event_new();
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "secret", "text");
        Outcome outcome = { 0 };
        FileJob *job = NULL;

        if (geteuid() != 0) {
                g_test_skip("only root becomes another user");
        } else {
                g_assert_cmpint(chmod(folder, 0755), ==, 0);
                g_assert_cmpint(chmod(path, 0600), ==, 0);
                g_assert_cmpint(file_job_read(event, path, 10, &user, on_done, &outcome, &job), ==, 0);
                test_event_wait_flag(event, &outcome.done, "the file was refused");
                g_assert_cmpint(outcome.report.error, ==, EACCES);
        }
        test_folder_remove(folder);
        (void) sd_event_unref(event);
}

static void test_cancel(void) {
        sd_event *event = test_event_new();
        Outcome outcome = { 0 };
        FileJob *job = NULL;

        g_assert_cmpint(file_job_read(event, "/etc/passwd", 1 << 20, NULL, on_done, &outcome, &job), ==, 0);
        file_job_cancel(job);
        file_job_cancel(NULL);
        test_event_drain(event);
        g_assert_false(outcome.done);
        (void) sd_event_unref(event);
}

static unsigned count_fds(void) {
        DIR *folder = opendir("/proc/self/fd");
        unsigned count = 0;

        g_assert_nonnull(folder);
        while (readdir(folder)) {
                count++;
        }
        (void) closedir(folder);
        return count;
}

static void test_nothing_is_left_open(void) {
        sd_event *event = test_event_new();
        Outcome outcome = read_file_by_job(event, "/etc/passwd", 1 << 20);
        unsigned before = count_fds();

        g_free(outcome.bytes);
        for (unsigned i = 0; i < 10; i++) {
                outcome = read_file_by_job(event, "/etc/passwd", 1 << 20);
                g_free(outcome.bytes);
        }
        g_assert_cmpuint(count_fds(), ==, before);
        (void) sd_event_unref(event);
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/file-job/read", test_read);
        g_test_add_func("/platform/file-job/replace", test_replace);
        g_test_add_func("/platform/file-job/user", test_user);
        g_test_add_func("/platform/file-job/cancel", test_cancel);
        g_test_add_func("/platform/file-job/nothing-is-left-open", test_nothing_is_left_open);
        return g_test_run();
}
