/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/notify-sender.h"

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* The socket by which one start of a process tells of itself (NOTIFY_SOCKET of sd_notify(3)). */
typedef struct NotifySocket NotifySocket;

enum {
        NOTIFY_DATAGRAM_BYTES_MAX = 4096, /* what is longer is not looked at */
};

/* Called from the loop for each datagram, in their order, before it leaves the queue: one that a supervisor
 * did not see through comes again to its successor. May free the socket. text does not end with a NUL; NULL:
 * it was too long, and is dropped. Descriptors that came with it are closed afterwards; that is what
 * BARRIER=1 waits for. */
typedef void (*NotifyHandler)(void *userdata, const char *text, size_t length, const NotifySender *sender);

/* Bind anew, in place of what is left of an older socket. Only the owner can write to it.
 * -ENAMETOOLONG: no socket can have this path; -EEXIST: something there is no socket of ours. */
int notify_socket_new(
                sd_event *event,
                const char *path,
                uid_t owner,
                NotifyHandler handler,
                void *userdata,
                NotifySocket **ret);

/* Go on with the socket of an earlier supervisor, or bind anew if it is not that of the path. fd is taken,
 * whatever comes of it; negative: there is none. */
int notify_socket_adopt(
                sd_event *event,
                int fd,
                const char *path,
                uid_t owner,
                NotifyHandler handler,
                void *userdata,
                NotifySocket **ret);

/* To be kept for a successor. Borrowed. */
int notify_socket_get_fd(const NotifySocket *socket);
const char *notify_socket_get_path(const NotifySocket *socket);

/* Hand out what lies there now, as far as it can be let go of at once. Not from within the handler. */
void notify_socket_drain(NotifySocket *socket);

/* Nobody listens any more: the socket is removed. NULL is fine. */
void notify_socket_free(NotifySocket *socket);

/* The same, but a successor goes on with it: nothing is removed. The descriptor is the caller's then, to be
 * handed over or closed; negative for NULL. */
int notify_socket_leave(NotifySocket *socket);
