/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/log.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void test_levels(void) {
        static const char *const names[] = { "emerg",   "alert",  "crit", "err",
                                             "warning", "notice", "info", "debug" };

        for (int i = 0; i < (int) G_N_ELEMENTS(names); i++) {
                g_autofree char *upper = g_ascii_strup(names[i], -1);
                const char digit[] = { (char) ('0' + i), '\0' };
                g_assert_cmpint(log_level_from_string(names[i]), ==, i);
                g_assert_cmpint(log_level_from_string(upper), ==, i);
                g_assert_cmpint(log_level_from_string(digit), ==, i);
        }
        g_assert_cmpint(log_level_from_string(""), ==, -EINVAL);
        g_assert_cmpint(log_level_from_string("8"), ==, -EINVAL);
        g_assert_cmpint(log_level_from_string("-1"), ==, -EINVAL);
        g_assert_cmpint(log_level_from_string("10"), ==, -EINVAL);
        g_assert_cmpint(log_level_from_string("verbose"), ==, -EINVAL);
}

/* What is written to standard error while the function runs. */
static char *capture(void (*function)(void)) {
        char *folder = test_folder_new();
        g_autofree char *path = test_path(folder, "stderr");
        _cleanup_close_ int saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        _cleanup_close_ int file_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        g_assert_cmpint(dup2(file_fd, STDERR_FILENO), ==, STDERR_FILENO);
        function();
        g_assert_cmpint(dup2(saved_fd, STDERR_FILENO), ==, STDERR_FILENO);
        char *text = test_file_read(path);
        test_folder_remove(folder);
        return text;
}

static void print_some(void) {
        log_set_max_level(LOG_NOTICE);
        log_error("number %d", 7);
        log_notice("line\nbreak\tand \033[31mcolour");
        log_info("not printed");
        log_set_max_level(LOG_DEBUG);
        log_debug("printed");
        log_set_max_level(LOG_INFO);
        g_assert_cmpint(log_error_errno(-ENOENT, "cannot open: %m"), ==, -ENOENT);
        g_assert_cmpint(log_warning_errno(ENOENT, "again: %m"), ==, -ENOENT);
}

static void test_lines(void) {
        g_autofree char *text = capture(print_some);

        g_assert_cmpstr(text,
                        ==,
                        "<3>number 7\n"
                        "<5>line break and  [31mcolour\n"
                        "<7>printed\n"
                        "<3>cannot open: No such file or directory\n"
                        "<4>again: No such file or directory\n");
}

static void print_long(void) {
        g_autofree char *filler = g_strnfill(100000, 'x');
        log_error("%s", filler);
}

static void test_long_line(void) {
        g_autofree char *text = capture(print_long);

        g_assert_cmpuint(strlen(text), <, 2100);
        g_assert_true(g_str_has_prefix(text, "<3>xxx"));
        g_assert_true(g_str_has_suffix(text, "x\n"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/log/levels", test_levels);
        g_test_add_func("/basic/log/lines", test_lines);
        g_test_add_func("/basic/log/long-line", test_long_line);
        return g_test_run();
}
