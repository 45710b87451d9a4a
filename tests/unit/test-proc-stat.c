/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/proc-stat.h"

#include "basic/time-util.h"
#include "child-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool has_child(pid_t parent, pid_t child) {
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));

        proc_list_children(parent, pids);
        for (guint i = 0; i < pids->len; i++) {
                if (g_array_index(pids, pid_t, i) == child) {
                        return true;
                }
        }
        return false;
}

static void test_self(void) {
        ProcStat stat = { 0 };

        g_assert_cmpint(proc_stat_read(getpid(), &stat), ==, 0);
        g_assert_cmpint(stat.parent, ==, getppid());
        g_assert_cmpint(stat.session, ==, getsid(0));
        g_assert_cmpuint(stat.threads, >=, 1);
        g_assert_false(stat.zombie);
        g_assert_cmpuint(stat.resident_bytes, >, 100 * 1024);
        g_assert_cmpuint(proc_resident_bytes(getpid()), >, 100 * 1024);
        g_assert_cmpuint(stat.started_before_usec, >, 0);
        g_assert_cmpuint(stat.started_before_usec, <, now_boottime_usec() + USEC_PER_SEC);

        /* Processor time goes up as it is used. */
        uint64_t before = stat.cpu_usec;
        for (volatile unsigned i = 0; stat.cpu_usec < before + 20000; i++) {
                if (i % 1000000 == 0) {
                        g_assert_cmpint(proc_stat_read(getpid(), &stat), ==, 0);
                }
        }
}

static void test_child(void) {
        uint64_t before_usec = now_boottime_usec();
        TestChild child = test_child_start(NULL);
        ProcStat stat = { 0 };

        g_assert_true(has_child(getpid(), child.pid));
        g_assert_false(has_child(child.pid, getpid()));
        g_assert_cmpint(proc_stat_read(child.pid, &stat), ==, 0);
        g_assert_cmpint(stat.parent, ==, getpid());
        g_assert_false(stat.zombie);
        g_assert_cmpuint(stat.threads, ==, 1);
        g_assert_cmpuint(stat.started_before_usec, >, before_usec);
        test_child_end(&child);
        g_assert_cmpint(proc_stat_read(child.pid, &stat), ==, 0);
        g_assert_true(stat.zombie);
        g_assert_true(has_child(getpid(), child.pid)); /* zombies included */
        test_child_reap(&child);
        g_assert_false(has_child(getpid(), child.pid));
        g_assert_cmpint(proc_stat_read(child.pid, &stat), ==, -ESRCH);
        g_assert_cmpuint(proc_resident_bytes(child.pid), ==, 0);
}

/* The name of a process may look like the rest of the line. */
static void test_strange_name(void) {
        char name[16] = "";
        ProcStat stat = { 0 };

        g_assert_cmpint(prctl(PR_GET_NAME, name), ==, 0);
        g_assert_cmpint(prctl(PR_SET_NAME, "a) Z 1 (1) Z"), ==, 0);
        g_assert_cmpint(proc_stat_read(getpid(), &stat), ==, 0);
        g_assert_cmpint(stat.parent, ==, getppid());
        g_assert_false(stat.zombie);
        g_assert_cmpint(prctl(PR_SET_NAME, name), ==, 0);
}

static void test_variables(void) {
        g_autofree char *filler = g_strnfill(100000, 'x');
        g_autofree char *long_one = g_strconcat("FILLER=", filler, NULL);
        const char *environment[] = { "FIRST=1", "EMPTY=", long_one, "PM2D_UNIQUE_ID=abc", NULL };
        TestChild child = test_child_start(environment);

        g_assert_true(proc_has_variable(child.pid, "FIRST=1"));
        g_assert_true(proc_has_variable(child.pid, "EMPTY="));
        g_assert_true(proc_has_variable(child.pid, "PM2D_UNIQUE_ID=abc"));
        g_assert_true(proc_has_variable(child.pid, long_one));
        g_assert_false(proc_has_variable(child.pid, "PM2D_UNIQUE_ID=ab"));
        g_assert_false(proc_has_variable(child.pid, "PM2D_UNIQUE_ID=abcd"));
        g_assert_false(proc_has_variable(child.pid, "UNIQUE_ID=abc"));
        g_assert_false(proc_has_variable(child.pid, "FIRST"));
        test_child_end(&child);
        g_assert_false(proc_has_variable(child.pid, "FIRST=1"));
        test_child_reap(&child);
        g_assert_false(proc_has_variable(child.pid, "FIRST=1"));
}

static void test_nobody(void) {
        g_autofree char *path = NULL;
        ProcStat stat;

        g_assert_cmpint(proc_stat_read(0, &stat), ==, -ESRCH);
        g_assert_cmpint(proc_stat_read(-1, &stat), ==, -ESRCH);
        g_assert_cmpint(proc_stat_read(INT_MAX, &stat), ==, -ESRCH);
        g_assert_cmpint(proc_cgroup_path(INT_MAX, &path), ==, -ESRCH);
        g_assert_false(has_child(INT_MAX, 1));
}

static void test_cgroup(void) {
        g_autofree char *own = NULL, *of_child = NULL;
        int r = proc_cgroup_path(getpid(), &own);

        if (r == -ENODATA) {
                g_test_skip("no cgroup v2 here");
                return;
        }
        g_assert_cmpint(r, ==, 0);
        g_assert_cmpint(own[0], ==, '/');
        g_assert_null(strchr(own, '\n'));
        TestChild child = test_child_start(NULL);
        g_assert_cmpint(proc_cgroup_path(child.pid, &of_child), ==, 0);
        g_assert_cmpstr(of_child, ==, own);
        test_child_end(&child);
        test_child_reap(&child);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/proc-stat/self", test_self);
        g_test_add_func("/platform/proc-stat/child", test_child);
        g_test_add_func("/platform/proc-stat/strange-name", test_strange_name);
        g_test_add_func("/platform/proc-stat/variables", test_variables);
        g_test_add_func("/platform/proc-stat/nobody", test_nobody);
        g_test_add_func("/platform/proc-stat/cgroup", test_cgroup);
        return g_test_run();
}
