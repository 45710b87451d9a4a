/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where we accept (cluster_sched=rr, and Deno): a connection is accepted when a worker has room for it, and
 * kept until that worker has taken it. What it refuses, or leaves behind when it ends, is given to another,
 * or waits for one: a worker says that it takes a connection before it can have read anything of it, so
 * nothing is done twice. What is lost with us is what was accepted and is at no worker: a few instructions,
 * unless all workers refuse. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "manager/cluster-internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PAUSE_USEC     (10 * USEC_PER_MSEC) /* doubled as long as all refuse */
#define PAUSE_MAX_USEC (160 * USEC_PER_MSEC)

enum {
        ACCEPTS_MAX = 64, /* before others have their turn */
};

static ClusterClaim *claim_of(const ClusterWorker *worker, const ClusterListener *listener) {
        return cluster_worker_state_find_listener(&worker->state, listener_number(listener->listener));
}

static bool may_get_one(const ClusterWorker *worker, const ClusterListener *listener) {
        const ClusterClaim *claim = claim_of(worker, listener);

        return claim && claim->round_robin && claim->answered && !claim->resting && !worker->state.leaving &&
               worker->state.flights->len < CLUSTER_FLIGHTS_MAX && cluster_worker_can_be_sent(worker);
}

/* Of those with the fewest connections on their way, the next in turn; NULL: nobody has room. */
static ClusterWorker *choose(const ClusterListener *listener, guint *ret_place) {
        ClusterWorker *chosen = NULL;

        for (guint i = 0; i < listener->workers->len; i++) {
                guint place = (listener->turn + i) % listener->workers->len;
                ClusterWorker *worker = listener->workers->pdata[place];
                if (may_get_one(worker, listener) &&
                    (!chosen || worker->state.flights->len < chosen->state.flights->len)) {
                        chosen = worker;
                        *ret_place = place;
                }
        }
        return chosen;
}

/* False: it cannot be sent to now, and is no candidate any more. */
static bool hand_to(ClusterListener *listener, ClusterWorker *worker, int fd) {
        const ClusterFlight flight = {
                .seq = worker->next_seq,
                .listener = listener_number(listener->listener),
                .fd = fd,
        };
        g_autofree char *message = cluster_write_connection(claim_of(worker, listener)->key, flight.seq);
        g_autofree char *text = cluster_write_envelope(false, message);

        if (cluster_worker_send_handle(worker, text, fd, (ClusterSent){ .seq = flight.seq }) < 0) {
                return false;
        }
        worker->next_seq++;
        g_array_append_val(worker->state.flights, flight);
        return true;
}

/* False: nobody has room. The fd is taken if it was handed out. */
static bool hand_out(ClusterListener *listener, int fd) {
        guint place = 0;

        for (;;) {
                ClusterWorker *worker = choose(listener, &place);
                if (!worker) {
                        return false;
                }
                if (hand_to(listener, worker, fd)) {
                        listener->turn = place + 1;
                        return true;
                }
                if (cluster_worker_can_be_sent(worker)) {
                        return false; /* it would be chosen again */
                }
        }
}

static void arm_pause(ClusterListener *listener);

/* Of the connection that came, or of the network that it came by: the next one may be good (accept(2)). */
static bool is_passing(int error) {
        static const int errors[] = {
                ECONNABORTED, EINTR,     EPROTO,       EPERM,       ENETDOWN,
                ENOPROTOOPT,  EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, ENONET,
        };

        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                if (errors[i] == error) {
                        return true;
                }
        }
        return false;
}

static int on_acceptable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ClusterListener *listener = userdata;
        guint place;

        for (unsigned i = 0; i < ACCEPTS_MAX && choose(listener, &place); i++) {
                int connection = CHANGE(
                                "cluster-accept", accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
                if (connection < 0 && errno == EAGAIN) {
                        break;
                }
                if (connection < 0 && !is_passing(errno)) { /* no fds, no memory */
                        listener->starved = true;
                        arm_pause(listener);
                        break;
                }
                if (connection >= 0 && !hand_out(listener, connection)) {
                        g_array_append_val(listener->waiting, connection);
                        break;
                }
        }
        cluster_rr_go_on(listener);
        return 0;
}

static void watch(ClusterListener *listener, bool wanted) {
        int r = 0;

        if (listener->accept_source) {
                r = sd_event_source_set_enabled(
                                listener->accept_source, wanted ? SD_EVENT_ON : SD_EVENT_OFF);
        } else if (wanted) {
                r =
                                sd_event_add_io(listener->manager->event,
                                                &listener->accept_source,
                                                listener_fd(listener->listener),
                                                EPOLLIN,
                                                on_acceptable,
                                                listener);
        }
        if (r < 0) {
                (void) log_error_errno(r, "'%s': nothing can be accepted: %m", listener->name);
        }
}

