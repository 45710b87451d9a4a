/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "event-fixture.h"

#include <glib.h>
#include <signal.h>

enum {
        WAIT_MSEC = 60 * 1000,
        TURN_MSEC = 10, /* conditions of the file system come without an event */
};

sd_event *test_event_new(void) {
        sd_event *event = NULL;
        sigset_t set;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        g_assert_cmpint(sd_event_new(&event), >=, 0);
        return event;
}

void test_event_wait(sd_event *event, bool (*condition)(void *userdata), void *userdata, const char *what) {
        gint64 deadline = g_get_monotonic_time() + WAIT_MSEC * G_TIME_SPAN_MILLISECOND;

        while (!condition(userdata)) {
                if (g_get_monotonic_time() > deadline) {
                        g_error("waited too long: %s", what);
                }
                g_assert_cmpint(sd_event_run(event, TURN_MSEC * G_TIME_SPAN_MILLISECOND), >=, 0);
        }
}

static bool is_set(void *userdata) {
        return *(const bool *) userdata;
}

void test_event_wait_flag(sd_event *event, const bool *flag, const char *what) {
        test_event_wait(event, is_set, (void *) flag, what);
}

void test_event_drain(sd_event *event) {
        while (sd_event_run(event, 0) > 0) {
        }
}
