/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waits for log files to grow: the folders are watched, as the files come and go. What cannot be watched
 * (a folder that does not exist yet, a symbolic link out of it) is looked at twice a second. */

#include "log-watch.h"

#include "basic/cleanup.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_INTERVAL_MSEC 500
#define WATCH_MASK         (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)

typedef struct Watched {
        LogTail *tail;
        char *name; /* within the folder */
        int wd;     /* -1: not watched */
} Watched;

static void watched_clear(gpointer data) {
        Watched *watched = data;
        g_free(watched->name);
}

static void watch_file(int inotify_fd, Watched *watched) {
        const char *path = log_tail_get_path(watched->tail);
        g_autofree char *folder = g_path_get_dirname(path);
        struct stat status;
        bool link = lstat(path, &status) == 0 && S_ISLNK(status.st_mode);

        watched->wd = link ? -1 : inotify_add_watch(inotify_fd, folder, WATCH_MASK);
}

static GArray *watch_all(int inotify_fd, const GPtrArray *tails) {
        GArray *all = g_array_new(false, true, sizeof(Watched));

        g_array_set_clear_func(all, watched_clear);
        for (guint i = 0; i < tails->len; i++) {
                LogTail *tail = g_ptr_array_index(tails, i);
                Watched watched = { .tail = tail, .name = g_path_get_basename(log_tail_get_path(tail)) };
                watch_file(inotify_fd, &watched);
                (void) g_array_append_val(all, watched);
        }
        return all;
}

static void update_named(const GArray *all, const struct inotify_event *event) {
        for (guint i = 0; i < all->len; i++) {
                Watched *watched = &g_array_index(all, Watched, i);
                bool same = watched->wd == event->wd && event->len > 0 &&
                            strcmp(watched->name, event->name) == 0;
                if (same || (event->mask & IN_Q_OVERFLOW)) {
                        (void) log_tail_update(watched->tail);
                }
                if ((event->mask & IN_IGNORED) && watched->wd == event->wd) {
                        watched->wd = -1; /* the folder is gone */
                }
        }
}

static int handle_events(int inotify_fd, const GArray *all) {
        char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));

        ssize_t n = read(inotify_fd, buffer, sizeof(buffer));
        if (n < 0) {
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        for (char *p = buffer; p < buffer + n;) {
                const struct inotify_event *event = (const struct inotify_event *) p;
                update_named(all, event);
                p += sizeof(*event) + event->len;
        }
        return 0;
}

/* Look at what is not watched. Returns whether there is any. */
static bool look(int inotify_fd, const GArray *all) {
        bool any = false;

        for (guint i = 0; i < all->len; i++) {
                Watched *watched = &g_array_index(all, Watched, i);
                if (watched->wd < 0) {
                        watch_file(inotify_fd, watched);
                        (void) log_tail_update(watched->tail);
                        any = any || watched->wd < 0;
                }
        }
        return any;
}

int log_watch(const GPtrArray *tails) {
        _cleanup_close_ int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (inotify_fd < 0) {
                return -errno;
        }
        g_autoptr(GArray) all = watch_all(inotify_fd, tails);
        for (guint i = 0; i < tails->len; i++) {
                /* What was written between the first reading and the watch. */
                (void) log_tail_update(g_ptr_array_index(tails, i));
        }
        for (;;) {
                bool some_unwatched = look(inotify_fd, all);
                if (fflush(stdout) != 0) {
                        return 0;
                }
                struct pollfd fds[] = {
                        { .fd = inotify_fd, .events = POLLIN },
                        { .fd = STDOUT_FILENO, .events = 0 },
                };
                int r = poll(fds, G_N_ELEMENTS(fds), some_unwatched ? LOOK_INTERVAL_MSEC : -1);
                if (r < 0 && errno != EINTR) {
                        return -errno;
                }
                if (r > 0 && (fds[1].revents & (POLLERR | POLLNVAL))) {
                        return 0;
                }
                if (r > 0 && fds[0].revents) {
                        r = handle_events(inotify_fd, all);
                        if (r < 0) {
                                return r;
                        }
                }
        }
}
