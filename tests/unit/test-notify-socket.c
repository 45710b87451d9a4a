/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Real sockets and real senders: sd_notify(3), systemd-notify(1), and what nobody should send. */

#include "platform/notify-socket.h"

#include "basic/cleanup.h"
#include "basic/sd-cleanup.h"
#include "event-fixture.h"
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
        OTHER_UID = 65432,
        FDS_MAX = 253, /* SCM_MAX_FD */
        LINGER_SECONDS = 50,
};

typedef struct Receiver {
        sd_event *event;
        char *folder, *path;
        NotifySocket *socket;
        GPtrArray *texts;
        NotifySender last;
        guint n_too_long;
        guint wanted;        /* how many are waited for */
        guint n_fds_handler; /* descriptors of ours while the handler runs */
        bool free_inside, leave_inside;
} Receiver;

static guint count_fds(void) {
        g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
        guint n = 0;

        while (dir && g_dir_read_name(dir)) {
                n++;
        }
        return n;
}

static void on_message(void *userdata, const char *text, size_t length, const NotifySender *sender) {
        Receiver *receiver = userdata;

        if (text) {
                g_ptr_array_add(receiver->texts, g_strndup(text, length));
        } else {
                receiver->n_too_long++;
        }
        receiver->last = *sender;
        receiver->n_fds_handler = count_fds();
        if (receiver->free_inside) {
                notify_socket_free(g_steal_pointer(&receiver->socket));
        } else if (receiver->leave_inside) {
                (void) close(notify_socket_leave(g_steal_pointer(&receiver->socket)));
        }
}

static void receiver_bind(Receiver *receiver) {
        g_assert_cmpint(notify_socket_new(
                                        receiver->event,
                                        receiver->path,
                                        geteuid(),
                                        on_message,
                                        receiver,
                                        &receiver->socket),
                        ==,
                        0);
        g_assert_cmpstr(notify_socket_get_path(receiver->socket), ==, receiver->path);
}

static void receiver_init(Receiver *receiver) {
        *receiver = (Receiver){
                .event = test_event_new(),
                .folder = test_folder_new(),
                .texts = g_ptr_array_new_with_free_func(g_free),
        };
        receiver->path = test_path(receiver->folder, "socket");
        receiver_bind(receiver);
        g_assert_true(g_setenv("NOTIFY_SOCKET", receiver->path, TRUE));
}

static bool has_no_child(void *userdata) {
        siginfo_t info;

        return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
}

/* Without a child being left. */
static void receiver_done(Receiver *receiver) {
        notify_socket_free(receiver->socket);
        test_event_wait(receiver->event, has_no_child, NULL, "all children to be reaped");
        test_event_drain(receiver->event);
        (void) sd_event_unref(receiver->event);
        g_ptr_array_unref(receiver->texts);
        test_folder_remove(receiver->folder);
        g_free(receiver->path);
}

static bool has_wanted(void *userdata) {
        const Receiver *receiver = userdata;
        return receiver->texts->len >= receiver->wanted;
}

static void wait_for(Receiver *receiver, guint wanted) {
        receiver->wanted = wanted;
        test_event_wait(receiver->event, has_wanted, receiver, "messages");
        g_assert_cmpuint(receiver->texts->len, ==, wanted);
}

static const char *text_at(const Receiver *receiver, guint i) {
        g_assert_cmpuint(i, <, receiver->texts->len);
        return receiver->texts->pdata[i];
}

/* A client that says what it likes, by a connection as some libraries have it. */
static int connect_to(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void) g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        int r = connect(fd, (struct sockaddr *) &address, sizeof(address));
        if (r < 0) {
                int error = errno;
                (void) close(fd);
                return -error;
        }
        return fd;
}

static void send_bytes(int fd, const char *bytes, size_t length) {
        g_assert_cmpint(send(fd, bytes, length, 0), ==, (ssize_t) length);
}

typedef void (*ChildFunction)(void *userdata);

static pid_t run_child(ChildFunction function, void *userdata) {
        pid_t pid = fork();

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                function(userdata);
                _exit(0);
        }
        return pid;
}

