/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/program-lookup.h"

#include "fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Files {
        char *folder;
        char *script; /* executable, with #! */
        char *text;   /* not executable */
        char *fifo;
        char *dangling;
} Files;

static Files make_files(void) {
        Files files = { .folder = test_folder_new() };

        files.script = test_file_write(files.folder, "bin/pm2d-test-script", "#!/bin/sh\n");
        files.text = test_file_write(files.folder, "bin/text", "plain");
        files.fifo = test_path(files.folder, "fifo");
        files.dangling = test_path(files.folder, "dangling");
        g_assert_cmpint(chmod(files.script, 0755), ==, 0);
        g_assert_cmpint(mkfifo(files.fifo, 0600), ==, 0);
        g_assert_cmpint(symlink("nowhere", files.dangling), ==, 0);
        return files;
}

static void remove_files(Files *files) {
        test_folder_remove(files->folder);
        g_free(files->script);
        g_free(files->text);
        g_free(files->fifo);
        g_free(files->dangling);
}

static void test_inspect(void) {
        Files files = make_files();
        ProgramFile file = { 0 };
        g_autofree char *empty = test_file_write(files.folder, "empty", "");

        g_assert_cmpint(program_inspect(files.script, &file), ==, 0);
        g_assert_true(file.executable && file.self_contained);
        g_assert_cmpint(program_inspect(files.text, &file), ==, 0);
        g_assert_true(!file.executable && !file.self_contained);
        g_assert_cmpint(program_inspect(empty, &file), ==, 0);
        g_assert_true(!file.executable && !file.self_contained);
        g_assert_cmpint(program_inspect("/bin/sh", &file), ==, 0);
        g_assert_true(file.executable && file.self_contained);
        g_assert_cmpint(program_inspect(files.folder, &file), ==, -EISDIR);
        g_assert_cmpint(program_inspect(files.fifo, &file), ==, -ENXIO); /* and does not wait */
        g_assert_cmpint(program_inspect(files.dangling, &file), ==, -ENOENT);
        g_assert_cmpint(program_inspect("/dev/null", &file), ==, -ENXIO);
        g_autofree char *below = test_path(files.text, "x");
        g_assert_cmpint(program_inspect(below, &file), ==, -ENOTDIR);
        remove_files(&files);
}

static void assert_found(const char *name, const char *search_path, const char *expected) {
        g_autofree char *path = NULL;

        g_assert_cmpint(program_find(name, search_path, &path), ==, expected ? 0 : -ENOENT);
        g_assert_cmpstr(path, ==, expected);
}

static void test_find(void) {
        Files files = make_files();
        g_autofree char *bin = test_path(files.folder, "bin");
        g_autofree char *search = g_strdup_printf("%s/none:relative::%s:/bin", files.folder, bin);

        assert_found("pm2d-test-script", search, files.script);
        assert_found("text", search, NULL); /* not executable */
        assert_found("no-such-program", search, NULL);
        assert_found("pm2d-test-script", "", NULL);
        assert_found("pm2d-test-script", "bin", NULL); /* relative folders do not count */
        assert_found("pm2d-test-script", NULL, NULL);
        assert_found(files.script, "", files.script); /* with a slash nothing is searched */
        assert_found(files.text, search, NULL);
        assert_found(bin, search, NULL);
        assert_found("", search, NULL); /* a folder is no program */
        g_autofree char *shell = NULL;
        g_assert_cmpint(program_find("sh", NULL, &shell), ==, 0);
        g_assert_true(g_str_has_suffix(shell, "/bin/sh"));
        remove_files(&files);
}

static void test_check_folder(void) {
        Files files = make_files();
        g_autofree char *missing = test_path(files.folder, "missing");

        g_assert_cmpint(program_check_folder(files.folder), ==, 0);
        g_assert_cmpint(program_check_folder("/"), ==, 0);
        g_assert_cmpint(program_check_folder(missing), ==, -ENOENT);
        g_assert_cmpint(program_check_folder(files.text), ==, -ENOTDIR);
        g_assert_cmpint(program_check_folder(files.fifo), ==, -ENOTDIR);
        if (geteuid() != 0) {
                g_assert_cmpint(chmod(files.folder, 0600), ==, 0);
                g_assert_cmpint(program_check_folder(files.folder), ==, -EACCES);
                g_assert_cmpint(chmod(files.folder, 0700), ==, 0);
        }
        remove_files(&files);
}

static void test_check_log_file(void) {
        Files files = make_files();
        g_autofree char *missing = test_path(files.folder, "new/log");

        g_assert_cmpint(program_check_log_file(missing), ==, 0);
        g_assert_cmpint(program_check_log_file(files.text), ==, 0);
        g_assert_cmpint(program_check_log_file(files.folder), ==, -EISDIR);
        g_assert_cmpint(program_check_log_file(files.fifo), ==, -ENXIO);
        g_assert_cmpint(program_check_log_file("/dev/full"), ==, -ENXIO);
        g_assert_cmpint(program_check_log_file(files.dangling), ==, -ELOOP);
        remove_files(&files);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/program-lookup/inspect", test_inspect);
        g_test_add_func("/platform/program-lookup/find", test_find);
        g_test_add_func("/platform/program-lookup/check-folder", test_check_folder);
        g_test_add_func("/platform/program-lookup/check-log-file", test_check_log_file);
        return g_test_run();
}
