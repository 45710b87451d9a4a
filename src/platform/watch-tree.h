/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/user-info.h"

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* Folders whose files are watched for changes, with all folders below them, also those that come later. The
 * folders are walked by and by, a few milliseconds in each turn of the loop. Nothing wakes us but a change.
 *
 * A file has changed when somebody who wrote to it closes it, and when it comes, goes or gets another name.
 * File systems that are mounted below are left out, for they may keep us waiting. */

/* All that one user watches: one inotify instance, which counts against the limits of that user. */
typedef struct WatchHub WatchHub;
typedef struct WatchTree WatchTree;

typedef struct WatchTreeSpec {
        char *const *paths;   /* absolute and normalised: folders, files, or what does not exist yet */
        bool follow_symlinks; /* to folders; one that leads back is no loop */
        bool (*is_ignored)(void *userdata, const char *path, size_t root_bytes, bool folder);
        /* The path may be a folder below which something has changed. Neither handler may free the tree. */
        void (*on_change)(void *userdata, const char *path);
        /* It is complete, or has failed. */
        void (*on_state)(void *userdata);
        void *userdata;
} WatchTreeSpec;

/* user: whose rights count, NULL for ours; borrowed. -EMFILE: the user has too many inotify instances. */
int watch_hub_new(sd_event *event, const UserInfo *user, WatchHub **ret);
bool watch_hub_is_idle(const WatchHub *hub);
/* All its trees are gone. */
void watch_hub_free(WatchHub *hub);

/* Begin to walk. What cannot be watched is told by on_state(). */
WatchTree *watch_tree_new(WatchHub *hub, const WatchTreeSpec *spec);
void watch_tree_free(WatchTree *tree);

/* Every folder that was there is watched. */
bool watch_tree_is_complete(const WatchTree *tree);

/* Why nothing is watched any more, and the path that it is about: a negative errno, 0: all is well. -ENOSPC:
 * the user has no more watches; -EREMOTE: changes of that file system are made elsewhere; -E2BIG: more than
 * WATCH_FOLDERS_MAX folders. */
int watch_tree_error(const WatchTree *tree, const char **ret_path);

/* The next change is to be told: else one that follows at once upon another may not be. */
void watch_tree_rearm(WatchTree *tree);

/* The figure of /proc/sys/fs/inotify/NAME; 0: it cannot be read. */
unsigned long watch_limit_read(const char *name);

enum {
        WATCH_FOLDERS_MAX = 200000, /* of one tree */
};
