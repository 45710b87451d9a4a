/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A group with real processes in it, once for each backend that works here. */

#include "platform/isolation.h"

#include "basic/cleanup.h"
#include "basic/sd-cleanup.h"
#include "event-fixture.h"
#include "fixture.h"
#include "platform/child-watch.h"
#include "platform/proc-stat.h"
#include "spawn-fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define UNIQUE_ID "0123456789abcdef0123456789abcdef"

/* One start of a shell command in a group of its own. */
typedef struct Start {
        sd_event *event;
        Isolation *isolation;
        IsolationGroup *group;
        GatedChild child;
        ChildWatch *watch;
        char *folder;
        bool main_exited;
        bool empty;
        int placed;
        bool placed_called;
} Start;

static void on_main_exit(void *userdata, int code, int status) {
        Start *start = userdata;

        start->main_exited = true;
        isolation_group_main_exited(start->group);
}

static void on_empty(void *userdata) {
        Start *start = userdata;

        start->empty = true;
}

static void on_placed(void *userdata, int result) {
        Start *start = userdata;

        start->placed = result;
        start->placed_called = true;
}

static void on_memory(void *userdata) {
}

static void make_group(Start *start) {
        static uint64_t generation;
        const IsolationGroupSpec spec = {
                .id = 7,
                .generation = ++generation,
                .unique_id = UNIQUE_ID,
                .name = "test",
                .uid = geteuid(),
                .on_empty = on_empty,
                .on_placed = on_placed,
                .on_memory = on_memory,
                .userdata = start,
        };
        g_assert_cmpint(isolation_group_new(start->isolation, &spec, &start->group), ==, 0);
}

static void start_shell(Start *start, const char *command) {
        static char marker[] = ISOLATION_MARKER "=" UNIQUE_ID;
        ShellPlan shell;

        make_group(start);
        test_shell_plan_init(&shell, command, start->folder);
        shell.envp[2] = marker;
        int birth_fd = isolation_group_birth_fd(start->group);
        g_assert_cmpint(spawn_gated(&shell.plan, birth_fd, &start->child), ==, 0);
        g_assert_cmpint(child_watch_new(start->event,
                                        start->child.pidfd,
                                        on_main_exit,
                                        start,
                                        &start->watch),
                        ==,
                        0);
        start->placed = isolation_group_place(start->group, start->child.pid, start->child.pidfd);
        if (start->placed == 0) {
                test_event_wait_flag(start->event, &start->placed_called, "the child is placed");
        }
        g_assert_cmpint(start->placed, ==, 1);
        g_assert_false(isolation_group_is_empty(start->group));
        g_assert_cmpint(spawn_open_gate(&start->child), ==, 0);
}

/* NULL, and the test is skipped: there is no such backend here. */
static Start *start_new(IsolationKind kind) {
        g_autofree char *instance = g_strdup_printf("test-%d", getpid());
        const IsolationOptions options = { .wanted = kind, .instance = instance };
        Start *start = g_new0(Start, 1);

        start->event = test_event_new();
        start->child = GATED_CHILD_NONE;
        start->folder = test_folder_new();
        if (isolation_new(start->event, &options, &start->isolation) < 0) {
                start->event = sd_event_unref(start->event);
                test_folder_remove(start->folder);
                g_free(start);
                g_test_skip("this backend does not work here");
                return NULL;
        }
        return start;
}

static void start_free(Start *start) {
        isolation_group_release(start->group);
        test_event_drain(start->event);
        child_watch_free(start->watch);
        gated_child_done(&start->child);
        isolation_free(start->isolation);
        (void) sd_event_unref(start->event);
        test_folder_remove(start->folder);
        g_free(start);
}

/* The pid that a process of the command wrote into a file. */
static pid_t pid_in(const Start *start, const char *name) {
        g_autofree char *path = test_path(start->folder, name);
        g_autofree char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL) || !strchr(text, '\n')) {
                return 0;
        }
        return (pid_t) strtol(text, NULL, 10);
}

static bool tree_is_up(void *userdata) {
        const Start *start = userdata;
        return pid_in(start, "main") > 0 && pid_in(start, "child") > 0 && pid_in(start, "stray") > 0;
}

