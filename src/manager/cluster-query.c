/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A worker wants to listen: it gets the listener of its app, which is made for the first one that asks.
 * Either the listener itself goes with the answer, or, where we accept, none does. */

#include "basic/log.h"
#include "core/interpreter.h"
#include "manager/cluster-internal.h"
#include "manager/manager-state.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* What server.address() gives in the worker; NULL for a path. */
static char *sockname_of(const Listener *listener) {
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_storage space;
        } address = { 0 };
        socklen_t size = sizeof(address);
        char text[INET6_ADDRSTRLEN] = "";

        if (getsockname(listener_fd(listener), &address.any, &size) < 0) {
                return NULL;
        }
        if (address.any.sa_family == AF_INET) {
                (void) inet_ntop(AF_INET, &address.in.sin_addr, text, sizeof(text));
                return cluster_write_sockname(AF_INET, text, ntohs(address.in.sin_port));
        }
        if (address.any.sa_family == AF_INET6) {
                (void) inet_ntop(AF_INET6, &address.in6.sin6_addr, text, sizeof(text));
                return cluster_write_sockname(AF_INET6, text, ntohs(address.in6.sin6_port));
        }
        return NULL;
}

/* The answer to the line that is handed out just now; who asks more than it reads has none. */
static void answer(ClusterWorker *worker, const char *text) {
        g_autofree char *line = cluster_worker_frame(worker, text);

        (void) channel_answer(worker->handle->channel, line, strlen(line));
}

static void refuse(ClusterWorker *worker, const ClusterMessage *message, int error) {
        g_autofree char *text = cluster_write_answer(message->seq, error, NULL, NULL, NULL);

        answer(worker, text);
}

/* Deno (2.9.6) takes a listener that it gets and never accepts on it. Datagrams have nothing to accept. */
static bool wants_round_robin(const Process *process, const ListenAddress *address) {
        return address->kind == LISTEN_STREAM && (process->config->cluster_sched == CLUSTER_ROUND_ROBIN ||
                                                  interpreter_is_deno(process->interpreter));
}

static void drop_claim(ClusterWorker *worker, ClusterClaim *claim) {
        ClusterListener *listener = cluster_listener_find(worker->handle->manager, claim->listener);

        (void) g_ptr_array_remove(worker->state.claims, claim); /* which frees it */
        cluster_worker_touch(worker);
        manager_state_save(worker->handle);
        if (listener) {
                cluster_listener_remove_worker(listener, worker);
        }
}

static void answer_without_handle(
                ClusterWorker *worker, const ClusterClaim *claim, const Listener *listener) {
        g_autofree char *sockname = sockname_of(listener);
        g_autofree char *text = cluster_write_answer(
                        claim->query_seq, 0, claim->key, listener_data(listener), sockname);

        answer(worker, text);
}

static void answer_with_handle(ClusterWorker *worker, ClusterClaim *claim, const Listener *listener) {
        g_autofree char *message =
                        cluster_write_answer(claim->query_seq, 0, claim->key, listener_data(listener), NULL);
        g_autofree char *text =
                        cluster_write_envelope(listener_address(listener)->kind == LISTEN_DATAGRAM, message);
        const ClusterSent sent = { .answer = true, .seq = claim->query_seq };

        if (cluster_worker_can_be_sent(worker)) {
                int r = cluster_worker_send_handle(worker, text, listener_fd(listener), sent);
                claim->sent = r >= 0 || r == -EMSGSIZE;
        }
}

void cluster_query_answer_rest(ClusterWorker *worker) {
        for (guint i = 0; i < worker->state.claims->len; i++) {
                ClusterClaim *claim = worker->state.claims->pdata[i];
                const Listener *listener = listeners_by_number(worker->handle->manager, claim->listener);
                if (!claim->round_robin && !claim->answered && !claim->sent && listener) {
                        answer_with_handle(worker, claim, listener);
                }
        }
}

void cluster_query_acknowledged(ClusterWorker *worker, int64_t query_seq, bool arrived) {
        for (guint i = 0; i < worker->state.claims->len; i++) {
                ClusterClaim *claim = worker->state.claims->pdata[i];
                if (claim->query_seq != query_seq || claim->round_robin || claim->answered) {
                        continue;
                }
                claim->sent = claim->answered = arrived;
                if (arrived) {
                        cluster_worker_touch(worker);
                        manager_state_save(worker->handle);
                }
                return;
        }
}

/* The listener of the app, whoever accepts there; NULL: there is none. */
static Listener *find(const Manager *manager, const Process *process, const char *key) {
        g_autofree char *shared = g_strconcat(CLUSTER_KEY_SHARED, key, NULL);
        g_autofree char *round_robin = g_strconcat(CLUSTER_KEY_ROUND_ROBIN, key, NULL);
        Listener *listener = listeners_find(manager, process->owner, process->config->name, shared);

        return listener ? listener
                        : listeners_find(manager, process->owner, process->config->name, round_robin);
}

static int errno_of(const Process *process, int r, const Error *error) {
        log_info("process %" PRIu32 " '%s' cannot listen: %s",
                 process->id,
                 process->config->name,
                 error->message);
        return error->code == ERROR_LIMIT_EXCEEDED ? -EMFILE : r == -ECANCELED ? -EADDRNOTAVAIL : r;
}

/* A reload may give the app another name: what the one that it replaces listens on is held under both.
 * Negative: the errno to be told. */
