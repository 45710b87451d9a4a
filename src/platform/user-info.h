/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/child-steps.h"

/* What the user database says of a user (getpwuid(3), getgrouplist(3)). */
typedef struct UserInfo {
        uid_t uid;
        gid_t gid;
        char *name; /* the number as text if the uid has no entry */
        char *home; /* "/" if it has none */
        char *shell;
        gid_t *groups; /* supplementary */
        int n_groups;
} UserInfo;

/* Asks the name service, which may take its time: once for each user. */
UserInfo *user_info_new(uid_t uid);
void user_info_free(UserInfo *info);

/* For a child that is to become the user; borrows from the info. */
ExecUser user_info_exec_user(const UserInfo *info);

/* Look at files with the rights of the user: between the two nothing but file access may happen. Root only.
 */
void user_info_impersonate(const UserInfo *info);
void user_info_restore(void);

/* Write to files that are open already without what root may do more: to fill a disk to its last block, to
 * pass a quota (capabilities(7): CAP_SYS_RESOURCE). Root only. */
void user_info_step_down(const UserInfo *info);
void user_info_step_up(void);
