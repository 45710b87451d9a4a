/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The folders of a tree. Each is watched first and read then, so nothing that comes to be in it is missed.
 * What is walked because of a change is told as changed again until it is watched as a whole. */

#include "platform/watch-internal.h"

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "basic/time-util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of a turn of the loop. */
#define WALK_USEC     (2 * USEC_PER_MSEC)
/* A change that follows so soon upon another is not looked at: whoever heard of that one waits for longer.
 */
#define TOGETHER_USEC (50 * USEC_PER_MSEC)

enum {
        ENTRIES_BY_CLOCK = 64, /* between two looks at it */
};

static guint hash_child(gconstpointer key) {
        const WatchFolder *folder = key;
        return g_direct_hash(folder->parent) ^ g_str_hash(folder->name);
}

static gboolean equal_children(gconstpointer a, gconstpointer b) {
        const WatchFolder *one = a, *other = b;
        return one->parent == other->parent && strcmp(one->name, other->name) == 0;
}

static void append_path(GString *path, const WatchFolder *folder) {
        if (!folder->parent) {
                g_string_append(path, folder->root->path);
                return;
        }
        append_path(path, folder->parent);
        if (path->str[path->len - 1] != '/') {
                g_string_append_c(path, '/');
        }
        g_string_append(path, folder->name);
}

/* Of something in it; "": its own. */
static char *path_of(const WatchFolder *folder, const char *name) {
        GString *path = g_string_new(NULL);

        append_path(path, folder);
        if (name[0]) {
                if (path->str[path->len - 1] != '/') {
                        g_string_append_c(path, '/');
                }
                g_string_append(path, name);
        }
        return g_string_free(path, FALSE);
}

static size_t root_bytes(const WatchFolder *folder) {
        return strlen(folder->root->path);
}

static WatchFolder *find_child(const WatchFolder *folder, const char *name) {
        const WatchFolder key = { .parent = (WatchFolder *) folder, .name = (char *) name };

        return g_hash_table_lookup(folder->tree->children, &key);
}

WatchFolder *watch_folder_add(WatchRoot *root, WatchFolder *parent, const char *name) {
        WatchTree *tree = root->tree;

        if (tree->n_folders >= WATCH_FOLDERS_MAX) {
                watch_tree_fail(tree, -E2BIG, root->path);
                return NULL;
        }
        WatchFolder *folder = g_new0(WatchFolder, 1);
        *folder = (WatchFolder){
                .tree = tree,
                .root = root,
                .parent = parent,
                .name = g_strdup(name),
                .watch = -1,
                .anchor = !parent && name,
        };
        tree->n_folders++;
        if (parent) {
                folder->next = parent->first_child;
                if (folder->next) {
                        folder->next->previous = folder;
                }
                parent->first_child = folder;
                (void) g_hash_table_add(tree->children, folder);
        }
        return folder;
}

static void end_reading(WatchTree *tree) {
        tree->reading = NULL;
        if (tree->stream) {
                (void) closedir(g_steal_pointer(&tree->stream));
        }
}

static void drop_one(WatchFolder *folder) {
        WatchTree *tree = folder->tree;

        if (tree->reading == folder) {
                end_reading(tree);
        }
        if (folder->place) {
                g_queue_delete_link(folder->link ? &tree->links : &tree->folders, folder->place);
        }
        watch_hub_remove(tree->hub, folder);
        if (folder->parent) {
                (void) g_hash_table_remove(tree->children, folder);
                if (folder->previous) {
                        folder->previous->next = folder->next;
                } else {
                        folder->parent->first_child = folder->next;
                }
                if (folder->next) {
                        folder->next->previous = folder->previous;
                }
        } else {
                folder->root->folder = NULL;
        }
        tree->n_folders--;
        g_free(folder->name);
        g_free(folder);
}

void watch_folder_drop(WatchFolder *folder) {
        for (;;) {
                WatchFolder *leaf = folder;
                while (leaf->first_child) {
                        leaf = leaf->first_child;
                }
                bool last = leaf == folder;
                drop_one(leaf);
                if (last) {
                        return;
                }
        }
}

