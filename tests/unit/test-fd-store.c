/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Against a service manager that is a socket of ours: what is sent is looked at, and fds are given as it
 * would give them. */

#include "platform/fd-store.h"

#include "basic/cleanup.h"
#include "basic/sd-cleanup.h"
#include "event-fixture.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        FIRST_FD = 3,
        OUT_OF_THE_WAY = 100,
};

typedef struct Receiver {
        char *folder;
        int fd;
} Receiver;

static Receiver receiver_new(void) {
        Receiver receiver = { .folder = test_folder_new() };
        g_autofree char *path = test_path(receiver.folder, "notify");
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        receiver.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        g_assert_cmpint(receiver.fd, >=, 0);
        (void) g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        g_assert_cmpint(bind(receiver.fd, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_true(g_setenv("NOTIFY_SOCKET", path, TRUE));
        g_unsetenv("FDSTORE");
        return receiver;
}

static void receiver_done(Receiver *receiver) {
        receiver->fd = close_fd(receiver->fd);
        test_folder_remove(g_steal_pointer(&receiver->folder));
        g_unsetenv("NOTIFY_SOCKET");
}

/* The next message; it has been sent. Returns its fd, or a negative number if it has none. */
static int receive(const Receiver *receiver, const char *expected) {
        char text[512], control[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct iovec vector = { .iov_base = text, .iov_len = sizeof(text) - 1 };
        struct msghdr message = {
                .msg_iov = &vector,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control),
        };
        int fd = -EBADF;

        ssize_t size = recvmsg(receiver->fd, &message, MSG_CMSG_CLOEXEC);
        g_assert_cmpint(size, >, 0);
        g_assert_cmpint(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC), ==, 0);
        text[size] = '\0';
        g_assert_cmpstr(text, ==, expected);
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
                if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
                        g_assert_cmpint(header->cmsg_len, ==, CMSG_LEN(sizeof(int))); /* one of them */
                        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
                }
        }
        return fd;
}

static void assert_silent(const Receiver *receiver) {
        char byte;

        g_assert_cmpint(recv(receiver->fd, &byte, 1, MSG_PEEK), ==, -1);
        g_assert_cmpint(errno, ==, EAGAIN);
}

static FdStore *new_store(sd_event *event) {
        FdStore *store = NULL;

        g_assert_cmpint(fd_store_new(event, &store), ==, 0);
        return store;
}

/* A file with this text, to be known by it. */
static int labelled(const char *label) {
        int fd = memfd_create("labelled", MFD_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, label, strlen(label)), ==, (ssize_t) strlen(label));
        return fd;
}

static void assert_label(int fd, const char *label) {
        char text[64] = { 0 };

        g_assert_cmpint(pread(fd, text, sizeof(text) - 1, 0), >=, 0);
        g_assert_cmpstr(text, ==, label);
}

static void test_add_and_remove(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Receiver receiver = receiver_new();
        FdStore *store = new_store(event);
        _cleanup_close_ int first = labelled("first"), second = labelled("second");

        g_assert_true(fd_store_is_there(store));
        assert_silent(&receiver);
        g_assert_cmpint(fd_store_add(store, "state-slots", first), ==, 0);
        g_assert_cmpint(fd_store_add(store, "p4294967295", second), ==, 0);
        fd_store_remove(store, "state-slots");
        _cleanup_close_ int kept_first = receive(&receiver, "FDSTORE=1\nFDNAME=state-slots\nFDPOLL=0");
        assert_label(kept_first, "first");
        _cleanup_close_ int kept_second = receive(&receiver, "FDSTORE=1\nFDNAME=p4294967295\nFDPOLL=0");
        assert_label(kept_second, "second");
        g_assert_cmpint(receive(&receiver, "FDSTOREREMOVE=1\nFDNAME=state-slots"), <, 0);
        assert_silent(&receiver);
        g_assert_cmpint(fcntl(first, F_GETFD), >=, 0);                     /* still ours */
        g_assert_cmpint(fd_store_take(store, "state-slots"), ==, -ENOENT); /* of an earlier one alone */
        fd_store_drop_rest(store);
        assert_silent(&receiver);
        fd_store_free(store);
        assert_silent(&receiver);
        receiver_done(&receiver);
}

