/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/instance-lock.h"

#include "basic/cleanup.h"
#include "basic/time-util.h"
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_two_holders(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_path(folder, "lock");
        struct stat status;

        g_assert_cmpint(instance_lock_read_pid(path), ==, 0);
        int first = instance_lock_take(path, 0);
        g_assert_cmpint(first, >=, 0);
        g_assert_cmpint(instance_lock_read_pid(path), ==, getpid());
        g_assert_cmpint(fcntl(first, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
        g_assert_cmpint(stat(path, &status), ==, 0);
        g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
        /* another open file is another holder, also in one process */
        g_assert_cmpint(instance_lock_take(path, 0), ==, -EWOULDBLOCK);
        g_assert_cmpint(instance_lock_read_pid(path), ==, getpid());
        /* it waits no longer than it was told to */
        uint64_t before = now_boottime_usec();
        g_assert_cmpint(instance_lock_take(path, 200 * USEC_PER_MSEC), ==, -EWOULDBLOCK);
        g_assert_cmpuint(now_boottime_usec() - before, >=, 200 * USEC_PER_MSEC);
        (void) close_fd(first);
        _cleanup_close_ int second = instance_lock_take(path, 0);
        g_assert_cmpint(second, >=, 0);
        test_folder_remove(folder);
}

/* Whoever waits gets it when the holder ends, however that ends. */
static void test_handed_over(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_path(folder, "lock");
        int taken[2], end[2];
        char byte = 0;

        g_assert_cmpint(pipe2(taken, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(end, O_CLOEXEC), ==, 0);
        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                (void) close(end[1]);
                byte = instance_lock_take(path, 0) >= 0;
                (void) !write(taken[1], &byte, 1);
                (void) !read(end[0], &byte, 1); /* until the parent closes it */
                _exit(0);
        }
        g_assert_cmpint(read(taken[0], &byte, 1), ==, 1);
        g_assert_cmpint(byte, ==, 1);
        g_assert_cmpint(instance_lock_read_pid(path), ==, pid);
        g_assert_cmpint(instance_lock_take(path, 0), ==, -EWOULDBLOCK);
        (void) close(end[1]);
        _cleanup_close_ int fd = instance_lock_take(path, 60 * USEC_PER_SEC);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(instance_lock_read_pid(path), ==, getpid());
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        (void) close(taken[0]);
        (void) close(taken[1]);
        (void) close(end[0]);
        test_folder_remove(folder);
}

static void test_strange_files(void) {
        char *folder = test_folder_new();
        g_autofree char *missing = test_path(folder, "no/such/folder");
        g_autofree char *link = test_path(folder, "link");
        g_autofree char *old = test_file_write(folder, "old", "4294967290 and a long text behind it\n");
        g_autofree char *garbage = test_file_write(folder, "garbage", "no number");

        g_assert_cmpint(instance_lock_take(missing, 0), ==, -ENOENT);
        g_assert_cmpint(instance_lock_take(folder, 0), ==, -EISDIR);
        g_assert_cmpint(symlink("elsewhere", link), ==, 0);
        g_assert_cmpint(instance_lock_take(link, 0), ==, -ELOOP);
        g_assert_cmpint(instance_lock_read_pid(garbage), ==, 0);
        g_assert_cmpint(instance_lock_read_pid(folder), ==, 0);
        _cleanup_close_ int fd = instance_lock_take(old, 0);
        g_assert_cmpint(fd, >=, 0);
        g_autofree char *text = test_file_read(old);
        g_autofree char *expected = g_strdup_printf("%d\n", getpid());
        g_assert_cmpstr(text, ==, expected);
        test_folder_remove(folder);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/instance-lock/two-holders", test_two_holders);
        g_test_add_func("/platform/instance-lock/handed-over", test_handed_over);
        g_test_add_func("/platform/instance-lock/strange-files", test_strange_files);
        return g_test_run();
}
