/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/fd-util.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_close(void) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        g_assert_cmpint(fd, >=, 0);
        errno = ENOTTY;
        g_assert_cmpint(close_fd(fd), ==, -EBADF);
        g_assert_cmpint(errno, ==, ENOTTY);
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
        errno = ENOTTY;
        g_assert_cmpint(close_fd(fd), ==, -EBADF); /* not open any more: errno is kept all the same */
        g_assert_cmpint(close_fd(-EBADF), ==, -EBADF);
        g_assert_cmpint(errno, ==, ENOTTY);
}

static void test_steal(void) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int first = fd;
        _cleanup_close_ int taken = steal_fd(&fd);
        g_assert_cmpint(taken, ==, first);
        g_assert_cmpint(fd, ==, -EBADF);
}

static void test_read_file(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "file", "hello");
        g_autofree char *fifo = test_path(folder, "fifo");
        g_autofree char *missing = test_path(folder, "missing");
        char *text = NULL;
        size_t length = 0;

        g_assert_cmpint(read_file(AT_FDCWD, path, 5, &text, &length), ==, 0);
        g_assert_cmpstr(text, ==, "hello");
        g_assert_cmpuint(length, ==, 5);
        free(g_steal_pointer(&text));
        g_assert_cmpint(read_file(AT_FDCWD, path, 4, &text, &length), ==, -EFBIG);
        g_assert_cmpint(read_file(AT_FDCWD, missing, 4, &text, &length), ==, -ENOENT);
        g_assert_cmpint(read_file(AT_FDCWD, folder, 4096, &text, &length), ==, -ENXIO);
        g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
        g_assert_cmpint(read_file(AT_FDCWD, fifo, 4, &text, &length), ==, -ENXIO); /* and does not wait */
        g_assert_null(text);

        _cleanup_close_ int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(read_file(folder_fd, "file", 100, &text, NULL), ==, 0);
        g_assert_cmpstr(text, ==, "hello");
        free(g_steal_pointer(&text));

        g_assert_cmpint(truncate(path, 0), ==, 0);
        g_assert_cmpint(read_file(AT_FDCWD, path, 0, &text, &length), ==, 0);
        g_assert_cmpstr(text, ==, "");
        g_assert_cmpuint(length, ==, 0);
        free(text);
        test_folder_remove(folder);
}

static void test_read_fd_text(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "file", "0123456789");
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char buffer[8];

        for (int i = 0; i < 2; i++) { /* from the start each time */
                g_assert_cmpint(read_fd_text(fd, buffer, sizeof(buffer)), ==, 7);
                g_assert_cmpstr(buffer, ==, "0123456");
        }
        g_assert_cmpint(read_fd_text(fd, buffer, 1), ==, 0);
        g_assert_cmpstr(buffer, ==, "");
        g_assert_cmpint(read_fd_text(-EBADF, buffer, sizeof(buffer)), ==, -EBADF);
        test_folder_remove(folder);
}

static void test_write_file(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "file", "");

        g_assert_cmpint(write_file(AT_FDCWD, path, "+cpu"), ==, 0);
        g_autofree char *text = test_file_read(path);
        g_assert_cmpstr(text, ==, "+cpu");
        g_autofree char *missing = test_path(folder, "missing");
        g_assert_cmpint(write_file(AT_FDCWD, missing, "x"), ==, -ENOENT); /* it is never made */
        g_assert_false(g_file_test(missing, G_FILE_TEST_EXISTS));
        g_assert_cmpint(write_file(AT_FDCWD, "/dev/full", "x"), ==, -ENOSPC);
        test_folder_remove(folder);
}

static void test_make_directories(void) {
        char *folder = test_folder_new();
        g_autofree char *deep = test_path(folder, "a/b/c");
        g_autofree char *slash = test_path(folder, "d/e/");
        g_autofree char *below_file = test_path(folder, "file/x/y");
        struct stat status;

        test_file_put(folder, "file", "");
        g_assert_cmpint(make_directories(deep, 0700), ==, 0);
        g_assert_cmpint(stat(deep, &status), ==, 0);
        g_assert_cmpuint(status.st_mode & 0777, ==, 0700);
        g_assert_cmpint(make_directories(deep, 0755), ==, 0); /* it is there: nothing changes */
        g_assert_cmpint(stat(deep, &status), ==, 0);
        g_assert_cmpuint(status.st_mode & 0777, ==, 0700);
        g_assert_cmpint(make_directories(slash, 0700), ==, 0);
        g_assert_true(g_file_test(slash, G_FILE_TEST_IS_DIR));
        g_assert_cmpint(make_directories(below_file, 0700), ==, -ENOTDIR);
        g_assert_cmpint(make_directories("/", 0700), ==, 0);
        g_assert_cmpint(make_directories("", 0700), ==, -ENOENT);
        test_folder_remove(folder);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/fd-util/close", test_close);
        g_test_add_func("/basic/fd-util/steal", test_steal);
        g_test_add_func("/basic/fd-util/read-file", test_read_file);
        g_test_add_func("/basic/fd-util/read-fd-text", test_read_fd_text);
        g_test_add_func("/basic/fd-util/write-file", test_write_file);
        g_test_add_func("/basic/fd-util/make-directories", test_make_directories);
        return g_test_run();
}
