/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as a settings file. What was read can be printed, and read again to the same. */

#include "fuzz.h"

#include "basic/cleanup.h"
#include "config/settings.h"

#include <sys/mman.h>
#include <unistd.h>

/* A file in memory, and its path. */
static char *make_file(const void *data, size_t size, int *ret_fd) {
        *ret_fd = memfd_create("settings", MFD_CLOEXEC);
        g_assert_cmpint(*ret_fd, >=, 0);
        g_assert_cmpint(write(*ret_fd, data, size), ==, (ssize_t) size);
        return g_strdup_printf("/proc/self/fd/%d", *ret_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_auto(Settings) settings = { 0 }, again = { 0 };
        g_auto(Error) error = { 0 };
        _cleanup_close_ int fd = -EBADF, printed_fd = -EBADF;
        g_autofree char *path = make_file(data, size, &fd);

        settings_init(&settings);
        settings_init(&again);
        if (settings_read_file(&settings, path, &error) < 0) {
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_assert_nonnull(error.message);
                return 0;
        }
        g_autofree char *text = settings_to_text(&settings);
        g_autofree char *printed_path = make_file(text, strlen(text), &printed_fd);
        if (!strpbrk(settings.cgroup_root, "\\\n\r\t ")) { /* it is printed as it is */
                g_assert_cmpint(settings_read_file(&again, printed_path, &error), ==, 0);
                g_autofree char *text_again = settings_to_text(&again);
                g_assert_cmpstr(text_again, ==, text);
        }
        return 0;
}
