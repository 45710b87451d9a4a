/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/cron-restart.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "core/cron.h"
#include "platform/clock-watch.h"
#include "platform/time-zone.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t accuracy_usec = USEC_PER_MSEC;

/* A timer is late by that much only if the machine slept or the clock was put on over it: then nothing is
 * made up for, as after a time without a supervisor. */
static const uint64_t late_usec = 60 * USEC_PER_SEC;

/* A clock that is put back by less is being corrected, and what was done is not done again: cron(8). */
static const int64_t correction_sec = INT64_C(3) * 3600;

struct CronRestarts {
        GHashTable *timers; /* id -> CronTimer */
        ClockWatch *watch;  /* NULL: there is no timer, or it cannot be had */
};

typedef struct CronTimer {
        Manager *manager; /* weak */
        uint32_t id;
        char *text; /* this and the next: what it was made of */
        char *zone; /* NULL: ours */
        Cron cron;
        int64_t due_sec;           /* 0: never again */
        int64_t done_sec;          /* when it was due last, 0: not yet */
        bool queued;               /* one follows what is under way */
        sd_event_source *source;   /* the timer */
        sd_event_source *deferred; /* looks whether that is over; NULL: never needed yet */
} CronTimer;

static void free_timer(void *item) {
        CronTimer *timer = item;

        (void) sd_event_source_disable_unref(timer->source);
        (void) sd_event_source_disable_unref(timer->deferred);
        g_free(timer->text);
        g_free(timer->zone);
        g_free(timer);
}

int cron_restart_check(const AppConfig *config, Error *error) {
        g_autoptr(GTimeZone) zone = NULL;

        if (!config->cron_timezone || time_zone_open(config->cron_timezone, &zone) >= 0) {
                return 0;
        }
        g_autofree char *quoted = error_quote(config->cron_timezone);
        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "cron_timezone: there is no time zone %s here, its names are those of "
                        "/usr/share/zoneinfo",
                        quoted);
}

static int on_deferred(sd_event_source *source, void *userdata) {
        CronTimer *timer = userdata;
        Process *process = registry_get(timer->manager->registry, timer->id);

        if (timer->queued && !timer->manager->shutting_down && !command_is_under_way(process->handle)) {
                timer->queued = false;
                manager_restart_by_itself_and_invalidate(process, CAUSE_CRON);
        }
        return 0;
}

/* At the end of this turn: what has changed the process is not through with it. */
static void look_later(CronTimer *timer) {
        int r = timer->deferred ? 0
                                : sd_event_add_defer(
                                                  timer->manager->event,
                                                  &timer->deferred,
                                                  on_deferred,
                                                  timer);

        if (r >= 0) {
                r = sd_event_source_set_enabled(timer->deferred, SD_EVENT_ONESHOT);
        }
        if (r < 0) {
                (void) log_error_errno(r, "process %" PRIu32 ": no cron_restart: %m", timer->id);
        }
}

static void skip(const Process *process, const char *why) {
        log_info("process %" PRIu32 " '%s': cron_restart is left out: %s",
                 process->id,
                 process->config->name,
                 why);
}

/* The process may be gone after it, and the timer with it. */
static void fire_and_invalidate(CronTimer *timer, Process *process) {
        ProcessHandle *handle = process->handle;

        if (timer->manager->shutting_down) {
                skip(process, "the supervisor is ending");
        } else if (process->frozen) {
                skip(process, "it stands still"); /* somebody wants it so */
        } else if (!command_is_under_way(handle)) {
                manager_restart_by_itself_and_invalidate(process, CAUSE_CRON);
        } else if (command_has_stop(handle)) {
                skip(process, "it is being stopped");
        } else if (process->config->cron_overlap == CRON_OVERLAP_QUEUE) {
                timer->queued = true;
        } else if (process->config->cron_overlap == CRON_OVERLAP_KILL) {
                command_cancel_starts(
                                handle, ERROR_CANCELLED, "its cron_restart came before it was started");
                if (reload_has_candidate(handle)) {
                        reload_stop_twin(handle);
                }
                manager_restart_by_itself_and_invalidate(process, CAUSE_CRON);
        } else {
                skip(process, "it is being started or ended");
        }
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata);

