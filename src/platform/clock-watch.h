/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

/* Tells when the clock of the machine was set (also after it has slept), and nothing else: it wakes nobody
 * by itself. */
typedef struct ClockWatch ClockWatch;

int clock_watch_new(sd_event *event, void (*on_set)(void *userdata), void *userdata, ClockWatch **ret);
void clock_watch_free(ClockWatch *watch);
