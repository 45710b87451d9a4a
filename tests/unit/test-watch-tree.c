/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Trees that are watched: what is told of them, what is shared, and whose rights count. */

#include "platform/watch-tree.h"

#include "event-fixture.h"
#include "fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

typedef struct Watcher {
        WatchTree *tree;
        bool told; /* its state */
        GPtrArray *changes;
        const char *wanted;
        bool found;
} Watcher;

static bool is_ignored(void *userdata, const char *path, size_t root_bytes, bool folder) {
        return g_str_has_suffix(path, "ignored");
}

static void on_change(void *userdata, const char *path) {
        Watcher *watcher = userdata;

        g_ptr_array_add(watcher->changes, g_strdup(path));
        watcher->found = watcher->found || (watcher->wanted && strcmp(path, watcher->wanted) == 0);
}

static void on_state(void *userdata) {
        ((Watcher *) userdata)->told = true;
}

static void watcher_start(Watcher *watcher, WatchHub *hub, const char *const *paths) {
        const WatchTreeSpec spec = {
                .paths = (char *const *) paths,
                .follow_symlinks = true,
                .is_ignored = is_ignored,
                .on_change = on_change,
                .on_state = on_state,
                .userdata = watcher,
        };

        *watcher = (Watcher){ .changes = g_ptr_array_new_with_free_func(g_free) };
        watcher->tree = watch_tree_new(hub, &spec);
}

static void watcher_end(Watcher *watcher) {
        watch_tree_free(watcher->tree);
        g_ptr_array_unref(watcher->changes);
}

static void change(sd_event *event, Watcher *watcher, const char *folder, const char *name) {
        g_autofree char *path = test_path(folder, name);

        watch_tree_rearm(watcher->tree);
        watcher->wanted = path;
        watcher->found = false;
        test_file_put(folder, name, "x");
        test_event_wait_flag(event, &watcher->found, path);
        watcher->wanted = NULL;
}

/* Two trees with one folder in common: each hears of it, also when the other has gone. */
static void test_shared(void) {
        sd_event *event = test_event_new();
        char *folder = test_folder_new();
        g_autofree char *sub = test_path(folder, "sub");
        const char *const all[] = { folder, NULL }, *const part[] = { sub, sub, NULL };
        Watcher one, other;
        WatchHub *hub;

        test_file_put(folder, "sub/deep/a", "x");
        g_assert_cmpint(watch_hub_new(event, NULL, &hub), ==, 0);
        g_assert_true(watch_hub_is_idle(hub));
        watcher_start(&one, hub, all);
        watcher_start(&other, hub, part);
        test_event_wait_flag(event, &one.told, "the first is complete");
        test_event_wait_flag(event, &other.told, "the other is complete");
        g_assert_true(watch_tree_is_complete(one.tree) && watch_tree_is_complete(other.tree));
        change(event, &one, folder, "sub/deep/a");
        change(event, &other, folder, "sub/deep/b");
        watcher_end(&one);
        change(event, &other, folder, "sub/deep/a");
        change(event, &other, folder, "sub/c");
        watcher_end(&other);
        g_assert_true(watch_hub_is_idle(hub));
        watch_hub_free(hub);
        test_folder_remove(folder);
        (void) sd_event_unref(event);
}

static void test_ignored(void) {
        sd_event *event = test_event_new();
        char *folder = test_folder_new();
        const char *const paths[] = { folder, NULL };
        Watcher watcher;
        WatchHub *hub;

        test_file_put(folder, "is-ignored/a", "x");
        g_assert_cmpint(watch_hub_new(event, NULL, &hub), ==, 0);
        watcher_start(&watcher, hub, paths);
        test_event_wait_flag(event, &watcher.told, "it is complete");
        test_file_put(folder, "is-ignored/a", "y");
        change(event, &watcher, folder, "seen");
        for (guint i = 0; i < watcher.changes->len; i++) {
                g_assert_null(strstr(watcher.changes->pdata[i], "ignored"));
        }
        watcher_end(&watcher);
        watch_hub_free(hub);
        test_folder_remove(folder);
        (void) sd_event_unref(event);
}

static void test_refused(void) {
        static const char *const proc[] = { "/proc", NULL };
        sd_event *event = test_event_new();
        Watcher watcher;
        const char *path;
        WatchHub *hub;

        g_assert_cmpint(watch_hub_new(event, NULL, &hub), ==, 0);
        watcher_start(&watcher, hub, proc);
        test_event_wait_flag(event, &watcher.told, "it has failed");
        g_assert_cmpint(watch_tree_error(watcher.tree, &path), ==, -EREMOTE);
        g_assert_cmpstr(path, ==, "/proc");
        g_assert_false(watch_tree_is_complete(watcher.tree));
        watcher_end(&watcher);
        watch_hub_free(hub);
        (void) sd_event_unref(event);
}

/* The rights are those of the user, and nothing of that stays. */
static void test_of_another(void) {
        sd_event *event = test_event_new();
        char *folder = test_folder_new();
        g_autofree char *secret = test_path(folder, "secret");
        const char *const all[] = { folder, NULL }, *const closed[] = { secret, NULL };
        gid_t group = NOBODY;
        const UserInfo user = { .uid = NOBODY, .gid = NOBODY, .groups = &group, .n_groups = 1 };
        Watcher one, other;
        const char *path;
        WatchHub *hub;

        if (getuid() != 0) {
                g_test_skip("needs root");
                test_folder_remove(folder);
                (void) sd_event_unref(event);
                return;
        }
        test_file_put(folder, "secret/a", "x");
        test_file_put(folder, "open/a", "x");
        g_assert_cmpint(chmod(folder, 0755), ==, 0);
        g_assert_cmpint(chmod(secret, 0700), ==, 0);
        g_assert_cmpint(watch_hub_new(event, &user, &hub), ==, 0);
        g_assert_cmpint((int) geteuid(), ==, 0);
        watcher_start(&one, hub, all);
        watcher_start(&other, hub, closed);
        test_event_wait_flag(event, &one.told, "the folder is watched");
        test_event_wait_flag(event, &other.told, "what is closed is refused");
        g_assert_true(watch_tree_is_complete(one.tree));
        g_assert_cmpint(watch_tree_error(other.tree, &path), ==, -EACCES);
        test_file_put(folder, "secret/b", "x");
        change(event, &one, folder, "open/a");
        for (guint i = 0; i < one.changes->len; i++) {
                g_assert_false(g_str_has_prefix(one.changes->pdata[i], secret));
        }
        watcher_end(&one);
        watcher_end(&other);
        watch_hub_free(hub);
        test_folder_remove(folder);
        (void) sd_event_unref(event);
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/watch-tree/shared", test_shared);
        g_test_add_func("/platform/watch-tree/ignored", test_ignored);
        g_test_add_func("/platform/watch-tree/refused", test_refused);
        g_test_add_func("/platform/watch-tree/of-another", test_of_another);
        return g_test_run();
}
