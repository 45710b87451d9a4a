/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The workers of a cluster: what they say, and what is known of them. A claim to a listener is written down
 * before it is answered, so that whoever comes after us answers it too: a second answer is nothing to Node
 * (20.20.2: an ack that it does not wait for is ignored), while a missing one would leave the worker waiting
 * for ever. */

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/cluster-internal.h"
#include "manager/manager-state.h"
#include "manager/readiness.h"

#include <inttypes.h>
#include <string.h>

#define REST_USEC  (50 * USEC_PER_MSEC)
#define BUN_PREFIX '\x02'

static bool is_cluster(const Process *process) {
        return process->config->exec_mode == EXEC_MODE_CLUSTER;
}

char *cluster_worker_variable(const Process *process) {
        return is_cluster(process) ? g_strdup_printf("NODE_UNIQUE_ID=%" PRIu64, (uint64_t) process->id + 1)
                                   : NULL;
}

/* Numbers of connections must not meet those of an earlier supervisor. */
static ClusterWorker *new_worker(ProcessHandle *handle) {
        ClusterWorker *worker = g_new0(ClusterWorker, 1);

        worker->handle = handle;
        worker->next_seq = (int64_t) now_boottime_usec();
        worker->sent = g_array_new(FALSE, FALSE, sizeof(ClusterSent));
        cluster_worker_state_init(&worker->state);
        handle->worker = worker;
        g_ptr_array_add(handle->manager->cluster_workers, worker);
        return worker;
}

void cluster_worker_touch(ClusterWorker *worker) {
        worker->handle->worker_version++;
}

char *cluster_worker_frame(const ClusterWorker *worker, const char *text) {
        return worker->state.prefixed ? g_strdup_printf("%c%s", BUN_PREFIX, text) : g_strdup(text);
}

/* It takes connections again, and answers. */
static void resume(ClusterWorker *worker) {
        cluster_query_answer_rest(worker);
        cluster_rr_go_on_all(worker);
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata) {
        resume(userdata);
        return 0;
}

void cluster_worker_rest(ClusterWorker *worker) {
        int r;

        if (worker->rest_timer) {
                r = sd_event_source_set_time_relative(worker->rest_timer, REST_USEC);
                if (r >= 0) {
                        r = sd_event_source_set_enabled(worker->rest_timer, SD_EVENT_ONESHOT);
                }
        } else {
                r = sd_event_add_time_relative(
                                worker->handle->manager->event,
                                &worker->rest_timer,
                                CLOCK_BOOTTIME,
                                REST_USEC,
                                USEC_PER_MSEC,
                                on_rested,
                                worker);
        }
        if (r < 0) {
                (void) log_error_errno(r, "process %" PRIu32 ": no timer: %m", worker->handle->process->id);
        }
}

bool cluster_worker_can_be_sent(const ClusterWorker *worker) {
        int enabled = SD_EVENT_OFF;

        if (worker->rest_timer) {
                (void) sd_event_source_get_enabled(worker->rest_timer, &enabled);
        }
        return worker->handle->channel && !worker->blocked && enabled == SD_EVENT_OFF;
}

int cluster_worker_send_handle(ClusterWorker *worker, const char *text, int fd, ClusterSent sent) {
        g_autofree char *line = cluster_worker_frame(worker, text);
        int r = channel_send_handle(worker->handle->channel, line, strlen(line), fd);

        if (r >= 0 && !worker->sent_lost) {
                g_array_append_val(worker->sent, sent);
        } else if (r == -EAGAIN) {
                worker->blocked = true; /* until on_room */
        } else if (r < 0 && r != -EMSGSIZE) {
                cluster_worker_rest(worker); /* or it is closed, and we shall hear of that */
        }
        return r;
}

void cluster_worker_on_room(ProcessHandle *handle) {
        if (handle->worker) {
                handle->worker->blocked = false;
                resume(handle->worker);
        }
}

void cluster_worker_begin(ProcessHandle *handle) {
        cluster_worker_free(handle);
        if (is_cluster(handle->process)) {
                cluster_worker_touch(new_worker(handle));
        }
}

void cluster_worker_adopt(ProcessHandle *handle) {
        ClusterWorker *worker = handle->worker;
        Manager *manager = handle->manager;
        const Process *process = handle->process;

        if (!worker) {
                return;
        }
        worker->sent_lost = true;
        for (guint i = worker->state.claims->len; i > 0; i--) {
                const ClusterClaim *claim = worker->state.claims->pdata[i - 1];
                Listener *listener = listeners_by_number(manager, claim->listener);
                if (!listener) {
                        (void) g_ptr_array_remove_index(worker->state.claims, i - 1);
                        continue;
                }
                cluster_listener_add_worker(
                                cluster_listener_of(
                                                manager, listener, process->owner, process->config->name),
                                worker);
        }
        cluster_worker_touch(worker);
        resume(worker);
}

