/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The successor is this program itself, called with a word that says what it is to look at. */

#include "platform/reexec.h"

#include "basic/cleanup.h"
#include "event-fixture.h"
#include "fixture.h"
#include "platform/fd-store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        FIRST_FD = 3,
        FD_COUNT_MAX = 200,
};

#define LOCK_LABEL     "the lock"
#define LIFELINE_LABEL "the lifeline"

static char own_path[4096];

/* A file with this text, to be known by it. */
static int labelled(const char *label) {
        int fd = memfd_create("labelled", MFD_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(pwrite(fd, label, strlen(label), 0), ==, (ssize_t) strlen(label));
        return fd;
}

static void assert_label(int fd, const char *label) {
        char text[64] = { 0 };

        g_assert_cmpint(fd, >=, FIRST_FD);
        g_assert_cmpint(pread(fd, text, sizeof(text) - 1, 0), >=, 0);
        g_assert_cmpstr(text, ==, label);
}

/* After reexec(): argv is "successor", how many fds there are, the lock, perhaps the lifeline. Names are
 * labels. */
static int be_successor(int argc, char **argv) {
        sd_event *event = test_event_new();
        FdStore *store = NULL;

        g_assert_cmpint(argc, >=, 4);
        int count = atoi(argv[2]); /* NOLINT(cert-err34-c): we wrote it */
        g_autofree char *lock = g_strdup_printf("--lock-fd=%d", FIRST_FD + count);
        g_assert_cmpstr(argv[3], ==, lock);
        assert_label(FIRST_FD + count, LOCK_LABEL);
        int options = argc - 3;
        if (options > 1) {
                g_autofree char *lifeline = g_strdup_printf("--lifeline=%d", FIRST_FD + count + 1);
                g_assert_cmpstr(argv[4], ==, lifeline);
                assert_label(FIRST_FD + count + 1, LIFELINE_LABEL);
        }
        g_assert_cmpint(options, <=, 2);
        g_assert_cmpint(fd_store_new(event, &store), ==, 0);
        for (int i = 0; i < count; i++) {
                g_autofree char *name = g_strdup_printf("p%d", i);
                int fd = fd_store_take(store, name);
                g_assert_cmpint(fd, ==, FIRST_FD + i);
                assert_label(fd, name);
        }
        /* Nothing else came along, the originals and what was in between among it. */
        for (int fd = FIRST_FD + count + options; fd < 4 * FD_COUNT_MAX + 64; fd++) {
                char text[64] = { 0 };
                if (pread(fd, text, sizeof(text) - 1, 0) > 0) {
                        g_error("fd %d: %s", fd, text);
                }
        }
        fd_store_free(store);
        (void) sd_event_unref(event);
        return EXIT_SUCCESS;
}

/* As after an upgrade: the file that we are run from is no more. */
static int be_deleted(const char *path) {
        g_autofree char *found = NULL;

        g_assert_cmpint(unlink(path), ==, 0);
        g_assert_cmpint(reexec_own_path(&found), ==, 0);
        g_assert_cmpstr(found, ==, path);
        return EXIT_SUCCESS;
}

static void assert_success(pid_t pid) {
        int status;

        g_assert_cmpint(pid, >, 0);
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
}

/* How the fds lie before they are put in line. */
typedef enum Order {
        ORDER_UP,   /* one after another */
        ORDER_DOWN, /* the first one has the highest number */
        ORDER_HIGH, /* above all that are wanted */
        _ORDER_MAX,
} Order;

/* Where the lock is among them. */
typedef enum LockPlace {
        LOCK_FIRST,
        LOCK_LAST,
        LOCK_HIGH,
        _LOCK_PLACE_MAX,
} LockPlace;

/* Copies take the lowest number that is free: make these what is wanted. */
static void add_in_order(Handover *handover, int count, Order order) {
        int fillers[2 * FD_COUNT_MAX];
        int n_fillers = order == ORDER_UP ? 0 : order == ORDER_DOWN ? count : 2 * count;

        for (int i = 0; i < n_fillers; i++) {
                fillers[i] = labelled("a filler");
        }
        for (int i = 0; i < count; i++) {
                g_autofree char *name = g_strdup_printf("p%d", i);
                _cleanup_close_ int original = labelled(name);
                if (order == ORDER_DOWN) {
                        (void) close(fillers[n_fillers - 1 - i]);
                }
                int copy = fcntl(original, F_DUPFD_CLOEXEC, FIRST_FD);
                g_assert_cmpint(copy, >=, 0);
                handover_take(handover, name, copy);
        }
        for (int i = 0; order != ORDER_DOWN && i < n_fillers; i++) {
                (void) close(fillers[i]);
        }
}

static int new_option_fd(LockPlace place, const char *label) {
        int lock = labelled(label);

        if (place != LOCK_HIGH) {
                return lock;
        }
        int high = fcntl(lock, F_DUPFD_CLOEXEC, FIRST_FD + 3 * FD_COUNT_MAX);
        g_assert_cmpint(high, >=, 0);
        (void) close(lock);
        return high;
}

static _Noreturn void become_successor(int count, Order order, LockPlace place, bool with_lifeline) {
        g_autofree char *number = g_strdup_printf("%d", count);
        char *command[] = { own_path, (char *) "successor", number, NULL };
        Handover *handover = handover_new();

        g_assert_cmpint(close_range(FIRST_FD, UINT_MAX, 0), ==, 0); /* whatever runs the test has there */
        int lock = place == LOCK_LAST ? -EBADF : new_option_fd(place, LOCK_LABEL);
        int lifeline = with_lifeline ? new_option_fd(place, LIFELINE_LABEL) : -EBADF;
        add_in_order(handover, count, order);
        if (place == LOCK_LAST) {
                lock = new_option_fd(place, LOCK_LABEL);
        }
        g_error("reexec(): %s", g_strerror(-reexec(command, handover, lock, lifeline)));
}

static void test_line_up(void) {
        static const int counts[] = { 0, 1, 2, 3, 10, FD_COUNT_MAX };

        for (int i = 0; i < (int) G_N_ELEMENTS(counts) * _ORDER_MAX * _LOCK_PLACE_MAX * 2; i++) {
                int count = counts[i / (_ORDER_MAX * _LOCK_PLACE_MAX * 2)];
                pid_t pid = fork();
                if (pid == 0) {
                        become_successor(
                                        count,
                                        (Order) (i / (_LOCK_PLACE_MAX * 2) % _ORDER_MAX),
                                        (LockPlace) (i / 2 % _LOCK_PLACE_MAX),
                                        i % 2 == 1);
                }
                assert_success(pid);
        }
}

/* What was taken is closed with it. */
static void test_owned(void) {
        Handover *handover = handover_new();
        int fd = labelled("x");

        handover_take(handover, "p0", fd);
        assert_label(fd, "x");
        handover_free(handover);
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
        handover_free(NULL);
}

static _Noreturn void fail_to_execute(const char *path, int expected) {
        char *command[] = { (char *) path, NULL };
        Handover *handover = handover_new();

        add_in_order(handover, 3, ORDER_UP);
        g_assert_cmpint(reexec(command, handover, labelled(LOCK_LABEL), -EBADF), ==, expected);
        handover_free(handover);
        _exit(0);
}

static _Noreturn void fail_to_line_up(void) {
        char *command[] = { own_path, (char *) "successor", (char *) "20", NULL };
        Handover *handover = handover_new();
        int lock = labelled(LOCK_LABEL);

        add_in_order(handover, 20, ORDER_UP);
        const struct rlimit limit = { .rlim_cur = FIRST_FD + 30, .rlim_max = FIRST_FD + 30 };
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        g_assert_cmpint(reexec(command, handover, lock, -EBADF), ==, -EMFILE);
        handover_free(handover);
        _exit(0);
}

/* It returns, and says why. */
static void test_failures(void) {
        pid_t pid = fork();

        if (pid == 0) {
                fail_to_execute("/no/such/program", -ENOENT);
        }
        assert_success(pid);
        pid = fork();
        if (pid == 0) {
                fail_to_execute("/", -EACCES);
        }
        assert_success(pid);
        pid = fork();
        if (pid == 0) {
                fail_to_line_up();
        }
        assert_success(pid);
}

static void test_own_path(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_path(folder, "program");
        g_autofree char *found = NULL, *program = NULL;
        gsize size;

        g_assert_cmpint(reexec_own_path(&found), ==, 0);
        g_assert_cmpstr(found, ==, own_path);
        g_assert_true(g_file_get_contents(own_path, &program, &size, NULL));
        g_assert_true(g_file_set_contents_full(
                        path, program, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
        pid_t pid = fork();
        if (pid == 0) {
                (void) execl(path, path, "deleted", NULL);
                _exit(127);
        }
        assert_success(pid);
        test_folder_remove(folder);
}

typedef struct Checked {
        char *output;
        int code, status; /* of waitid(2) */
} Checked;

/* Its output to the end, and how it ended. */
static Checked check_run(char *const *command, int slots_fd, int blobs_fd) {
        g_autoptr(GString) output = g_string_new(NULL);
        _cleanup_close_ int pidfd = -EBADF, out_fd = -EBADF;
        char buffer[512];
        siginfo_t info;
        ssize_t size;

        g_assert_cmpint(reexec_check(command, slots_fd, blobs_fd, &pidfd, &out_fd), ==, 0);
        g_assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
        g_assert_true(fcntl(out_fd, F_GETFD) & FD_CLOEXEC);
        g_assert_true(fcntl(out_fd, F_GETFL) & O_NONBLOCK);
        do {
                struct pollfd poll_fd = { .fd = out_fd, .events = POLLIN };
                g_assert_cmpint(poll(&poll_fd, 1, -1), ==, 1);
                size = read(out_fd, buffer, sizeof(buffer));
                g_assert_cmpint(size, >=, 0);
                g_string_append_len(output, buffer, size);
        } while (size > 0);
        g_assert_cmpint(waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED), ==, 0);
        return (Checked){
                .output = g_string_free(g_steal_pointer(&output), FALSE),
                .code = info.si_code,
                .status = info.si_status,
        };
}

static void assert_check(const char *script, int slots_fd, int blobs_fd, int status, const char *output) {
        char *command[] = { (char *) "/bin/sh", (char *) "-c", (char *) script, (char *) "sh", NULL };
        Checked checked = check_run(command, slots_fd, blobs_fd);

        g_assert_cmpstr(checked.output, ==, output);
        g_assert_cmpint(checked.code, ==, CLD_EXITED);
        g_assert_cmpint(checked.status, ==, status);
        g_free(checked.output);
}

#define SHOW_ALL "cat <&3; echo; cat <&4; echo; echo $# $1"

/* The two files are 3 and 4 for it, wherever they are here. */
static void test_check(void) {
        static const int places[][2] = { { 50, 51 }, { 3, 4 }, { 4, 3 }, { 4, 50 }, { 50, 3 } };

        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                pid_t pid = fork();
                if (pid == 0) {
                        int slots = fcntl(labelled("slots"), F_DUPFD, 60);
                        int blobs = fcntl(labelled("blobs"), F_DUPFD, 60);
                        g_assert_cmpint(dup3(slots, places[i][0], O_CLOEXEC), >=, 0);
                        g_assert_cmpint(dup3(blobs, places[i][1], O_CLOEXEC), >=, 0);
                        (void) close(slots);
                        (void) close(blobs);
                        assert_check(SHOW_ALL,
                                     places[i][0],
                                     places[i][1],
                                     0,
                                     "slots\nblobs\n1 --check-state=3,4\n");
                        assert_label(places[i][0], "slots"); /* ours are as they were */
                        assert_label(places[i][1], "blobs");
                        _exit(0);
                }
                assert_success(pid);
        }
}

static void test_check_outcomes(void) {
        _cleanup_close_ int slots = labelled("slots"), blobs = labelled("blobs");
        char *missing[] = { (char *) "/no/such/program", NULL };
        char *killed[] = { (char *) "/bin/sh", (char *) "-c", (char *) "kill -KILL $$", NULL };

        assert_check("echo OK", slots, blobs, 0, "OK\n");
        assert_check("echo no; exit 3", slots, blobs, 3, "no\n");
        assert_check("exec >&-; exit 4", slots, blobs, 4, "");
        Checked checked = check_run(missing, slots, blobs);
        g_assert_cmpstr(checked.output, ==, "");
        g_assert_cmpint(checked.code, ==, CLD_EXITED);
        g_assert_cmpint(checked.status, ==, 127);
        g_free(checked.output);
        checked = check_run(killed, slots, blobs);
        g_assert_cmpint(checked.code, ==, CLD_KILLED);
        g_assert_cmpint(checked.status, ==, SIGKILL);
        g_free(checked.output);
}

/* Signals that the loop has blocked are not so for the program that is tried: SIGTERM ends it. */
static void test_check_signals(void) {
        _cleanup_close_ int slots = labelled("slots"), blobs = labelled("blobs");
        char *command[] = { (char *) "/bin/sh", (char *) "-c", (char *) "kill -TERM $$; echo alive", NULL };
        sigset_t set, before;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        g_assert_cmpint(sigprocmask(SIG_BLOCK, &set, &before), ==, 0);
        Checked checked = check_run(command, slots, blobs);
        g_assert_cmpint(sigprocmask(SIG_SETMASK, &before, NULL), ==, 0);
        g_assert_cmpstr(checked.output, ==, "");
        g_assert_cmpint(checked.code, ==, CLD_KILLED);
        g_assert_cmpint(checked.status, ==, SIGTERM);
        g_free(checked.output);
}

int main(int argc, char **argv) {
        if (argc > 1 && strcmp(argv[1], "successor") == 0) {
                return be_successor(argc, argv);
        }
        if (argc > 1 && strcmp(argv[1], "deleted") == 0) {
                return be_deleted(argv[0]);
        }
        if (test_skip_without_calls()) {
                return EXIT_SUCCESS;
        }
        g_test_init(&argc, &argv, NULL);
        ssize_t length = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);
        g_assert_cmpint(length, >, 0);
        g_test_add_func("/platform/reexec/line-up", test_line_up);
        g_test_add_func("/platform/reexec/owned", test_owned);
        g_test_add_func("/platform/reexec/failures", test_failures);
        g_test_add_func("/platform/reexec/own-path", test_own_path);
        g_test_add_func("/platform/reexec/check", test_check);
        g_test_add_func("/platform/reexec/check-outcomes", test_check_outcomes);
        g_test_add_func("/platform/reexec/check-signals", test_check_signals);
        return g_test_run();
}
