/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cluster/worker-state.h"

#include "core/variant-bytes.h"

#include <string.h>

#define STATE_TYPE "(bbbbta(usxbb)a(xu))"

static void free_claim(void *item) {
        ClusterClaim *claim = item;

        g_free(claim->key);
        g_free(claim);
}

void cluster_worker_state_init(ClusterWorkerState *state) {
        *state = (ClusterWorkerState){
                .claims = g_ptr_array_new_with_free_func(free_claim),
                .flights = g_array_new(FALSE, FALSE, sizeof(ClusterFlight)),
        };
}

void cluster_worker_state_done(ClusterWorkerState *state) {
        g_clear_pointer(&state->claims, g_ptr_array_unref);
        g_clear_pointer(&state->flights, g_array_unref);
}

ClusterClaim *cluster_worker_state_claim(
                ClusterWorkerState *state, uint32_t listener, const char *key, int64_t query_seq) {
        ClusterClaim *claim = g_new0(ClusterClaim, 1);

        claim->listener = listener;
        claim->key = g_strdup(key);
        claim->query_seq = query_seq;
        g_ptr_array_add(state->claims, claim);
        return claim;
}

ClusterClaim *cluster_worker_state_find_key(const ClusterWorkerState *state, const char *key) {
        for (guint i = 0; i < state->claims->len; i++) {
                ClusterClaim *claim = state->claims->pdata[i];
                if (strcmp(claim->key, key) == 0) {
                        return claim;
                }
        }
        return NULL;
}

ClusterClaim *cluster_worker_state_find_listener(const ClusterWorkerState *state, uint32_t listener) {
        for (guint i = 0; i < state->claims->len; i++) {
                ClusterClaim *claim = state->claims->pdata[i];
                if (claim->listener == listener) {
                        return claim;
                }
        }
        return NULL;
}

GBytes *cluster_worker_state_encode(const ClusterWorkerState *state) {
        GVariantBuilder claims, flights;

        g_variant_builder_init(&claims, G_VARIANT_TYPE("a(usxbb)"));
        for (guint i = 0; i < state->claims->len; i++) {
                const ClusterClaim *claim = state->claims->pdata[i];
                g_variant_builder_add(
                                &claims,
                                "(usxbb)",
                                (guint32) claim->listener,
                                claim->key,
                                (gint64) claim->query_seq,
                                (gboolean) claim->round_robin,
                                (gboolean) claim->answered);
        }
        g_variant_builder_init(&flights, G_VARIANT_TYPE("a(xu)"));
        for (guint i = 0; i < state->flights->len; i++) {
                const ClusterFlight *flight = &g_array_index(state->flights, ClusterFlight, i);
                g_variant_builder_add(&flights, "(xu)", (gint64) flight->seq, (guint32) flight->listener);
        }
        return variant_to_bytes(
                        g_variant_new(STATE_TYPE,
                                      (gboolean) state->prefixed,
                                      (gboolean) state->leaving,
                                      (gboolean) state->intended,
                                      (gboolean) state->counted,
                                      (guint64) state->accepted,
                                      &claims,
                                      &flights));
}

static void take_claims(GVariantIter *iterator, ClusterWorkerState *state) {
        guint32 listener;
        const char *key;
        gint64 query_seq;
        gboolean round_robin, answered;

        while (state->claims->len < CLUSTER_CLAIMS_MAX &&
               g_variant_iter_next(
                               iterator, "(u&sxbb)", &listener, &key, &query_seq, &round_robin, &answered)) {
                ClusterClaim *claim = cluster_worker_state_claim(state, listener, key, query_seq);
                claim->round_robin = round_robin;
                claim->answered = answered;
        }
}

static void take_flights(GVariantIter *iterator, ClusterWorkerState *state) {
        gint64 seq;
        guint32 listener;

        while (state->flights->len < CLUSTER_FLIGHTS_MAX &&
               g_variant_iter_next(iterator, "(xu)", &seq, &listener)) {
                const ClusterFlight flight = { .seq = seq, .listener = listener, .fd = -1 };
                g_array_append_val(state->flights, flight);
        }
}

bool cluster_worker_state_decode(const void *bytes, size_t size, ClusterWorkerState *state) {
        g_autoptr(GVariant) variant = variant_from_bytes(bytes, size, STATE_TYPE);
        g_autoptr(GVariantIter) claims = NULL, flights = NULL;
        gboolean prefixed, leaving, intended, counted;
        guint64 accepted;

        if (!variant) {
                return false;
        }
        g_variant_get(variant,
                      STATE_TYPE,
                      &prefixed,
                      &leaving,
                      &intended,
                      &counted,
                      &accepted,
                      &claims,
                      &flights);
        state->prefixed = prefixed;
        state->leaving = leaving;
        state->intended = intended;
        state->counted = counted;
        state->accepted = accepted;
        take_claims(claims, state);
        take_flights(flights, state);
        return true;
}
