/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The names that PM2 7.0.4 gives to files. */

#include "core/file-names.h"

#include <string.h>

static void test_of_app(void) {
        static const struct {
                const char *name, *part;
        } samples[] = {
                { "api", "api" },
                { "My.App-2", "My.App-2" },
                { "my app", "my-app" },
                { "@scope/api", "-scope-api" },
                { "a_b", "a-b" },
                { "a\\b", "a\\b" },
                { "zähl", "z--hl" },
                { "../../etc/passwd", "..-..-etc-passwd" },
                { "/", "-" },
                { "...", "..." },
                { ".hidden", ".hidden" },
                { "\n", "-" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *part = file_name_of_app(samples[i].name);
                g_assert_cmpstr(part, ==, samples[i].part);
        }
}

/* Whatever the name is, the file stays in its folder. */
static void test_of_app_is_no_path(void) {
        static const char *const names[] = { ".", "..", "/", "a/b", "../x", "./.", "\xff/", "" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *part = file_name_of_app(names[i]);
                g_assert_null(strchr(part, '/'));
                g_assert_cmpstr(part, !=, ".");
                g_assert_cmpstr(part, !=, "..");
        }
}

/* A long name still fits a file, and two long names are two files. */
static void test_of_app_is_short(void) {
        g_autofree char *a = g_strnfill(255, 'a');
        g_autofree char *b = g_strconcat(a, "b", NULL);
        g_autofree char *umlauts = g_strnfill(255, '\xc3');
        g_autofree char *part_a = file_name_of_app(a);
        g_autofree char *part_b = file_name_of_app(b);
        g_autofree char *part_umlauts = file_name_of_app(umlauts);

        g_assert_cmpuint(strlen(part_a), <=, 230);
        g_assert_cmpuint(strlen(part_b), <=, 230);
        g_assert_cmpuint(strlen(part_umlauts), <=, 230);
        g_assert_cmpstr(part_a, !=, part_b);
        g_assert_true(g_str_has_prefix(part_a, "aaaaaaaaaa"));
        g_autofree char *fits = g_strnfill(200, 'a');
        g_autofree char *part_fits = file_name_of_app(fits);
        g_assert_cmpstr(part_fits, ==, fits);
}

static void test_with_id(void) {
        static const struct {
                const char *path, *suffix;
                uint32_t id;
                const char *expected;
        } samples[] = {
                { "/logs/app-out.log", ".log", 0, "/logs/app-out-0.log" },
                { "/logs/app-out.log", ".log", 12, "/logs/app-out-12.log" },
                { "/logs/app.log", ".log", 4294967295, "/logs/app-4294967295.log" },
                /* a number at the end is taken for an id, as PM2 does */
                { "/logs/app-2024.log", ".log", 0, "/logs/app-0.log" },
                { "/logs/app-out-3.log", ".log", 4, "/logs/app-out-4.log" },
                { "/logs/app-out-3-4.log", ".log", 5, "/logs/app-out-3-5.log" },
                { "/logs/app2024.log", ".log", 1, "/logs/app2024-1.log" },
                { "/logs/2024.log", ".log", 1, "/logs/2024-1.log" },
                { "2024.log", ".log", 1, "2024-1.log" },
                { "/logs/app-.log", ".log", 1, "/logs/app--1.log" },
                { "/logs/app--5.log", ".log", 1, "/logs/app--1.log" },
                { "/logs/.log", ".log", 1, "/logs/-1.log" },
                /* without the suffix nothing changes */
                { "/logs/app.txt", ".log", 1, "/logs/app.txt" },
                { "/logs/app", ".log", 1, "/logs/app" },
                { "/logs/app.log.gz", ".log", 1, "/logs/app.log.gz" },
                { "/logs/app.LOG", ".log", 1, "/logs/app.LOG" },
                { "/dev/null", ".log", 1, "/dev/null" },
                { "", ".log", 1, "" },
                { "/pids/app.pid", ".pid", 7, "/pids/app-7.pid" },
                { "/pids/app-6.pid", ".pid", 7, "/pids/app-7.pid" },
                /* only the end counts */
                { "/v-1.log/app-2.log", ".log", 3, "/v-1.log/app-3.log" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *path = file_name_with_id(samples[i].path, samples[i].suffix, samples[i].id);
                g_assert_cmpstr(path, ==, samples[i].expected);
                /* a second time it is the same */
                g_autofree char *again = file_name_with_id(path, samples[i].suffix, samples[i].id);
                g_assert_cmpstr(again, ==, path);
        }
}

static void test_stem_and_extension(void) {
        static const struct {
                const char *path, *stem, *extension;
        } samples[] = {
                { "/srv/api.js", "api", ".js" },
                { "api.js", "api", ".js" },
                { "api", "api", "" },
                { "/srv/api.test.js", "api.test", ".js" },
                { "/srv/.hidden", ".hidden", "" },
                { "/srv/.hidden.py", ".hidden", ".py" },
                { "/srv.d/api", "api", "" },
                { "/srv/api.", "api", "." },
                { "./api.JS", "api", ".JS" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *stem = file_name_stem(samples[i].path);
                g_assert_cmpstr(stem, ==, samples[i].stem);
                g_assert_cmpstr(file_name_extension(samples[i].path), ==, samples[i].extension);
        }
}

static void test_resolve(void) {
        static const struct {
                const char *path, *expected;
        } samples[] = {
                { "/a/b", "/a/b" },
                { "/a//b/./c/../d", "/a/b/d" },
                { "/../../x", "/x" },
                { "x", "/cwd/x" },
                { "./x", "/cwd/x" },
                { "../x", "/x" },
                { "../../../x", "/x" },
                { "~", "/home/u" },
                { "~/x", "/home/u/x" },
                { "~/../v", "/home/v" },
                { "~other/x", "/cwd/~other/x" },
                { "a/~/b", "/cwd/a/~/b" },
                { "x/", "/cwd/x" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *path = file_name_resolve(samples[i].path, "/cwd", "/home/u");
                g_assert_cmpstr(path, ==, samples[i].expected);
        }
}

/* POSIX lets two slashes at the start mean something else; here they do not. */
static void test_resolve_leading_slashes(void) {
        g_autofree char *two = file_name_resolve("//a//b", "/cwd", "/home/u");
        g_autofree char *three = file_name_resolve("///a", "/cwd", "/home/u");

        g_assert_cmpstr(three, ==, "/a");
        g_assert_cmpstr(two, ==, "/a/b");
}

static void test_null(void) {
        g_assert_true(file_name_is_null("NULL"));
        g_assert_true(file_name_is_null("/dev/null"));
        g_assert_false(file_name_is_null("null"));
        g_assert_false(file_name_is_null(""));
        g_assert_false(file_name_is_null("/dev/nullx"));
        g_assert_false(file_name_is_null("./NULL"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/file-names/of-app", test_of_app);
        g_test_add_func("/core/file-names/of-app-is-no-path", test_of_app_is_no_path);
        g_test_add_func("/core/file-names/of-app-is-short", test_of_app_is_short);
        g_test_add_func("/core/file-names/with-id", test_with_id);
        g_test_add_func("/core/file-names/stem-and-extension", test_stem_and_extension);
        g_test_add_func("/core/file-names/resolve", test_resolve);
        g_test_add_func("/core/file-names/resolve-leading-slashes", test_resolve_leading_slashes);
        g_test_add_func("/core/file-names/null", test_null);
        return g_test_run();
}
