/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/settings.h"

#include "fixture.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MSEC UINT64_C(1000)
#define SEC  UINT64_C(1000000)

static void test_defaults(void) {
        g_auto(Settings) settings = { 0 };

        settings_init(&settings);
        g_assert_cmpstr(settings.log_level, ==, "info");
        g_assert_cmpstr(settings.isolation, ==, "auto");
        g_assert_cmpstr(settings.cgroup_root, ==, "");
        g_assert_cmpuint(settings.processes_max, ==, 10000);
        g_assert_cmpuint(settings.peers_max, ==, 256);
        g_assert_cmpuint(settings.pending_calls_max, ==, 64);
        g_assert_cmpuint(settings.launch_timeout_usec, ==, 10 * SEC);
        settings_done(&settings);
        g_assert_null(settings.log_level);
}

/* Read a text as a file; the text of all settings afterwards, or the message of the error. */
static char *read_text(const char *text, bool *ret_good) {
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "pm2d.conf", text);
        g_auto(Settings) settings = { 0 };
        g_auto(Error) error = { 0 };

        settings_init(&settings);
        int r = settings_read_file(&settings, path, &error);
        *ret_good = r == 0;
        if (r < 0) {
                g_assert_cmpint(r, ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_assert_true(g_str_has_prefix(error.message, path));
        }
        char *result = r < 0 ? g_strdup(error.message) : settings_to_text(&settings);
        test_folder_remove(folder);
        return result;
}

