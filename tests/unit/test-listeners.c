/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sockets of a manager that has a state and no processes; what needs those is in tests/integration. */

#include "manager/listeners.h"

#include "basic/cleanup.h"
#include "cluster/listen-bind.h"
#include "event-fixture.h"
#include "fixture.h"
#include "manager/manager-state-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        FIRST_FD = 3,
        OUT_OF_THE_WAY = 100,
        FDS_MAX = 4,
};

typedef struct Fixture {
        Manager manager;
        ManagerState state;
} Fixture;

static void fixture_init(Fixture *fixture) {
        uint32_t slot;

        *fixture = (Fixture){ 0 };
        Manager *manager = &fixture->manager;
        manager->event = test_event_new();
        manager->state = &fixture->state;
        manager->registry = registry_new(16);
        manager->users = g_hash_table_new(NULL, NULL);
        manager->listeners = g_ptr_array_new_with_free_func(listeners_free_one);
        g_assert_cmpint(fd_store_new(manager->event, &fixture->state.fds), ==, 0);
        g_assert_cmpint(state_store_new(&fixture->state.store), ==, 0);
        g_assert_cmpint(state_store_take_slot(fixture->state.store, &slot), ==, 0);
}

static void free_user(void *key, void *user, void *userdata) {
        user_info_free(user);
}

static void fixture_done(Fixture *fixture) {
        Manager *manager = &fixture->manager;

        listeners_free(manager);
        fd_store_free(fixture->state.fds);
        state_store_free(fixture->state.store);
        registry_free(manager->registry);
        g_hash_table_foreach(manager->users, free_user, NULL);
        g_hash_table_unref(manager->users);
        (void) sd_event_unref(manager->event);
}

static Listener *open_one(Fixture *fixture, const char *name, const char *key, const char *text) {
        g_auto(ListenAddress) address = { 0 };
        g_auto(Error) error = { 0 };
        g_autofree char *fd_name = NULL;
        Listener *listener = NULL;

        g_assert_cmpint(listen_address_parse(text, &address, &fd_name, NULL), ==, 0);
        int r = listeners_open(&fixture->manager, getuid(), name, key, &address, &listener, &error);
        g_assert_cmpstr(error.message, ==, NULL);
        g_assert_cmpint(r, ==, 0);
        return listener;
}

static void test_find(void) {
        Fixture fixture;

        fixture_init(&fixture);
        Listener *a = open_one(&fixture, "app", "cluster:a", "tcp:127.0.0.1:0");
        Listener *b = open_one(&fixture, "app", "cluster:b", "tcp:127.0.0.1:0");
        Listener *c = open_one(&fixture, "other", "cluster:a", "udp:127.0.0.1:0");
        const Manager *manager = &fixture.manager;
        g_assert_true(listeners_find(manager, getuid(), "app", "cluster:a") == a);
        g_assert_true(listeners_find(manager, getuid(), "app", "cluster:b") == b);
        g_assert_true(listeners_find(manager, getuid(), "other", "cluster:a") == c);
        g_assert_null(listeners_find(manager, getuid(), "other", "cluster:b"));
        g_assert_null(listeners_find(manager, getuid() + 1, "app", "cluster:a"));
        g_assert_true(listeners_by_number(manager, listener_number(b)) == b);
        g_assert_cmpstr(listener_key(b), ==, "cluster:b");
        g_assert_cmpint(listener_address(c)->kind, ==, LISTEN_DATAGRAM);
        g_assert_true(fcntl(listener_fd(a), F_GETFL) & O_NONBLOCK);
        g_assert_true(fcntl(listener_fd(a), F_GETFD) & FD_CLOEXEC);
        fixture_done(&fixture);
}

static void test_numbers_are_used_once(void) {
        Fixture fixture;
        uint32_t last = 0;

        fixture_init(&fixture);
        for (int i = 0; i < 5; i++) {
                Listener *listener = open_one(&fixture, "app", "key", "tcp:127.0.0.1:0");
                g_assert_true(i == 0 || listener_number(listener) > last);
                last = listener_number(listener);
                listener_close(&fixture.manager, listener);
                g_assert_null(listeners_by_number(&fixture.manager, last));
        }
        fixture_done(&fixture);
}

static void test_room(void) {
        Fixture fixture;
        ListenAddress address = { .family = AF_INET, .host = (char *) "127.0.0.1" };
        g_auto(Error) error = { 0 };

        fixture_init(&fixture);
        for (int i = 0; i < LISTENERS_PER_APP_MAX; i++) {
                g_autofree char *key = g_strdup_printf("cluster:%d", i);
                (void) open_one(&fixture, "app", key, "tcp:127.0.0.1:0");
        }
        int r = listeners_open(&fixture.manager, getuid(), "app", "more", &address, NULL, &error);
        g_assert_cmpint(r, <, 0);
        g_assert_cmpint(error.code, ==, ERROR_LIMIT_EXCEEDED);
        (void) open_one(&fixture, "other", "more", "tcp:127.0.0.1:0");
        fixture_done(&fixture);
}

