/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/service.h"

#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/sd-cleanup.h"
#include "basic/time-util.h"
#include "bus/bus-broker.h"
#include "bus/bus-server.h"
#include "daemon/compat-face.h"
#include "manager/manager.h"
#include "platform/lifeline.h"
#include "platform/unit-job.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>
#include <time.h>
#include <unistd.h>

#define EXTEND_EVERY_USEC (5 * USEC_PER_SEC)

typedef struct Service {
        const ServiceOptions *options;
        sd_event *event;
        Manager *manager;
        BusServer *server;
        BusBroker *broker;
        CompatFace *compat;
        sd_event_source *extend_source, *lifeline_source;
        UnitJob *job;
        char *unit; /* our own, if systemd runs us */
        int ready_fd;
        bool serving; /* the faces are open */
        bool loaded;  /* what was saved has started */
} Service;

static void report(Service *service, const char *text) {
        if (service->ready_fd >= 0) {
                (void) CHANGE("ready-tell", dprintf(service->ready_fd, "%s\n", text));
                service->ready_fd = close_fd(service->ready_fd);
        }
}

/* A start or an ordered stop may take longer than the service manager waits: as long as it goes on, it is
 * told. */
static int on_extend(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) CHANGE("extend-notify", sd_notify(0, "EXTEND_TIMEOUT_USEC=15000000"));
        int r = sd_event_source_set_time_relative(source, EXTEND_EVERY_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void extend_timeouts(Service *service) {
        if (!service->extend_source) {
                (void) sd_event_add_time_relative(
                                service->event,
                                &service->extend_source,
                                CLOCK_BOOTTIME,
                                0,
                                USEC_PER_SEC,
                                on_extend,
                                service);
        }
}

static void check_ready(Service *service) {
        if (service->serving && service->loaded && !manager_is_shutting_down(service->manager)) {
                manager_started(service->manager);
                report(service, "READY");
                (void) CHANGE("ready-notify", sd_notify(0, "READY=1"));
                service->extend_source = sd_event_source_disable_unref(service->extend_source);
        }
}

/* alone: no other supervisor can be at work where we are. */
static void on_serving(void *userdata, bool alone) {
        Service *service = userdata;

        manager_end_leftovers(service->manager, alone);
        service->serving = true;
        check_ready(service);
}

static void on_loaded(void *userdata) {
        Service *service = userdata;

        service->loaded = true;
        check_ready(service);
}

/* A private instance loads what was saved when it is told to, as PM2 does. */
static void load_saved(Service *service) {
        if (service->options->private || strcmp(service->options->settings->load_saved, "no") == 0) {
                on_loaded(service);
        } else {
                extend_timeouts(service);
                manager_load_saved(service->manager, on_loaded, service);
        }
}

static void stop_all(Service *service, const char *reason) {
        (void) CHANGE("stopping-notify", sd_notify(0, "STOPPING=1"));
        extend_timeouts(service);
        manager_shut_down(service->manager, reason, EXIT_SUCCESS);
}

static void on_job_type(void *userdata, const char *type) {
        Service *service = userdata;

        if (strcmp(type, "restart") == 0 || strcmp(type, "try-restart") == 0) {
                manager_detach(service->manager);
        } else {
                stop_all(service, "signal");
        }
}

/* As PM2's daemon does; who may send it may control all. */
static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        const Service *service = userdata;
        const Caller self = { .uid = geteuid(), .gid = getegid(), .via = "supervisor" };

        manager_reload_logs(service->manager, &self);
        return 0;
}

/* Both a stop and a restart of our unit come as SIGTERM. */
static int on_end_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Service *service = userdata;

        if (manager_is_leaving(service->manager)) { /* for the successor in this process, if there is one */
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
                /* no fault point: it dies with us */
                (void) kill(getpid(), (int) info->ssi_signo);
                return 0;
        }
        if (service->job) {
                return 0; /* it is being asked */
        }
        if (!service->unit || !manager_can_detach(service->manager) ||
            unit_job_ask(service->event,
                         service->options->system,
                         service->unit,
                         on_job_type,
                         service,
                         &service->job) < 0) {
                stop_all(service, "signal");
        }
        return 0;
}

/* Whoever had us for himself is gone. A successor in this process will see it as well. */
static int on_lifeline(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Service *service = userdata;

        if (!manager_is_leaving(service->manager)) {
                stop_all(service, "lifeline");
        }
        return 0;
}

