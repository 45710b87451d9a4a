/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fixture.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

bool test_skip_without_calls(void) {
        int pidfd = pidfd_open(getpid(), 0);

        if (pidfd < 0) {
                (void) printf("1..0 # SKIP pidfd_open(): %s\n", g_strerror(errno));
                return true;
        }
        (void) close(pidfd);
        return false;
}

char *test_folder_new(void) {
        g_autoptr(GError) error = NULL;
        char *folder = g_dir_make_tmp("pm2d-test-XXXXXX", &error);

        g_assert_no_error(error);
        return folder;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where) {
        return remove(path);
}

void test_folder_remove(char *folder) {
        g_assert_cmpint(nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
        g_free(folder);
}

char *test_path(const char *folder, const char *name) {
        return g_build_filename(folder, name, NULL);
}

char *test_file_write(const char *folder, const char *name, const char *text) {
        g_autoptr(GError) error = NULL;
        char *path = test_path(folder, name);
        g_autofree char *parent = g_path_get_dirname(path);

        g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
        (void) g_file_set_contents(path, text, -1, &error);
        g_assert_no_error(error);
        return path;
}

void test_file_put(const char *folder, const char *name, const char *text) {
        g_free(test_file_write(folder, name, text));
}

char *test_file_read(const char *path) {
        g_autoptr(GError) error = NULL;
        char *text = NULL;

        (void) g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);
        return text;
}