static void on_passed(void *userdata) {
        ++*(unsigned *) userdata;
}

static FdBarrier *new_barrier(FdStore *store, unsigned *n_passed) {
        FdBarrier *barrier = NULL;

        g_assert_cmpint(fd_store_barrier(store, on_passed, n_passed, &barrier), ==, 0);
        g_assert_nonnull(barrier);
        return barrier;
}

static bool is_one(void *userdata) {
        return *(const unsigned *) userdata == 1;
}

/* Only the end of the receiver's last copy passes it, and it does so once. */
static void test_barrier(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Receiver receiver = receiver_new();
        FdStore *store = new_store(event);
        unsigned n_first = 0, n_second = 0;

        FdBarrier *first = new_barrier(store, &n_first);
        FdBarrier *second = new_barrier(store, &n_second);
        test_event_drain(event);
        int end_first = receive(&receiver, "BARRIER=1"), end_second = receive(&receiver, "BARRIER=1");
        g_assert_cmpint(end_first, >=, 0);
        g_assert_cmpint(end_second, >=, 0);
        int copy = fcntl(end_second, F_DUPFD_CLOEXEC, FIRST_FD);
        (void) close(end_second);
        test_event_drain(event);
        g_assert_cmpuint(n_first + n_second, ==, 0);
        (void) close(copy);
        test_event_wait(event, is_one, &n_second, "the second barrier");
        test_event_drain(event);
        g_assert_cmpuint(n_first, ==, 0);
        (void) close(end_first);
        test_event_wait(event, is_one, &n_first, "the first barrier");
        test_event_drain(event);
        g_assert_cmpuint(n_first, ==, 1);
        g_assert_cmpuint(n_second, ==, 1);
        fd_barrier_free(first);
        fd_barrier_free(second);
        fd_barrier_free(NULL);
        fd_store_free(store);
        receiver_done(&receiver);
}

/* Messages that were sent before a barrier are there before it is. */
static void test_barrier_order(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Receiver receiver = receiver_new();
        FdStore *store = new_store(event);
        unsigned n_passed = 0;

        g_assert_cmpint(fd_store_add(store, "p1", STDERR_FILENO), ==, 0);
        FdBarrier *barrier = new_barrier(store, &n_passed);
        fd_store_remove(store, "p1");
        _cleanup_close_ int kept = receive(&receiver, "FDSTORE=1\nFDNAME=p1\nFDPOLL=0");
        g_assert_cmpint(kept, >=, 0);
        (void) close(receive(&receiver, "BARRIER=1"));
        g_assert_cmpint(receive(&receiver, "FDSTOREREMOVE=1\nFDNAME=p1"), <, 0);
        test_event_wait(event, is_one, &n_passed, "the barrier");
        fd_barrier_free(barrier);
        fd_store_free(store);
        receiver_done(&receiver);
}

static void test_barrier_given_up(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Receiver receiver = receiver_new();
        FdStore *store = new_store(event);
        unsigned n_given_up = 0, n_passed = 0;

        fd_barrier_free(new_barrier(store, &n_given_up));
        FdBarrier *barrier = new_barrier(store, &n_passed);
        (void) close(receive(&receiver, "BARRIER=1"));
        (void) close(receive(&receiver, "BARRIER=1"));
        test_event_wait(event, is_one, &n_passed, "the barrier behind it");
        g_assert_cmpuint(n_given_up, ==, 0);
        fd_barrier_free(barrier);
        fd_store_free(store);
        receiver_done(&receiver);
}

typedef struct OwnBarrier {
        FdBarrier *barrier;
        bool passed;
} OwnBarrier;

static void on_passed_free(void *userdata) {
        OwnBarrier *own = userdata;

        own->passed = true;
        fd_barrier_free(g_steal_pointer(&own->barrier));
}

/* Freed by the one that is told. A receiver that drops the message unread passes it too. */
static void test_barrier_freed_inside(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Receiver receiver = receiver_new();
        FdStore *store = new_store(event);
        OwnBarrier own = { 0 };

        g_assert_cmpint(fd_store_barrier(store, on_passed_free, &own, &own.barrier), ==, 0);
        receiver_done(&receiver);
        test_event_wait_flag(event, &own.passed, "the barrier");
        fd_store_free(store);
}

