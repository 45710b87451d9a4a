/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The files of a cgroup, as plain files: what is read from them. */

#include "platform/cgroup.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int open_text(const char *folder, const char *text) {
        g_autofree char *path = test_file_write(folder, "file", text);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

static void test_keyed(void) {
        char *folder = test_folder_new();
        _cleanup_close_ int fd = open_text(
                        folder, "usage_usec 123456789012\nuser_usec 5\nuser 7\nlast 18446744073709551615");
        uint64_t number = 42;

        g_assert_cmpint(cgroup_read_keyed(fd, "usage_usec", &number), ==, 0);
        g_assert_cmpuint(number, ==, UINT64_C(123456789012));
        g_assert_cmpint(cgroup_read_keyed(fd, "user", &number), ==, 0); /* no prefix of another key */
        g_assert_cmpuint(number, ==, 7);
        g_assert_cmpint(cgroup_read_keyed(fd, "last", &number), ==, 0);
        g_assert_cmpuint(number, ==, UINT64_MAX);
        number = 42;
        g_assert_cmpint(cgroup_read_keyed(fd, "usec", &number), ==, -ENODATA);
        g_assert_cmpint(cgroup_read_keyed(fd, "usage_usec 123", &number), ==, -ENODATA);
        g_assert_cmpint(cgroup_read_keyed(-EBADF, "user", &number), ==, -EBADF);
        g_assert_cmpuint(number, ==, 42);
        _cleanup_close_ int empty_fd = open_text(folder, "");
        g_assert_cmpint(cgroup_read_keyed(empty_fd, "user", &number), ==, -ENODATA);
        test_folder_remove(folder);
}

static void test_number(void) {
        char *folder = test_folder_new();
        _cleanup_close_ int fd = open_text(folder, "4096\n");
        uint64_t number = 0;

        g_assert_cmpint(cgroup_read_number(fd, &number), ==, 0);
        g_assert_cmpuint(number, ==, 4096);
        g_assert_cmpint(cgroup_read_number(-EBADF, &number), ==, -EBADF);
        test_folder_remove(folder);
}

/* Also where a read ends in the middle of a number. */
static void test_list_pids(void) {
        char *folder = test_folder_new();
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));

        for (int pid = 1; pid <= 5000; pid++) {
                g_string_append_printf(text, "%d\n", pid * 837);
        }
        _cleanup_close_ int fd = open_text(folder, text->str);
        g_assert_cmpint(cgroup_list_pids(fd, pids), ==, 0);
        g_assert_cmpuint(pids->len, ==, 5000);
        for (guint i = 0; i < pids->len; i++) {
                g_assert_cmpint(g_array_index(pids, pid_t, i), ==, (pid_t) (i + 1) * 837);
        }
        _cleanup_close_ int empty_fd = open_text(folder, "");
        g_array_set_size(pids, 0);
        g_assert_cmpint(cgroup_list_pids(empty_fd, pids), ==, 0);
        g_assert_cmpuint(pids->len, ==, 0);
        g_assert_cmpint(cgroup_list_pids(-EBADF, pids), ==, -EBADF);
        test_folder_remove(folder);
}

static void test_populated(void) {
        static const struct {
                const char *text;
                bool populated;
        } samples[] = {
                { "populated 1\nfrozen 0\n", true },
                { "populated 0\nfrozen 0\n", false },
                { "frozen 1\npopulated 1\n", true },
                { "frozen 1\n", false },
                { "", false },
        };
        char *folder = test_folder_new();
        _cleanup_close_ int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        g_assert_false(cgroup_is_populated(folder_fd)); /* the file is gone */
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                test_file_put(folder, "cgroup.events", samples[i].text);
                g_assert_true(cgroup_is_populated(folder_fd) == samples[i].populated);
        }
        g_assert_false(cgroup_is_populated(-EBADF));
        test_folder_remove(folder);
}

/* A pid in the list that is not in that cgroup gets no signal: here that would end the test. */
static void test_signal_strangers(void) {
        char *folder = test_folder_new();
        g_autofree char *own = g_strdup_printf("%d\n%d\n0\n", getpid(), getppid());
        _cleanup_close_ int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        test_file_put(folder, "cgroup.procs", own);
        cgroup_signal(folder_fd, "/no/such/cgroup", SIGKILL);
        cgroup_kill(folder_fd, "/no/such/cgroup");
        g_assert_cmpint(getpid(), >, 0);

        /* With cgroup.kill the kernel does it. */
        g_autofree char *kill_path = test_file_write(folder, "cgroup.kill", "");
        cgroup_kill(folder_fd, "/no/such/cgroup");
        g_autofree char *written = test_file_read(kill_path);
        g_assert_cmpstr(written, ==, "1");
        test_folder_remove(folder);
}

static void test_find_own(void) {
        g_autofree char *folder = NULL, *path = NULL;
        int r = cgroup_find_own(&folder, &path);

        if (r == -ENODATA) {
                g_test_skip("no cgroup v2 here");
                return;
        }
        g_assert_cmpint(r, ==, 0);
        g_assert_cmpint(path[0], ==, '/');
        g_autofree char *procs = g_build_filename(folder, "cgroup.procs", NULL);
        g_assert_true(g_file_test(procs, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/cgroup/keyed", test_keyed);
        g_test_add_func("/platform/cgroup/number", test_number);
        g_test_add_func("/platform/cgroup/list-pids", test_list_pids);
        g_test_add_func("/platform/cgroup/populated", test_populated);
        g_test_add_func("/platform/cgroup/signal-strangers", test_signal_strangers);
        g_test_add_func("/platform/cgroup/find-own", test_find_own);
        return g_test_run();
}