static bool has_ended(void *userdata) {
        siginfo_t info = { 0 };

        return waitid(P_PID, (id_t) * (const pid_t *) userdata, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
}

static void reap(pid_t pid) {
        int status;

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
}

/* While the loop turns. */
static void see_through(const Receiver *receiver, pid_t pid) {
        test_event_wait(receiver->event, has_ended, &pid, "the child to end");
        reap(pid);
}

static void test_order(void) {
        Receiver receiver;

        receiver_init(&receiver);
        _cleanup_close_ int client = connect_to(receiver.path);
        test_event_drain(receiver.event);
        send_bytes(client, "READY=1", 7);
        send_bytes(client, "", 0);
        send_bytes(client, "a\0b", 3);
        g_assert_cmpint(sd_notify(0, "STATUS=x"), >, 0);
        wait_for(&receiver, 4);
        g_assert_cmpstr(text_at(&receiver, 0), ==, "READY=1");
        g_assert_cmpstr(text_at(&receiver, 1), ==, "");
        g_assert_cmpstr(text_at(&receiver, 2), ==, "a");
        g_assert_cmpstr(text_at(&receiver, 3), ==, "STATUS=x");
        g_assert_cmpint(receiver.last.pid, ==, getpid());
        g_assert_cmpuint(receiver.last.uid, ==, getuid());
        test_event_drain(receiver.event);
        g_assert_cmpuint(receiver.texts->len, ==, 4);
        g_assert_cmpuint(receiver.n_too_long, ==, 0);
        receiver_done(&receiver);
}

static void exec_notify(void *userdata) {
        (void) execlp("systemd-notify",
                      "systemd-notify",
                      "--ready",
                      "--status=Up and running",
                      "X_MINE=1",
                      NULL);
        _exit(77);
}

/* It sends a barrier of its own and waits for it. */
static void test_systemd_notify(void) {
        g_autofree char *program = g_find_program_in_path("systemd-notify");
        Receiver receiver;

        if (!program) {
                g_test_skip("there is no systemd-notify here");
                return;
        }
        receiver_init(&receiver);
        see_through(&receiver, run_child(exec_notify, NULL));
        g_assert_cmpuint(receiver.texts->len, >=, 1);
        g_assert_cmpstr(text_at(&receiver, 0), ==, "READY=1\nSTATUS=Up and running\nX_MINE=1");
        g_assert_cmpuint(receiver.last.uid, ==, getuid());
        for (guint i = 1; i < receiver.texts->len; i++) {
                g_assert_cmpstr(text_at(&receiver, i), ==, "BARRIER=1");
        }
        receiver_done(&receiver);
}

static void notify_ready(void *userdata) {
        if (sd_notify(0, "READY=1") <= 0) {
                _exit(1);
        }
}

/* Its pid is told though there is no such process any more. */
static void test_sender_gone(void) {
        Receiver receiver;

        receiver_init(&receiver);
        pid_t pid = run_child(notify_ready, NULL);
        reap(pid);
        g_assert_cmpuint(receiver.texts->len, ==, 0);
        wait_for(&receiver, 1);
        g_assert_cmpint(receiver.last.pid, ==, pid);
        g_assert_cmpuint(receiver.last.uid, ==, getuid());
        g_assert_cmpint(kill(pid, 0), ==, -1);
        receiver_done(&receiver);
}

static void become_other_and_notify(void *userdata) {
        if (setuid(OTHER_UID) < 0 || sd_notify(0, "READY=1") <= 0) {
                _exit(1);
        }
}

static void be_refused(void *userdata) {
        if (setuid(OTHER_UID + 1) < 0 || sd_notify(0, "READY=1") != -EACCES) {
                _exit(1);
        }
}

static void notify_for_another(void *userdata) {
        if (sd_pid_notify(getppid(), 0, "READY=1") <= 0) {
                _exit(1);
        }
}

/* Of the system instance: the socket is the user's and nobody else's. */
static void test_other_user(void) {
        Receiver receiver;
        struct stat status;

        if (geteuid() != 0) {
                g_test_skip("not root");
                return;
        }
        receiver_init(&receiver);
        notify_socket_free(receiver.socket);
        g_assert_cmpint(chmod(receiver.folder, 0711), ==, 0);
        mode_t before = umask(0);
        g_assert_cmpint(notify_socket_new(
                                        receiver.event,
                                        receiver.path,
                                        OTHER_UID,
                                        on_message,
                                        &receiver,
                                        &receiver.socket),
                        ==,
                        0);
        (void) umask(before);
        g_assert_cmpint(lstat(receiver.path, &status), ==, 0);
        g_assert_cmpuint(status.st_uid, ==, OTHER_UID);
        g_assert_cmpint(status.st_mode, ==, S_IFSOCK | 0600);
        reap(run_child(become_other_and_notify, NULL));
        wait_for(&receiver, 1);
        g_assert_cmpuint(receiver.last.uid, ==, OTHER_UID);
        reap(run_child(be_refused, NULL));
        pid_t pid = run_child(notify_for_another, NULL);
        reap(pid);
        wait_for(&receiver, 2);
        g_assert_cmpuint(receiver.last.uid, ==, 0);
        g_assert_cmpint(receiver.last.pid, ==, getpid());
        receiver_done(&receiver);
}

static void bind_for_other(Receiver *receiver, int kept) {
        struct stat status;

        (void) close(notify_socket_leave(g_steal_pointer(&receiver->socket)));
        g_assert_cmpint(notify_socket_adopt(
                                        receiver->event,
                                        kept,
                                        receiver->path,
                                        OTHER_UID,
                                        on_message,
                                        receiver,
                                        &receiver->socket),
                        ==,
                        0);
        g_assert_cmpint(lstat(receiver->path, &status), ==, 0);
        g_assert_cmpuint(status.st_uid, ==, OTHER_UID);
        g_assert_cmpint(status.st_mode, ==, S_IFSOCK | 0600);
}

/* One that died before it gave the socket to its user; and one that did not. */
static void test_other_user_again(void) {
        Receiver receiver;

        if (geteuid() != 0) {
                g_test_skip("not root");
                return;
        }
        receiver_init(&receiver);
        g_assert_cmpint(chmod(receiver.folder, 0711), ==, 0);
        bind_for_other(&receiver, fcntl(notify_socket_get_fd(receiver.socket), F_DUPFD_CLOEXEC, 3));
        bind_for_other(&receiver, -EBADF);
        int kept = fcntl(notify_socket_get_fd(receiver.socket), F_DUPFD_CLOEXEC, 3);
        bind_for_other(&receiver, kept);
        g_assert_cmpint(notify_socket_get_fd(receiver.socket), ==, kept);
        reap(run_child(become_other_and_notify, NULL));
        wait_for(&receiver, 1);
        receiver_done(&receiver);
}

typedef struct BarrierRun {
        Receiver receiver;
        volatile guint *n_handled; /* in memory that is shared with the child */
} BarrierRun;

static void count_message(void *userdata, const char *text, size_t length, const NotifySender *sender) {
        BarrierRun *run = userdata;

        ++*run->n_handled;
        on_message(&run->receiver, text, length, sender);
}

/* Ends well only if all that it said before was handled when the barrier lets it go. */
static void notify_and_wait(void *userdata) {
        const BarrierRun *run = userdata;

        for (guint i = 1; i <= 5; i++) {
                if (sd_notify(0, "WATCHDOG=1") <= 0 || sd_notify_barrier(0, UINT64_MAX) < 0 ||
                    *run->n_handled < 2 * i - 1) {
                        _exit(1);
                }
        }
}

static void test_barrier(void) {
        BarrierRun run;

        receiver_init(&run.receiver);
        notify_socket_free(run.receiver.socket);
        g_assert_cmpint(notify_socket_new(
                                        run.receiver.event,
                                        run.receiver.path,
                                        geteuid(),
                                        count_message,
                                        &run,
                                        &run.receiver.socket),
                        ==,
                        0);
        run.n_handled = mmap(NULL, sizeof(guint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        g_assert_true(run.n_handled != MAP_FAILED);
        see_through(&run.receiver, run_child(notify_and_wait, &run));
        g_assert_cmpuint(*run.n_handled, ==, 10);
        g_assert_cmpstr(text_at(&run.receiver, 9), ==, "BARRIER=1");
        g_assert_cmpint(munmap((void *) run.n_handled, sizeof(guint)), ==, 0);
        receiver_done(&run.receiver);
}

static bool has_hung_up(void *userdata) {
        struct pollfd pollfd = { .fd = *(const int *) userdata };

        return poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLHUP;
}

/* As many as fit a message: none of them becomes ours, all are closed, and what follows is read. */
static void test_fds(void) {
        Receiver receiver;
        int ends[2], fds[FDS_MAX];

        receiver_init(&receiver);
        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        for (int i = 0; i < FDS_MAX; i++) {
                fds[i] = ends[1];
        }
        test_event_drain(receiver.event);
        g_assert_cmpint(sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=x", fds, 1), >, 0);
        g_assert_cmpint(sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=y", fds, FDS_MAX), >, 0);
        g_assert_cmpint(sd_notify(0, "READY=1"), >, 0);
        (void) close(ends[1]);
        guint before = count_fds();
        g_assert_false(has_hung_up(&ends[0]));
        wait_for(&receiver, 1);
        g_assert_cmpuint(receiver.n_fds_handler, ==, before);
        g_assert_false(has_hung_up(&ends[0])); /* there is a second */
        wait_for(&receiver, 3);
        g_assert_cmpstr(text_at(&receiver, 1), ==, "FDSTORE=1\nFDNAME=y");
        g_assert_cmpstr(text_at(&receiver, 2), ==, "READY=1");
        test_event_wait(receiver.event, has_hung_up, &ends[0], "the fds to be closed");
        test_event_drain(receiver.event);
        g_assert_cmpuint(count_fds(), ==, before);
        (void) close(ends[0]);
        receiver_done(&receiver);
}

/* None of ours is needed for those of others; and where no child can be made, it is done when one can. */
static void test_no_descriptors_left(void) {
        Receiver receiver;
        struct rlimit limit;
        int ends[2];

        receiver_init(&receiver);
        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        g_assert_cmpint(sd_pid_notify_with_fds(0, 0, "BARRIER=1", &ends[1], 1), >, 0);
        (void) close(ends[1]);
        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        struct rlimit none = { .rlim_cur = 0, .rlim_max = limit.rlim_max };
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
        g_assert_cmpint(sd_event_run(receiver.event, UINT64_MAX), >, 0);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        g_assert_cmpuint(receiver.texts->len, ==, 1);
        test_event_wait(receiver.event, has_hung_up, &ends[0], "the fd to be closed");
        (void) close(ends[0]);
        receiver_done(&receiver);
}

/* A connection with unsent data that wants to linger: to close it last takes that long. */
static int lingering_fd(int *ret_peer) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_SECONDS };
        socklen_t size = sizeof(address);
        static const char zeros[64 * 1024];
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_assert_cmpint(bind(listener, (struct sockaddr *) &address, size), ==, 0);
        g_assert_cmpint(listen(listener, 1), ==, 0);
        g_assert_cmpint(getsockname(listener, (struct sockaddr *) &address, &size), ==, 0);
        g_assert_cmpint(connect(fd, (struct sockaddr *) &address, size), ==, 0);
        while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT) > 0) {
        }
        g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), ==, 0);
        *ret_peer = listener;
        return fd;
}

