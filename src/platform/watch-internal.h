/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/watch-tree.h"

#include <dirent.h>
#include <glib.h>
#include <stdint.h>
#include <sys/inotify.h>

/* Between watch-hub.c (the kernel's watches), watch-tree.c (the folders) and watch-root.c (where they
 * begin). */

typedef struct WatchRoot WatchRoot;
typedef struct WatchFolder WatchFolder;

/* A folder of a tree. A root whose path is a file, or is not there, has an anchor instead: the folder that
 * it is or will be in, of which one name counts. */
struct WatchFolder {
        WatchTree *tree;
        WatchRoot *root;
        WatchFolder *parent; /* NULL: of a root or anchor */
        WatchFolder *first_child, *previous, *next;
        WatchFolder *same; /* the next one with the same watch, of another tree or an anchor */
        char *name;        /* in its parent; of an anchor the one that counts; NULL: of a root */
        int watch;         /* -1: none yet */
        GList *place;      /* in the queue of what is to be walked; NULL: in none */
        bool anchor;
        bool link;   /* there is a symbolic link in its place */
        bool beyond; /* or in that of a folder above it */
};

struct WatchRoot {
        WatchTree *tree;
        char *path;
        int fd; /* O_PATH, of the folder */
        bool is_file;
        WatchFolder *folder; /* NULL: not there */
        char *anchor_path;   /* of that one, where it is an anchor */
};

struct WatchTree {
        WatchHub *hub;
        WatchTreeSpec spec;
        WatchTree *next; /* of the hub */
        WatchRoot *roots;
        unsigned n_roots;
        GHashTable *children; /* of WatchFolder, by parent and name */
        unsigned n_folders;
        GQueue folders, links; /* to be walked; the links when the others are done */
        sd_event_source *walk; /* NULL: not needed yet */
        WatchFolder *reading;  /* with the stream: what is being walked; NULL: nothing */
        DIR *stream;
        bool opened; /* the roots */
        bool complete;
        uint64_t told_usec;
        int error;
        char *error_path;
};

struct WatchHub {
        sd_event *event;
        const UserInfo *user;
        int fd;
        sd_event_source *source;
        GHashTable *watches; /* watch descriptor -> WatchFolder */
        WatchTree *trees;
};

/* watch-hub.c. Between the first two file access has the rights of the user. */
void watch_hub_become_user(const WatchHub *hub);
void watch_hub_become_self(const WatchHub *hub);
/* Watch what is open. -EEXIST: the tree has this folder already. */
int watch_hub_add(WatchHub *hub, WatchFolder *folder, int fd);
void watch_hub_remove(WatchHub *hub, WatchFolder *folder);

/* watch-tree.c */
WatchFolder *watch_folder_add(WatchRoot *root, WatchFolder *parent, const char *name);
/* With all below it. */
void watch_folder_drop(WatchFolder *folder);
void watch_tree_queue(WatchFolder *folder);
void watch_tree_fail(WatchTree *tree, int error, const char *path);
/* Something happened in a folder of a tree: name is "" for the folder itself. It may be gone afterwards. */
void watch_tree_handle(WatchFolder *folder, uint32_t mask, const char *name);
/* Events were lost. */
void watch_tree_restart(WatchTree *tree);
void watch_tree_tell(WatchTree *tree, const char *path);

/* watch-root.c */
void watch_root_done(WatchRoot *root);
/* Look where the path leads, and watch there. */
void watch_root_open(WatchRoot *root);
/* An event of its anchor, or of the folder itself. */
void watch_root_handle_anchor(WatchRoot *root, uint32_t mask, const char *name);
void watch_root_lose(WatchRoot *root);
/* Whether changes that others make to the file system are told here, and nobody waits for them. */
bool watch_file_system_is_good(int fd);
