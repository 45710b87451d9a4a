/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

/* A loop as the supervisor has it: with SIGCHLD blocked and SIGPIPE ignored. */
sd_event *test_event_new(void);

/* Turn the loop until the condition holds; fails the test after a minute, saying what was waited for. */
void test_event_wait(sd_event *event, bool (*condition)(void *userdata), void *userdata, const char *what);

/* The same for a flag. */
void test_event_wait_flag(sd_event *event, const bool *flag, const char *what);

/* Turn it until nothing is pending any more. */
void test_event_drain(sd_event *event);