static int on_walk(sd_event_source *source, void *userdata);

/* At the end of this turn and of those that follow, behind all else that there is to do. */
static void walk_later(WatchTree *tree) {
        int r = tree->walk ? 0 : sd_event_add_defer(tree->hub->event, &tree->walk, on_walk, tree);

        if (r >= 0) {
                (void) sd_event_source_set_priority(tree->walk, SD_EVENT_PRIORITY_IDLE);
                r = sd_event_source_set_enabled(tree->walk, SD_EVENT_ON);
        }
        if (r < 0) {
                (void) log_error_errno(r, "folders are not walked: %m");
        }
}

void watch_tree_queue(WatchFolder *folder) {
        WatchTree *tree = folder->tree;
        GQueue *queue = folder->link ? &tree->links : &tree->folders;

        g_queue_push_tail(queue, folder);
        folder->place = queue->tail;
        walk_later(tree);
}

static void drop_all(WatchTree *tree) {
        for (unsigned i = 0; i < tree->n_roots; i++) {
                watch_root_done(&tree->roots[i]);
        }
}

void watch_tree_fail(WatchTree *tree, int error, const char *path) {
        if (tree->error == 0) {
                tree->error = error;
                tree->error_path = g_strdup(path);
                tree->complete = false;
                walk_later(tree); /* which tells of it, and takes it all down */
        }
}

static bool is_recent(const WatchTree *tree) {
        return tree->told_usec > 0 && now_monotonic_usec() < tree->told_usec + TOGETHER_USEC;
}

void watch_tree_tell(WatchTree *tree, const char *path) {
        tree->told_usec = now_monotonic_usec();
        tree->spec.on_change(tree->spec.userdata, path);
}

void watch_tree_rearm(WatchTree *tree) {
        tree->told_usec = 0;
}

/* The way from its root, for openat2(2). */
static char *way_to(const WatchFolder *folder, const char *name) {
        g_autofree char *path = path_of(folder, name);
        size_t skip = root_bytes(folder);

        while (path[skip] == '/') {
                skip++;
        }
        return path[skip] ? g_strdup(path + skip) : g_strdup(".");
}

/* Nothing that is mounted below is entered: a network file system might keep us waiting. A link may lead to
 * another file system where that is its owner's own loss. */
static uint64_t how_to_resolve(const WatchTree *tree, bool beyond) {
        return RESOLVE_NO_MAGICLINKS | (beyond && !tree->hub->user ? 0 : RESOLVE_NO_XDEV);
}

static int open_folder(const WatchFolder *folder) {
        g_autofree char *way = way_to(folder, "");
        const struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC |
                         (folder->link ? 0U : (unsigned) O_NOFOLLOW),
                .resolve = how_to_resolve(folder->tree, folder->beyond),
        };

        /* no fault point: it opens a folder to be read */
        int fd = RET_NERRNO((int) syscall(SYS_openat2, folder->root->fd, way, &how, sizeof(how)));
        if (fd >= 0 && folder->beyond && !watch_file_system_is_good(fd)) {
                (void) close_fd(fd);
                return -EXDEV;
        }
        return fd;
}

/* What is no folder any more, is not for us, or is there already, is left out. */
static bool is_left_out(const WatchFolder *folder, int error) {
        switch (error) {
        case -EEXIST:
                return true;
        case -ENOENT:
        case -ENOTDIR:
        case -ELOOP:
        case -EXDEV:
        case -EACCES:
        case -EPERM:
        case -ENAMETOOLONG:
                return folder->parent != NULL;
        default:
                return false;
        }
}

/* Watch it, and begin to read it. */
static void begin(WatchFolder *folder) {
        WatchTree *tree = folder->tree;
        _cleanup_close_ int fd = open_folder(folder);

        int r = fd < 0 ? fd : watch_hub_add(tree->hub, folder, fd);
        if (r >= 0) {
                tree->stream = fdopendir(fd);
                r = tree->stream ? 0 : -errno;
        }
        if (r >= 0) {
                tree->reading = folder;
                (void) steal_fd(&fd);
        } else if (r == -EEXIST && !folder->parent) {
                return; /* another root has it; its own name stays watched by that */
        } else if (is_left_out(folder, r)) {
                watch_folder_drop(folder);
        } else {
                g_autofree char *path = path_of(folder, "");
                watch_tree_fail(tree, r, path);
        }
}

