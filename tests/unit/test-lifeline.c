/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/lifeline.h"

#include "basic/cleanup.h"
#include "basic/macro.h"
#include "event-fixture.h"
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void make_pipe(int ends[static 2]) {
        g_assert_cmpint(pipe2(ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
}

static void make_pair(int type, int ends[static 2]) {
        g_assert_cmpint(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
}

static void assert_kind(int fd, int expected) {
        g_assert_cmpint(lifeline_check(fd), ==, expected);
        (void) close_fd(fd);
}

/* The other side is closed, and it is as good as before: a successor is given such a one. */
static void assert_good_after_end(int ends[static 2]) {
        g_assert_cmpint(lifeline_check(ends[0]), ==, 0);
        (void) close(ends[1]);
        assert_kind(ends[0], 0);
}

static void test_kinds(void) {
        char *folder = test_folder_new();
        g_autofree char *fifo = test_path(folder, "fifo"), *file = test_path(folder, "file");
        g_autofree char *path = test_path(folder, "socket");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int ends[2];

        make_pipe(ends);
        g_assert_cmpint(lifeline_check(ends[1]), ==, -EINVAL); /* our own end would be the other one */
        assert_good_after_end(ends);
        make_pair(SOCK_STREAM, ends);
        assert_good_after_end(ends);
        make_pair(SOCK_SEQPACKET, ends);
        assert_good_after_end(ends);
        make_pair(SOCK_DGRAM, ends); /* has no end of file */
        assert_kind(ends[0], -EINVAL);
        assert_kind(ends[1], -EINVAL);

        g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
        assert_kind(open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC), 0);
        assert_kind(open(fifo, O_RDWR | O_CLOEXEC), -EINVAL);
        assert_kind(open(fifo, O_PATH | O_CLOEXEC), -EINVAL);
        assert_kind(open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600), -EINVAL);
        assert_kind(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), -EINVAL);
        assert_kind(open("/dev/null", O_RDONLY | O_CLOEXEC), -EINVAL);
        assert_kind(eventfd(0, EFD_CLOEXEC), -EINVAL);

        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void) g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        g_assert_cmpint(bind(listener, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(listener, 1), ==, 0);
        assert_kind(listener, -EINVAL);
        g_assert_cmpint(lifeline_check(listener), ==, -EBADF);
        g_assert_cmpint(lifeline_check(-EBADF), ==, -EBADF);
        test_folder_remove(folder);
}

static int count_end(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        unsigned *ends = userdata;

        (*ends)++;
        return 0;
}

/* Turn the loop until it has nothing to do at once. */
static unsigned turn(sd_event *event) {
        unsigned turns = 0;

        while (sd_event_run(event, 0) > 0) {
                turns++;
                g_assert_cmpuint(turns, <, 10); /* it does not spin */
        }
        return turns;
}

typedef enum Ending {
        CLOSED,
        CLOSED_WITH_DATA,
        SHUT_DOWN, /* no more can come, though the descriptor is open */
} Ending;

static void assert_end_is_seen(const int ends[static 2], Ending ending) {
        sd_event *event = test_event_new();
        sd_event_source *source = NULL;
        unsigned seen = 0;

        g_assert_cmpint(lifeline_watch(event, ends[0], count_end, &seen, &source), >=, 0);
        int copy = fcntl(ends[1], F_DUPFD_CLOEXEC, 3); /* as a child of the caller has one */
        g_assert_cmpuint(turn(event), ==, 0);
        if (ending == CLOSED_WITH_DATA) {
                g_assert_cmpint(write(ends[1], "x", 1), ==, 1);
                g_assert_cmpuint(turn(event), ==, 0); /* nobody is woken by what nobody reads */
        }
        (void) (ending == SHUT_DOWN ? shutdown(ends[1], SHUT_WR) : close(ends[1]));
        g_assert_cmpuint(turn(event), ==, ending == SHUT_DOWN);
        (void) close(copy);
        (void) turn(event);
        g_assert_cmpuint(seen, ==, 1); /* once, although it stays so */
        if (ending == SHUT_DOWN) {
                (void) close(ends[1]);
        }
        (void) sd_event_source_disable_unref(source);
        g_assert_cmpint(fcntl(ends[0], F_GETFD), >=, 0); /* it was borrowed */
        (void) close(ends[0]);
        (void) sd_event_unref(event);
}

static void test_end(void) {
        int ends[2];

        for (int ending = CLOSED; ending <= CLOSED_WITH_DATA; ending++) {
                make_pipe(ends);
                assert_end_is_seen(ends, (Ending) ending);
        }
        for (int ending = CLOSED; ending <= SHUT_DOWN; ending++) {
                make_pair(SOCK_STREAM, ends);
                assert_end_is_seen(ends, (Ending) ending);
                make_pair(SOCK_SEQPACKET, ends);
                assert_end_is_seen(ends, (Ending) ending);
        }
}

/* One whose other side is gone before anybody looks. */
static void test_ended_before(void) {
        sd_event *event = test_event_new();
        sd_event_source *source = NULL;
        unsigned seen = 0;
        int ends[2];

        make_pipe(ends);
        (void) close(ends[1]);
        g_assert_cmpint(lifeline_watch(event, ends[0], count_end, &seen, &source), >=, 0);
        (void) turn(event);
        g_assert_cmpuint(seen, ==, 1);
        (void) sd_event_source_disable_unref(source);
        (void) close(ends[0]);
        (void) sd_event_unref(event);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/lifeline/kinds", test_kinds);
        g_test_add_func("/platform/lifeline/end", test_end);
        g_test_add_func("/platform/lifeline/ended-before", test_ended_before);
        return g_test_run();
}