static void send_lingering(const char *text, int *ret_peer) {
        int fd = lingering_fd(ret_peer);

        g_assert_cmpint(sd_pid_notify_with_fds(0, 0, text, &fd, 1), >, 0);
        (void) close(fd); /* the queue has the last */
}

/* Its own socket waits for it, no other and not the loop. */
static void test_lingering(void) {
        Receiver receiver, other;
        int peers[2];
        gint64 start = g_get_monotonic_time();

        receiver_init(&receiver);
        send_lingering("X_FIRST=1", &peers[0]);
        send_lingering("X_SECOND=1", &peers[1]);
        wait_for(&receiver, 1);
        receiver_init(&other);
        g_assert_cmpint(sd_notify(0, "READY=1"), >, 0);
        wait_for(&other, 1);
        notify_socket_free(g_steal_pointer(&other.socket));
        test_event_drain(receiver.event);
        g_assert_cmpuint(receiver.texts->len, ==, 1);
        g_assert_cmpstr(text_at(&receiver, 0), ==, "X_FIRST=1");
        receiver_done(&receiver);
        receiver_done(&other);
        g_assert_cmpint(g_get_monotonic_time() - start, <, LINGER_SECONDS * G_TIME_SPAN_SECOND / 2);
        (void) close(peers[0]);
        (void) close(peers[1]);
}