static void assert_as_without(FdStore *store) {
        FdBarrier *barrier = NULL;
        unsigned n_passed = 0;

        g_assert_false(fd_store_is_there(store));
        g_assert_cmpint(fd_store_add(store, "p1", STDERR_FILENO), ==, 0);
        fd_store_remove(store, "p1");
        g_assert_cmpint(fd_store_barrier(store, on_passed, &n_passed, &barrier), ==, 1);
        g_assert_null(barrier);
        g_assert_cmpuint(n_passed, ==, 0);
        g_assert_cmpint(fd_store_take(store, "p1"), ==, -ENOENT);
        fd_store_drop_rest(store);
        fd_store_free(store);
}

static void test_none(void) {
        _cleanup_event_ sd_event *event = test_event_new();

        g_unsetenv("NOTIFY_SOCKET");
        assert_as_without(new_store(event));
        Receiver receiver = receiver_new();
        g_assert_true(g_setenv("FDSTORE", "0", TRUE));
        assert_as_without(new_store(event));
        assert_silent(&receiver);
        g_assert_true(g_setenv("FDSTORE", "2048", TRUE));
        FdStore *store = new_store(event);
        g_assert_true(fd_store_is_there(store));
        fd_store_free(store);
        receiver_done(&receiver);
        g_unsetenv("FDSTORE");
}

/* Nobody listens at the socket any more: said once, from then on as without one. */
static void test_dead_socket(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Receiver receiver = receiver_new();
        FdStore *adding = new_store(event), *waiting = new_store(event);
        FdBarrier *barrier = NULL;

        receiver.fd = close_fd(receiver.fd); /* the file is there */
        g_assert_true(fd_store_is_there(adding));
        g_assert_cmpint(fd_store_add(adding, "p1", STDERR_FILENO), ==, -ECONNREFUSED);
        assert_as_without(adding);
        g_assert_cmpint(fd_store_barrier(waiting, on_passed, NULL, &barrier), ==, 1);
        g_assert_null(barrier);
        assert_as_without(waiting);
        g_assert_true(g_setenv("NOTIFY_SOCKET", "/no/such/socket", TRUE));
        adding = new_store(event);
        g_assert_cmpint(fd_store_add(adding, "p1", STDERR_FILENO), ==, -ENOENT);
        assert_as_without(adding);
        receiver_done(&receiver);
}

/* Put files of these labels where a service manager puts them, and say so. The process is a child of the
 * test: what it has there goes. */
static void give_fds(const Receiver *receiver, const char *const *labels, const char *names) {
        int n = (int) g_strv_length((char **) labels);
        g_autofree char *count = g_strdup_printf("%d", n), *pid = g_strdup_printf("%d", getpid());

        g_assert_cmpint(dup2(receiver->fd, OUT_OF_THE_WAY - 1), >=, 0);
        for (int i = 0; i < n; i++) {
                g_assert_cmpint(dup2(labelled(labels[i]), OUT_OF_THE_WAY + i), >=, 0);
        }
        for (int i = 0; i < n; i++) {
                g_assert_cmpint(dup2(OUT_OF_THE_WAY + i, FIRST_FD + i), >=, 0);
                (void) close(OUT_OF_THE_WAY + i);
        }
        g_assert_true(g_setenv("LISTEN_FDS", count, TRUE));
        g_assert_true(g_setenv("LISTEN_PID", pid, TRUE));
        if (names) {
                g_assert_true(g_setenv("LISTEN_FDNAMES", names, TRUE));
        }
}

/* Runs the function in a child, which must come to its end. */
static void run_in_child(void (*function)(Receiver *receiver)) {
        Receiver receiver = receiver_new();
        int status;

        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                function(&receiver);
                _exit(0);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
        receiver_done(&receiver);
}

static void assert_taken(FdStore *store, const char *name, const char *label) {
        int fd = fd_store_take(store, name);

        g_assert_cmpint(fd, >=, FIRST_FD);
        assert_label(fd, label);
        g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC); /* children do not get it */
}

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

