/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* Without systemd, descendants of our processes that lose their parent become our children (subreaper). This
 * reaps them. Exit statuses of the children that others watch are never taken. */
typedef struct Orphans Orphans;

/* on_reaped: called from the loop after some were reaped, or might have been. */
int orphans_new(sd_event *event, void (*on_reaped)(void *userdata), void *userdata, Orphans **ret);
void orphans_free(Orphans *orphans);

/* A child that is watched by somebody, until it has been reaped by them. */
void orphans_add_known(Orphans *orphans, pid_t pid);
void orphans_remove_known(Orphans *orphans, pid_t pid);
bool orphans_is_known(const Orphans *orphans, pid_t pid);