static void test_rows(void) {
        static const char *const samples[][2] = {
                { "log_level=emerg", "log_level=emerg" },
                { "log_level=debug", "log_level=debug" },
                { "isolation=cgroup", "isolation=cgroup" },
                { "isolation=none", "isolation=none" },
                { "isolation=scope", "isolation=scope" },
                { "isolation=group", "isolation=group" },
                { "cgroup_root=/sys/fs/cgroup/x", "cgroup_root=/sys/fs/cgroup/x" },
                { "cgroup_root=", "cgroup_root=" },
                { "processes_max=1", "processes_max=1" },
                { "processes_max=100000", "processes_max=100000" },
                { "logs_max=0", "logs_max=0" },
                { "logs_max=4G", "logs_max=4294967296" },
                { "peers_max=1", "peers_max=1" },
                { "peers_max=10000", "peers_max=10000" },
                { "pending_calls_max=1", "pending_calls_max=1" },
                { "pending_calls_max=10000", "pending_calls_max=10000" },
                { "launch_timeout=100", "launch_timeout=100" },
                { "launch_timeout=1h", "launch_timeout=3600000" },
                { "launch_timeout=1min 30s", "launch_timeout=90000" },
                { "  peers_max  =  7", "peers_max=7" },
                { "# a comment\n\npeers_max=7", "peers_max=7" },
                { "peers_max=6\npeers_max=7", "peers_max=7" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *text = g_strdup_printf("[daemon]\n%s\n", samples[i][0]);
                g_autofree char *line = g_strdup_printf("\n%s\n", samples[i][1]);
                bool good;
                g_test_message("%s", samples[i][0]);
                g_autofree char *result = read_text(text, &good);
                test_assert_contains(result, line);
                g_assert_true(good);
        }
}

/* The message names file, key and value. */
static void test_refused(void) {
        static const struct {
                const char *text, *key, *value;
        } samples[] = {
                { "[daemon]\nlog_level=loud\n", "log_level", "'loud'" },
                { "[daemon]\nlog_level=\n", "log_level", "''" },
                { "[daemon]\nlog_level=info debug\n", "log_level", "'info debug'" },
                { "[daemon]\nisolation=Cgroup\n", "isolation", "'Cgroup'" },
                { "[daemon]\nprocesses_max=0\n", "processes_max", "'0'" },
                { "[daemon]\nprocesses_max=100001\n", "processes_max", "'100001'" },
                { "[daemon]\nprocesses_max=-1\n", "processes_max", "'-1'" },
                { "[daemon]\nprocesses_max=99999999999999999999\n",
                  "processes_max",
                  "'99999999999999999999'" },
                { "[daemon]\nprocesses_max=many\n", "processes_max", "'many'" },
                { "[daemon]\nprocesses_max=\n", "processes_max", "''" },
                { "[daemon]\nprocesses_max=1.5\n", "processes_max", "'1.5'" },
                { "[daemon]\npeers_max=0\n", "peers_max", "'0'" },
                { "[daemon]\npeers_max=10001\n", "peers_max", "'10001'" },
                { "[daemon]\npending_calls_max=0\n", "pending_calls_max", "'0'" },
                { "[daemon]\npending_calls_max=10001\n", "pending_calls_max", "'10001'" },
                { "[daemon]\nlaunch_timeout=99\n", "launch_timeout", "'99'" },
                { "[daemon]\nlaunch_timeout=3601s\n", "launch_timeout", "'3601s'" },
                { "[daemon]\nlaunch_timeout=soon\n", "launch_timeout", "'soon'" },
                { "[daemon]\nnonsense=1\n", "nonsense", "unknown setting" },
                { "[daemon]\npeers_max=5\nPeers_Max=5\n", "Peers_Max", "unknown setting" },
                { "[daemon]\n[other]\n", "[other]", "unknown section" },
                { "[Daemon]\npeers_max=5\n", "[Daemon]", "unknown section" },
                { "peers_max=5\n", "", "" },
                { "[daemon]\nno equals sign\n", "", "" },
                { "[daemon\n", "", "" },
                { "[daemon]\npeers_max=5\n\xff\xfe\n", "", "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                bool good;
                g_autofree char *message = read_text(samples[i].text, &good);
                g_test_message("%zu", i);
                g_assert_false(good);
                test_assert_contains(message, samples[i].key);
                test_assert_contains(message, samples[i].value);
        }
}

static void test_no_file(void) {
        g_auto(Settings) settings = { 0 };
        g_auto(Error) error = { 0 };

        settings_init(&settings);
        g_assert_cmpint(settings_read_file(&settings, "/nonexistent/pm2d.conf", &error), ==, 0);
        g_assert_cmpint(settings_read_folder(&settings, "/nonexistent", &error), ==, 0);
        g_assert_cmpuint(settings.peers_max, ==, 256);
        g_assert_cmpint(settings_read_file(&settings, "/", &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
}

/* A file goes over what is there; drop-ins go over the file, by name. */
static void test_folders(void) {
        static const char *const files[][2] = {
                { "pm2d.conf",
                  "[daemon]\npeers_max=1\nprocesses_max=1\npending_calls_max=1\nlog_level=err\n" },
                { "pm2d.conf.d/20-b.conf", "[daemon]\npeers_max=20\nprocesses_max=20\n" },
                { "pm2d.conf.d/10-a.conf",
                  "[daemon]\npeers_max=10\nprocesses_max=10\npending_calls_max=10\n" },
                { "pm2d.conf.d/100-c.conf", "[daemon]\nlaunch_timeout=1s\npending_calls_max=100\n" },
                { "pm2d.conf.d/30-d.conf.off", "[daemon]\npeers_max=30\n" },
                { "pm2d.conf.d/.hidden.conf", "[daemon]\npeers_max=31\n" },
                { "pm2d.conf.d/.conf", "[daemon]\npeers_max=32\n" },
                { "pm2d.conf.d/README", "none of it is a setting" },
        };
        char *folder = test_folder_new();
        g_auto(Settings) settings = { 0 };
        g_auto(Error) error = { 0 };

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                test_file_put(folder, files[i][0], files[i][1]);
        }
        settings_init(&settings);
        settings.launch_timeout_usec = 5 * SEC;
        g_assert_cmpint(settings_read_folder(&settings, folder, &error), ==, 0);
        g_assert_cmpuint(settings.peers_max, ==, 20);
        g_assert_cmpuint(settings.processes_max, ==, 20);
        g_assert_cmpuint(settings.pending_calls_max, ==, 100); /* by text: 10-, 100-, 20- */
        g_assert_cmpuint(settings.launch_timeout_usec, ==, SEC);
        g_assert_cmpstr(settings.log_level, ==, "err");
        test_folder_remove(folder);
}

/* A bad drop-in is an error that names it. */
static void test_bad_drop_in(void) {
        char *folder = test_folder_new();
        g_autofree char *path =
                        test_file_write(folder, "pm2d.conf.d/50-bad.conf", "[daemon]\npeers_max=x\n");
        g_auto(Settings) settings = { 0 };
        g_auto(Error) error = { 0 };

        settings_init(&settings);
        g_assert_cmpint(settings_read_folder(&settings, folder, &error), ==, -ECANCELED);
        g_assert_true(g_str_has_prefix(error.message, path));
        test_folder_remove(folder);
}

/* What is printed can be read, and says the same. */
static void test_round_trip(void) {
        char *folder = test_folder_new();
        g_auto(Settings) settings = { 0 }, again = { 0 };
        g_auto(Error) error = { 0 };

        settings_init(&settings);
        settings_init(&again);
        settings.peers_max = 77;
        settings.launch_timeout_usec = 1500 * MSEC;
        g_autofree char *text = settings_to_text(&settings);
        g_autofree char *path = test_file_write(folder, "pm2d.conf", text);
        g_assert_cmpint(settings_read_file(&again, path, &error), ==, 0);
        g_autofree char *text_again = settings_to_text(&again);
        g_assert_cmpstr(text_again, ==, text);
        g_assert_true(g_str_has_prefix(text, "[daemon]\n"));
        test_assert_contains(text, "# One of: auto scope group cgroup none\n");
        test_folder_remove(folder);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/settings/defaults", test_defaults);
        g_test_add_func("/config/settings/rows", test_rows);
        g_test_add_func("/config/settings/refused", test_refused);
        g_test_add_func("/config/settings/no-file", test_no_file);
        g_test_add_func("/config/settings/folders", test_folders);
        g_test_add_func("/config/settings/bad-drop-in", test_bad_drop_in);
        g_test_add_func("/config/settings/round-trip", test_round_trip);
        return g_test_run();
}
