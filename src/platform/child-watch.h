/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

/* Told when a child of ours has ended: reaped already. code and status are those of waitid(2). */
typedef void (*ChildExitHandler)(void *userdata, int code, int status);

typedef struct ChildWatch ChildWatch;

/* Watch a child by its pidfd, which the watch borrows. The handler is called once, from the loop. */
int child_watch_new(sd_event *event, int pidfd, ChildExitHandler handler, void *userdata, ChildWatch **ret);

/* The same for a process that is not our child (any more): somebody else reaps it, unless it has become our
 * child by then. The exit status comes from PIDFD_GET_INFO where the kernel has it (Linux 6.15); code 0 says
 * that it is not known. */
int child_watch_new_adopted(
                sd_event *event, int pidfd, ChildExitHandler handler, void *userdata, ChildWatch **ret);

/* The same for one of which nothing is left: the handler is told so from the loop, with code 0. */
int child_watch_new_gone(sd_event *event, ChildExitHandler handler, void *userdata, ChildWatch **ret);

/* A child of which nobody wants to hear any more is reaped when it ends. The pidfd is taken over; the loop
 * lets go of it at its own end. */
void child_watch_reap_later(sd_event *event, int pidfd);

void child_watch_free(ChildWatch *watch);