static void test_in_use(void) {
        Fixture fixture;
        g_auto(ListenAddress) address = { 0 };
        g_auto(Error) error = { 0 };
        g_autofree char *name = NULL, *expected = NULL;

        fixture_init(&fixture);
        Listener *first = open_one(&fixture, "app", "a", "tcp:127.0.0.1:0");
        g_autofree char *text = listen_fd_to_text(listener_fd(first));
        g_assert_cmpint(listen_address_parse(text, &address, &name, NULL), ==, 0);
        int r = listeners_open(&fixture.manager, getuid(), "app", "b", &address, NULL, &error);
        g_assert_cmpint(r, ==, -EADDRINUSE);
        g_assert_cmpint(error.code, ==, ERROR_SPAWN_FAILED);
        expected = g_strconcat(text, ": ", g_strerror(EADDRINUSE), NULL);
        g_assert_cmpstr(error.message, ==, expected);
        listener_close(&fixture.manager, first);
        g_assert_cmpint(listeners_open(&fixture.manager, getuid(), "app", "b", &address, NULL, NULL), ==, 0);
        fixture_done(&fixture);
}

static void count_free(void *user) {
        ++*(int *) user;
}

static void test_user_pointer(void) {
        Fixture fixture;
        int first = 0, second = 0;

        fixture_init(&fixture);
        Listener *listener = open_one(&fixture, "app", "a", "tcp:127.0.0.1:0");
        g_assert_null(listener_get_user(listener));
        listener_set_user(listener, &first, count_free);
        g_assert_true(listener_get_user(listener) == &first);
        listener_set_user(listener, &second, count_free);
        g_assert_cmpint(first, ==, 1);
        listener_close(&fixture.manager, listener);
        g_assert_cmpint(second, ==, 1);
        fixture_done(&fixture);
}

static void test_data(void) {
        Fixture fixture;
        g_autofree char *large = g_strnfill(LISTENER_DATA_BYTES_MAX, 'x');
        g_autofree char *larger = g_strconcat(large, "x", NULL);

        fixture_init(&fixture);
        Listener *listener = open_one(&fixture, "app", "a", "tcp:127.0.0.1:0");
        g_assert_null(listener_data(listener));
        g_assert_cmpint(listener_set_data(&fixture.manager, listener, large), ==, 0);
        g_assert_cmpint(listener_set_data(&fixture.manager, listener, larger), ==, -E2BIG);
        g_assert_cmpstr(listener_data(listener), ==, large);
        g_assert_cmpint(listener_set_data(&fixture.manager, listener, NULL), ==, 0);
        g_assert_null(listener_data(listener));
        fixture_done(&fixture);
}

/* An app that nobody knows needs nothing. */
static void test_review(void) {
        Fixture fixture;
        char *folder = test_folder_new();
        g_autofree char *path = test_path(folder, "a.sock");
        g_autofree char *text = g_strconcat("unix:", path, NULL);

        fixture_init(&fixture);
        (void) open_one(&fixture, "app", "listen:a", text);
        Listener *other = open_one(&fixture, "other", "cluster:a", "tcp:127.0.0.1:0");
        listeners_review(&fixture.manager, getuid(), "app");
        g_assert_cmpint(access(path, F_OK), <, 0);
        g_assert_cmpuint(fixture.manager.listeners->len, ==, 1);
        g_assert_true(listeners_by_number(&fixture.manager, listener_number(other)) == other);
        fixture.manager.detached = true; /* others go on with it */
        listeners_review(&fixture.manager, getuid(), "other");
        g_assert_cmpuint(fixture.manager.listeners->len, ==, 1);
        fixture.manager.detached = false;
        listeners_review_all(&fixture.manager);
        g_assert_cmpuint(fixture.manager.listeners->len, ==, 0);
        g_assert_cmpuint(fixture.state.own.listeners.length, ==, 0);
        fixture_done(&fixture);
        test_folder_remove(folder);
}

/* Give fds under names, as the service manager does to whoever comes next. */
static void succeed(Fixture *fixture, const int *fds, const char *names, int count) {
        g_autofree char *pid = g_strdup_printf("%d", (int) getpid());
        g_autofree char *number = g_strdup_printf("%d", count);
        int copies[FDS_MAX];

        for (int i = 0; i < count; i++) {
                copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
        }
        g_ptr_array_set_size(fixture->manager.listeners, 0);
        fd_store_free(fixture->state.fds);
        for (int i = 0; i < count; i++) {
                g_assert_cmpint(dup2(copies[i], FIRST_FD + i), ==, FIRST_FD + i);
                (void) close(copies[i]);
        }
        (void) g_setenv("LISTEN_PID", pid, TRUE);
        (void) g_setenv("LISTEN_FDS", number, TRUE);
        (void) g_setenv("LISTEN_FDNAMES", names, TRUE);
        g_assert_cmpint(fd_store_new(fixture->manager.event, &fixture->state.fds), ==, 0);
        state_store_read(
                        fixture->state.store, MANAGER_SLOT, &fixture->state.own, sizeof(fixture->state.own));
        listeners_restore(&fixture->manager);
}