void cluster_worker_end(ProcessHandle *handle) {
        ClusterWorker *worker = handle->worker;

        if (!worker) {
                return;
        }
        worker->rest_timer = sd_event_source_disable_unref(worker->rest_timer);
        g_array_set_size(worker->sent, 0);
        for (guint n; (n = worker->state.claims->len) > 0;) {
                const ClusterClaim *claim = worker->state.claims->pdata[n - 1];
                ClusterListener *listener = cluster_listener_find(handle->manager, claim->listener);
                (void) g_ptr_array_remove_index(worker->state.claims, n - 1);
                if (listener) {
                        cluster_listener_remove_worker(listener, worker);
                }
        }
        cluster_rr_take_all_back(worker);
        cluster_worker_touch(worker);
}

void cluster_worker_free(ProcessHandle *handle) {
        ClusterWorker *worker = handle->worker;

        if (!worker) {
                return;
        }
        cluster_worker_end(handle);
        handle->worker = NULL;
        handle->worker_version++;
        (void) g_ptr_array_remove_fast(handle->manager->cluster_workers, worker);
        cluster_worker_state_done(&worker->state);
        g_array_unref(worker->sent);
        g_free(worker);
}

/* A line with an fd has arrived, with it or without. */
static void take_acknowledgement(ClusterWorker *worker, bool arrived) {
        if (!arrived) {
                cluster_worker_rest(worker);
        }
        if (worker->sent_lost || worker->sent->len == 0) {
                return;
        }
        const ClusterSent sent = g_array_index(worker->sent, ClusterSent, 0);
        (void) g_array_remove_index(worker->sent, 0);
        if (sent.answer) {
                cluster_query_acknowledged(worker, sent.seq, arrived);
        } else if (!arrived) {
                cluster_rr_lost(worker, sent.seq);
        }
}

/* Its acknowledgement came before, and those of all that was sent before it. */
static void forget_sent(ClusterWorker *worker, int64_t seq) {
        for (guint i = 0; i < worker->sent->len; i++) {
                const ClusterSent *sent = &g_array_index(worker->sent, ClusterSent, i);
                if (!sent->answer && sent->seq == seq) {
                        (void) g_array_remove_range(worker->sent, 0, i + 1);
                        return;
                }
        }
}

static void take_answer(ClusterWorker *worker, const ClusterMessage *message) {
        forget_sent(worker, message->ack);
        cluster_rr_answered(worker, message->ack, message->accepted);
        if (worker->sent_lost && worker->state.flights->len == 0) {
                worker->sent_lost = false;
        }
}

static void leave(ClusterWorker *worker, const ClusterMessage *message) {
        worker->state.leaving = worker->state.intended = true;
        cluster_worker_touch(worker);
        manager_state_save(worker->handle);
        if (message->seq >= 0) {
                g_autofree char *text = cluster_write_ack(message->seq);
                g_autofree char *line = cluster_worker_frame(worker, text);
                (void) channel_answer(worker->handle->channel, line, strlen(line));
        }
}

/* Where each worker accepts for itself; where we do, we know better. */
static void take_count(ClusterWorker *worker, int64_t count) {
        if (count >= 0 && (uint64_t) count >= worker->state.accepted) {
                worker->state.accepted = (uint64_t) count;
                worker->state.counted = true;
        }
}

void cluster_worker_take_line_and_invalidate(
                ProcessHandle *handle, const char *line, size_t length, bool prefixed) {
        ClusterWorker *worker = handle->worker;
        g_auto(ClusterMessage) message = { 0 };

        if (!worker || cluster_message_parse(line, length, &message, NULL) < 0) {
                return;
        }
        if (prefixed && !worker->state.prefixed) {
                worker->state.prefixed = true;
                cluster_worker_touch(worker);
                manager_state_save(handle);
        }
        switch (message.kind) {
        case CLUSTER_QUERY_SERVER:
                cluster_query(worker, &message);
                break;
        case CLUSTER_CLOSE:
                if (message.key) {
                        cluster_query_close(worker, message.key);
                }
                break;
        case CLUSTER_HANDLE_ACK:
        case CLUSTER_HANDLE_NACK:
                take_acknowledgement(worker, message.kind == CLUSTER_HANDLE_ACK);
                break;
        case CLUSTER_ANSWER:
                take_answer(worker, &message);
                break;
        case CLUSTER_LEAVE:
                leave(worker, &message);
                break;
        case CLUSTER_COUNT:
                take_count(worker, message.accepted_count);
                break;
        case CLUSTER_LISTENING:
                cluster_query_listening(worker, &message);
                readiness_on_listening_and_invalidate(handle);
                break;
        case CLUSTER_ONLINE:
        case CLUSTER_OTHER:
        default:
                break;
        }
}

