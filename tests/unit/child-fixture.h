/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* A child that has been executed and lives until test_child_end(): cat(1) on a pipe. */
typedef struct TestChild {
        pid_t pid;
        int hold_fd; /* it ends when this closes */
} TestChild;

/* environment: NULL-ended, may be NULL. */
TestChild test_child_start(const char *const *environment);

/* Let it end; it stays a zombie until it is reaped here. */
void test_child_end(TestChild *child);
void test_child_reap(TestChild *child);