/* Our own unit, if systemd runs us as a service: scopes are to be stopped after it. */
static char *own_unit(bool system) {
        _cleanup_free_ char *unit = NULL;
        int r = system ? sd_pid_get_unit(0, &unit) : sd_pid_get_user_unit(0, &unit);

        return r >= 0 && g_str_has_suffix(unit, ".service") ? g_strdup(unit) : NULL;
}

static int open_manager(Service *service) {
        const ServiceOptions *options = service->options;

        service->unit = options->private ? NULL : own_unit(options->system);
        ManagerOptions manager_options = {
                .settings = options->settings,
                .paths = options->paths,
                .unit = service->unit,
                .system = options->system,
                .use_systemd = !options->private,
                .command = options->command,
        };

        int r = manager_new(service->event, &manager_options, &service->manager);
        if (r >= 0) {
                r = sd_event_add_signal(service->event, NULL, SIGTERM, on_end_signal, service);
        }
        if (r >= 0) {
                r = sd_event_add_signal(service->event, NULL, SIGINT, on_end_signal, service);
        }
        if (r >= 0) {
                r = sd_event_add_signal(service->event, NULL, SIGUSR2, on_reload_signal, service);
        }
        if (r >= 0 && options->lifeline_fd >= 0) {
                r =
                                lifeline_watch(service->event,
                                               options->lifeline_fd,
                                               on_lifeline,
                                               service,
                                               &service->lifeline_source);
        }
        return r;
}

/* The daemon of PM2 that we stand in for is to end. */
static void on_compat_kill(void *userdata) {
        stop_all(userdata, "kill");
}

static int open_faces(Service *service) {
        const ServiceOptions *options = service->options;

        int r = bus_server_new(
                        service->event, service->manager, options->paths->socket_path, &service->server);
        if (r < 0) {
                return r;
        }
        log_info("serving at %s", options->paths->socket_path);
        r =
                        compat_face_new(service->event,
                                        service->manager,
                                        options->compat_home,
                                        on_compat_kill,
                                        service,
                                        &service->compat);
        if (r < 0) {
                return r;
        }
        if (options->private) {
                on_serving(service, true); /* by the lock */
                return 0;
        }
        r = bus_broker_new(service->server, options->system, on_serving, service, &service->broker);
        if (r < 0) {
                (void) log_warning_errno(
                                r,
                                "no %s bus: the private socket alone: %m",
                                options->system ? "system" : "user");
                on_serving(service, false);
        }
        return 0;
}

/* systemd wants to know when a reload began (sd_notify(3)). */
static void notify_end(const Handover *handover) {
        struct timespec now;

        if (!handover) {
                (void) CHANGE("end-notify", sd_notify(0, "STOPPING=1"));
                return;
        }
        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        (void) CHANGE("reload-notify",
                      sd_notifyf(0,
                                 "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                                 (uint64_t) now.tv_sec * USEC_PER_SEC +
                                                 (uint64_t) now.tv_nsec / NSEC_PER_USEC));
}

ServiceResult service_run(const ServiceOptions *options) {
        ServiceResult result = { 0 };
        Service service = { .options = options, .ready_fd = options->ready_fd };

        int r = sd_event_new(&service.event);
        if (r >= 0) {
                r = open_manager(&service);
        }
        if (r >= 0) {
                r = open_faces(&service);
        }
        if (r >= 0) {
                load_saved(&service);
        }
        if (r >= 0) {
                r = sd_event_loop(service.event);
        } else {
                (void) log_error_errno(r, "cannot start: %m");
        }
        report(&service, "ERROR cannot start, see the log");
        result.handover = service.manager ? manager_take_handover(service.manager) : NULL;
        if (result.handover && service.job) { /* the successor asks again what the signal meant */
                /* no fault point: it dies with us */
                (void) kill(getpid(), SIGTERM);
        }
        notify_end(result.handover);
        compat_face_free(service.compat, service.manager && manager_is_leaving(service.manager));
        bus_broker_free(service.broker);
        bus_server_free(service.server);
        manager_free(service.manager);
        unit_job_free(service.job);
        g_free(service.unit);
        (void) sd_event_source_disable_unref(service.extend_source);
        (void) sd_event_source_disable_unref(service.lifeline_source);
        (void) sd_event_unref(service.event);
        result.status = r < 0 ? EXIT_FAILURE : r;
        return result;
}