void cluster_rr_go_on(ClusterListener *listener) {
        GArray *waiting = listener->waiting;
        guint place, given = 0;

        if (listener->manager->detached) {
                return;
        }
        while (given < waiting->len && hand_out(listener, g_array_index(waiting, int, given))) {
                given++;
        }
        (void) g_array_remove_range(waiting, 0, given);
        watch(listener, waiting->len == 0 && !listener->starved && choose(listener, &place));
}

void cluster_rr_go_on_all(const ClusterWorker *worker) {
        for (guint i = 0; i < worker->state.claims->len; i++) {
                const ClusterClaim *claim = worker->state.claims->pdata[i];
                ClusterListener *listener = claim->round_robin ? cluster_listener_find(
                                                                                 worker->handle->manager,
                                                                                 claim->listener)
                                                               : NULL;
                if (listener) {
                        cluster_rr_go_on(listener);
                }
        }
}

static int on_paused(sd_event_source *source, uint64_t usec, void *userdata) {
        ClusterListener *listener = userdata;

        listener->starved = false;
        for (guint i = 0; i < listener->workers->len; i++) {
                ClusterClaim *claim = claim_of(listener->workers->pdata[i], listener);
                if (claim) {
                        claim->resting = false;
                }
        }
        cluster_rr_go_on(listener);
        return 0;
}

static void arm_pause(ClusterListener *listener) {
        int enabled = SD_EVENT_OFF, r;

        if (listener->pause_timer) {
                (void) sd_event_source_get_enabled(listener->pause_timer, &enabled);
        }
        if (enabled != SD_EVENT_OFF) {
                return;
        }
        listener->pause_usec = CLAMP(2 * listener->pause_usec, PAUSE_USEC, PAUSE_MAX_USEC);
        if (!listener->pause_timer) {
                r = sd_event_add_time_relative(
                                listener->manager->event,
                                &listener->pause_timer,
                                CLOCK_BOOTTIME,
                                listener->pause_usec,
                                USEC_PER_MSEC,
                                on_paused,
                                listener);
        } else {
                r = sd_event_source_set_time_relative(listener->pause_timer, listener->pause_usec);
                if (r >= 0) {
                        r = sd_event_source_set_enabled(listener->pause_timer, SD_EVENT_ONESHOT);
                }
        }
        if (r < 0) {
                (void) log_error_errno(r, "'%s': no timer: %m", listener->name);
        }
}

/* The worker has it too, and may have told it to wait at its last close: not in our loop. */
void cluster_rr_close(int fd) {
        static const struct linger no_linger = { 0 };

        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger));
        (void) close_fd(fd);
}

void cluster_rr_take_back(const Manager *manager, uint32_t number, int fd) {
        ClusterListener *listener = cluster_listener_find(manager, number);

        if (!listener) { /* it was closed on purpose */
                cluster_rr_close(fd);
                return;
        }
        g_array_append_val(listener->waiting, fd);
        cluster_rr_go_on(listener);
}

/* Whether there was one; it is the caller's now. */
static bool take_flight(ClusterWorker *worker, int64_t seq, ClusterFlight *ret) {
        GArray *flights = worker->state.flights;

        for (guint i = 0; i < flights->len; i++) {
                *ret = g_array_index(flights, ClusterFlight, i);
                if (ret->seq == seq) {
                        (void) g_array_remove_index(flights, i);
                        return true;
                }
        }
        return false;
}

void cluster_rr_answered(ClusterWorker *worker, int64_t seq, bool accepted) {
        const Manager *manager = worker->handle->manager;
        bool was_full = worker->state.flights->len >= CLUSTER_FLIGHTS_MAX;
        ClusterFlight flight;

        if (!take_flight(worker, seq, &flight)) {
                return;
        }
        ClusterListener *listener = cluster_listener_find(manager, flight.listener);
        if (accepted) {
                worker->state.accepted++;
                worker->state.counted = true;
                cluster_rr_close(flight.fd);
                if (listener) {
                        listener->pause_usec = 0;
                }
        } else {
                ClusterClaim *claim = listener ? claim_of(worker, listener) : NULL;
                if (claim) {
                        claim->resting = true;
                        arm_pause(listener);
                }
                cluster_rr_take_back(manager, flight.listener, flight.fd);
        }
        if (was_full) {
                cluster_rr_go_on_all(worker);
        }
}

void cluster_rr_lost(ClusterWorker *worker, int64_t seq) {
        ClusterFlight flight;

        if (take_flight(worker, seq, &flight)) {
                cluster_rr_take_back(worker->handle->manager, flight.listener, flight.fd);
        }
}

void cluster_rr_take_all_back(ClusterWorker *worker) {
        while (worker->state.flights->len > 0) {
                const ClusterFlight flight = g_array_index(worker->state.flights, ClusterFlight, 0);
                (void) g_array_remove_index(worker->state.flights, 0);
                cluster_rr_take_back(worker->handle->manager, flight.listener, flight.fd);
        }
}
