/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sockets that clients of a face connect to: while they are there nobody takes us for dead, not even when we
 * are. */

#include "basic/cleanup.h"
#include "manager/manager-internal.h"

#include <fcntl.h>

#define UNIT_NAME "pm2-compat" /* FileDescriptorName= of the socket unit */
#define KEPT_NAME "compat"

typedef struct FaceFd {
        int fd; /* borrowed by us once it is kept, owned until it was taken */
        bool stored;
        bool waiting; /* to be taken */
} FaceFd;

static void collect(Manager *manager, const char *name, bool stored) {
        int fd;

        while ((fd = fd_store_take(manager->fds, name)) >= 0) {
                FaceFd face = { .fd = fd, .stored = stored, .waiting = true };
                g_array_append_val(manager->face_fds, face);
        }
}

int face_fds_open(Manager *manager) {
        manager->face_fds = g_array_new(FALSE, FALSE, sizeof(FaceFd));
        int r = fd_store_new(manager->event, &manager->fds);
        if (r >= 0) {
                collect(manager, UNIT_NAME, false);
                collect(manager, KEPT_NAME, true);
        }
        return r;
}

void face_fds_free(Manager *manager) {
        for (guint i = 0; manager->face_fds && i < manager->face_fds->len; i++) {
                FaceFd *face = &g_array_index(manager->face_fds, FaceFd, i);
                if (face->waiting) {
                        face->fd = close_fd(face->fd);
                }
        }
        g_clear_pointer(&manager->face_fds, g_array_unref);
        g_clear_pointer(&manager->fds, fd_store_free);
}

int manager_take_face_fd(Manager *manager, bool *ret_kept) {
        for (guint i = 0; i < manager->face_fds->len; i++) {
                const FaceFd face = g_array_index(manager->face_fds, FaceFd, i);
                if (face.waiting) {
                        (void) g_array_remove_index(manager->face_fds, i);
                        *ret_kept = face.stored;
                        return face.fd;
                }
        }
        return -ENOENT;
}

/* The service manager takes what it has already for the same. */
int manager_keep_face_fd(Manager *manager, int fd, bool store) {
        FaceFd face = { .fd = fd, .stored = store };

        g_array_append_val(manager->face_fds, face);
        return store ? fd_store_add(manager->fds, KEPT_NAME, fd) : 0;
}

void manager_drop_face_fds(Manager *manager) {
        bool stored = false;

        for (guint i = manager->face_fds->len; i > 0; i--) {
                const FaceFd face = g_array_index(manager->face_fds, FaceFd, i - 1);
                stored = stored || face.stored;
                if (!face.waiting) {
                        (void) g_array_remove_index(manager->face_fds, i - 1);
                }
        }
        if (stored) {
                fd_store_remove(manager->fds, KEPT_NAME);
        }
}

void manager_forget_face_fds(Manager *manager) {
        fd_store_remove(manager->fds, KEPT_NAME);
}

void face_fds_hand_over(const Manager *manager, Handover *handover) {
        for (guint i = 0; i < manager->face_fds->len; i++) {
                const FaceFd face = g_array_index(manager->face_fds, FaceFd, i);
                int fd = fcntl(face.fd, F_DUPFD_CLOEXEC, 3);
                if (fd >= 0) {
                        handover_take(handover, face.stored ? KEPT_NAME : UNIT_NAME, fd);
                }
        }
}
