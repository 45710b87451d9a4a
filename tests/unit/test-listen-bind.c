/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Real sockets of this machine, on ports that the kernel chooses. */

#include "cluster/listen-bind.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int bind_text(const char *text) {
        g_auto(ListenAddress) address = { 0 };
        g_autofree char *name = NULL;
        int fd = -EBADF;

        g_assert_cmpint(listen_address_parse(text, &address, &name, NULL), ==, 0);
        int r = listen_bind(&address, &fd);
        return r < 0 ? r : fd;
}

static uint16_t port_of(int fd) {
        struct sockaddr_in6 address;
        socklen_t length = sizeof(address);

        g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &length), ==, 0);
        return ntohs(address.sin6_port); /* at the same place in both families */
}

static int connect_v4(uint16_t port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
}

static int connect_v6(uint16_t port) {
        struct sockaddr_in6 address = { .sin6_family = AF_INET6,
                                        .sin6_port = htons(port),
                                        .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        _cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
}

static bool skip_without_ipv6(void) {
        _cleanup_close_ int fd = bind_text("tcp6:[::1]:0");

        if (fd < 0) {
                g_test_skip("there is no IPv6");
        }
        return fd < 0;
}

static void test_flags(void) {
        _cleanup_close_ int fd = bind_text("tcp:127.0.0.1:0");

        g_assert_cmpint(fd, >=, 0);
        g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        g_assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        g_assert_cmpuint(port_of(fd), >, 0);
        g_assert_cmpint(connect_v4(port_of(fd)), ==, 0);
        g_autofree char *text = listen_fd_to_text(fd);
        g_autofree char *expected = g_strdup_printf("tcp:127.0.0.1:%u", port_of(fd));
        g_assert_cmpstr(text, ==, expected);
}

static void test_both_families(void) {
        if (skip_without_ipv6()) {
                return;
        }
        _cleanup_close_ int fd = bind_text("tcp:0");
        g_assert_cmpint(connect_v4(port_of(fd)), ==, 0);
        g_assert_cmpint(connect_v6(port_of(fd)), ==, 0);
        g_autofree char *text = listen_fd_to_text(fd);
        g_autofree char *expected = g_strdup_printf("tcp:[::]:%u", port_of(fd));
        g_assert_cmpstr(text, ==, expected);
}

static void test_ipv6_alone(void) {
        if (skip_without_ipv6()) {
                return;
        }
        _cleanup_close_ int fd = bind_text("tcp6:0");
        g_assert_cmpint(connect_v4(port_of(fd)), ==, -ECONNREFUSED);
        g_assert_cmpint(connect_v6(port_of(fd)), ==, 0);
        /* So the same port is free for the other family. */
        g_autofree char *other = g_strdup_printf("tcp4:%u", port_of(fd));
        _cleanup_close_ int both = bind_text(other);
        g_assert_cmpint(both, >=, 0);
}

static void test_ipv4_alone(void) {
        _cleanup_close_ int fd = bind_text("tcp4:0");
        g_autofree char *text = listen_fd_to_text(fd);
        g_autofree char *expected = g_strdup_printf("tcp4:%u", port_of(fd));

        g_assert_cmpint(connect_v4(port_of(fd)), ==, 0);
        g_assert_cmpstr(text, ==, expected);
}

/* As RestrictAddressFamilies= of systemd.exec(5) does it, and a kernel without it. */
static void forbid_ipv6(void) {
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = G_N_ELEMENTS(filter), .filter = filter };

        g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
        g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), ==, 0);
}

