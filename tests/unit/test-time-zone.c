/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Zones by name and our own; files that are none. */

#include "platform/time-zone.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>

#define SUMMER INT64_C(1751328000) /* 1 July 2025 */

static int64_t offset_of(GTimeZone *zone) {
        return g_time_zone_get_offset(zone, g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, SUMMER));
}

static void test_by_name(void) {
        static const struct {
                const char *name;
                int64_t offset;
        } zones[] = {
                { "Europe/Berlin", 7200 },
                { "Asia/Kolkata", 19800 },
                { "America/New_York", -14400 },
                { "UTC", 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(zones); i++) {
                g_autoptr(GTimeZone) zone = NULL;
                g_assert_cmpint(time_zone_open(zones[i].name, &zone), ==, 0);
                g_assert_cmpint(offset_of(zone), ==, zones[i].offset);
        }
}

/* GLib itself would take the last three. */
static void test_what_is_none(void) {
        static const char *const names[] = { "Nowhere/Atall", "Europe", "leapseconds", "zone.tab", "EST5",
                                             "+05",           "Z" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                GTimeZone *zone = NULL;
                g_test_message("%s", names[i]);
                g_assert_cmpint(time_zone_open(names[i], &zone), ==, -ENOENT);
                g_assert_null(zone);
        }
}

/* What is in a folder of zones and is not one, is too small, too large, or no file. */
static void test_bad_files(void) {
        g_autofree char *folder = g_dir_make_tmp("time-zone-XXXXXX", NULL);
        g_autofree char *path = g_build_filename(folder, "Bad", NULL);
        g_autofree char *large = g_malloc0(65 * 1024);
        const struct {
                const char *text;
                gssize length;
        } files[] = { { "", 0 }, { "TZif", 4 }, { large + 1024, 1024 }, { large, 65 * 1024 } };

        memcpy(large, "TZif2", 5);
        (void) g_setenv("TZDIR", folder, TRUE);
        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                GTimeZone *zone = NULL;
                g_assert_true(g_file_set_contents(path, files[i].text, files[i].length, NULL));
                g_assert_cmpint(time_zone_open("Bad", &zone), ==, -ENOENT);
        }
        g_assert_cmpint(g_unlink(path), ==, 0);
        g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
        GTimeZone *zone = NULL;
        g_assert_cmpint(time_zone_open("Bad", &zone), ==, -ENOENT);
        g_unsetenv("TZDIR");
        (void) g_rmdir(path);
        (void) g_rmdir(folder);
}

/* TZ as tzset(3) has it: a name, with or without a colon, a path, rules; what is none of them is UTC. */
static void test_own(void) {
        static const struct {
                const char *variable;
                int64_t offset;
        } zones[] = {
                { "Asia/Tokyo", 32400 },
                { ":Asia/Tokyo", 32400 },
                { "/usr/share/zoneinfo/Asia/Tokyo", 32400 },
                { "EST5", -18000 },
                { "leapseconds", 0 },
                { ":Nowhere/Atall", 0 },
                { "/dev/null", 0 },
                { "Europe", 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(zones); i++) {
                g_autoptr(GTimeZone) zone = NULL;
                g_test_message("%s", zones[i].variable);
                (void) g_setenv("TZ", zones[i].variable, TRUE);
                g_assert_cmpint(time_zone_open(NULL, &zone), ==, 0);
                g_assert_cmpint(offset_of(zone), ==, zones[i].offset);
        }
        g_unsetenv("TZ");
        g_autoptr(GTimeZone) machine = NULL;
        g_assert_cmpint(time_zone_open(NULL, &machine), ==, 0);
        g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(SUMMER);
        g_assert_cmpint(offset_of(machine), ==, g_date_time_get_utc_offset(time) / G_TIME_SPAN_SECOND);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/time-zone/by-name", test_by_name);
        g_test_add_func("/platform/time-zone/what-is-none", test_what_is_none);
        g_test_add_func("/platform/time-zone/bad-files", test_bad_files);
        g_test_add_func("/platform/time-zone/own", test_own);
        return g_test_run();
}
