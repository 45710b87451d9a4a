/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the cluster's primary. */

#include "cluster/cluster-message.h"
#include "cluster/worker-state.h"
#include "manager/cluster-worker.h"
#include "manager/listeners.h"

/* The keys of our listeners. Who accepts is a part of it and stays as it is for as long as there is the
 * listener: what a worker has had in its hands may block in ours. */
#define CLUSTER_KEY_PREFIX      "cluster:"
#define CLUSTER_KEY_SHARED      CLUSTER_KEY_PREFIX "shared:"
#define CLUSTER_KEY_ROUND_ROBIN CLUSTER_KEY_PREFIX "rr:"

/* A line with an fd that has gone out: what its acknowledgement, which carries no number, is for. */
typedef struct ClusterSent {
        bool answer; /* to a query; else a connection */
        int64_t seq; /* of either */
} ClusterSent;

typedef struct ClusterWorker {
        ProcessHandle *handle; /* weak */
        ClusterWorkerState state;
        int64_t next_seq;
        GArray *sent;   /* of ClusterSent, in their order */
        bool sent_lost; /* an earlier supervisor sent some that are not in it: no acknowledgement counts
                         * until all connections that we handed out have been taken, for by then all have
                         * come */
        bool blocked;   /* its channel has no room */
        sd_event_source *rest_timer; /* enabled: it gets nothing until then */
} ClusterWorker;

/* What the primary does with a listener: its user. */
typedef struct ClusterListener {
        Manager *manager;   /* weak */
        Listener *listener; /* weak */
        uid_t owner;
        char *name;
        GPtrArray *workers; /* of ClusterWorker, weak: those that have a claim to it */

        /* Where we accept. */
        sd_event_source *accept_source; /* NULL: not needed yet */
        GArray *waiting;                /* of int: connections that no worker could take */
        guint turn;                     /* whose turn it is */
        sd_event_source *pause_timer;   /* enabled: those who refuse rest, or nothing can be accepted */
        uint64_t pause_usec;            /* the last one of a row that grows */
        bool starved;                   /* nothing is accepted in this pause */

        sd_event_source *unused_timer; /* enabled: it is closed then */
} ClusterListener;

/* cluster-worker.c */
/* What is to be written down has changed. */
void cluster_worker_touch(ClusterWorker *worker);
/* As it is to be sent to it: with its prefix. Freed by the caller. */
char *cluster_worker_frame(const ClusterWorker *worker, const char *text);
/* Send a line with an fd. Negative: not now, it is to be tried again when it can be sent to; -EMSGSIZE:
 * never. */
int cluster_worker_send_handle(ClusterWorker *worker, const char *text, int fd, ClusterSent sent);
bool cluster_worker_can_be_sent(const ClusterWorker *worker);
/* Nothing more for some milliseconds. */
void cluster_worker_rest(ClusterWorker *worker);

/* A connection that a predecessor has left to us; negative: there is none. */
int cluster_take_left(Manager *manager, const char *name);

/* cluster-query.c */
void cluster_query(ClusterWorker *worker, const ClusterMessage *message);
/* Send what has not been: of shared listeners. */
void cluster_query_answer_rest(ClusterWorker *worker);
void cluster_query_acknowledged(ClusterWorker *worker, int64_t query_seq, bool arrived);
void cluster_query_listening(ClusterWorker *worker, const ClusterMessage *message);
/* It does not listen there any more. */
void cluster_query_close(ClusterWorker *worker, const char *key);

/* cluster-listener.c */
ClusterListener *cluster_listener_of(Manager *manager, Listener *listener, uid_t owner, const char *name);
/* NULL: there is none of that number, or nobody uses it. */
ClusterListener *cluster_listener_find(const Manager *manager, uint32_t number);
void cluster_listener_add_worker(ClusterListener *listener, ClusterWorker *worker);
void cluster_listener_remove_worker(ClusterListener *listener, ClusterWorker *worker);

/* cluster-rr.c */
/* Hand out what waits, and accept if anybody may get it. */
void cluster_rr_go_on(ClusterListener *listener);
void cluster_rr_go_on_all(const ClusterWorker *worker);
/* A connection that no worker has; the fd is taken. */
void cluster_rr_take_back(const Manager *manager, uint32_t number, int fd);
/* Of a connection that a worker has, or had. */
void cluster_rr_close(int fd);
/* What the worker says of one that it was handed. */
void cluster_rr_answered(ClusterWorker *worker, int64_t seq, bool accepted);
/* It arrived without its fd. */
void cluster_rr_lost(ClusterWorker *worker, int64_t seq);
/* All that it has not taken is another's. */
void cluster_rr_take_all_back(ClusterWorker *worker);
