/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/user-info.h"

#include <glib.h>
#include <pwd.h>
#include <unistd.h>

UserInfo *user_info_new(uid_t uid) {
        UserInfo *info = g_new0(UserInfo, 1);
        const struct passwd *entry = getpwuid(uid);
        /* $HOME counts for ourselves, as everywhere: the folders of the instance are below it. */
        const char *home = uid == geteuid() ? g_getenv("HOME") : NULL;

        if (!home || home[0] != '/') {
                home = entry && entry->pw_dir && entry->pw_dir[0] == '/' ? entry->pw_dir : "/";
        }
        info->uid = uid;
        info->gid = entry ? entry->pw_gid : (gid_t) uid;
        info->name = entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", uid);
        info->home = g_strdup(home);
        info->shell = g_strdup(entry && entry->pw_shell && entry->pw_shell[0] ? entry->pw_shell : "/bin/sh");
        return info;
}

void user_info_free(UserInfo *info) {
        if (info) {
                g_free(info->name);
                g_free(info->home);
                g_free(info->shell);
                g_free(info);
        }
}