static void test_fallback_to_ipv4(void) {
        if (g_test_subprocess()) {
                forbid_ipv6();
                _cleanup_close_ int fd = bind_text("tcp:0");
                g_assert_cmpint(fd, >=, 0);
                g_autofree char *text = listen_fd_to_text(fd);
                test_assert_contains(text, "tcp4:");
                g_assert_cmpint(connect_v4(port_of(fd)), ==, 0);
                g_assert_cmpint(bind_text("tcp6:0"), ==, -EAFNOSUPPORT);
                return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
}

static void test_in_use(void) {
        _cleanup_close_ int fd = bind_text("tcp:0");
        g_autofree char *same = g_strdup_printf("tcp:%u", port_of(fd));
        g_autofree char *v4 = g_strdup_printf("tcp4:%u", port_of(fd));
        g_autofree char *one = g_strdup_printf("tcp:127.0.0.1:%u", port_of(fd));

        g_assert_cmpint(bind_text(same), ==, -EADDRINUSE);
        g_assert_cmpint(bind_text(v4), ==, -EADDRINUSE);
        g_assert_cmpint(bind_text(one), ==, -EADDRINUSE);
}

static void test_not_ours(void) {
        g_assert_cmpint(bind_text("tcp:192.0.2.1:0"), ==, -EADDRNOTAVAIL); /* TEST-NET-1 of RFC 5737 */
        g_assert_cmpint(bind_text("tcp:[fe80::1%no-such]:0"), ==, -ENODEV);
}

static void test_datagrams(void) {
        _cleanup_close_ int fd = bind_text("udp:127.0.0.1:0");
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_of(fd)) };
        _cleanup_close_ int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        char text[8];

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        g_assert_cmpint(sendto(sender, "word", 4, 0, (struct sockaddr *) &address, sizeof(address)), ==, 4);
        g_assert_cmpint(recv(fd, text, sizeof(text), 0), ==, 4);
        g_autofree char *same = g_strdup_printf("udp:127.0.0.1:%u", port_of(fd));
        g_assert_cmpint(bind_text(same), ==, -EADDRINUSE);
        g_autofree char *told = listen_fd_to_text(fd);
        g_assert_cmpstr(told, ==, same);
}

/* Both say that they share it. */
static void test_datagrams_that_share(void) {
        ListenAddress address = { .kind = LISTEN_DATAGRAM,
                                  .family = AF_INET,
                                  .host = (char *) "127.0.0.1",
                                  .reuse_address = true };
        int first, second;

        g_assert_cmpint(listen_bind(&address, &first), ==, 0);
        address.port = port_of(first);
        g_assert_cmpint(listen_bind(&address, &second), ==, 0);
        (void) close(first);
        (void) close(second);
}

static void test_backlog(void) {
        static const int samples[][2] = { { 0, LISTEN_BACKLOG }, { 7, 7 } };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                ListenAddress address = { .family = AF_INET,
                                          .host = (char *) "127.0.0.1",
                                          .backlog = samples[i][0] };
                struct tcp_info info;
                socklen_t length = sizeof(info);
                int fd;

                g_assert_cmpint(listen_bind(&address, &fd), ==, 0);
                g_assert_cmpint(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), ==, 0);
                g_assert_cmpuint(
                                info.tcpi_sacked,
                                ==,
                                (guint) samples[i][1]); /* of what listens: its backlog */
                (void) close(fd);
        }
}

typedef struct Folder {
        char *path, *socket, *text;
} Folder;

static void folder_init(Folder *folder) {
        folder->path = test_folder_new();
        folder->socket = test_path(folder->path, "a.sock");
        folder->text = g_strconcat("unix:", folder->socket, NULL);
}

static void folder_done(Folder *folder) {
        test_folder_remove(folder->path);
        g_free(folder->socket);
        g_free(folder->text);
}

static int connect_path(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        return connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
}

static void test_path_lives(void) {
        Folder folder;

        folder_init(&folder);
        _cleanup_close_ int fd = bind_text(folder.text);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(connect_path(folder.socket), ==, 0);
        g_autofree char *told = listen_fd_to_text(fd);
        g_assert_cmpstr(told, ==, folder.text);
        g_assert_cmpint(bind_text(folder.text), ==, -EADDRINUSE); /* it lives */
        g_assert_cmpint(connect_path(folder.socket), ==, 0);
        folder_done(&folder);
}

static void test_stale_path_is_replaced(void) {
        Folder folder;

        folder_init(&folder);
        int fd = bind_text(folder.text);
        ListenFile before = listen_file_of(folder.socket);
        (void) close(fd);
        fd = bind_text(folder.text);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(connect_path(folder.socket), ==, 0);
        /* That of the first is none of ours any more, unless the inode was given out again. */
        ListenFile now = listen_file_of(folder.socket);
        listen_file_remove(folder.socket, (ListenFile){ .device = now.device, .inode = now.inode + 1 });
        g_assert_cmpint(access(folder.socket, F_OK), ==, 0);
        listen_file_remove(folder.socket, now);
        g_assert_cmpint(access(folder.socket, F_OK), <, 0);
        listen_file_remove(folder.socket, before); /* nothing is there */
        (void) close(fd);
        folder_done(&folder);
}