static int set_timer(CronTimer *timer) {
        uint64_t usec = (uint64_t) timer->due_sec * USEC_PER_SEC;

        if (!timer->source) {
                return sd_event_add_time(
                                timer->manager->event,
                                &timer->source,
                                CLOCK_REALTIME,
                                usec,
                                accuracy_usec,
                                on_due,
                                timer);
        }
        int r = sd_event_source_set_time(timer->source, usec);
        return r < 0 ? r : sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

/* On to the next time from now. */
static void arm(CronTimer *timer, Process *process) {
        int64_t now_sec = (int64_t) (now_realtime_usec() / USEC_PER_SEC);
        bool corrected = timer->done_sec > now_sec && timer->done_sec - now_sec < correction_sec;
        g_autoptr(GTimeZone) zone = NULL;

        timer->due_sec = 0;
        int r = time_zone_open(timer->zone, &zone);
        if (r >= 0) {
                r = cron_next(&timer->cron, zone, corrected ? timer->done_sec : now_sec, &timer->due_sec);
        }
        if (r >= 0) {
                r = set_timer(timer);
        }
        if (r < 0) {
                (void) log_error_errno(r, "process %" PRIu32 ": no cron_restart: %m", timer->id);
                timer->due_sec = 0;
                if (timer->source) {
                        (void) sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
                }
        }
        process_set_next_cron(process, (uint64_t) timer->due_sec * USEC_PER_SEC);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        CronTimer *timer = userdata;
        Process *process = registry_get(timer->manager->registry, timer->id);
        bool late = now_realtime_usec() > usec + late_usec;

        timer->done_sec = timer->due_sec;
        arm(timer, process);
        if (late) {
                skip(process, "its time is past");
        } else {
                fire_and_invalidate(timer, process);
        }
        return 0;
}

static void on_clock_set(void *userdata) {
        Manager *manager = userdata;
        GHashTableIter iterator;
        void *timer;

        g_hash_table_iter_init(&iterator, manager->cron_restarts->timers);
        while (g_hash_table_iter_next(&iterator, NULL, &timer)) {
                arm(timer, registry_get(manager->registry, ((CronTimer *) timer)->id));
        }
}

static void watch_clock(Manager *manager) {
        struct CronRestarts *all = manager->cron_restarts;

        if (g_hash_table_size(all->timers) == 0) {
                clock_watch_free(g_steal_pointer(&all->watch));
        } else if (!all->watch) {
                int r = clock_watch_new(manager->event, on_clock_set, manager, &all->watch);
                if (r < 0) {
                        (void) log_warning_errno(
                                        r, "when the clock is set cron_restart will not follow: %m");
                }
        }
}

static bool is_wanted(const Process *process) {
        const Manager *manager = process->handle->manager;

        return process->config->cron_restart && !process->held && !manager->shutting_down &&
               registry_get(manager->registry, process->id) == process;
}

static void add_timer(Process *process) {
        Manager *manager = process->handle->manager;
        CronTimer *timer = g_new0(CronTimer, 1);

        *timer = (CronTimer){
                .manager = manager,
                .id = process->id,
                .text = g_strdup(process->config->cron_restart),
                .zone = g_strdup(process->config->cron_timezone),
        };
        int r = cron_parse(timer->text, &timer->cron, NULL);
        g_assert(r >= 0); /* it was when it was declared */
        if (!manager->cron_restarts) {
                manager->cron_restarts = g_new0(struct CronRestarts, 1);
                manager->cron_restarts->timers = g_hash_table_new_full(NULL, NULL, NULL, free_timer);
        }
        (void) g_hash_table_insert(manager->cron_restarts->timers, GUINT_TO_POINTER(timer->id), timer);
        watch_clock(manager);
        arm(timer, process);
}

void cron_restart_sync(Process *process) {
        Manager *manager = process->handle->manager;
        CronTimer *timer = manager->cron_restarts ? g_hash_table_lookup(
                                                                    manager->cron_restarts->timers,
                                                                    GUINT_TO_POINTER(process->id))
                                                  : NULL;
        bool wanted = is_wanted(process);

        if (timer && registry_get(manager->registry, process->id) != process) {
                return; /* it is of the one that is listed */
        }
        if (timer && wanted && strcmp(timer->text, process->config->cron_restart) == 0 &&
            g_strcmp0(timer->zone, process->config->cron_timezone) == 0) {
                if (timer->queued) {
                        look_later(timer);
                }
                return;
        }
        if (timer) {
                cron_restart_forget(manager, process);
                process_set_next_cron(process, 0);
        }
        if (wanted) {
                add_timer(process);
        }
}

void cron_restart_forget(Manager *manager, const Process *process) {
        if (manager->cron_restarts &&
            g_hash_table_remove(manager->cron_restarts->timers, GUINT_TO_POINTER(process->id))) {
                watch_clock(manager);
        }
}

void cron_restart_free(Manager *manager) {
        if (manager->cron_restarts) {
                g_hash_table_unref(manager->cron_restarts->timers);
                clock_watch_free(manager->cron_restarts->watch);
                g_free(manager->cron_restarts);
        }
}