/* DT_DIR, DT_LNK or something else, also where the file system does not say. */
static unsigned char kind_of(DIR *stream, const struct dirent *entry) {
        struct stat status;

        if (entry->d_type != DT_UNKNOWN) {
                return entry->d_type;
        }
        return fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0
                               ? DT_UNKNOWN
                               : (unsigned char) IFTODT(status.st_mode);
}

static bool leads_to_folder(const WatchTree *tree, const char *name) {
        const struct open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = how_to_resolve(tree, true),
        };
        /* no fault point: it opens nothing but a path */
        _cleanup_close_ int fd = (int) syscall(SYS_openat2, dirfd(tree->stream), name, &how, sizeof(how));

        return fd >= 0;
}

static bool is_ignored(const WatchFolder *folder, const char *name, bool is_folder) {
        const WatchTreeSpec *spec = &folder->tree->spec;
        g_autofree char *path = path_of(folder, name);

        return spec->is_ignored(spec->userdata, path, root_bytes(folder), is_folder);
}

static void add_child(WatchFolder *folder, const char *name, bool link) {
        WatchFolder *child = watch_folder_add(folder->root, folder, name);

        if (child) {
                child->link = link;
                child->beyond = link || folder->beyond;
                watch_tree_queue(child);
        }
}

/* One entry. */
static void read_on(WatchTree *tree) {
        const struct dirent *entry = readdir(tree->stream);

        if (!entry) {
                end_reading(tree);
                return;
        }
        unsigned char kind = kind_of(tree->stream, entry);
        bool link = kind == DT_LNK;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (kind != DT_DIR && !(link && tree->spec.follow_symlinks)) ||
            find_child(tree->reading, entry->d_name) || is_ignored(tree->reading, entry->d_name, true) ||
            (link && !leads_to_folder(tree, entry->d_name))) {
                return;
        }
        add_child(tree->reading, entry->d_name, link);
}

static WatchFolder *next_folder(WatchTree *tree) {
        WatchFolder *folder = g_queue_pop_head(&tree->folders);

        folder = folder ? folder : g_queue_pop_head(&tree->links);
        if (folder) {
                folder->place = NULL;
        }
        return folder;
}

/* False: there is nothing left to be walked. */
static bool walk_some(WatchTree *tree) {
        uint64_t end_usec = now_monotonic_usec() + WALK_USEC;
        WatchFolder *folder;

        for (unsigned i = 0; tree->error == 0; i++) {
                if (i % ENTRIES_BY_CLOCK == 0 && now_monotonic_usec() > end_usec) {
                        return true;
                }
                if (tree->reading) {
                        read_on(tree);
                } else if ((folder = next_folder(tree))) {
                        begin(folder);
                } else {
                        return false;
                }
        }
        return false;
}

static void open_roots(WatchTree *tree) {
        for (unsigned i = 0; i < tree->n_roots && tree->error == 0; i++) {
                watch_root_open(&tree->roots[i]);
        }
        tree->opened = true;
}

static void end_walk(WatchTree *tree) {
        bool first = !tree->complete;

        (void) sd_event_source_set_enabled(tree->walk, SD_EVENT_OFF);
        if (tree->error < 0) {
                drop_all(tree);
                tree->spec.on_state(tree->spec.userdata);
                return;
        }
        tree->complete = true;
        if (first) {
                tree->spec.on_state(tree->spec.userdata);
        }
}

static int on_walk(sd_event_source *source, void *userdata) {
        WatchTree *tree = userdata;

        watch_hub_become_user(tree->hub);
        if (!tree->opened) {
                open_roots(tree);
        }
        bool more = walk_some(tree);
        watch_hub_become_self(tree->hub);
        /* What has come to be, and may have been changed before it was watched. */
        if (tree->complete && tree->error == 0) {
                watch_tree_tell(tree, tree->roots[0].path);
        }
        if (!more) {
                end_walk(tree);
        }
        return 0;
}