/* What is no socket is somebody's. */
static void test_other_files_stay(void) {
        Folder folder;

        folder_init(&folder);
        test_file_put(folder.path, "a.sock", "precious");
        g_assert_cmpint(bind_text(folder.text), ==, -EADDRINUSE);
        g_autofree char *kept = test_file_read(folder.socket);
        g_assert_cmpstr(kept, ==, "precious");
        g_assert_cmpuint(listen_file_of(folder.socket).inode, ==, 0);
        g_assert_cmpint(unlink(folder.socket), ==, 0);
        g_assert_cmpint(symlink("/nowhere", folder.socket), ==, 0);
        g_assert_cmpint(bind_text(folder.text), ==, -EADDRINUSE);
        g_assert_cmpint(unlink(folder.socket), ==, 0);
        g_autofree char *below = g_strconcat(folder.text, "/b", NULL);
        g_assert_cmpint(bind_text(below), ==, -ENOENT);
        folder_done(&folder);
}

static void test_modes(void) {
        static const struct {
                bool readable, writable;
                mode_t mode;
        } samples[] = {
                { false, false, 0700 },
                { true, false, 0744 },
                { false, true, 0722 },
                { true, true, 0766 },
        };
        mode_t mask = umask(0077);

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                Folder folder;
                struct stat status;
                int fd;

                folder_init(&folder);
                ListenAddress address = { .family = AF_UNIX,
                                          .path = folder.socket,
                                          .readable_all = samples[i].readable,
                                          .writable_all = samples[i].writable };
                g_assert_cmpint(listen_bind(&address, &fd), ==, 0);
                g_assert_cmpint(stat(folder.socket, &status), ==, 0);
                g_assert_cmpuint(status.st_mode & 0777, ==, samples[i].mode);
                (void) close(fd);
                folder_done(&folder);
        }
        (void) umask(mask);
}

static void test_privileged(void) {
        ListenAddress address = { .family = AF_INET, .port = 1 };
        g_autofree char *text = NULL;
        size_t length;

        if (!g_file_get_contents("/proc/sys/net/ipv4/ip_unprivileged_port_start", &text, &length, NULL)) {
                g_test_skip("the system does not say");
                return;
        }
        unsigned long first = strtoul(text, NULL, 10);
        g_assert_cmpint(listen_is_privileged(&address), ==, first > 1);
        address.port = 65535;
        g_assert_cmpint(listen_is_privileged(&address), ==, first > 65535);
        address.port = 0;
        g_assert_false(listen_is_privileged(&address));
        address = (ListenAddress){ .family = AF_UNIX, .path = (char *) "/x" };
        g_assert_false(listen_is_privileged(&address));
}

static void test_no_sockets(void) {
        int fd;

        g_assert_null(listen_fd_to_text(-EBADF));
        _cleanup_close_ int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        g_assert_null(listen_fd_to_text(file));
        g_assert_cmpint(listen_bind(&(ListenAddress){ .family = AF_UNIX }, &fd), ==, -EINVAL);
        g_assert_cmpint(listen_bind(&(ListenAddress){ .family = AF_NETLINK }, &fd), ==, -EINVAL);
        g_assert_cmpint(listen_bind(&(ListenAddress){ .family = AF_INET, .host = (char *) "x" }, &fd),
                        ==,
                        -EINVAL);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/cluster/listen-bind/flags", test_flags);
        g_test_add_func("/cluster/listen-bind/both-families", test_both_families);
        g_test_add_func("/cluster/listen-bind/ipv6-alone", test_ipv6_alone);
        g_test_add_func("/cluster/listen-bind/ipv4-alone", test_ipv4_alone);
        g_test_add_func("/cluster/listen-bind/fallback-to-ipv4", test_fallback_to_ipv4);
        g_test_add_func("/cluster/listen-bind/in-use", test_in_use);
        g_test_add_func("/cluster/listen-bind/not-ours", test_not_ours);
        g_test_add_func("/cluster/listen-bind/datagrams", test_datagrams);
        g_test_add_func("/cluster/listen-bind/datagrams-that-share", test_datagrams_that_share);
        g_test_add_func("/cluster/listen-bind/backlog", test_backlog);
        g_test_add_func("/cluster/listen-bind/path", test_path_lives);
        g_test_add_func("/cluster/listen-bind/stale-path-is-replaced", test_stale_path_is_replaced);
        g_test_add_func("/cluster/listen-bind/other-files-stay", test_other_files_stay);
        g_test_add_func("/cluster/listen-bind/modes", test_modes);
        g_test_add_func("/cluster/listen-bind/privileged", test_privileged);
        g_test_add_func("/cluster/listen-bind/no-sockets", test_no_sockets);
        return g_test_run();
}