bool cluster_worker_ask_to_disconnect(ProcessHandle *handle) {
        ClusterWorker *worker = handle->worker;

        if (!worker || !handle->channel) {
                return false;
        }
        worker->state.leaving = worker->state.intended = true;
        cluster_worker_touch(worker);
        manager_state_save(handle); /* it gets no more, whoever is the primary */
        g_autofree char *text = cluster_write_disconnect();
        g_autofree char *line = cluster_worker_frame(worker, text);
        int r = channel_send(handle->channel, line, strlen(line));
        cluster_rr_go_on_all(worker);
        return r >= 0;
}

bool cluster_worker_means_to_end(const ProcessHandle *handle) {
        return handle->worker && handle->worker->state.intended;
}

bool manager_read_accepted(const Process *process, uint64_t *ret) {
        const ClusterWorker *worker = process->handle->worker;

        if (!worker || !worker->state.counted) {
                return false;
        }
        *ret = worker->state.accepted;
        return true;
}

GBytes *cluster_worker_encode(const ProcessHandle *handle) {
        ClusterWorkerState none;

        if (handle->worker) {
                return cluster_worker_state_encode(&handle->worker->state);
        }
        cluster_worker_state_init(&none);
        GBytes *bytes = cluster_worker_state_encode(&none);
        cluster_worker_state_done(&none);
        return bytes;
}

static char *name_of_flight(const ClusterWorker *worker, int64_t seq) {
        return g_strdup_printf("x%" PRIu32 ".%" PRId64, worker->handle->slot, seq);
}

/* The connections that our predecessor had handed out, and has left to us. */
static void restore_flights(ClusterWorker *worker) {
        Manager *manager = worker->handle->manager;
        const Process *process = worker->handle->process;
        GArray *flights = worker->state.flights;

        for (guint i = flights->len; i > 0; i--) {
                ClusterFlight *flight = &g_array_index(flights, ClusterFlight, i - 1);
                g_autofree char *name = name_of_flight(worker, flight->seq);
                Listener *listener = listeners_by_number(manager, flight->listener);
                flight->fd = cluster_take_left(manager, name);
                if (listener) { /* for when the worker has gone meanwhile */
                        (void) cluster_listener_of(manager, listener, process->owner, process->config->name);
                }
                if (flight->fd < 0) {
                        (void) g_array_remove_index(flights, i - 1);
                }
        }
}

bool cluster_worker_restore(ProcessHandle *handle, const void *bytes, size_t size) {
        handle->worker_version = 1;
        if (!is_cluster(handle->process)) {
                return true;
        }
        ClusterWorker *worker = new_worker(handle);
        bool whole = cluster_worker_state_decode(bytes, size, &worker->state);
        restore_flights(worker);
        return whole;
}

void cluster_save(Manager *manager) {
        for (guint i = 0; i < manager->cluster_workers->len; i++) {
                ClusterWorker *worker = manager->cluster_workers->pdata[i];
                cluster_worker_touch(worker);
                manager_state_save(worker->handle);
        }
}

/* Where there is no handover the service manager keeps it: a service that is restarted. */
static void leave_one(Manager *manager, Handover *handover, const char *name, int fd) {
        if (handover) {
                handover_take(handover, name, fd);
        } else {
                (void) fd_store_add(manager->fds, name, fd);
                (void) close_fd(fd);
        }
}

int cluster_take_left(Manager *manager, const char *name) {
        int fd = manager_state_take(manager->state, name);

        if (fd >= 0) {
                fd_store_remove(manager->fds, name);
        }
        return fd;
}

static void leave_flights(ClusterWorker *worker, Handover *handover) {
        GArray *flights = worker->state.flights;

        for (guint i = 0; i < flights->len; i++) {
                const ClusterFlight *flight = &g_array_index(flights, ClusterFlight, i);
                g_autofree char *name = name_of_flight(worker, flight->seq);
                leave_one(worker->handle->manager, handover, name, flight->fd);
        }
        g_array_set_size(flights, 0);
}

void cluster_hand_over(Manager *manager, Handover *handover) {
        for (guint i = 0; i < manager->cluster_workers->len; i++) {
                leave_flights(manager->cluster_workers->pdata[i], handover);
        }
        for (guint i = 0; i < manager->listeners->len; i++) {
                uint32_t number = listener_number(manager->listeners->pdata[i]);
                ClusterListener *of = cluster_listener_find(manager, number);
                g_autofree char *name = g_strdup_printf("y%" PRIu32, number);
                for (guint j = 0; of && j < of->waiting->len; j++) {
                        leave_one(manager, handover, name, g_array_index(of->waiting, int, j));
                }
                if (of) {
                        g_array_set_size(of->waiting, 0);
                }
        }
}
