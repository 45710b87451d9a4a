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

/* The longest time to wait, negative: any. */
static int shorter(int a, int b) {
        return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

/* Of what is waited for beside the files. */
static size_t add_more(const LogWatchMore *more, struct pollfd *fds) {
        size_t n = more ? more->n_fds : 0;

        for (size_t i = 0; i < n; i++) {
                fds[i] = (struct pollfd){ .fd = more->fds[i], .events = POLLIN };
        }
        return n;
}

static unsigned list_readable(const struct pollfd *fds, size_t n) {
        unsigned readable = 0;

        for (size_t i = 0; i < n; i++) {
                readable |= fds[i].revents ? 1U << i : 0;
        }
        return readable;
}

/* Wait once. Returns 1, 0 if nobody wants more, or a negative errno. */
static int turn(int inotify_fd, const GArray *all, const LogWatchMore *more, int *timeout_msec) {
        struct pollfd fds[2 + LOG_WATCH_FDS_MAX] = {
                { .fd = inotify_fd, .events = POLLIN },
                { .fd = STDOUT_FILENO, .events = 0 },
        };
        size_t n_more = add_more(more, fds + 2);

        int r = poll(fds, 2 + n_more, *timeout_msec);
        if (r < 0) {
                return errno == EINTR ? 1 : -errno;
        }
        if (fds[1].revents & (POLLERR | POLLNVAL)) {
                return 0;
        }
        if (fds[0].revents) {
                r = handle_events(inotify_fd, all);
                if (r < 0) {
                        return r;
                }
        }
        *timeout_msec = -1;
        return !more || more->on_turn(more->userdata, list_readable(fds + 2, n_more), timeout_msec);
}

int log_watch(const GPtrArray *tails, const LogWatchMore *more) {
        _cleanup_close_ int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        int wanted_msec = -1, r = 1;

        if (inotify_fd < 0) {
                return -errno;
        }
        g_autoptr(GArray) all = watch_all(inotify_fd, tails);
        for (guint i = 0; i < tails->len; i++) {
                /* What was written between the first reading and the watch. */
                (void) log_tail_update(g_ptr_array_index(tails, i));
        }
        if (more) {
                r = more->on_turn(more->userdata, 0, &wanted_msec);
        }
        while (r > 0) {
                bool some_unwatched = look(inotify_fd, all);
                if (fflush(stdout) != 0) {
                        return 0;
                }
                int timeout_msec = shorter(wanted_msec, some_unwatched ? LOOK_INTERVAL_MSEC : -1);
                r = turn(inotify_fd, all, more, &timeout_msec);
                wanted_msec = timeout_msec;
        }
        return r;
}