/* Nor does the end of a socket that was never read. */
static void test_lingering_unread(void) {
        Receiver receiver;
        int peers[2];
        gint64 start = g_get_monotonic_time();

        receiver_init(&receiver);
        g_assert_cmpint(sd_notify(0, "READY=1"), >, 0);
        send_lingering("X_FIRST=1", &peers[0]);
        send_lingering("X_SECOND=1", &peers[1]);
        receiver_done(&receiver);
        g_assert_cmpint(g_get_monotonic_time() - start, <, LINGER_SECONDS * G_TIME_SPAN_SECOND / 2);
        (void) close(peers[0]);
        (void) close(peers[1]);
}

static void test_length(void) {
        g_autofree char *text = g_strnfill(NOTIFY_DATAGRAM_BYTES_MAX + 1, 'x');
        Receiver receiver;
        int ends[2];

        receiver_init(&receiver);
        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        _cleanup_close_ int client = connect_to(receiver.path);
        send_bytes(client, text, NOTIFY_DATAGRAM_BYTES_MAX);
        send_bytes(client, text, NOTIFY_DATAGRAM_BYTES_MAX + 1);
        send_bytes(client, "READY=1", 7);
        g_assert_cmpint(sd_pid_notify_with_fds(0, 0, text, &ends[1], 1), >, 0); /* too long, with an fd */
        (void) close(ends[1]);
        wait_for(&receiver, 2);
        g_assert_cmpuint(strlen(text_at(&receiver, 0)), ==, NOTIFY_DATAGRAM_BYTES_MAX);
        g_assert_cmpstr(text_at(&receiver, 1), ==, "READY=1");
        test_event_wait(receiver.event, has_hung_up, &ends[0], "the fd to be closed");
        g_assert_cmpuint(receiver.texts->len, ==, 2);
        g_assert_cmpuint(receiver.n_too_long, ==, 2);
        (void) close(ends[0]);
        receiver_done(&receiver);
}

