/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

/* Letting go of datagrams whose descriptors close with them, without waiting for that. */
typedef struct NotifyDiscard NotifyDiscard;

/* Take the next datagram out of the queue. on_done is called once, from the loop, and the discard is gone
 * then. After an error it may be there still, or not. The descriptor of the socket need not outlive the
 * call. */
int notify_discard_next(
                sd_event *event,
                int socket_fd,
                void (*on_done)(void *userdata),
                void *userdata,
                NotifyDiscard **ret);

/* Nobody waits for it any more. NULL is fine. */
void notify_discard_cancel(NotifyDiscard *discard);

/* Close a socket with all that is in its queue. */
void notify_discard_socket(sd_event *event, int socket_fd);

/* At the end of the loop: what is under way is not waited for any more. After all sockets. */
void notify_discard_end(void);
