/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Senders in and out of a group with a real process, once for each backend that works here. */

#include "platform/notify-sender.h"

#include "basic/cleanup.h"
#include "basic/sd-cleanup.h"
#include "event-fixture.h"
#include "fixture.h"
#include "platform/proc-stat.h"
#include "spawn-fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        OTHER_UID = 65432,
};

typedef struct Setting {
        sd_event *event;
        Isolation *isolation;
        IsolationGroup *group;
        GatedChild child;
        char *folder;
        bool placed;
        int result;
} Setting;

static void on_placed(void *userdata, int result) {
        Setting *setting = userdata;

        setting->placed = true;
        setting->result = result;
}

static void on_nothing(void *userdata) {
}

/* False, and the test is skipped: there is no such backend here. */
static bool setting_init(Setting *setting, IsolationKind kind) {
        g_autofree char *instance = g_strdup_printf("sender-%d", getpid());
        const IsolationOptions options = { .wanted = kind, .instance = instance };
        const IsolationGroupSpec spec = {
                .id = 3,
                .generation = (uint64_t) g_get_real_time(),
                .unique_id = "0123456789abcdef0123456789abcdef",
                .name = "test",
                .uid = geteuid(),
                .on_empty = on_nothing,
                .on_placed = on_placed,
                .on_memory = on_nothing,
                .userdata = setting,
        };
        ShellPlan shell;

        *setting = (Setting){ .event = test_event_new(), .child = GATED_CHILD_NONE };
        if (isolation_new(setting->event, &options, &setting->isolation) < 0) {
                (void) sd_event_unref(setting->event);
                g_test_skip("this backend does not work here");
                return false;
        }
        setting->folder = test_folder_new();
        test_shell_plan_init(&shell, "exec sleep 1000", setting->folder);
        g_assert_cmpint(isolation_group_new(setting->isolation, &spec, &setting->group), ==, 0);
        int birth_fd = isolation_group_birth_fd(setting->group);
        g_assert_cmpint(spawn_gated(&shell.plan, birth_fd, &setting->child), ==, 0);
        int r = isolation_group_place(setting->group, setting->child.pid, setting->child.pidfd);
        if (r == 0) {
                test_event_wait_flag(setting->event, &setting->placed, "the child is placed");
                r = setting->result;
        }
        g_assert_cmpint(r, >=, 0);
        return true;
}