enum {
        FLOOD = 800,
        FLOOD_TWO_TURNS = 2 * 16,
        FLOOD_PER_INTERVAL = 256,
        FLOOD_MSEC_MIN = (FLOOD - 1) / FLOOD_PER_INTERVAL * 100,
};

static void flood(void *userdata) {
        for (int i = 0; i < FLOOD; i++) {
                if (sd_notify(0, "WATCHDOG=1") <= 0) {
                        _exit(1);
                }
        }
}

typedef struct Neighbour {
        const Receiver *flooded;
        guint seen, longest;
} Neighbour;

static int on_neighbour(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Neighbour *neighbour = userdata;
        guint n = neighbour->flooded->texts->len;

        neighbour->longest = MAX(neighbour->longest, n - neighbour->seen);
        neighbour->seen = n;
        return 0;
}

/* The sender waits; everybody else in the loop has a turn in between, and nothing is lost. */
static void test_flood(void) {
        Receiver receiver, other;
        Neighbour neighbour = { .flooded = &receiver };
        sd_event_source *source = NULL;

        receiver_init(&receiver);
        gint64 start = g_get_monotonic_time();
        pid_t pid = run_child(flood, NULL);
        _cleanup_close_ int always = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        g_assert_cmpint(sd_event_add_io(receiver.event, &source, always, POLLIN, on_neighbour, &neighbour),
                        >=,
                        0);
        wait_for(&receiver, FLOOD);
        gint64 took_msec = (g_get_monotonic_time() - start) / G_TIME_SPAN_MILLISECOND;
        g_assert_cmpuint(neighbour.longest, >, 0);
        g_assert_cmpuint(neighbour.longest, <=, FLOOD_TWO_TURNS); /* on either side of its own */
        g_assert_cmpint(took_msec, >=, FLOOD_MSEC_MIN);
        reap(pid);
        (void) sd_event_source_disable_unref(source);
        /* And who does not flood is heard at once. */
        receiver_init(&other);
        g_assert_cmpint(sd_notify(0, "READY=1"), >, 0);
        test_event_drain(other.event);
        g_assert_cmpuint(other.texts->len, ==, 1);
        receiver_done(&other);
        receiver_done(&receiver);
}