void watch_tree_restart(WatchTree *tree) {
        if (tree->error == 0 && tree->opened) {
                watch_tree_tell(tree, tree->roots[0].path);
                open_roots(tree);
        }
}

static bool is_link(const WatchFolder *folder, const char *name) {
        g_autofree char *way = way_to(folder, name);
        char target;

        return readlinkat(folder->root->fd, way, &target, 1) > 0;
}

/* Something that is, or leads to, a folder has come to be, or has gone. */
static void follow(WatchFolder *folder, uint32_t mask, const char *name) {
        WatchFolder *child = find_child(folder, name);
        bool link = !(mask & IN_ISDIR);

        if (child && mask & (IN_MOVED_FROM | IN_DELETE | IN_MOVED_TO | IN_CREATE)) {
                watch_folder_drop(child);
        }
        if (mask & (IN_CREATE | IN_MOVED_TO) &&
            (!link || (folder->tree->spec.follow_symlinks && is_link(folder, name)))) {
                add_child(folder, name, link);
        }
}

/* The folder itself. Of one that lies in another that one tells, unless it is elsewhere. */
static void lose(WatchFolder *folder, uint32_t mask) {
        if (!folder->parent) {
                watch_root_lose(folder->root);
        } else if (folder->link || mask & (IN_IGNORED | IN_UNMOUNT)) {
                g_autofree char *path = path_of(folder, "");
                WatchTree *tree = folder->tree;
                watch_folder_drop(folder);
                watch_tree_tell(tree, path);
        }
}

void watch_tree_handle(WatchFolder *folder, uint32_t mask, const char *name) {
        WatchTree *tree = folder->tree;
        bool comes = mask & (IN_CREATE | IN_MOVED_TO), folders = mask & IN_ISDIR;

        if (tree->error < 0) {
                return;
        }
        if (folder->anchor) {
                watch_root_handle_anchor(folder->root, mask, name);
                return;
        }
        if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
                lose(folder, mask);
                return;
        }
        bool known = folders || comes || find_child(folder, name);
        if ((!known && is_recent(tree)) || is_ignored(folder, name, folders)) {
                return;
        }
        g_autofree char *path = path_of(folder, name);
        if (known) {
                follow(folder, mask, name);
        }
        if (tree->error == 0) {
                watch_tree_tell(tree, path);
        }
}

WatchTree *watch_tree_new(WatchHub *hub, const WatchTreeSpec *spec) {
        WatchTree *tree = g_new0(WatchTree, 1);

        tree->hub = hub;
        tree->spec = *spec;
        tree->spec.paths = NULL;
        tree->children = g_hash_table_new(hash_child, equal_children);
        g_queue_init(&tree->folders);
        g_queue_init(&tree->links);
        tree->n_roots = g_strv_length((char **) spec->paths);
        tree->roots = g_new0(WatchRoot, tree->n_roots);
        for (unsigned i = 0; i < tree->n_roots; i++) {
                tree->roots[i] = (WatchRoot){ .tree = tree, .path = g_strdup(spec->paths[i]), .fd = -EBADF };
        }
        tree->next = hub->trees;
        hub->trees = tree;
        walk_later(tree);
        return tree;
}

static void leave_hub(const WatchTree *tree) {
        WatchTree **place = &tree->hub->trees;

        while (*place != tree) {
                place = &(*place)->next;
        }
        *place = tree->next;
}

void watch_tree_free(WatchTree *tree) {
        if (!tree) {
                return;
        }
        drop_all(tree);
        leave_hub(tree);
        for (unsigned i = 0; i < tree->n_roots; i++) {
                g_free(tree->roots[i].path);
        }
        (void) sd_event_source_disable_unref(tree->walk);
        g_hash_table_unref(tree->children);
        g_free(tree->roots);
        g_free(tree->error_path);
        g_free(tree);
}

bool watch_tree_is_complete(const WatchTree *tree) {
        return tree->complete;
}

int watch_tree_error(const WatchTree *tree, const char **ret_path) {
        *ret_path = tree->error_path;
        return tree->error;
}
