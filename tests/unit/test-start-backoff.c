/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/time-util.h"
#include "core/start-backoff.h"

#include <glib.h>

static void test_first_are_free(void) {
        g_assert_cmpuint(start_backoff_usec(0), ==, 0);
        g_assert_cmpuint(start_backoff_usec(1), ==, 0);
}

static void test_doubles_up_to_the_limit(void) {
        g_assert_cmpuint(start_backoff_usec(2), ==, 100 * USEC_PER_MSEC);
        for (uint32_t n = 3; n < 1000; n++) {
                uint64_t before = start_backoff_usec(n - 1), usec = start_backoff_usec(n);
                g_assert_cmpuint(usec, ==, MIN(2 * before, 30 * USEC_PER_SEC));
        }
        g_assert_cmpuint(start_backoff_usec(UINT32_MAX), ==, 30 * USEC_PER_SEC);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/start-backoff/first-are-free", test_first_are_free);
        g_test_add_func("/start-backoff/doubles", test_doubles_up_to_the_limit);
        return g_test_run();
}