static int take_of_replaced(Manager *manager, const Process *process, const char *key, Listener **ret) {
        const ProcessHandle *handle = process->handle;
        const Listener *held = handle->role == ROLE_CANDIDATE ? find(manager, handle->twin, key) : NULL;
        g_auto(Error) error = { 0 };

        if (!held) {
                return 0;
        }
        int r = listeners_hold_as_well(manager, held, process->config->name, ret, &error);
        return r < 0 ? errno_of(process, r, &error) : 0;
}

/* Negative: the errno to be told. */
static int open_listener(
                Manager *manager,
                const Process *process,
                const char *key,
                const ListenAddress *address,
                const JsonSpan *data,
                Listener **ret) {
        const char *prefix =
                        wants_round_robin(process, address) ? CLUSTER_KEY_ROUND_ROBIN : CLUSTER_KEY_SHARED;
        g_autofree char *whole = g_strconcat(prefix, key, NULL);
        const char *name = process->config->name;
        g_auto(Error) error = { 0 };

        int r = listeners_open(manager, process->owner, name, whole, address, ret, &error);
        if (r < 0) {
                return errno_of(process, r, &error);
        }
        if (data->start) {
                g_autofree char *text = g_strndup(data->start, data->length);
                (void) listener_set_data(manager, *ret, text);
        }
        return 0;
}

static void claim(
                ClusterWorker *worker, const ClusterMessage *message, Listener *listener, const char *key) {
        ProcessHandle *handle = worker->handle;
        const Process *process = handle->process;
        ClusterClaim *made = cluster_worker_state_claim(
                        &worker->state, listener_number(listener), key, message->seq);

        /* Without a handle the answer is the same instant as the end of the question: see channel_answer().
         */
        made->round_robin = made->answered =
                        g_str_has_prefix(listener_key(listener), CLUSTER_KEY_ROUND_ROBIN);
        cluster_worker_touch(worker);
        manager_state_save(handle);
        if (made->round_robin) {
                answer_without_handle(worker, made, listener);
        } else {
                answer_with_handle(worker, made, listener);
        }
        cluster_listener_add_worker(
                        cluster_listener_of(
                                        handle->manager, listener, process->owner, process->config->name),
                        worker);
}

/* The same question again: we were killed before the first one was over. */
static void answer_again(ClusterWorker *worker, ClusterClaim *of) {
        const Listener *listener = listeners_by_number(worker->handle->manager, of->listener);

        if (listener && of->round_robin) {
                answer_without_handle(worker, of, listener);
        } else if (listener && !of->sent) {
                answer_with_handle(worker, of, listener);
        }
}

/* It has the answer for certain. Of port 0 it names the one that it got, which is no key; there the
 * acknowledgement alone counts. */
void cluster_query_listening(ClusterWorker *worker, const ClusterMessage *message) {
        g_auto(ListenAddress) address = { 0 };
        g_autofree char *key = NULL;

        if (cluster_message_to_address(message, &address, &key) < 0) {
                return;
        }
        ClusterClaim *of = cluster_worker_state_find_key(&worker->state, key);
        if (of && of->sent && !of->answered) {
                of->answered = true;
                cluster_worker_touch(worker);
                manager_state_save(worker->handle);
        }
}

/* What keeps a worker from using one more. Negative errno. */
static int check(const ClusterWorker *worker, const ClusterMessage *message, const ClusterClaim *held) {
        return held                                              ? -EADDRINUSE
               : worker->state.claims->len >= CLUSTER_CLAIMS_MAX ? -EMFILE
               : message->data_too_long                          ? -EMSGSIZE
                                                                 : 0;
}

void cluster_query(ClusterWorker *worker, const ClusterMessage *message) {
        Manager *manager = worker->handle->manager;
        const Process *process = worker->handle->process;
        g_auto(ListenAddress) address = { 0 };
        g_autofree char *key = NULL;

        if (message->seq < 0) {
                return; /* there is nothing to answer to */
        }
        int r = cluster_message_to_address(message, &address, &key);
        if (r < 0) {
                refuse(worker, message, r);
                return;
        }
        ClusterClaim *held = cluster_worker_state_find_key(&worker->state, key);
        if (held && held->query_seq == message->seq) {
                answer_again(worker, held);
                return;
        }
        r = check(worker, message, held);
        Listener *listener = r >= 0 ? find(manager, process, key) : NULL;
        if (r >= 0 && !listener) {
                r = take_of_replaced(manager, process, key, &listener);
        }
        if (r >= 0 && !listener) {
                r = open_listener(manager, process, key, &address, &message->data, &listener);
        }
        if (r < 0) {
                refuse(worker, message, r);
        } else {
                claim(worker, message, listener, key);
        }
}

/* The port stays open for the others; and for the next one where the worker only ends, which it says only
 * when all of its connections have ended unless we told it to. */
void cluster_query_close(ClusterWorker *worker, const char *key) {
        Manager *manager = worker->handle->manager;
        ClusterClaim *claim = cluster_worker_state_find_key(&worker->state, key);

        if (!claim) {
                return;
        }
        uint32_t number = claim->listener;
        drop_claim(worker, claim);
        ClusterListener *listener = cluster_listener_find(manager, number);
        if (listener && listener->workers->len == 0 && !worker->state.leaving) {
                listener_close(manager, listener->listener);
        }
}
