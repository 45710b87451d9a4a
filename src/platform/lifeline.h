/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

/* A pipe or socket of which another program holds the other end for as long as it is there: end of file on
 * it is that program's end, however it ended. Nothing is read. */

/* Whether the end of the other side can be seen at this descriptor. -EINVAL: it is neither the reading end
 * of a pipe nor a stream socket that connects two; -EBADF: it is none. */
int lifeline_check(int fd);

/* The handler is called once, from the loop, at end of file. The fd is borrowed. */
int lifeline_watch(
                sd_event *event,
                int fd,
                sd_event_io_handler_t handler,
                void *userdata,
                sd_event_source **ret);
