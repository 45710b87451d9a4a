/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/child-watch.h"

#include "basic/cleanup.h"
#include "basic/sd-cleanup.h"
#include "child-fixture.h"
#include "event-fixture.h"
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Seen {
        bool called;
        int code, status;
} Seen;

static void on_exit_of_child(void *userdata, int code, int status) {
        Seen *seen = userdata;

        g_assert_false(seen->called);
        *seen = (Seen){ .called = true, .code = code, .status = status };
}

static void test_exit(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        TestChild child = test_child_start(NULL);
        _cleanup_close_ int pidfd = pidfd_open(child.pid, 0);
        ChildWatch *watch = NULL;
        Seen seen = { 0 };

        g_assert_cmpint(child_watch_new(event, pidfd, on_exit_of_child, &seen, &watch), ==, 0);
        test_event_drain(event);
        g_assert_false(seen.called);
        child.hold_fd = close_fd(child.hold_fd);
        test_event_wait_flag(event, &seen.called, "the child ends");
        g_assert_cmpint(seen.code, ==, CLD_EXITED);
        g_assert_cmpint(seen.status, ==, 0);
        g_assert_cmpint(waitpid(child.pid, NULL, WNOHANG), ==, -1); /* reaped */
        test_event_drain(event);
        child_watch_free(watch);
        child_watch_free(NULL);
}

static void test_signal(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        TestChild child = test_child_start(NULL);
        _cleanup_close_ int pidfd = pidfd_open(child.pid, 0);
        ChildWatch *watch = NULL;
        Seen seen = { 0 };

        g_assert_cmpint(child_watch_new(event, pidfd, on_exit_of_child, &seen, &watch), ==, 0);
        g_assert_cmpint(kill(child.pid, SIGKILL), ==, 0);
        test_event_wait_flag(event, &seen.called, "the child ends");
        g_assert_cmpint(seen.code, ==, CLD_KILLED);
        g_assert_cmpint(seen.status, ==, SIGKILL);
        child_watch_free(watch);
        (void) close_fd(child.hold_fd);
}

/* Somebody else has reaped it: ended, status unknown. */
static void test_reaped_by_others(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        TestChild child = test_child_start(NULL);
        _cleanup_close_ int pidfd = pidfd_open(child.pid, 0);
        ChildWatch *watch = NULL;
        Seen seen = { .code = -1, .status = -1 };

        g_assert_cmpint(child_watch_new(event, pidfd, on_exit_of_child, &seen, &watch), ==, 0);
        test_child_end(&child);
        test_child_reap(&child);
        test_event_wait_flag(event, &seen.called, "the end is seen");
        g_assert_cmpint(seen.code, ==, 0);
        g_assert_cmpint(seen.status, ==, 0);
        child_watch_free(watch);
}

/* A grandchild that is left to us while it is watched as another's: its status is known all the same. */
static void test_inherited(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        int told[2], hold[2];
        pid_t grandchild;
        ChildWatch *watch = NULL;
        Seen seen = { 0 };

        g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1), ==, 0);
        g_assert_cmpint(pipe2(told, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(hold, O_CLOEXEC), ==, 0);
        pid_t child = fork();
        g_assert_cmpint(child, >=, 0);
        if (child == 0) {
                char byte;
                (void) close(hold[1]);
                pid_t pid = fork();
                if (pid != 0) {
                        _exit(write(told[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
                }
                ssize_t n = read(hold[0], &byte, 1);
                _exit(n == 0 ? 5 : 1);
        }
        g_assert_cmpint(read(told[0], &grandchild, sizeof(grandchild)), ==, sizeof(grandchild));
        _cleanup_close_ int pidfd = pidfd_open(grandchild, 0);
        g_assert_cmpint(child_watch_new_adopted(event, pidfd, on_exit_of_child, &seen, &watch), ==, 0);
        g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
        test_event_drain(event);
        g_assert_false(seen.called);
        (void) close(hold[1]);
        test_event_wait_flag(event, &seen.called, "the grandchild ends");
        g_assert_cmpint(seen.code, ==, CLD_EXITED);
        g_assert_cmpint(seen.status, ==, 5);
        g_assert_cmpint(waitpid(grandchild, NULL, WNOHANG), ==, -1); /* reaped */
        child_watch_free(watch);
        (void) close(hold[0]);
        (void) close(told[0]);
        (void) close(told[1]);
        g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 0), ==, 0);
}

static void test_free_before(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        TestChild child = test_child_start(NULL);
        _cleanup_close_ int pidfd = pidfd_open(child.pid, 0);
        ChildWatch *watch = NULL;
        Seen seen = { 0 };

        g_assert_cmpint(child_watch_new(event, pidfd, on_exit_of_child, &seen, &watch), ==, 0);
        test_child_end(&child);
        child_watch_free(watch);
        test_event_drain(event);
        g_assert_false(seen.called);
        test_child_reap(&child);
        g_assert_cmpint(child_watch_new(event, -EBADF, on_exit_of_child, &seen, &watch), <, 0);
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/child-watch/exit", test_exit);
        g_test_add_func("/platform/child-watch/signal", test_signal);
        g_test_add_func("/platform/child-watch/reaped-by-others", test_reaped_by_others);
        g_test_add_func("/platform/child-watch/inherited", test_inherited);
        g_test_add_func("/platform/child-watch/free-before", test_free_before);
        return g_test_run();
}
