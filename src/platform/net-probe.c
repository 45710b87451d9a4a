/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/net-probe.h"

#include "basic/cleanup.h"
#include "basic/macro.h"
#include "platform/child-job.h"
#include "platform/http-status.h"

#include <arpa/inet.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
        ADDRESSES_MAX = 2,
        BYTES_AT_ONCE = 4096,
        ROUNDS_MAX = 16, /* so many of them for each time that there is something to be read */
};

typedef union SocketAddress {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
} SocketAddress;

struct NetProbe {
        sd_event *event; /* weak */
        ProbeHandler handler;
        void *userdata;
        SocketAddress addresses[ADDRESSES_MAX]; /* to be tried in this order */
        unsigned n_addresses;
        unsigned next;
        int fd;
        sd_event_source *source;
        ChildJob *job; /* connects to a path; NULL: none */
        char *request; /* NULL: a connection is enough */
        uint64_t status_min, status_max;
        HttpStatus status;
};

/* Of the child that connects: what it was given, and what came of it. */
typedef struct ConnectReport {
        int32_t error;
} ConnectReport;

void net_probe_cancel(NetProbe *probe) {
        if (probe) {
                child_job_cancel(probe->job);
                (void) sd_event_source_disable_unref(probe->source);
                (void) close_fd(probe->fd);
                g_free(probe->request);
                g_free(probe);
        }
}

/* why NULL: it went well. */
static void finish_and_invalidate(NetProbe *probe, const char *why) {
        ProbeHandler handler = probe->handler;
        void *userdata = probe->userdata;

        net_probe_cancel(probe);
        handler(userdata, why == NULL, why);
}

static void finish_with_status_and_invalidate(NetProbe *probe, int status) {
        g_autofree char *why = NULL;

        if (status == -EBADMSG) {
                why = g_strdup("the answer is no HTTP");
        } else if (status == -EMSGSIZE) {
                why = g_strdup("the answer does not come to its status");
        } else if ((uint64_t) status < probe->status_min || (uint64_t) status > probe->status_max) {
                why = g_strdup_printf("answered with status %d", status);
        }
        finish_and_invalidate(probe, why);
}

/* What is there of the rest of an answer is taken, so that its sender sees an end and no reset. */
static void drain(int fd) {
        char buffer[BYTES_AT_ONCE];

        for (int i = 0; i < ROUNDS_MAX; i++) {
                if (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) <= 0) {
                        return;
                }
        }
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        NetProbe *probe = userdata;
        char buffer[BYTES_AT_ONCE];

        for (int i = 0; i < ROUNDS_MAX; i++) {
                ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
                if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                        return 0;
                }
                if (n <= 0) {
                        finish_and_invalidate(
                                        probe,
                                        n < 0 ? g_strerror(errno)
                                              : "closed the connection without an answer");
                        return 0;
                }
                int status = http_status_feed(&probe->status, buffer, (size_t) n);
                if (status != 0) {
                        drain(fd);
                        finish_with_status_and_invalidate(probe, status);
                        return 0;
                }
        }
        return 0;
}

static void on_connected_and_invalidate(NetProbe *probe) {
        if (!probe->request) {
                finish_and_invalidate(probe, NULL);
                return;
        }
        size_t length = strlen(probe->request);
        /* no fault point: a question that changes nothing */
        ssize_t n = send(probe->fd, probe->request, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n != (ssize_t) length) {
                finish_and_invalidate(probe, n < 0 ? g_strerror(errno) : "the request cannot be sent");
                return;
        }
        probe->source = sd_event_source_disable_unref(probe->source);
        int r = sd_event_add_io(probe->event, &probe->source, probe->fd, EPOLLIN, on_answer, probe);
        if (r < 0) {
                finish_and_invalidate(probe, g_strerror(-r));
        }
}

static int connect_next(NetProbe *probe);

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        NetProbe *probe = userdata;
        int error = 0;
        socklen_t size = sizeof(error);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
                error = errno;
        }
        if (error == 0) {
                on_connected_and_invalidate(probe);
        } else if (connect_next(probe) < 0) {
                finish_and_invalidate(probe, g_strerror(error));
        }
        return 0;
}

