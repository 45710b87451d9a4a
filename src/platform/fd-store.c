/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/fd-store.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

typedef struct KeptFd {
        char *name;
        int fd; /* negative: was taken */
} KeptFd;

struct FdStore {
        sd_event *event;
        bool there;
        GArray *kept; /* of KeptFd */
};

struct FdBarrier {
        sd_event_source *source;
        int fd;
        void (*on_passed)(void *userdata);
        void *userdata;
};

static void clear_kept(void *item) {
        KeptFd *kept = item;
        g_free(kept->name);
        (void) close_fd(kept->fd);
}

int fd_store_new(sd_event *event, FdStore **ret) {
        FdStore *store = g_new0(FdStore, 1);
        char **names = NULL;
        const char *maximum = getenv("FDSTORE");

        store->event = sd_event_ref(event);
        store->kept = g_array_new(FALSE, FALSE, sizeof(KeptFd));
        g_array_set_clear_func(store->kept, clear_kept);
        /* $FDSTORE tells since systemd 254; before, to be asked for by the notify socket is all that is
         * known. */
        store->there = getenv("NOTIFY_SOCKET") && (!maximum || strcmp(maximum, "0") != 0);
        int n = sd_listen_fds_with_names(true, &names);
        for (int i = 0; i < n; i++) {
                KeptFd kept = { .name = g_strdup(names[i]), .fd = SD_LISTEN_FDS_START + i };
                g_array_append_val(store->kept, kept);
                free(names[i]);
        }
        free(names);
        *ret = store;
        return 0;
}

void fd_store_free(FdStore *store) {
        if (store) {
                g_array_unref(store->kept);
                (void) sd_event_unref(store->event);
                g_free(store);
        }
}

bool fd_store_is_there(const FdStore *store) {
        return store->there;
}

int fd_store_take(FdStore *store, const char *name) {
        for (guint i = 0; i < store->kept->len; i++) {
                KeptFd *kept = &g_array_index(store->kept, KeptFd, i);
                if (kept->fd >= 0 && strcmp(kept->name, name) == 0) {
                        return steal_fd(&kept->fd);
                }
        }
        return -ENOENT;
}

/* Whether another fd of this name is in use: removing goes by the name. */
static bool name_was_taken(const FdStore *store, const char *name) {
        for (guint i = 0; i < store->kept->len; i++) {
                const KeptFd *kept = &g_array_index(store->kept, KeptFd, i);
                if (kept->fd < 0 && strcmp(kept->name, name) == 0) {
                        return true;
                }
        }
        return false;
}

void fd_store_drop_rest(FdStore *store) {
        for (guint i = 0; i < store->kept->len; i++) {
                const KeptFd *kept = &g_array_index(store->kept, KeptFd, i);
                if (kept->fd >= 0 && !name_was_taken(store, kept->name)) {
                        fd_store_remove(store, kept->name);
                }
        }
        g_array_set_size(store->kept, 0);
}

/* FDPOLL=0: else the manager drops a pidfd when its process has been reaped, and with it the exit status. */
int fd_store_add(FdStore *store, const char *name, int fd) {
        if (!store->there) {
                return 0;
        }
        g_autofree char *text = g_strdup_printf("FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
        int r = CHANGE("fd-store-add", sd_pid_notify_with_fds(0, 0, text, &fd, 1));
        if (r <= 0) {
                store->there = false; /* nobody listens there: from now on as without one */
                return r < 0 ? r : -EPIPE;
        }
        return 0;
}

void fd_store_remove(FdStore *store, const char *name) {
        if (store->there) {
                g_autofree char *text = g_strdup_printf("FDSTOREREMOVE=1\nFDNAME=%s", name);
                (void) CHANGE("fd-store-remove", sd_notify(0, text));
        }
}

static int on_closed(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        FdBarrier *barrier = userdata;

        barrier->source = sd_event_source_disable_unref(barrier->source);
        barrier->fd = close_fd(barrier->fd);
        barrier->on_passed(barrier->userdata);
        return 0;
}

int fd_store_barrier(FdStore *store, void (*on_passed)(void *userdata), void *userdata, FdBarrier **ret) {
        int ends[2];

        if (!store->there) {
                return 1;
        }
        if (pipe2(ends, O_CLOEXEC) < 0) {
                return -errno;
        }
        _cleanup_close_ int ours = ends[0], theirs = ends[1];
        if (CHANGE("fd-store-barrier", sd_pid_notify_with_fds(0, 0, "BARRIER=1", &theirs, 1)) <= 0) {
                store->there = false;
                return 1;
        }
        FdBarrier *barrier = g_new0(FdBarrier, 1);
        barrier->fd = -EBADF;
        barrier->on_passed = on_passed;
        barrier->userdata = userdata;
        int r = sd_event_add_io(store->event, &barrier->source, ours, 0, on_closed, barrier); /* EPOLLHUP */
        if (r < 0) {
                fd_barrier_free(barrier);
                return r;
        }
        barrier->fd = steal_fd(&ours);
        *ret = barrier;
        return 0;
}

void fd_barrier_free(FdBarrier *barrier) {
        if (barrier) {
                (void) sd_event_source_disable_unref(barrier->source);
                (void) close_fd(barrier->fd);
                g_free(barrier);
        }
}
