/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel's side: one inotify instance for each user. The kernel has one watch for a folder, however many
 * trees have it, so a watch has a row of folders. */

#include "platform/watch-internal.h"

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/macro.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WATCH_MASK                                                                                          \
        (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |            \
         IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

enum {
        EVENT_BYTES = 4096, /* of one turn: other sources come between */
};

void watch_hub_become_user(const WatchHub *hub) {
        if (hub->user) {
                user_info_impersonate(hub->user);
        }
}

void watch_hub_become_self(const WatchHub *hub) {
        if (hub->user) {
                user_info_restore();
        }
}

int watch_hub_add(WatchHub *hub, WatchFolder *folder, int fd) {
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int watch = RET_NERRNO(inotify_add_watch(hub->fd, path, WATCH_MASK));
        if (watch < 0) {
                return watch;
        }
        WatchFolder *first = g_hash_table_lookup(hub->watches, GINT_TO_POINTER(watch));
        for (const WatchFolder *other = first; other && !folder->anchor; other = other->same) {
                if (other->tree == folder->tree && !other->anchor) {
                        return -EEXIST;
                }
        }
        folder->watch = watch;
        folder->same = first;
        (void) g_hash_table_insert(hub->watches, GINT_TO_POINTER(watch), folder);
        return 0;
}

void watch_hub_remove(WatchHub *hub, WatchFolder *folder) {
        if (folder->watch < 0) {
                return;
        }
        gpointer key = GINT_TO_POINTER(folder->watch);
        WatchFolder *first = g_hash_table_lookup(hub->watches, key);
        if (first == folder && !folder->same) {
                (void) inotify_rm_watch(
                                hub->fd, folder->watch); /* EINVAL: the folder is gone, and so is it */
                (void) g_hash_table_remove(hub->watches, key);
        } else if (first == folder) {
                (void) g_hash_table_insert(hub->watches, key, folder->same);
        } else {
                while (first->same != folder) {
                        first = first->same;
                }
                first->same = folder->same;
        }
        folder->same = NULL;
        folder->watch = -1;
}

/* One that is handled may take others of the row away, or itself. */
static void handle(WatchHub *hub, const struct inotify_event *event) {
        gpointer key = GINT_TO_POINTER(event->wd);
        const WatchFolder *folder = g_hash_table_lookup(hub->watches, key);
        g_autoptr(GPtrArray) row = NULL;

        if (!folder) {
                return;
        }
        const char *name = event->len > 0 ? event->name : "";
        if (!folder->same) {
                watch_tree_handle((WatchFolder *) folder, event->mask, name);
                return;
        }
        row = g_ptr_array_new();
        for (; folder; folder = folder->same) {
                g_ptr_array_add(row, (void *) folder);
        }
        for (guint i = 0; i < row->len; i++) {
                WatchFolder *one = g_hash_table_lookup(hub->watches, key);
                while (one && one != row->pdata[i]) {
                        one = one->same;
                }
                if (one) {
                        watch_tree_handle(one, event->mask, name);
                }
        }
}

static void on_overflow(const WatchHub *hub) {
        for (WatchTree *tree = hub->trees; tree; tree = tree->next) {
                watch_tree_restart(tree);
        }
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        WatchHub *hub = userdata;
        _Alignas(struct inotify_event) char buffer[EVENT_BYTES];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        watch_hub_become_user(hub);
        for (ssize_t i = 0; i < n;) {
                const struct inotify_event *event = (const struct inotify_event *) (buffer + i);
                i += (ssize_t) sizeof(*event) + event->len;
                if (event->mask & IN_Q_OVERFLOW) {
                        on_overflow(hub);
                } else {
                        handle(hub, event);
                }
        }
        watch_hub_become_self(hub);
        return 0;
}

/* The kernel counts instances, and with them their watches, by the effective user of the moment. The real
 * and the saved one, which say who may signal or trace us, stay. */
static int open_inotify(const UserInfo *user) {
        if (user && seteuid(user->uid) < 0) {
                return -errno;
        }
        int fd = RET_NERRNO(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        if (user && seteuid(getuid()) < 0) {
                (void) close_fd(fd);
                return -errno;
        }
        return fd;
}

int watch_hub_new(sd_event *event, const UserInfo *user, WatchHub **ret) {
        WatchHub *hub = g_new0(WatchHub, 1);

        hub->event = sd_event_ref(event);
        hub->user = user;
        hub->watches = g_hash_table_new(NULL, NULL);
        hub->fd = open_inotify(user);
        int r = hub->fd < 0 ? hub->fd
                            : sd_event_add_io(event, &hub->source, hub->fd, EPOLLIN, on_inotify, hub);
        if (r < 0) {
                watch_hub_free(hub);
                return r;
        }
        *ret = hub;
        return 0;
}

bool watch_hub_is_idle(const WatchHub *hub) {
        return !hub->trees;
}

void watch_hub_free(WatchHub *hub) {
        if (hub) {
                (void) sd_event_source_disable_unref(hub->source);
                (void) close_fd(hub->fd);
                g_hash_table_unref(hub->watches);
                (void) sd_event_unref(hub->event);
                g_free(hub);
        }
}

unsigned long watch_limit_read(const char *name) {
        char path[PATH_MAX];
        unsigned long value = 0;

        (void) snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        if (file && fscanf(file, "%lu", &value) != 1) {
                value = 0;
        }
        return value;
}
