/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Steps that copies of the supervisor share, in which nothing may be allocated or locked. */

enum {
        CHILD_NOT_REGULAR = 4096, /* beside errnos: the file is of another kind */
};

typedef struct ExecUser {
        uid_t uid;
        gid_t gid;
        const gid_t *groups;
        size_t n_groups;
} ExecUser;

/* Its ids and groups for good. Returns an errno, 0 on success. */
int child_become_user(const ExecUser *user);

/* A regular file that a user named, with no waiting on FIFOs and devices. The fd or a negative error. */
int child_open_to_read(const char *path);

/* The folders above a path, as far as they can be made. */
void child_make_parents(const char *path, mode_t mode);

/* All of it, as long as the file takes it. Negative errno. */
int child_write_all(int fd, const char *bytes, size_t size);