static socklen_t size_of(const SocketAddress *address) {
        return address->any.sa_family == AF_INET    ? sizeof(address->v4)
               : address->any.sa_family == AF_INET6 ? sizeof(address->v6)
                                                    : sizeof(address->local);
}

/* To the first of the addresses that are left which does not refuse at once. */
static int connect_next(NetProbe *probe) {
        int r = -ENOENT;

        while (probe->next < probe->n_addresses) {
                const SocketAddress *address = &probe->addresses[probe->next++];
                probe->source = sd_event_source_disable_unref(probe->source);
                probe->fd = close_fd(probe->fd);
                probe->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                r = probe->fd < 0 ? -errno : RET_NERRNO(connect(probe->fd, &address->any, size_of(address)));
                if (r >= 0 || r == -EINPROGRESS) {
                        return sd_event_add_io(
                                        probe->event,
                                        &probe->source,
                                        probe->fd,
                                        EPOLLOUT,
                                        on_connect,
                                        probe);
                }
        }
        return r;
}

/* In the child: a path may lie on a file system that takes its time, or for ever. The socket stays ours. */
static void connect_to_path(const void *what, void *ret_report) {
        const SocketAddress *address = what;
        ConnectReport *report = ret_report;

        report->error = connect(CHILD_JOB_FD, &address->any, size_of(address)) < 0 ? errno : 0;
}

static void on_path_connected(void *userdata, ChildJobResult result, int error, const void *data) {
        NetProbe *probe = userdata;
        const ConnectReport *report = data;

        probe->job = NULL;
        if (result == CHILD_JOB_DONE) {
                error = report->error;
        }
        if (error != 0) {
                finish_and_invalidate(probe, g_strerror(error));
        } else {
                on_connected_and_invalidate(probe);
        }
}

static int start_path(NetProbe *probe, const NetProbePlan *plan) {
        SocketAddress address = { .local.sun_family = AF_UNIX };

        if (strlen(plan->path) >= sizeof(address.local.sun_path)) {
                return -ENAMETOOLONG;
        }
        memcpy(address.local.sun_path, plan->path, strlen(plan->path));
        probe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (probe->fd < 0) {
                return -errno;
        }
        ChildJobPlan job = {
                .work = connect_to_path,
                .what = &address,
                .report_bytes = sizeof(ConnectReport),
                .fd = probe->fd,
                .user = plan->user,
        };
        return child_job_start(probe->event, &job, on_path_connected, probe, &probe->job);
}

static void add_v4(NetProbe *probe, const char *host, uint16_t port) {
        SocketAddress *address = &probe->addresses[probe->n_addresses];

        *address = (SocketAddress){ .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };
        probe->n_addresses += inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

static void add_v6(NetProbe *probe, const char *host, uint16_t port) {
        SocketAddress *address = &probe->addresses[probe->n_addresses];

        *address = (SocketAddress){ .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) } };
        probe->n_addresses += inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1;
}

static int start_internet(NetProbe *probe, const char *host, uint16_t port) {
        if (!host) {
                add_v4(probe, "127.0.0.1", port);
                add_v6(probe, "::1", port);
        } else if (strchr(host, ':')) {
                add_v6(probe, host, port);
        } else {
                add_v4(probe, host, port);
        }
        return connect_next(probe);
}

int net_probe_start(
                sd_event *event,
                const NetProbePlan *plan,
                ProbeHandler handler,
                void *userdata,
                NetProbe **ret) {
        NetProbe *probe = g_new0(NetProbe, 1);

        *probe = (NetProbe){
                .event = event,
                .handler = handler,
                .userdata = userdata,
                .fd = -EBADF,
                .status_min = plan->status_min,
                .status_max = plan->status_max,
        };
        if (plan->resource) {
                probe->request = g_strdup_printf(
                                "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pm2d-health\r\nAccept: */*\r\n"
                                "Connection: close\r\n\r\n",
                                plan->resource,
                                plan->authority);
        }
        int r = plan->path ? start_path(probe, plan) : start_internet(probe, plan->host, plan->port);
        if (r < 0) {
                net_probe_cancel(probe);
                return r;
        }
        *ret = probe;
        return 0;
}