/* In a process of its own, for it puts descriptors in their places. */
static void test_restore(void) {
        if (!g_test_subprocess()) {
                g_test_trap_subprocess(NULL, 0, 0);
                g_test_trap_assert_passed();
                return;
        }
        Fixture fixture;
        char *folder = test_folder_new();
        g_autofree char *path = test_path(folder, "a.sock");
        g_autofree char *text = g_strconcat("unix:", path, NULL);
        ListenFile file;

        for (int fd = FIRST_FD; fd < FIRST_FD + FDS_MAX; fd++) { /* nothing else comes to lie there */
                g_assert_cmpint(dup2(STDERR_FILENO, fd), ==, fd);
        }
        fixture_init(&fixture);
        /* 0: kept; 1: the record alone is left; 2: with all that an address has. */
        Listener *kept = open_one(&fixture, "app", "listen:a", text);
        (void) open_one(&fixture, "app", "listen:b", "tcp:127.0.0.1:0");
        ListenAddress address = { .kind = LISTEN_DATAGRAM,
                                  .family = AF_INET,
                                  .host = (char *) "127.0.0.1",
                                  .reuse_address = true,
                                  .backlog = 7 };
        Listener *datagram = NULL;
        int r = listeners_open(
                        &fixture.manager, getuid(), "n\xc3\xa4me", "cluster:u", &address, &datagram, NULL);
        g_assert_cmpint(r, ==, 0);
        g_assert_cmpint(listener_set_data(&fixture.manager, datagram, "{\"data\":1}"), ==, 0);
        file = listen_file_of(path);
        /* 3: a socket that was kept, and its maker died before it wrote it down. */
        const int fds[] = { listener_fd(kept), listener_fd(datagram), listener_fd(kept) };
        succeed(&fixture, fds, "l0:l2:l3", 3);
        g_assert_cmpuint(fixture.manager.listeners->len, ==, 2);
        g_assert_null(listeners_by_number(&fixture.manager, 1));
        g_assert_null(listeners_by_number(&fixture.manager, 3));
        kept = listeners_find(&fixture.manager, getuid(), "app", "listen:a");
        g_assert_nonnull(kept);
        g_assert_cmpuint(listener_number(kept), ==, 0);
        g_assert_cmpint(listener_fd(kept), ==, FIRST_FD);
        g_assert_true(fcntl(FIRST_FD, F_GETFD) & FD_CLOEXEC);
        g_assert_cmpstr(listener_address(kept)->path, ==, path);
        g_assert_null(listener_data(kept));
        datagram = listeners_by_number(&fixture.manager, 2);
        g_assert_cmpstr(listener_data(datagram), ==, "{\"data\":1}");
        g_assert_cmpstr(listener_address(datagram)->host, ==, "127.0.0.1");
        g_assert_cmpint(listener_address(datagram)->backlog, ==, 7);
        g_assert_true(listener_address(datagram)->reuse_address);
        g_assert_true(listeners_find(&fixture.manager, getuid(), "n\xc3\xa4me", "cluster:u") == datagram);
        g_assert_cmpint(fcntl(FIRST_FD + 2, F_GETFD), <, 0); /* closed */
        /* The path is still known to be ours. */
        g_assert_cmpuint(listen_file_of(path).inode, ==, file.inode);
        listener_close(&fixture.manager, kept);
        g_assert_cmpint(access(path, F_OK), <, 0);
        g_assert_cmpuint(listener_number(open_one(&fixture, "app", "listen:c", "tcp:127.0.0.1:0")), ==, 3);
        fixture_done(&fixture);
        test_folder_remove(folder);
}

/* A record that cannot be read is none. */
static void test_broken_record(void) {
        Fixture fixture;

        fixture_init(&fixture);
        (void) open_one(&fixture, "app", "listen:a", "tcp:127.0.0.1:0");
        StateBlob blob = fixture.state.own.listeners;
        g_assert_true(listeners_record_is_good(fixture.state.store, &blob));
        blob.checksum ^= 1;
        g_assert_false(listeners_record_is_good(fixture.state.store, &blob));
        g_assert_true(listeners_record_is_good(fixture.state.store, &(StateBlob){ 0 }));
        g_ptr_array_set_size(fixture.manager.listeners, 0);
        fixture.state.own.listeners = blob;
        listeners_restore(&fixture.manager);
        g_assert_cmpuint(fixture.manager.listeners->len, ==, 0);
        g_assert_cmpuint(fixture.state.own.listeners.length, ==, 0);
        fixture_done(&fixture);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/manager/listeners/find", test_find);
        g_test_add_func("/manager/listeners/numbers-are-used-once", test_numbers_are_used_once);
        g_test_add_func("/manager/listeners/room", test_room);
        g_test_add_func("/manager/listeners/in-use", test_in_use);
        g_test_add_func("/manager/listeners/user-pointer", test_user_pointer);
        g_test_add_func("/manager/listeners/data", test_data);
        g_test_add_func("/manager/listeners/review", test_review);
        g_test_add_func("/manager/listeners/restore", test_restore);
        g_test_add_func("/manager/listeners/broken-record", test_broken_record);
        return g_test_run();
}