static void take_kept(Receiver *receiver) {
        static const char *const labels[] = { "slots", "one",        "left", "uno",
                                              "blobs", "left again", "last", NULL };
        static const char names[] = "state-slots:p1:p2:p1:state-blobs:p2:p3";

        give_fds(receiver, labels, names);
        receiver->fd = OUT_OF_THE_WAY - 1;
        sd_event *event = test_event_new();
        FdStore *store = new_store(event);
        g_assert_null(getenv("LISTEN_FDS"));
        g_assert_null(getenv("LISTEN_FDNAMES"));
        g_assert_null(getenv("LISTEN_PID"));
        assert_taken(store, "state-blobs", "blobs");
        assert_taken(store, "p1", "one");
        assert_taken(store, "p3", "last");
        g_assert_cmpint(fd_store_take(store, "p3"), ==, -ENOENT);
        g_assert_cmpint(fd_store_take(store, "p"), ==, -ENOENT);
        g_assert_cmpint(fd_store_take(store, ""), ==, -ENOENT);
        assert_silent(receiver);
        fd_store_drop_rest(store);
        /* Nothing is said of p1: the other one of that name is in use. */
        g_assert_cmpint(receive(receiver, "FDSTOREREMOVE=1\nFDNAME=state-slots"), <, 0);
        g_assert_cmpint(receive(receiver, "FDSTOREREMOVE=1\nFDNAME=p2"), <, 0);
        g_assert_cmpint(receive(receiver, "FDSTOREREMOVE=1\nFDNAME=p2"), <, 0);
        assert_silent(receiver);
        static const bool open[] = { false, true, false, false, true, false, true };
        for (int i = 0; i < (int) G_N_ELEMENTS(open); i++) {
                g_assert_true(is_open(FIRST_FD + i) == open[i]);
        }
        g_assert_cmpint(fd_store_take(store, "state-slots"), ==, -ENOENT);
        fd_store_free(store);
        g_assert_true(is_open(FIRST_FD + 1)); /* what was taken stays open */
        (void) sd_event_unref(event);
}

/* Freed without a word: what nobody took is closed and stays in the store. */
static void free_untaken(Receiver *receiver) {
        static const char *const labels[] = { "a", "b", NULL };

        give_fds(receiver, labels, "p1:p2");
        receiver->fd = OUT_OF_THE_WAY - 1;
        sd_event *event = test_event_new();
        FdStore *store = new_store(event);
        assert_taken(store, "p1", "a");
        fd_store_free(store);
        g_assert_true(is_open(FIRST_FD));
        g_assert_false(is_open(FIRST_FD + 1));
        assert_silent(receiver);
        (void) sd_event_unref(event);
}

static void take_nameless(Receiver *receiver) {
        static const char *const labels[] = { "a", "b", NULL };

        give_fds(receiver, labels, NULL);
        sd_event *event = test_event_new();
        FdStore *store = new_store(event);
        assert_taken(store, "unknown", "a");
        assert_taken(store, "unknown", "b");
        fd_store_free(store);
        (void) sd_event_unref(event);
}

/* Meant for another process; we have inherited the variables. */
static void take_of_another(Receiver *receiver) {
        static const char *const labels[] = { "a", "b", NULL };

        give_fds(receiver, labels, "p1:p2");
        g_assert_true(g_setenv("LISTEN_PID", "1", TRUE));
        sd_event *event = test_event_new();
        FdStore *store = new_store(event);
        g_assert_cmpint(fd_store_take(store, "p1"), ==, -ENOENT);
        fd_store_drop_rest(store);
        assert_label(FIRST_FD, "a");
        assert_label(FIRST_FD + 1, "b");
        fd_store_free(store);
        (void) sd_event_unref(event);
}

static void test_kept(void) {
        run_in_child(take_kept);
        run_in_child(free_untaken);
        run_in_child(take_nameless);
        run_in_child(take_of_another);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/fd-store/add-and-remove", test_add_and_remove);
        g_test_add_func("/platform/fd-store/barrier", test_barrier);
        g_test_add_func("/platform/fd-store/barrier-order", test_barrier_order);
        g_test_add_func("/platform/fd-store/barrier-given-up", test_barrier_given_up);
        g_test_add_func("/platform/fd-store/barrier-freed-inside", test_barrier_freed_inside);
        g_test_add_func("/platform/fd-store/none", test_none);
        g_test_add_func("/platform/fd-store/dead-socket", test_dead_socket);
        g_test_add_func("/platform/fd-store/kept", test_kept);
        return g_test_run();
}
