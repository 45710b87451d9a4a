/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What outlives us of listening sockets: a socket is kept before the record speaks of it, and the record
 * forgets it before it is kept no more. So what a kill leaves is a socket that no record knows, which the
 * successor drops, or a record without a socket, which it drops too. */

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/utf8.h"
#include "core/variant-bytes.h"
#include "manager/listeners-internal.h"
#include "manager/manager-state-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

/* number, owner, name, key; kind, family, host, port, path, of IPv6 alone, reuse, mode for all; backlog;
 * device and inode; data: the maybes of texts are arrays of one at most. */
#define RECORD_TYPE "a(uuayay(uiayqaybbbbi)(tt)aay)"

static char *kept_name(uint32_t number) {
        return g_strdup_printf("l%" PRIu32, number);
}

uint32_t listeners_store_number(const Manager *manager) {
        return manager->state->own.next_listener;
}

static const char *or_empty(const char *text) {
        return text ? text : "";
}

static char *or_null(const char *text) {
        return text[0] ? g_strdup(text) : NULL;
}

static void encode_one(GVariantBuilder *builder, const Listener *listener) {
        const ListenAddress *address = &listener->address;
        const char *const data[] = { listener->data, NULL };

        g_variant_builder_add(
                        builder,
                        "(uu^ay^ay(ui^ayq^aybbbbi)(tt)^aay)",
                        listener->number,
                        (uint32_t) listener->owner,
                        listener->name,
                        listener->key,
                        (uint32_t) address->kind,
                        address->family,
                        or_empty(address->host),
                        address->port,
                        or_empty(address->path),
                        address->ipv6_only,
                        address->reuse_address,
                        address->readable_all,
                        address->writable_all,
                        address->backlog,
                        listener->file.device,
                        listener->file.inode,
                        data);
}

static GVariant *encode(const Manager *manager) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE(RECORD_TYPE));
        for (guint i = 0; i < manager->listeners->len; i++) {
                encode_one(&builder, manager->listeners->pdata[i]);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

int listeners_store_write(Manager *manager) {
        ManagerState *state = manager->state;
        StateBlob before = state->own.listeners, fresh = { 0 };

        if (manager->listeners->len > 0) {
                g_autoptr(GVariant) variant = encode(manager);
                int r = state_store_put_blob(
                                state->store,
                                g_variant_get_data(variant),
                                g_variant_get_size(variant),
                                &fresh);
                if (r < 0) {
                        return log_error_errno(r, "the state cannot grow: %m");
                }
        }
        state->own.listeners = fresh;
        manager_state_save_own(manager);
        if (before.length > 0) {
                state_store_drop_blob(state->store, &before);
        }
        return 0;
}

int listeners_store_add(Manager *manager, const Listener *listener) {
        ManagerState *state = manager->state;
        g_autofree char *name = kept_name(listener->number);

        (void) fd_store_add(state->fds, name, listener->fd);
        state->own.next_listener = listener->number + 1;
        int r = listeners_store_write(manager);
        if (r < 0) {
                fd_store_remove(state->fds, name);
        }
        return r;
}

void listeners_store_remove(Manager *manager, uint32_t number) {
        g_autofree char *name = kept_name(number);

        fd_store_remove(manager->state->fds, name);
}

/* NULL: broken. */
static GVariant *read_record(const StateStore *store, const StateBlob *blob) {
        const void *bytes = state_store_get_blob(store, blob);

        return bytes ? variant_from_bytes(bytes, blob->length, RECORD_TYPE) : NULL;
}

bool listeners_record_is_good(const StateStore *store, const StateBlob *blob) {
        g_autoptr(GVariant) variant = blob->length > 0 ? read_record(store, blob) : NULL;

        return blob->length == 0 || variant;
}

/* Its socket, if that was kept. */
static int take_socket(Manager *manager, uint32_t number) {
        g_autofree char *name = kept_name(number);
        int fd = fd_store_take(manager->state->fds, name);

        if (fd >= 0) {
                (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
        return fd;
}

static void restore_one(Manager *manager, GVariant *item) {
        uint32_t number, owner, kind;
        const char *name, *key, *host, *path;
        ListenAddress address = { 0 };
        ListenFile file;
        gboolean ipv6_only, reuse, readable, writable;
        g_autofree const char **data = NULL;

        g_variant_get(item,
                      "(uu^&ay^&ay(ui^&ayq^&aybbbbi)(tt)^a&ay)",
                      &number,
                      &owner,
                      &name,
                      &key,
                      &kind,
                      &address.family,
                      &host,
                      &address.port,
                      &path,
                      &ipv6_only,
                      &reuse,
                      &readable,
                      &writable,
                      &address.backlog,
                      &file.device,
                      &file.inode,
                      &data);
        int fd = take_socket(manager, number);
        if (fd < 0) {
                log_notice("'%s': nobody has kept its listening socket %s", name, key);
                return;
        }
        Listener *listener = listeners_make_one(number, owner, name, key, fd);
        address.kind = kind == LISTEN_DATAGRAM ? LISTEN_DATAGRAM : LISTEN_STREAM;
        address.host = or_null(host);
        address.path = or_null(path);
        address.ipv6_only = ipv6_only;
        address.reuse_address = reuse;
        address.readable_all = readable;
        address.writable_all = writable;
        listener->address = address;
        listener->file = file;
        listener->data = data[0] ? g_strdup(data[0]) : NULL;
        g_ptr_array_add(manager->listeners, listener);
}

/* Of a predecessor that died before it wrote the number down. */
static void drop_unwritten(Manager *manager) {
        uint32_t number = manager->state->own.next_listener;
        int fd = take_socket(manager, number);

        if (fd >= 0) {
                g_autofree char *name = kept_name(number);
                (void) close_fd(fd);
                fd_store_remove(manager->state->fds, name);
        }
}

void listeners_restore(Manager *manager) {
        ManagerState *state = manager->state;
        const StateBlob *blob = &state->own.listeners;

        drop_unwritten(manager);
        if (blob->length == 0) {
                return;
        }
        g_autoptr(GVariant) variant = read_record(state->store, blob);
        if (!variant) {
                log_error("the record of the listening sockets is broken: they are closed");
                state->own.listeners = (StateBlob){ 0 };
                return;
        }
        (void) state_store_claim_blob(state->store, blob);
        for (gsize i = 0; i < g_variant_n_children(variant); i++) {
                g_autoptr(GVariant) item = g_variant_get_child_value(variant, i);
                restore_one(manager, item);
        }
}

void listeners_hand_over(const Manager *manager, Handover *handover) {
        for (guint i = 0; i < manager->listeners->len; i++) {
                const Listener *listener = manager->listeners->pdata[i];
                g_autofree char *name = kept_name(listener->number);
                int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 3);
                if (fd >= 0) {
                        handover_take(handover, name, fd);
                }
        }
}
