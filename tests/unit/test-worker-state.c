/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is known of a worker, and what of it a successor reads. */

#include "cluster/worker-state.h"

#include <string.h>

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ClusterWorkerState, cluster_worker_state_done)

static void fill(ClusterWorkerState *state, guint claims, guint flights) {
        cluster_worker_state_init(state);
        state->prefixed = state->intended = true;
        state->counted = true;
        state->accepted = UINT64_MAX;
        for (guint i = 0; i < claims; i++) {
                g_autofree char *key = g_strdup_printf("key %u", i);
                ClusterClaim *claim = cluster_worker_state_claim(state, i * 7, key, (int64_t) i << 50);
                claim->round_robin = i % 2;
                claim->answered = i % 3 == 0;
                claim->sent = claim->resting = true;
        }
        for (guint i = 0; i < flights; i++) {
                const ClusterFlight flight = { .seq = -(int64_t) i, .listener = i, .fd = 5 };
                g_array_append_val(state->flights, flight);
        }
}

static void assert_same(const ClusterWorkerState *a, const ClusterWorkerState *b) {
        g_assert_true(a->prefixed == b->prefixed && a->leaving == b->leaving && a->intended == b->intended &&
                      a->counted == b->counted && a->accepted == b->accepted);
        for (guint i = 0; i < b->claims->len; i++) {
                const ClusterClaim *first = a->claims->pdata[i], *second = b->claims->pdata[i];
                g_assert_cmpuint(first->listener, ==, second->listener);
                g_assert_cmpstr(first->key, ==, second->key);
                g_assert_cmpint(first->query_seq, ==, second->query_seq);
                g_assert_true(first->round_robin == second->round_robin &&
                              first->answered == second->answered);
                g_assert_false(second->sent || second->resting);
        }
        for (guint i = 0; i < b->flights->len; i++) {
                const ClusterFlight *first = &g_array_index(a->flights, ClusterFlight, i);
                const ClusterFlight *second = &g_array_index(b->flights, ClusterFlight, i);
                g_assert_cmpint(first->seq, ==, second->seq);
                g_assert_cmpuint(first->listener, ==, second->listener);
                g_assert_cmpint(second->fd, <, 0);
        }
}

static void test_round_trip(void) {
        static const guint counts[][2] = {
                { 0, 0 }, { 1, 0 }, { 0, 1 }, { CLUSTER_CLAIMS_MAX, CLUSTER_FLIGHTS_MAX }
        };

        for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
                g_auto(ClusterWorkerState) state = { 0 }, read = { 0 };
                fill(&state, counts[i][0], counts[i][1]);
                cluster_worker_state_init(&read);
                g_autoptr(GBytes) bytes = cluster_worker_state_encode(&state);
                gsize size;
                const void *data = g_bytes_get_data(bytes, &size);
                g_assert_true(cluster_worker_state_decode(data, size, &read));
                g_assert_cmpuint(read.claims->len, ==, counts[i][0]);
                g_assert_cmpuint(read.flights->len, ==, counts[i][1]);
                assert_same(&state, &read);
        }
}

/* More than there can be is not taken; what is cut or changed does no harm. */
static void test_broken(void) {
        g_auto(ClusterWorkerState) state = { 0 }, read = { 0 };

        fill(&state, CLUSTER_CLAIMS_MAX + 5, CLUSTER_FLIGHTS_MAX + 5);
        g_autoptr(GBytes) bytes = cluster_worker_state_encode(&state);
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);
        cluster_worker_state_init(&read);
        g_assert_true(cluster_worker_state_decode(data, size, &read));
        g_assert_cmpuint(read.claims->len, ==, CLUSTER_CLAIMS_MAX);
        g_assert_cmpuint(read.flights->len, ==, CLUSTER_FLIGHTS_MAX);
        for (gsize i = 0; i < size; i++) {
                g_auto(ClusterWorkerState) cut = { 0 }, changed = { 0 };
                g_autofree char *copy = g_memdup2(data, i);
                cluster_worker_state_init(&cut);
                (void) cluster_worker_state_decode(i > 0 ? copy : "", i, &cut);
                g_autofree char *other = g_memdup2(data, size);
                other[i] ^= (char) 0x55;
                cluster_worker_state_init(&changed);
                (void) cluster_worker_state_decode(other, size, &changed);
        }
}

static void test_finding(void) {
        g_auto(ClusterWorkerState) state = { 0 };

        fill(&state, 3, 0);
        g_assert_cmpuint(cluster_worker_state_find_key(&state, "key 1")->listener, ==, 7);
        g_assert_null(cluster_worker_state_find_key(&state, "key"));
        g_assert_cmpstr(cluster_worker_state_find_listener(&state, 14)->key, ==, "key 2");
        g_assert_null(cluster_worker_state_find_listener(&state, 1));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/cluster/worker-state/round-trip", test_round_trip);
        g_test_add_func("/cluster/worker-state/broken", test_broken);
        g_test_add_func("/cluster/worker-state/finding", test_finding);
        return g_test_run();
}
