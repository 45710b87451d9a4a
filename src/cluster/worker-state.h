/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What the primary knows of one worker, and a successor has to know. */

enum {
        CLUSTER_CLAIMS_MAX = 32, /* listeners that one worker may use; an app may have twice as many */
        CLUSTER_FLIGHTS_MAX = 8, /* connections on their way to one worker: no protocol limit, and enough */
};

/* A worker uses a listener. */
typedef struct ClusterClaim {
        uint32_t listener; /* its number */
        char *key;         /* by which the worker calls it */
        int64_t query_seq; /* of the query that made it */
        bool round_robin;  /* it was answered without the listener itself */
        bool answered;     /* the worker has the answer for certain */
        bool sent;         /* this and the next are of this supervisor alone: the answer has gone out */
        bool resting;      /* it has refused a connection just now */
} ClusterClaim;

/* A connection that the worker was handed, and of which it has not said yet that it took it. */
typedef struct ClusterFlight {
        int64_t seq;
        uint32_t listener;
        int fd; /* ours; negative: it has been given away */
} ClusterFlight;

typedef struct ClusterWorkerState {
        bool prefixed; /* its own lines begin with 0x02, and so must ours to it: Bun (1.4.5) */
        bool leaving;  /* it was told to disconnect, or does so by itself: no more connections */
        bool intended; /* its end is wanted, by itself or by us */
        bool counted;  /* it is known how many connections it has accepted */
        uint64_t accepted;
        GPtrArray *claims; /* of ClusterClaim */
        GArray *flights;   /* of ClusterFlight */
} ClusterWorkerState;

void cluster_worker_state_init(ClusterWorkerState *state);
/* Their fds are the caller's to close before. */
void cluster_worker_state_done(ClusterWorkerState *state);

ClusterClaim *cluster_worker_state_claim(
                ClusterWorkerState *state, uint32_t listener, const char *key, int64_t query_seq);
ClusterClaim *cluster_worker_state_find_key(const ClusterWorkerState *state, const char *key);
ClusterClaim *cluster_worker_state_find_listener(const ClusterWorkerState *state, uint32_t listener);

GBytes *cluster_worker_state_encode(const ClusterWorkerState *state);
/* False: that is not whole, and the state is as it was. Flights have no fd. */
bool cluster_worker_state_decode(const void *bytes, size_t size, ClusterWorkerState *state);
