/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/user-info.h"

#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <unistd.h>

static void read_groups(UserInfo *info) {
        info->n_groups = 64;
        info->groups = g_new0(gid_t, info->n_groups);
        while (getgrouplist(info->name, info->gid, info->groups, &info->n_groups) < 0) {
                info->groups = g_renew(gid_t, info->groups, info->n_groups);
        }
}

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
        read_groups(info);
        return info;
}

void user_info_free(UserInfo *info) {
        if (info) {
                g_free(info->name);
                g_free(info->home);
                g_free(info->shell);
                g_free(info->groups);
                g_free(info);
        }
}

/* setfsuid(2) changes what file access is checked against, and nothing by which others may signal or trace
 * us. */
ExecUser user_info_exec_user(const UserInfo *info) {
        return (ExecUser){
                .uid = info->uid,
                .gid = info->gid,
                .groups = info->groups,
                .n_groups = (size_t) info->n_groups,
        };
}

void user_info_impersonate(const UserInfo *info) {
        (void) setgroups((size_t) info->n_groups, info->groups);
        (void) setfsgid(info->gid);
        (void) setfsuid(info->uid);
}

void user_info_step_down(const UserInfo *info) {
        (void) seteuid(info->uid);
}

void user_info_step_up(void) {
        (void) seteuid(0);
}

void user_info_restore(void) {
        (void) setfsuid(geteuid());
        (void) setfsgid(getegid());
        (void) setgroups(0, NULL);
}