static bool main_is_gone(void *userdata) {
        return ((const Start *) userdata)->main_exited;
}

static bool is_gone(pid_t pid) {
        ProcStat stat;
        return proc_stat_read(pid, &stat) < 0 || stat.zombie;
}

/* One that was killed loses its environment, by which it is known, a moment before it is a zombie. */
static bool is_gone_soon(pid_t pid) {
        for (int i = 0; i < 10000 && !is_gone(pid); i++) {
                g_usleep(1000);
        }
        return is_gone(pid);
}

static bool group_is_empty(void *userdata) {
        const Start *start = userdata;
        return start->main_exited && isolation_group_is_empty(start->group);
}

/* A main process, a child of it, and a stray that has left session and parent; all deaf to INT and TERM. */
#define TREE                                                                                                \
        "trap '' INT TERM\n"                                                                                \
        "setsid sh -c 'setsid sh -c \"echo \\$\\$ > stray.new; mv stray.new stray; exec sleep 1000\" &'\n"  \
        "sh -c 'echo $$ > child.new; mv child.new child; exec sleep 1000' &\n"                              \
        "echo $$ > main.new; mv main.new main\n"

static void check_members(Start *start) {
        const char *const names[] = { "main", "child", "stray" };
        IsolationStat stat = { 0 };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                pid_t pid = pid_in(start, names[i]);
                g_test_message("%s is %d", names[i], pid);
                g_assert_false(is_gone(pid));
                g_assert_true(isolation_group_has_pid(start->group, pid));
        }
        g_assert_false(isolation_group_has_pid(start->group, getpid()));
        g_assert_false(isolation_group_has_pid(start->group, 1));
        g_assert_false(isolation_group_has_pid(start->group, INT_MAX));
        g_assert_cmpint(isolation_group_read_stat(start->group, &stat), >=, 0);
        g_assert_cmpuint(stat.tasks, >=, 3);
        g_assert_cmpuint(stat.memory_bytes, >, 0);
}

/* What is deaf to the polite signal goes by the other, strays and all. */
static void test_kill(const void *kind) {
        Start *start = start_new((IsolationKind) GPOINTER_TO_INT(kind));

        if (!start) {
                return;
        }
        start_shell(start, TREE "wait");
        test_event_wait(start->event, tree_is_up, start, "the processes are up");
        check_members(start);
        isolation_group_signal(start->group, SIGTERM);
        test_event_drain(start->event);
        check_members(start);
        pid_t child = pid_in(start, "child"), stray = pid_in(start, "stray");
        isolation_group_kill(start->group);
        test_event_wait(start->event, group_is_empty, start, "nothing is left");
        g_assert_true(is_gone_soon(child));
        g_assert_true(is_gone_soon(stray));
        start_free(start);
}

/* The main process ends and leaves others: the group is told of when the last has gone. */
static void test_empty(const void *kind) {
        Start *start = start_new((IsolationKind) GPOINTER_TO_INT(kind));

        if (!start) {
                return;
        }
        start_shell(start, TREE "exit 0");
        test_event_wait(start->event, tree_is_up, start, "the processes are up");
        test_event_wait(start->event, main_is_gone, start, "the main process ends");
        g_assert_false(isolation_group_is_empty(start->group));
        g_assert_false(start->empty);
        g_assert_true(isolation_group_has_pid(start->group, pid_in(start, "child")));
        g_assert_true(isolation_group_has_pid(start->group, pid_in(start, "stray")));
        isolation_group_kill(start->group);
        test_event_wait_flag(start->event, &start->empty, "the group says that it is empty");
        g_assert_true(isolation_group_is_empty(start->group));
        start_free(start);
}

/* What has helped to bring them up has gone: mv(1), setsid(1). */
static bool are_three(void *userdata) {
        const Start *start = userdata;
        IsolationStat stat = { 0 };

        return isolation_group_read_stat(start->group, &stat) >= 0 && stat.tasks == 3;
}