/* What is left in the queue goes with it. */
static void test_freed_inside(void) {
        Receiver receiver;

        receiver_init(&receiver);
        _cleanup_close_ int client = connect_to(receiver.path);
        guint before = count_fds();
        send_bytes(client, "STOPPING=1", 10);
        send_bytes(client, "READY=1", 7);
        g_assert_cmpint(sd_pid_notify_with_fds(0, 0, "READY=1", (const int[]){ STDIN_FILENO }, 1), >, 0);
        receiver.free_inside = true;
        wait_for(&receiver, 1);
        test_event_drain(receiver.event);
        g_assert_cmpuint(receiver.texts->len, ==, 1);
        g_assert_null(receiver.socket);
        g_assert_cmpint(access(receiver.path, F_OK), ==, -1);
        g_assert_cmpint(send(client, "x", 1, 0), ==, -1);
        while (count_fds() > before - 1) { /* of the child that closes */
                g_assert_cmpint(sd_event_run(receiver.event, UINT64_MAX), >=, 0);
        }
        receiver_done(&receiver);
}

static Receiver *adopt(Receiver *receiver, int fd) {
        g_assert_null(receiver->socket);
        g_assert_cmpint(notify_socket_adopt(
                                        receiver->event,
                                        fd,
                                        receiver->path,
                                        geteuid(),
                                        on_message,
                                        receiver,
                                        &receiver->socket),
                        ==,
                        0);
        return receiver;
}

/* Everything that was said in between, and what was being handled, reaches the successor. */
static void test_successor(void) {
        Receiver receiver;

        receiver_init(&receiver);
        _cleanup_close_ int client = connect_to(receiver.path);
        int kept = fcntl(notify_socket_get_fd(receiver.socket), F_DUPFD_CLOEXEC, 3);
        send_bytes(client, "READY=1", 7);
        receiver.leave_inside = true;
        wait_for(&receiver, 1);
        g_assert_null(receiver.socket);
        receiver.leave_inside = false;
        send_bytes(client, "WATCHDOG=1", 10);
        g_assert_cmpint(sd_notify(0, "STATUS=x"), >, 0);
        g_assert_cmpint(notify_socket_get_fd(adopt(&receiver, kept)->socket), ==, kept);
        wait_for(&receiver, 4);
        g_assert_cmpstr(text_at(&receiver, 1), ==, "READY=1"); /* once more */
        g_assert_cmpstr(text_at(&receiver, 2), ==, "WATCHDOG=1");
        g_assert_cmpstr(text_at(&receiver, 3), ==, "STATUS=x");
        receiver_done(&receiver);
}

/* Nobody kept it: the name is bound again, and whoever looks it up is heard. */
static void test_successor_without(void) {
        Receiver receiver;

        receiver_init(&receiver);
        (void) close(notify_socket_leave(g_steal_pointer(&receiver.socket)));
        g_assert_cmpint(sd_notify(0, "READY=1"), ==, -ECONNREFUSED);
        (void) adopt(&receiver, -EBADF);
        g_assert_cmpint(sd_notify(0, "READY=1"), >, 0);
        wait_for(&receiver, 1);
        receiver_done(&receiver);
}

static void assert_bound_anew(Receiver *receiver, int fd) {
        struct stat before, after;

        g_assert_cmpint(fstat(fd, &before), ==, 0);
        g_assert_cmpint(notify_socket_get_fd(adopt(receiver, fd)->socket), >=, 0);
        g_assert_cmpint(fstat(notify_socket_get_fd(receiver->socket), &after), ==, 0);
        g_assert_true(before.st_ino != after.st_ino || before.st_dev != after.st_dev);
        g_assert_cmpint(sd_notify(0, "READY=1"), >, 0);
        g_ptr_array_set_size(receiver->texts, 0);
        wait_for(receiver, 1);
        (void) close(notify_socket_leave(g_steal_pointer(&receiver->socket)));
}

