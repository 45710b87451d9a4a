/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/memory-watch.h"

#include <glib.h>

#define MIB ((uint64_t) 1 << 20)
#define SEC UINT64_C(1000000)

/* Of one that started at 10 s and had so much 1 s later, and then again 1 s later. */
static uint64_t interval(uint64_t first_bytes, uint64_t then_bytes, uint64_t limit_bytes) {
        MemoryWatch watch;

        memory_watch_start(&watch, 10 * SEC);
        memory_watch_add(&watch, first_bytes, 11 * SEC);
        memory_watch_add(&watch, then_bytes, 12 * SEC);
        return memory_watch_interval_usec(&watch, limit_bytes);
}

static void test_interval(void) {
        MemoryWatch watch;

        g_assert_cmpuint(interval(50 * MIB, 50 * MIB, 100 * MIB), ==, MEMORY_INTERVAL_MAX_USEC);
        g_assert_cmpuint(interval(50 * MIB, 40 * MIB, 100 * MIB), ==, MEMORY_INTERVAL_MAX_USEC);
        g_assert_cmpuint(interval(50 * MIB, 51 * MIB, 100 * MIB), ==, MEMORY_INTERVAL_MAX_USEC);
        g_assert_cmpuint(interval(50 * MIB, 80 * MIB, 100 * MIB), ==, SEC / 3);
        g_assert_cmpuint(interval(50 * MIB, 99 * MIB, 100 * MIB), ==, MEMORY_INTERVAL_MIN_USEC);
        g_assert_cmpuint(interval(50 * MIB, 100 * MIB, 100 * MIB), ==, MEMORY_INTERVAL_MIN_USEC);
        g_assert_cmpuint(interval(50 * MIB, 200 * MIB, 100 * MIB), ==, MEMORY_INTERVAL_MIN_USEC);
        g_assert_cmpuint(interval(0, UINT64_MAX, UINT64_MAX), ==, MEMORY_INTERVAL_MIN_USEC);
        g_assert_cmpuint(interval(1, 2, UINT64_MAX), ==, MEMORY_INTERVAL_MAX_USEC);

        /* The first look: it grew since its start. */
        memory_watch_start(&watch, 10 * SEC);
        g_assert_cmpuint(memory_watch_interval_usec(&watch, 100 * MIB), ==, MEMORY_INTERVAL_MIN_USEC);
        memory_watch_add(&watch, 60 * MIB, 11 * SEC);
        g_assert_cmpuint(memory_watch_interval_usec(&watch, 100 * MIB), ==, SEC / 3);
        /* At the same instant again: no rate is to be had of that. */
        memory_watch_add(&watch, 70 * MIB, 11 * SEC);
        g_assert_cmpuint(memory_watch_interval_usec(&watch, 100 * MIB), ==, MEMORY_INTERVAL_MAX_USEC);
}

static void test_over(void) {
        MemoryWatch watch;

        memory_watch_start(&watch, 0);
        g_assert_false(memory_watch_is_over(&watch, MIB));
        memory_watch_add(&watch, MIB, 1);
        g_assert_false(memory_watch_is_over(&watch, MIB));
        memory_watch_add(&watch, MIB + 1, 2);
        g_assert_true(memory_watch_is_over(&watch, MIB));
        memory_watch_start(&watch, 3);
        g_assert_false(memory_watch_is_over(&watch, MIB));
}

/* However long it runs, the curve has its beginning, and samples of all of it in their order. */
static void test_curve(void) {
        MemoryWatch watch;
        uint64_t now_usec = 0;

        memory_watch_start(&watch, 0);
        for (unsigned i = 1; i <= 100000; i++) {
                now_usec = i * (SEC / 10);
                memory_watch_add(&watch, i, now_usec);
                g_assert_cmpuint(watch.n_curve, >, 0);
                g_assert_cmpuint(watch.n_curve, <=, MEMORY_CURVE_MAX);
        }
        g_assert_cmpuint(watch.n_curve, >=, MEMORY_CURVE_MAX / 2);
        g_assert_cmpuint(watch.curve[0].bytes, ==, 1);
        for (unsigned i = 1; i < watch.n_curve; i++) {
                g_assert_cmpuint(watch.curve[i].at_usec - watch.curve[i - 1].at_usec, >=, watch.step_usec);
        }
        g_assert_cmpuint(now_usec - watch.curve[watch.n_curve - 1].at_usec, <=, watch.step_usec);
        g_assert_cmpuint(watch.last.bytes, ==, 100000);
}

/* One that is over its limit whenever it runs, by a clock that goes on by a tenth of a second. */
static void test_row(void) {
        MemoryRow row = { 0 };
        MemoryWatch watch;
        uint64_t now_usec = 1000 * SEC, runs[12];

        for (size_t i = 0; i < G_N_ELEMENTS(runs); i++) {
                uint64_t started_usec = now_usec;
                memory_watch_start(&watch, started_usec);
                do {
                        now_usec += SEC / 10;
                        memory_watch_add(&watch, 2 * MIB, now_usec);
                } while (memory_row_wait_usec(&row, &watch, now_usec) > 0);
                memory_row_add(&row, &watch, now_usec);
                runs[i] = now_usec - started_usec;
        }
        static const uint64_t expected[] = { SEC / 10, SEC,      2 * SEC,  4 * SEC,  8 * SEC,  16 * SEC,
                                             30 * SEC, 30 * SEC, 30 * SEC, 30 * SEC, 30 * SEC, 30 * SEC };
        for (size_t i = 0; i < G_N_ELEMENTS(runs); i++) {
                g_assert_cmpuint(runs[i], ==, expected[i]);
        }
}

/* A long run ends the row; so it does where the launch stays what it is, for it could not be restarted. */
static void test_row_ends(void) {
        MemoryRow row = { 0 };
        MemoryWatch watch;

        memory_watch_start(&watch, 10 * SEC);
        g_assert_cmpuint(memory_row_wait_usec(&row, &watch, 10 * SEC), ==, 0);
        for (unsigned i = 0; i < 5; i++) {
                memory_row_add(&row, &watch, 11 * SEC);
        }
        g_assert_cmpuint(memory_row_wait_usec(&row, &watch, 11 * SEC), ==, 16 * SEC);
        g_assert_cmpuint(memory_row_wait_usec(&row, &watch, 26 * SEC), ==, SEC);
        g_assert_cmpuint(memory_row_wait_usec(&row, &watch, 28 * SEC), ==, 0);
        memory_row_add(&row, &watch, 71 * SEC);
        g_assert_cmpuint(row.count, ==, 1);
        g_assert_cmpuint(memory_row_wait_usec(&row, &watch, 71 * SEC), ==, SEC);
        for (unsigned i = 0; i < 1000; i++) {
                memory_row_add(&row, &watch, 72 * SEC);
        }
        g_assert_cmpuint(memory_row_wait_usec(&row, &watch, 72 * SEC), ==, MEMORY_GRACE_MAX_USEC);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/memory-watch/interval", test_interval);
        g_test_add_func("/memory-watch/over", test_over);
        g_test_add_func("/memory-watch/curve", test_curve);
        g_test_add_func("/memory-watch/row", test_row);
        g_test_add_func("/memory-watch/row-ends", test_row_ends);
        return g_test_run();
}
