/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The listeners of a cluster, as its primary sees them: who uses each, and when nobody does any more. */

#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/cluster-internal.h"
#include "manager/manager-state.h"

#include <inttypes.h>
#include <string.h>

#define UNUSED_USEC                                                                                         \
        (30 * USEC_PER_SEC) /* that nobody uses it while all of its app's processes are online              \
                             */

static void free_listener(void *item) {
        ClusterListener *listener = item;

        (void) sd_event_source_disable_unref(listener->accept_source);
        (void) sd_event_source_disable_unref(listener->pause_timer);
        (void) sd_event_source_disable_unref(listener->unused_timer);
        for (guint i = 0; i < listener->waiting->len; i++) {
                cluster_rr_close(g_array_index(listener->waiting, int, i));
        }
        g_array_unref(listener->waiting);
        g_ptr_array_unref(listener->workers);
        g_free(listener->name);
        g_free(listener);
}

ClusterListener *cluster_listener_of(Manager *manager, Listener *listener, uid_t owner, const char *name) {
        ClusterListener *of = listener_get_user(listener);

        if (!of) {
                of = g_new0(ClusterListener, 1);
                of->manager = manager;
                of->listener = listener;
                of->owner = owner;
                of->name = g_strdup(name);
                of->workers = g_ptr_array_new();
                of->waiting = g_array_new(FALSE, FALSE, sizeof(int));
                listener_set_user(listener, of, free_listener);
        }
        return of;
}

ClusterListener *cluster_listener_find(const Manager *manager, uint32_t number) {
        Listener *listener = listeners_by_number(manager, number);

        return listener ? listener_get_user(listener) : NULL;
}

/* Every process of the app is online, and there is one: who would use it does so by now. */
static bool all_are_online(const ClusterListener *listener) {
        const Registry *registry = listener->manager->registry;
        bool any = false;

        for (size_t i = 0; i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                if (process->owner == listener->owner &&
                    strcmp(process->config->name, listener->name) == 0) {
                        if (process->state != PROCESS_ONLINE) {
                                return false;
                        }
                        any = true;
                }
        }
        return any;
}

static bool is_unused(const ClusterListener *listener) {
        return listener->workers->len == 0 && all_are_online(listener);
}

static int on_unused(sd_event_source *source, uint64_t usec, void *userdata) {
        ClusterListener *listener = userdata;

        if (is_unused(listener)) {
                log_info("'%s': %s is closed: none of its processes listens there any more",
                         listener->name,
                         listener_key(listener->listener));
                listener_close(listener->manager, listener->listener);
        }
        return 0;
}

static void review(ClusterListener *listener) {
        int enabled = SD_EVENT_OFF, r = 0;

        if (listener->unused_timer) {
                (void) sd_event_source_get_enabled(listener->unused_timer, &enabled);
        }
        if (!is_unused(listener)) {
                if (enabled != SD_EVENT_OFF) {
                        (void) sd_event_source_set_enabled(listener->unused_timer, SD_EVENT_OFF);
                }
        } else if (!listener->unused_timer) {
                r = sd_event_add_time_relative(
                                listener->manager->event,
                                &listener->unused_timer,
                                CLOCK_BOOTTIME,
                                UNUSED_USEC,
                                USEC_PER_SEC,
                                on_unused,
                                listener);
        } else if (enabled == SD_EVENT_OFF) {
                r = sd_event_source_set_time_relative(listener->unused_timer, UNUSED_USEC);
                if (r >= 0) {
                        r = sd_event_source_set_enabled(listener->unused_timer, SD_EVENT_ONESHOT);
                }
        }
        if (r < 0) {
                (void) log_error_errno(r, "'%s': no timer: %m", listener->name);
        }
}

void cluster_review(Manager *manager, uid_t owner, const char *name) {
        for (guint i = 0; i < manager->listeners->len; i++) {
                Listener *item = manager->listeners->pdata[i];
                ClusterListener *listener = g_str_has_prefix(listener_key(item), CLUSTER_KEY_PREFIX)
                                                            ? listener_get_user(item)
                                                            : NULL;
                if (listener && listener->owner == owner && strcmp(listener->name, name) == 0) {
                        review(listener);
                }
        }
}

void cluster_listener_add_worker(ClusterListener *listener, ClusterWorker *worker) {
        if (!g_ptr_array_find(listener->workers, worker, NULL)) {
                g_ptr_array_add(listener->workers, worker);
        }
        review(listener);
        cluster_rr_go_on(listener);
}

void cluster_listener_remove_worker(ClusterListener *listener, ClusterWorker *worker) {
        (void) g_ptr_array_remove(listener->workers, worker);
        review(listener);
        cluster_rr_go_on(listener);
}

static void take_waiting_over(Manager *manager, uint32_t number) {
        g_autofree char *name = g_strdup_printf("y%" PRIu32, number);
        int fd;

        while ((fd = cluster_take_left(manager, name)) >= 0) {
                cluster_rr_take_back(manager, number, fd);
        }
}

/* One that nobody has claimed yet, since its app is being restarted: whose it is. */
static void restore_unclaimed(Manager *manager, Listener *listener) {
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *process = registry_at(manager->registry, i);
                const char *name = process->config->name;
                if (listeners_find(manager, process->owner, name, listener_key(listener)) == listener) {
                        review(cluster_listener_of(manager, listener, process->owner, name));
                        return;
                }
        }
}

void cluster_restored(Manager *manager) {
        for (guint i = 0; i < manager->listeners->len; i++) {
                Listener *listener = manager->listeners->pdata[i];
                if (g_str_has_prefix(listener_key(listener), CLUSTER_KEY_PREFIX)) {
                        restore_unclaimed(manager, listener);
                        take_waiting_over(manager, listener_number(listener));
                }
        }
}