/* What is kept is not what it is said to be. */
static void test_successor_wrong(void) {
        Receiver receiver, other;
        int pair[2];

        receiver_init(&other);
        receiver_init(&receiver);
        int kept = fcntl(notify_socket_get_fd(receiver.socket), F_DUPFD_CLOEXEC, 3);
        int theirs = fcntl(notify_socket_get_fd(other.socket), F_DUPFD_CLOEXEC, 3);
        (void) close(notify_socket_leave(g_steal_pointer(&receiver.socket)));
        assert_bound_anew(&receiver, open("/dev/null", O_RDONLY | O_CLOEXEC));
        assert_bound_anew(&receiver, theirs);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
        assert_bound_anew(&receiver, pair[0]);
        (void) close(pair[1]);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), ==, 0);
        assert_bound_anew(&receiver, pair[0]);
        (void) close(pair[1]);
        g_assert_cmpint(unlink(receiver.path), ==, 0);
        assert_bound_anew(&receiver, kept); /* nobody finds it any more */
        receiver_done(&receiver);
        receiver_done(&other);
}

static int try_new(Receiver *receiver, const char *path) {
        NotifySocket *socket = NULL;

        int r = notify_socket_new(receiver->event, path, geteuid(), on_message, receiver, &socket);
        g_assert_null(socket);
        return r;
}

static void test_paths(void) {
        Receiver receiver;
        struct stat status;

        receiver_init(&receiver);
        g_assert_cmpint(lstat(receiver.path, &status), ==, 0);
        g_assert_cmpint(status.st_mode, ==, S_IFSOCK | 0600);
        guint before = count_fds();
        g_autofree char *long_name = g_strnfill(108, 'x'), *nowhere = test_path(receiver.folder, "a/b");
        g_autofree char *file = test_file_write(receiver.folder, "file", "kept");
        g_autofree char *link = test_path(receiver.folder, "link");
        g_assert_cmpint(try_new(&receiver, long_name), ==, -ENAMETOOLONG);
        g_assert_cmpint(try_new(&receiver, nowhere), ==, -ENOENT);
        g_assert_cmpint(try_new(&receiver, file), ==, -EEXIST);
        g_assert_cmpint(try_new(&receiver, receiver.folder), ==, -EEXIST);
        g_assert_cmpint(symlink(receiver.path, link), ==, 0);
        g_assert_cmpint(try_new(&receiver, link), ==, -EEXIST);
        g_autofree char *text = test_file_read(file);
        g_assert_cmpstr(text, ==, "kept");
        g_assert_cmpuint(count_fds(), ==, before);
        /* An old socket is replaced, with its queue. */
        g_assert_cmpint(sd_notify(0, "READY=1"), >, 0);
        (void) close(notify_socket_leave(receiver.socket));
        receiver_bind(&receiver);
        test_event_drain(receiver.event);
        g_assert_cmpuint(receiver.texts->len, ==, 0);
        notify_socket_free(g_steal_pointer(&receiver.socket));
        g_assert_cmpint(access(receiver.path, F_OK), ==, -1);
        notify_socket_free(NULL);
        g_assert_cmpint(notify_socket_leave(NULL), <, 0);
        receiver_done(&receiver);
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/notify-socket/order", test_order);
        g_test_add_func("/platform/notify-socket/systemd-notify", test_systemd_notify);
        g_test_add_func("/platform/notify-socket/sender-gone", test_sender_gone);
        g_test_add_func("/platform/notify-socket/other-user", test_other_user);
        g_test_add_func("/platform/notify-socket/other-user-again", test_other_user_again);
        g_test_add_func("/platform/notify-socket/barrier", test_barrier);
        g_test_add_func("/platform/notify-socket/fds", test_fds);
        g_test_add_func("/platform/notify-socket/no-descriptors-left", test_no_descriptors_left);
        g_test_add_func("/platform/notify-socket/lingering", test_lingering);
        g_test_add_func("/platform/notify-socket/lingering-unread", test_lingering_unread);
        g_test_add_func("/platform/notify-socket/length", test_length);
        g_test_add_func("/platform/notify-socket/flood", test_flood);
        g_test_add_func("/platform/notify-socket/freed-inside", test_freed_inside);
        g_test_add_func("/platform/notify-socket/successor", test_successor);
        g_test_add_func("/platform/notify-socket/successor-without", test_successor_without);
        g_test_add_func("/platform/notify-socket/successor-wrong", test_successor_wrong);
        g_test_add_func("/platform/notify-socket/paths", test_paths);
        return g_test_run();
}