static void end_child(Setting *setting) {
        siginfo_t info = { 0 };

        g_assert_cmpint(kill(setting->child.pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitid(P_PID, (id_t) setting->child.pid, &info, WEXITED | WNOWAIT), ==, 0);
}

static void setting_done(Setting *setting) {
        isolation_group_main_exited(setting->group);
        isolation_group_release(setting->group);
        test_event_drain(setting->event);
        gated_child_done(&setting->child);
        isolation_free(setting->isolation);
        (void) sd_event_unref(setting->event);
        test_folder_remove(setting->folder);
}

static bool is_foreign(const Setting *setting, pid_t pid) {
        const NotifySender sender = { .pid = pid, .uid = geteuid() };

        return notify_sender_is_foreign(&sender, geteuid(), setting->group);
}

static void move_to(const char *folder, pid_t pid) {
        g_autofree char *text = g_strdup_printf("%d", pid);
        g_autofree char *path = test_path(folder, "cgroup.procs");
        FILE *file = fopen(path, "we");

        g_assert_nonnull(file);
        g_assert_cmpint(fputs(text, file), >=, 0);
        g_assert_cmpint(fclose(file), ==, 0);
}

/* An app makes cgroups of its own: what is in them is in the group. */
static void check_below(const Setting *setting) {
        int fd = isolation_group_birth_fd(setting->group);
        if (fd < 0) {
                return;
        }
        g_autofree char *folder = g_strdup_printf("/proc/self/fd/%d", fd);
        g_autofree char *below = test_path(folder, "below");

        g_assert_cmpint(mkdir(below, 0755), ==, 0);
        move_to(below, setting->child.pid);
        g_assert_false(is_foreign(setting, setting->child.pid));
        g_assert_true(isolation_group_has_pid(setting->group, setting->child.pid));
        move_to(folder, setting->child.pid);
        g_assert_cmpint(rmdir(below), ==, 0);
}

static pid_t gone_pid(void) {
        pid_t pid = fork();

        if (pid == 0) {
                _exit(0);
        }
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        return pid;
}

static void test_backend(gconstpointer data) {
        Setting setting;

        if (!setting_init(&setting, (IsolationKind) GPOINTER_TO_INT(data))) {
                return;
        }
        bool complete = isolation_is_complete(setting.isolation);
        const NotifySender root = { .pid = setting.child.pid, .uid = 0 };
        const NotifySender other = { .pid = setting.child.pid, .uid = OTHER_UID };

        g_assert_true((isolation_group_path(setting.group)[0] != '\0') == complete);
        g_assert_false(is_foreign(&setting, setting.child.pid));
        g_assert_true(is_foreign(&setting, getpid()) == complete); /* without cgroups nothing is known */
        g_assert_true(is_foreign(&setting, 1) == complete);
        g_assert_false(is_foreign(&setting, gone_pid()));
        g_assert_false(is_foreign(&setting, 0));
        g_assert_false(notify_sender_is_foreign(&root, geteuid(), setting.group));
        g_assert_false(notify_sender_is_foreign(&root, OTHER_UID, setting.group));
        g_assert_false(notify_sender_is_foreign(&other, OTHER_UID, setting.group));
        g_assert_true(notify_sender_is_foreign(&other, OTHER_UID + 1, setting.group));
        g_assert_true(notify_sender_is_foreign(&other, 0, setting.group));
        if (complete) {
                check_below(&setting);
        }
        end_child(&setting);
        g_assert_false(is_foreign(&setting, setting.child.pid)); /* a zombie keeps its cgroup */
        setting_done(&setting);
}

/* The cgroup has gone, its zombie has not. */
static void test_removed(void) {
        Setting setting;

        if (!setting_init(&setting, ISOLATION_CGROUP)) {
                return;
        }
        g_autofree char *folder =
                        g_strdup_printf("/proc/self/fd/%d", isolation_group_birth_fd(setting.group));
        g_autofree char *real = realpath(folder, NULL);
        g_autofree char *path = NULL;

        end_child(&setting);
        g_assert_cmpint(rmdir(real), ==, 0);
        g_assert_cmpint(proc_cgroup_path(setting.child.pid, &path), ==, 0);
        g_assert_cmpstr(path, !=, isolation_group_path(setting.group));
        g_assert_false(is_foreign(&setting, setting.child.pid));
        setting_done(&setting);
}

static void test_without_group(void) {
        const NotifySender own = { .pid = getpid(), .uid = OTHER_UID };

        g_assert_false(notify_sender_is_foreign(&own, OTHER_UID, NULL));
        g_assert_true(notify_sender_is_foreign(&own, OTHER_UID + 1, NULL));
}

int main(int argc, char **argv) {
        static const struct {
                const char *path;
                IsolationKind kind;
        } backends[] = {
                { "/platform/notify-sender/scope", ISOLATION_SCOPE },
                { "/platform/notify-sender/group", ISOLATION_GROUP },
                { "/platform/notify-sender/cgroup", ISOLATION_CGROUP },
                { "/platform/notify-sender/none", ISOLATION_NONE },
        };

        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(backends); i++) {
                g_test_add_data_func(backends[i].path, GINT_TO_POINTER(backends[i].kind), test_backend);
        }
        g_test_add_func("/platform/notify-sender/removed", test_removed);
        g_test_add_func("/platform/notify-sender/without-group", test_without_group);
        return g_test_run();
}