/* Another process is the main one from now on: all are counted once, and the group ends as it would have. */
static void test_set_main(const void *kind) {
        Start *start = start_new((IsolationKind) GPOINTER_TO_INT(kind));

        if (!start) {
                return;
        }
        start_shell(start, TREE "wait");
        test_event_wait(start->event, tree_is_up, start, "the processes are up");
        for (size_t i = 0; i < 2; i++) {
                pid_t pid = pid_in(start, i == 0 ? "child" : "stray");
                _cleanup_close_ int pidfd = pidfd_open(pid, 0);
                isolation_group_set_main(start->group, pid, pidfd);
                check_members(start);
                test_event_wait(start->event, are_three, start, "each is counted once");
                if (i == 1) {
                        isolation_group_kill(start->group);
                }
                isolation_group_set_main(start->group, start->child.pid, start->child.pidfd);
        }
        test_event_wait(start->event, group_is_empty, start, "nothing is left");
        start_free(start);
}

/* A signal reaches every process, not only the main one. */
static void test_signal(const void *kind) {
        Start *start = start_new((IsolationKind) GPOINTER_TO_INT(kind));

        if (!start) {
                return;
        }
        start_shell(start,
                    "sh -c 'echo $$ > child.new; mv child.new child; exec sleep 1000' &\n"
                    "setsid sh -c 'echo $$ > stray.new; mv stray.new stray; exec sleep 1000' &\n"
                    "echo $$ > main.new; mv main.new main; wait");
        test_event_wait(start->event, tree_is_up, start, "the processes are up");
        isolation_group_signal(start->group, SIGTERM);
        test_event_wait(start->event, group_is_empty, start, "all have ended");
        start_free(start);
}

/* A group that nothing was put into. */
static void test_unused(const void *kind) {
        Start *start = start_new((IsolationKind) GPOINTER_TO_INT(kind));
        IsolationStat stat = { .tasks = 42 };

        if (!start) {
                return;
        }
        make_group(start);
        g_assert_true(isolation_group_is_empty(start->group));
        isolation_group_signal(start->group, SIGTERM);
        isolation_group_kill(start->group);
        if (isolation_group_read_stat(start->group, &stat) >= 0) {
                g_assert_cmpuint(stat.tasks, ==, 0);
        }
        g_assert_nonnull(isolation_group_path(start->group));
        g_assert_nonnull(isolation_group_unit(start->group));
        test_event_drain(start->event);
        g_assert_false(start->empty);
        start_free(start);
}

static void test_names(void) {
        static const char *const names[] = { "auto", "scope", "group", "cgroup", "none" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_assert_cmpint(isolation_kind_from_string(names[i]), ==, (int) i);
        }
        g_assert_cmpint(isolation_kind_from_string(""), ==, -EINVAL);
        g_assert_cmpint(isolation_kind_from_string("None"), ==, -EINVAL);
        g_assert_cmpint(isolation_kind_from_string("docker"), ==, -EINVAL);
}

static void test_backends(void) {
        Start *none = start_new(ISOLATION_NONE), *automatic = start_new(ISOLATION_AUTO);

        g_assert_cmpstr(isolation_name(none->isolation), ==, "none");
        g_assert_false(isolation_is_complete(none->isolation));
        g_assert_nonnull(automatic);
        start_free(automatic);
        start_free(none);
        isolation_free(NULL);
        isolation_group_release(NULL);

        _cleanup_event_ sd_event *event = test_event_new();
        const IsolationOptions options = {
                .wanted = ISOLATION_CGROUP,
                .instance = "test",
                .cgroup_root = "/no/such/cgroup",
        };
        Isolation *isolation = NULL;
        g_assert_cmpint(isolation_new(event, &options, &isolation), <, 0);
        g_assert_null(isolation);
}

static void add_for(const char *backend, IsolationKind kind) {
        static const struct {
                const char *name;
                GTestDataFunc function;
        } cases[] = {
                { "kill", test_kill },     { "empty", test_empty },   { "set-main", test_set_main },
                { "signal", test_signal }, { "unused", test_unused },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *path = g_strdup_printf("/platform/isolation/%s/%s", backend, cases[i].name);
                g_test_add_data_func(path, GINT_TO_POINTER(kind), cases[i].function);
        }
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/isolation/names", test_names);
        g_test_add_func("/platform/isolation/backends", test_backends);
        add_for("none", ISOLATION_NONE);
        add_for("cgroup", ISOLATION_CGROUP);
        return g_test_run();
}
