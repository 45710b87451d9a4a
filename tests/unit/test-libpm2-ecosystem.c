/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Ecosystem files as the library reads them, without a supervisor. */

#include <pm2/pm2.h>

#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_names(void) {
        static const char *const good[] = {
                "apps.json",      "/x/apps.yaml",   "a.yml",    "ecosystem.config.js",
                "x/y.config.cjs", "./z.config.mjs", "a.b.json", "é.yaml",
        };
        static const char *const bad[] = {
                "api.js",  "config.js", ".json",      ".config.js", "json",
                "a.json5", "a.JSON",    "apps.yaml/", "",           "-",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                g_test_message("%s", good[i]);
                g_assert_true(pm2_is_ecosystem_path(good[i]));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_test_message("%s", bad[i]);
                g_assert_false(pm2_is_ecosystem_path(bad[i]));
        }
}

static int read_text(pm2_client *client, char *folder, const char *name, const char *text, char **ret) {
        g_autofree char *path = test_file_write(folder, name, text);
        return pm2_read_ecosystem(client, path, 0, ret);
}

static void test_texts(void) {
        char *folder = test_folder_new(), *document = NULL;
        pm2_client *client = NULL;

        g_assert_cmpint(pm2_client_new(&client), ==, 0);
        g_assert_cmpint(read_text(client, folder, "a.json", "// c\n[1,]\n", &document), ==, 0);
        g_assert_cmpstr(document, ==, "// c\n[1,]\n"); /* as it is: the supervisor names its lines */
        free(document);
        g_assert_cmpint(read_text(client, folder, "a.yaml", "\na: [1, x]\n", &document), ==, 0);
        g_assert_cmpstr(document, ==, "\n{\"a\":[1,\"x\"]}");
        free(document);
        pm2_client_free(client);
        test_folder_remove(folder);
}

static void test_failures(void) {
        static const struct {
                const char *name, *text;
                int error;
                const char *part;
        } samples[] = {
                { "a.js", "", -EINVAL, "a.js: is no ecosystem file by its name" },
                { "a.json", "[\n\"\xff\"]", -EBADMSG, "a.json: line 2: is not UTF-8" },
                { "a.yaml", "a: 1\na: 2\n", -EBADMSG, "a.yaml: line 2, column 1: a: the key stands twice" },
                { "a.yml", "a: @\n", -EBADMSG, "a.yml: line 1, column 4" },
        };
        char *folder = test_folder_new(), *document = NULL;
        pm2_client *client = NULL;

        g_assert_cmpint(pm2_client_new(&client), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_test_message("%s", samples[i].name);
                g_assert_cmpint(read_text(client, folder, samples[i].name, samples[i].text, &document),
                                ==,
                                samples[i].error);
                g_assert_null(document);
                g_assert_cmpstr(pm2_last_error_name(client), ==, "");
                test_assert_contains(pm2_last_error_message(client), samples[i].part);
        }
        for (size_t i = 0; i < 2; i++) {
                g_autofree char *path = test_path(folder, i ? "none.config.js" : "none.json");
                g_assert_cmpint(pm2_read_ecosystem(client, path, 0, &document), ==, -ENOENT);
                test_assert_contains(pm2_last_error_message(client), "cannot read");
        }
        pm2_client_free(client);
        test_folder_remove(folder);
}

/* A program of that name that is not there, that says nothing, and one that has the answer. */
static void test_node(void) {
        static const struct {
                const char *program;
                int error;
                const char *part;
        } samples[] = {
                { "#!/bin/sh\nprintf '={\"apps\":[]}' >&3\n", 0, "{\"apps\":[]}" },
                { "#!/bin/sh\nprintf '!Error: bad\\nat line 3' >&3\n",
                  -EBADMSG,
                  "a.config.js: Error: bad\nat line 3" },
                { "#!/bin/sh\nexit 3\n", -EBADMSG, "a.config.js: node ended without an answer" },
                { "#!/bin/sh\nkill -9 $$\n", -EBADMSG, "node ended without an answer" },
                { "#!/bin/sh\nexec 3>&-\nsleep 20 >&- 2>&- &\nwait\n",
                  -EBADMSG,
                  "node ended without an answer" },
                { "#!/bin/sh\nsleep 20 >&- 2>&- &\nexit 0\n", -EBADMSG, "node ended without an answer" },
                { "#!/bin/sh\nyes >&3\n", -EFBIG, "a.config.js: what it exports is over 1048576 bytes" },
                { "#!/bin/sh\nexec sleep 1000\n", -ETIMEDOUT, "a.config.js: node did not answer in time" },
                { NULL, -ENOENT, "a.config.js: there is no node in PATH" },
        };
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "a.config.js", "");
        g_autofree char *search_path = g_strconcat(folder, ":/usr/bin:/bin", NULL);
        pm2_client *client = NULL;

        g_assert_cmpint(pm2_client_new(&client), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                char *document = NULL;
                g_autofree char *program = test_path(folder, "node");
                if (samples[i].program) {
                        test_file_put(folder, "node", samples[i].program);
                        g_assert_cmpint(chmod(program, 0700), ==, 0);
                } else {
                        g_assert_cmpint(unlink(program), ==, 0);
                }
                (void) g_setenv("PATH", samples[i].program ? search_path : folder, TRUE);
                gint64 start = g_get_monotonic_time();
                int r = pm2_read_ecosystem(
                                client, path, samples[i].error == -ETIMEDOUT ? 300000 : 0, &document);
                g_test_message("%zu: %s", i, pm2_last_error_message(client));
                g_assert_cmpint(r, ==, samples[i].error);
                g_assert_cmpint(g_get_monotonic_time() - start,
                                <,
                                G_GINT64_CONSTANT(15) * G_USEC_PER_SEC); /* whoever is left */
                test_assert_contains(r < 0 ? pm2_last_error_message(client) : document, samples[i].part);
                free(document);
        }
        pm2_client_free(client);
        test_folder_remove(folder);
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/libpm2/ecosystem/names", test_names);
        g_test_add_func("/libpm2/ecosystem/texts", test_texts);
        g_test_add_func("/libpm2/ecosystem/failures", test_failures);
        g_test_add_func("/libpm2/ecosystem/node", test_node);
        return g_test_run();
}
