/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/watchdog.h"

#include <glib.h>

static void test_pings(void) {
        Watchdog watchdog = { 0 };

        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, WATCHDOG_NEVER);
        watchdog_start(&watchdog, 30, 100);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 130);
        watchdog_ping(&watchdog, 110);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 140);
        watchdog_start(&watchdog, 50, 120); /* WATCHDOG_USEC= counts as one */
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 170);
}

static void test_off(void) {
        static const uint64_t off[] = { 0, WATCHDOG_NEVER, WATCHDOG_NEVER - 100 };
        Watchdog watchdog = { 0 };

        for (size_t i = 0; i < G_N_ELEMENTS(off); i++) {
                watchdog_start(&watchdog, off[i], 100);
                g_assert_cmpuint(watchdog_deadline(&watchdog), ==, WATCHDOG_NEVER);
        }
        watchdog_start(&watchdog, WATCHDOG_NEVER - 101, 100);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, WATCHDOG_NEVER - 1);
}

/* What was left is left afterwards. */
static void test_pause(void) {
        Watchdog watchdog = { 0 };

        watchdog_start(&watchdog, 30, 100);
        watchdog_resume(&watchdog, 105);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 130);
        watchdog_pause(&watchdog, 110);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, WATCHDOG_NEVER);
        watchdog_pause(&watchdog, 500);
        watchdog_resume(&watchdog, 1000);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 1020);
        watchdog_resume(&watchdog, 2000);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 1020);
}

/* A sign of life that was on its way, and a new limit, count while it is paused. */
static void test_paused_changes(void) {
        Watchdog watchdog = { 0 };

        watchdog_start(&watchdog, 30, 100);
        watchdog_pause(&watchdog, 129);
        watchdog_ping(&watchdog, 500);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, WATCHDOG_NEVER);
        watchdog_resume(&watchdog, 1000);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 1030);
        watchdog_pause(&watchdog, 1010);
        watchdog_start(&watchdog, 70, 1500);
        watchdog_resume(&watchdog, 2000);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 2070);
        watchdog_pause(&watchdog, 3000); /* late already */
        watchdog_resume(&watchdog, 4000);
        g_assert_cmpuint(watchdog_deadline(&watchdog), ==, 3070);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/watchdog/pings", test_pings);
        g_test_add_func("/core/watchdog/off", test_off);
        g_test_add_func("/core/watchdog/pause", test_pause);
        g_test_add_func("/core/watchdog/paused-changes", test_paused_changes);
        return g_test_run();
}
