/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/user-info.h"

#include <glib.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static void test_self(void) {
        (void) setenv("HOME", "/home/of/test", 1);
        UserInfo *info = user_info_new(geteuid());
        const struct passwd *entry = getpwuid(geteuid());

        g_assert_cmpuint(info->uid, ==, geteuid());
        g_assert_cmpstr(info->home, ==, "/home/of/test"); /* $HOME counts for ourselves */
        g_assert_cmpint(info->shell[0], ==, '/');
        if (entry) {
                g_assert_cmpstr(info->name, ==, entry->pw_name);
                g_assert_cmpuint(info->gid, ==, entry->pw_gid);
                g_assert_cmpint(info->n_groups, >=, 1);
        }
        user_info_free(info);

        (void) setenv("HOME", "relative", 1);
        info = user_info_new(geteuid());
        g_assert_cmpint(info->home[0], ==, '/');
        user_info_free(info);
}

static void test_unknown(void) {
        enum {
                NOBODY_HAS_THIS = 1234567890,
        };
        (void) setenv("HOME", "/home/of/test", 1);
        UserInfo *info = user_info_new(NOBODY_HAS_THIS);

        g_assert_cmpstr(info->name, ==, "1234567890");
        g_assert_cmpuint(info->gid, ==, NOBODY_HAS_THIS);
        g_assert_cmpstr(info->home, ==, "/");
        g_assert_cmpstr(info->shell, ==, "/bin/sh");
        user_info_free(info);
        user_info_free(NULL);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/user-info/self", test_self);
        g_test_add_func("/platform/user-info/unknown", test_unknown);
        return g_test_run();
}
