/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/package-version.h"

#include "fixture.h"

#include <string.h>
#include <sys/stat.h>

/* The version for a script in a folder with this package.json. */
static char *version_of(const char *package) {
        char *folder = test_folder_new();
        g_autofree char *script = test_path(folder, "api.js");

        test_file_put(folder, "package.json", package);
        char *version = package_version_find(script);
        test_folder_remove(folder);
        return version;
}

static void test_samples(void) {
        static const char *const samples[][2] = {
                { "{\"version\": \"1.2.3\"}", "1.2.3" },
                { "{\"name\": \"x\", \"version\": \"0.0.1-rc.1+b\", \"deps\": {}}", "0.0.1-rc.1+b" },
                { "{\"version\": \"\"}", "" },
                { "{}", "N/A" },
                { "{\"version\": 5}", "N/A" },
                { "{\"version\": null}", "N/A" },
                { "{\"version\": [\"1\"]}", "N/A" },
                { "{\"deep\": {\"version\": \"1\"}}", "N/A" },
                { "[]", "N/A" },
                { "\"1.2.3\"", "N/A" },
                { "", "N/A" },
                { "{broken", "N/A" },
                { "{\"version\": \"\xff\"}", "N/A" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *version = version_of(samples[i][0]);
                g_assert_cmpstr(version, ==, samples[i][1]);
        }
}

static void test_limits(void) {
        g_autofree char *digits = g_strnfill(64, '1');
        g_autofree char *fits = g_strdup_printf("{\"version\": \"%s\"}", digits);
        g_autofree char *too_long = g_strdup_printf("{\"version\": \"%s1\"}", digits);
        g_autofree char *blanks = g_strnfill(1024 * 1024, ' ');
        g_autofree char *too_large = g_strdup_printf("{\"version\": \"1\"}%s", blanks);
        g_autofree char *fits_version = version_of(fits);
        g_autofree char *too_long_version = version_of(too_long);
        g_autofree char *too_large_version = version_of(too_large);

        g_assert_cmpstr(fits_version, ==, digits);
        g_assert_cmpstr(too_long_version, ==, "N/A");
        g_assert_cmpstr(too_large_version, ==, "N/A");
}

/* The nearest one above the script counts, even if it says nothing. */
static void test_nearest(void) {
        char *folder = test_folder_new();
        static const char *const samples[][2] = {
                { "x.js", "1" },     { "b/x.js", "1" },   { "b/c/d/x.js", "1" }, { "a/x.js", "2" },
                { "a/b/x.js", "2" }, { "m/x.js", "N/A" }, { "m/n/x.js", "N/A" },
        };

        test_file_put(folder, "package.json", "{\"version\": \"1\"}");
        test_file_put(folder, "a/package.json", "{\"version\": \"2\"}");
        test_file_put(folder, "m/package.json", "{}");
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *script = test_path(folder, samples[i][0]);
                g_autofree char *version = package_version_find(script);
                g_assert_cmpstr(version, ==, samples[i][1]);
        }
        test_folder_remove(folder);
}

/* A FIFO or folder of that name is not waited for, a relative path not looked up. */
static void test_strange(void) {
        char *folder = test_folder_new();
        g_autofree char *fifo = test_path(folder, "package.json");
        g_autofree char *script = test_path(folder, "api.js");

        g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
        g_autofree char *of_fifo = package_version_find(script);
        g_assert_cmpstr(of_fifo, ==, "N/A");
        g_autofree char *relative = package_version_find("api.js");
        g_assert_cmpstr(relative, ==, "N/A");
        g_autofree char *root = package_version_find("/");
        g_assert_cmpstr(root, ==, "N/A");
        test_folder_remove(folder);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/package-version/samples", test_samples);
        g_test_add_func("/config/package-version/limits", test_limits);
        g_test_add_func("/config/package-version/nearest", test_nearest);
        g_test_add_func("/config/package-version/strange", test_strange);
        return g_test_run();
}
