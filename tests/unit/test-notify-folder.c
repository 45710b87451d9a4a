/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/notify-folder.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIQUE_ID "0123456789abcdef0123456789abcdef"

static mode_t mode_of(const char *path) {
        struct stat status;

        g_assert_cmpint(lstat(path, &status), ==, 0);
        return status.st_mode & 07777;
}

/* Whatever the umask, and also where it was with another mode. */
static void test_make(void) {
        char *top = test_folder_new();
        g_autofree char *folder = test_path(top, "notify");
        mode_t before = umask(0);

        g_assert_cmpint(notify_folder_make(folder, false), ==, 0);
        g_assert_cmpint(mode_of(folder), ==, 0700);
        (void) umask(0777);
        g_assert_cmpint(notify_folder_make(folder, true), ==, 0);
        g_assert_cmpint(mode_of(folder), ==, 0711);
        g_assert_cmpint(rmdir(folder), ==, 0);
        g_assert_cmpint(notify_folder_make(folder, true), ==, geteuid() == 0 ? 0 : -EACCES);
        (void) umask(before);
        g_assert_cmpint(chmod(folder, 0777), ==, 0);
        g_assert_cmpint(notify_folder_make(folder, false), ==, 0);
        g_assert_cmpint(mode_of(folder), ==, 0700);
        test_folder_remove(top);
}

static void test_refused(void) {
        char *top = test_folder_new();
        g_autofree char *link = test_path(top, "link"), *deep = test_path(top, "a/b");
        g_autofree char *file = test_file_write(top, "file", ""), *theirs = test_path(top, "theirs");

        g_assert_cmpint(notify_folder_make(deep, false), ==, -ENOENT);
        g_assert_cmpint(notify_folder_make(file, false), ==, -ENOTDIR);
        g_assert_cmpint(symlink(top, link), ==, 0);
        g_assert_cmpint(notify_folder_make(link, false), ==, -ENOTDIR);
        if (geteuid() == 0) {
                g_assert_cmpint(mkdir(theirs, 0700), ==, 0);
                g_assert_cmpint(chown(theirs, 65534, 65534), ==, 0);
                g_assert_cmpint(notify_folder_make(theirs, true), ==, -EPERM);
                g_assert_cmpint(mode_of(theirs), ==, 0700);
        }
        test_folder_remove(top);
}

/* A socket address holds 107 bytes and the NUL. */
static void test_socket_path(void) {
        size_t name_length = strlen("/" UNIQUE_ID "-ff");
        g_autofree char *fits = g_strnfill(107 - name_length, 'x');
        g_autofree char *too_long = g_strnfill(108 - name_length, 'x');
        g_autofree char *path = NULL, *other = NULL;

        g_assert_cmpint(notify_folder_socket_path("/run/pm2/notify", UNIQUE_ID, 1, &path), ==, 0);
        g_assert_cmpstr(path, ==, "/run/pm2/notify/" UNIQUE_ID "-1");
        g_assert_cmpint(notify_folder_socket_path(fits, UNIQUE_ID, 255, &other), ==, 0);
        g_assert_cmpuint(strlen(other), ==, 107);
        g_clear_pointer(&other, g_free);
        g_assert_cmpint(notify_folder_socket_path(too_long, UNIQUE_ID, 255, &other), ==, -ENAMETOOLONG);
        g_assert_null(other);
        g_assert_cmpint(notify_folder_socket_path("/run/pm2/notify", UNIQUE_ID, UINT64_MAX, &other), ==, 0);
}

static void bind_at(const char *folder, const char *name) {
        g_autofree char *path = test_path(folder, name);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void) g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof(address)), ==, 0);
}

static bool begins_with_k(void *userdata, const char *name) {
        ++*(unsigned *) userdata;
        return name[0] == 'k';
}

static void test_sweep(void) {
        char *top = test_folder_new();
        g_autofree char *folder = test_path(top, "notify"), *link = test_path(folder, "link");
        unsigned n_asked = 0;

        g_assert_cmpint(notify_folder_sweep(folder, begins_with_k, &n_asked), ==, 0); /* none there */
        g_assert_cmpint(notify_folder_make(folder, false), ==, 0);
        g_assert_cmpint(notify_folder_sweep(folder, begins_with_k, &n_asked), ==, 0);
        for (int i = 0; i < 100; i++) {
                g_autofree char *name = g_strdup_printf("%c%d", i % 2 == 0 ? 'k' : 'u', i);
                bind_at(folder, name);
        }
        test_file_put(folder, "ufile", "");
        g_assert_cmpint(symlink("k0", link), ==, 0);
        g_assert_cmpint(notify_folder_sweep(folder, begins_with_k, &n_asked), ==, 50);
        g_assert_cmpuint(n_asked, ==, 100); /* of sockets alone */
        n_asked = 0;
        g_assert_cmpint(notify_folder_sweep(folder, begins_with_k, &n_asked), ==, 0);
        g_assert_cmpuint(n_asked, ==, 50);
        g_autofree char *file = test_path(folder, "ufile");
        g_assert_true(g_file_test(file, G_FILE_TEST_IS_REGULAR));
        g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
        g_assert_cmpint(notify_folder_sweep(file, begins_with_k, &n_asked), ==, -ENOTDIR);
        test_folder_remove(top);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/notify-folder/make", test_make);
        g_test_add_func("/platform/notify-folder/refused", test_refused);
        g_test_add_func("/platform/notify-folder/socket-path", test_socket_path);
        g_test_add_func("/platform/notify-folder/sweep", test_sweep);
        return g_test_run();
}
