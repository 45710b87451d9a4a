/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* The groups below a cgroup that is for supervisors alone, whoever made them: scopes in slices, the folders
 * of a delegated scope, plain folders. */

/* An extended attribute of the folder of a group that was given up with processes in it (treekill=false): no
 * leftover. */
#define CGROUP_RELEASED_MARK "user.pm2d.released"

typedef struct Leftover {
        char *path;     /* in the hierarchy */
        char *unit;     /* the scope; "": none */
        bool populated; /* a live process is in it */
        pid_t main_pid; /* the one whose parent is not in it, 0: there is none directly in it */
} Leftover;

/* Append what is below path: slices are looked into if unit is NULL, else what is there are plain groups of
 * that unit. mount_point: where the hierarchy is in the file system. */
void cgroup_list_leftovers(
                const char *mount_point, const char *path, const char *unit, GPtrArray *leftovers);

/* For the array. */
void leftover_free(void *item);
