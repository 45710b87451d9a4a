/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/systemd-manager.h"

#include "basic/fault-point.h"
#include "basic/log.h"
#include "basic/sd-cleanup.h"
#include "basic/time-util.h"

#include <ctype.h>
#include <glib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define MANAGER_NAME       "org.freedesktop.systemd1"
#define MANAGER_OBJECT     "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE  "org.freedesktop.systemd1.Manager"
#define LEAVE_TIMEOUT_USEC (500 * USEC_PER_MSEC)
#define RECONNECT_USEC     (250 * USEC_PER_MSEC)
#define ABSENT_USEC        (50 * USEC_PER_MSEC)
/* A daemon-reload with a thousand scopes stalls all jobs for seconds. */
#define CALL_TIMEOUT_USEC  (60 * USEC_PER_SEC)

struct SystemdManager {
        sd_event *event;
        bool system;
        sd_bus *bus; /* NULL: lost */
        sd_bus_slot *job_slot, *lost_slot, *probe_slot, *list_slot;
        UnitHandler list_handler;
        void *list_userdata;
        sd_event_source *reconnect_source;
        GQueue waiting;    /* of ScopeRequest */
        GHashTable *asked; /* unit -> ScopeRequest */
        GQueue changing;   /* of UnitRequest: what has not been answered */
        bool answered;     /* to the probe */
        int probe_result;
        bool no_oom_policy; /* it does not know that of scopes */
        char *cgroup;
};

struct ScopeRequest {
        SystemdManager *manager; /* weak */
        char *unit, *description, *slice, *before;
        bool delegate;
        IsolationLimits limits;
        pid_t pid;
        ScopeHandler handler;
        void *userdata;
        sd_bus_slot *slot;
};

/* To stop a unit, or with a handler to change its limits. */
typedef struct UnitRequest {
        SystemdManager *manager; /* weak */
        char *unit;
        IsolationLimits limits, before;
        ScopeHandler handler;
        void *userdata;
        sd_bus_slot *slot; /* NULL: to be asked */
} UnitRequest;

static void ask_next(SystemdManager *manager);
static void reconnect_later(SystemdManager *manager);

static void request_free(ScopeRequest *request) {
        (void) sd_bus_slot_unref(request->slot);
        g_free(request->unit);
        g_free(request->description);
        g_free(request->slice);
        g_free(request->before);
        g_free(request);
}

static void finish_and_invalidate(ScopeRequest *request, int result) {
        SystemdManager *manager = request->manager;
        ScopeHandler handler = request->handler;
        void *userdata = request->userdata;

        (void) g_hash_table_remove(manager->asked, request->unit);
        request_free(request);
        handler(userdata, result);
        ask_next(manager);
}

static void ask_again(ScopeRequest *request) {
        (void) g_hash_table_remove(request->manager->asked, request->unit);
        g_queue_push_tail(&request->manager->waiting, request);
        reconnect_later(request->manager);
}

static int on_start_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        ScopeRequest *request = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        request->slot = sd_bus_slot_unref(request->slot);
        if (error && request->manager->bus && sd_bus_is_open(request->manager->bus) > 0) {
                log_debug("%s: %s", request->unit, error->message);
                if (sd_bus_error_has_name(error, "org.freedesktop.systemd1.TransactionIsDestructive")) {
                        ask_again(request); /* its slice is being stopped at this moment */
                        return 0;
                }
                if (sd_bus_error_has_name(error, SD_BUS_ERROR_PROPERTY_READ_ONLY) &&
                    !request->manager->no_oom_policy) {
                        /* So it calls what it does not know: scopes have no OOMPolicy= before 252. */
                        request->manager->no_oom_policy = true;
                        ask_again(request);
                        return 0;
                }
                bool exists = sd_bus_error_has_name(error, "org.freedesktop.systemd1.UnitExists");
                finish_and_invalidate(request, exists ? -EEXIST : -sd_bus_error_get_errno(error));
        }
        return 0; /* the job was made: JobRemoved tells its end */
}

static void close_bus(SystemdManager *manager) {
        manager->job_slot = sd_bus_slot_unref(manager->job_slot);
        manager->lost_slot = sd_bus_slot_unref(manager->lost_slot);
        manager->probe_slot = sd_bus_slot_unref(manager->probe_slot);
        manager->list_slot = sd_bus_slot_unref(manager->list_slot);
        if (manager->bus) {
                (void) sd_bus_detach_event(manager->bus);
                manager->bus = sd_bus_close_unref(manager->bus);
        }
}

/* What was asked for and is not answered is asked for again; a scope that exists already then says so. */
static void requeue(SystemdManager *manager) {
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->asked);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                ScopeRequest *request = value;
                request->slot = sd_bus_slot_unref(request->slot);
                g_queue_push_head(&manager->waiting, request);
        }
        g_hash_table_remove_all(manager->asked);
        for (GList *item = manager->changing.head; item; item = item->next) {
                UnitRequest *stop = item->data;
                stop->slot = sd_bus_slot_unref(stop->slot);
        }
}

static int append_limits(
                sd_bus_message *message, const IsolationLimits *limits, const IsolationLimits *before) {
        int r = 0;

        for (const LimitRow *row = limit_rows; r >= 0 && row < limit_rows + LIMIT_ROWS; row++) {
                uint64_t number = limit_get(limits, row);
                if (number != limit_get(before, row)) { /* all ones: infinity, and no weight */
                        r = sd_bus_message_append(
                                        message,
                                        "(sv)",
                                        row->property,
                                        "t",
                                        number > 0 ? number : UINT64_MAX);
                }
        }
        return r;
}

static int append_properties(sd_bus_message *message, const ScopeRequest *request) {
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "(sv)");
        if (r >= 0) {
                r = sd_bus_message_append(
                                message,
                                "(sv)(sv)(sv)(sv)",
                                "Description",
                                "s",
                                request->description,
                                "Slice",
                                "s",
                                request->slice,
                                "CollectMode",
                                "s",
                                "inactive-or-failed",
                                "PIDs",
                                "au",
                                1,
                                (uint32_t) request->pid);
        }
        if (r >= 0 && !request->manager->no_oom_policy) {
                /* Else the rest of an app is ended with what the kernel chose. */
                r = sd_bus_message_append(message, "(sv)", "OOMPolicy", "s", "continue");
        }
        if (r >= 0 && request->before) {
                r = sd_bus_message_append(message, "(sv)", "Before", "as", 1, request->before);
        }
        if (r >= 0 && request->delegate) {
                r = sd_bus_message_append(message, "(sv)", "Delegate", "b", 1);
        }
        if (r >= 0) {
                static const IsolationLimits none;
                r = append_limits(message, &request->limits, &none);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int ask(SystemdManager *manager, ScopeRequest *request) {
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        int r = sd_bus_message_new_method_call(
                        manager->bus,
                        &message,
                        MANAGER_NAME,
                        MANAGER_OBJECT,
                        MANAGER_INTERFACE,
                        "StartTransientUnit");
        if (r >= 0) {
                r = sd_bus_message_append(message, "ss", request->unit, "fail");
        }
        if (r >= 0) {
                r = append_properties(message, request);
        }
        if (r >= 0) {
                r = sd_bus_message_append(message, "a(sa(sv))", 0);
        }
        if (r >= 0) {
                r = CHANGE("scope-start",
                           sd_bus_call_async(
                                           manager->bus,
                                           &request->slot,
                                           message,
                                           on_start_reply,
                                           request,
                                           CALL_TIMEOUT_USEC));
        }
        return r;
}

static void unit_request_free(void *data) {
        UnitRequest *stop = data;

        (void) sd_bus_slot_unref(stop->slot);
        g_free(stop->unit);
        g_free(stop);
}

static int limits_result(const UnitRequest *request, const sd_bus_error *error) {
        if (!error) {
                return 0;
        }
        log_debug("%s: %s", request->unit, error->message);
        bool gone = sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit");
        return gone ? -ESRCH : -sd_bus_error_get_errno(error);
}

static int on_unit_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        UnitRequest *stop = userdata;

        sd_bus *bus = stop->manager->bus;
        if (stop->handler && sd_bus_message_is_method_error(reply, NULL) &&
            (!bus || sd_bus_is_open(bus) <= 0)) {
                stop->slot = sd_bus_slot_unref(stop->slot); /* asked for again on the next bus */
                return 0;
        }
        (void) g_queue_remove(&stop->manager->changing, stop);
        if (stop->handler) {
                stop->handler(stop->userdata, limits_result(stop, sd_bus_message_get_error(reply)));
        }
        unit_request_free(stop);
        return 0;
}

static int ask_for_limits(SystemdManager *manager, UnitRequest *request) {
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        int r = sd_bus_message_new_method_call(
                        manager->bus,
                        &message,
                        MANAGER_NAME,
                        MANAGER_OBJECT,
                        MANAGER_INTERFACE,
                        "SetUnitProperties");
        if (r >= 0) {
                r = sd_bus_message_append(message, "sb", request->unit, 1);
        }
        if (r >= 0) {
                r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "(sv)");
        }
        if (r >= 0) {
                r = append_limits(message, &request->limits, &request->before);
        }
        if (r >= 0) {
                r = sd_bus_message_close_container(message);
        }
        if (r < 0) {
                return r;
        }
        /* no fault point: every start asks for them again, and a call that was cut is made again */
        return sd_bus_call_async(
                        manager->bus, &request->slot, message, on_unit_reply, request, CALL_TIMEOUT_USEC);
}

static int ask_to_stop(SystemdManager *manager, UnitRequest *stop) {
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        int r = sd_bus_message_new_method_call(
                        manager->bus, &message, MANAGER_NAME, MANAGER_OBJECT, MANAGER_INTERFACE, "StopUnit");
        if (r >= 0) {
                r = sd_bus_message_append(message, "ss", stop->unit, "replace");
        }
        return r < 0 ? r
                     : CHANGE("unit-stop",
                              sd_bus_call_async(
                                              manager->bus,
                                              &stop->slot,
                                              message,
                                              on_unit_reply,
                                              stop,
                                              CALL_TIMEOUT_USEC));
}

/* In the order in which it came, and before any scope that is asked for after it. */
static void ask_changes(SystemdManager *manager) {
        for (GList *item = manager->changing.head; item && manager->bus; item = item->next) {
                UnitRequest *stop = item->data;
                int r = 0;
                if (!stop->slot) {
                        r = stop->handler ? ask_for_limits(manager, stop) : ask_to_stop(manager, stop);
                }
                if (r < 0) {
                        (void) log_warning_errno(r, "cannot ask the service manager: %m");
                        close_bus(manager);
                        requeue(manager);
                }
        }
        if (!manager->bus && !g_queue_is_empty(&manager->changing)) {
                reconnect_later(manager);
        }
}

static void ask_next(SystemdManager *manager) {
        while (manager->bus && !g_queue_is_empty(&manager->waiting) &&
               g_hash_table_size(manager->asked) < SCOPE_JOBS_MAX) {
                ScopeRequest *request = g_queue_pop_head(&manager->waiting);
                (void) g_hash_table_insert(manager->asked, request->unit, request);
                int r = ask(manager, request);
                if (r < 0) {
                        (void) log_warning_errno(r, "cannot ask the service manager: %m");
                        close_bus(manager);
                        requeue(manager);
                }
        }
        if (!manager->bus && !g_queue_is_empty(&manager->waiting)) {
                reconnect_later(manager);
        }
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SystemdManager *manager = userdata;
        const char *unit, *result;

        int r = sd_bus_message_read(message, "uoss", NULL, NULL, &unit, &result);
        if (r < 0) {
                return 0;
        }
        ScopeRequest *request = g_hash_table_lookup(manager->asked, unit);
        if (request) {
                finish_and_invalidate(request, strcmp(result, "done") == 0 ? 0 : -EIO);
        }
        return 0;
}

static int on_lost(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SystemdManager *manager = userdata;

        log_notice("the bus of the service manager is lost");
        close_bus(manager);
        requeue(manager);
        manager->answered = true;
        manager->probe_result = -ECONNRESET;
        ask_changes(manager);
        ask_next(manager);
        return 0;
}

static int on_probe_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        SystemdManager *manager = userdata;

        manager->probe_slot = sd_bus_slot_unref(manager->probe_slot);
        manager->answered = true;
        manager->probe_result = -sd_bus_message_get_errno(reply);
        if (manager->probe_result == 0) {
                const char *cgroup;
                manager->probe_result = sd_bus_message_read(reply, "v", "s", &cgroup);
                manager->cgroup = manager->probe_result < 0 ? NULL : g_strdup(cgroup);
        }
        return 0;
}

static int open_bus(SystemdManager *manager) {
        int r = manager->system ? sd_bus_open_system(&manager->bus) : sd_bus_open_user(&manager->bus);
        if (r < 0) {
                return r;
        }
        (void) sd_bus_set_close_on_exit(manager->bus, 0);
        r = sd_bus_match_signal(
                        manager->bus,
                        &manager->lost_slot,
                        NULL,
                        "/org/freedesktop/DBus/Local",
                        "org.freedesktop.DBus.Local",
                        "Disconnected",
                        on_lost,
                        manager);
        if (r >= 0) {
                r = sd_bus_match_signal_async(
                                manager->bus,
                                &manager->job_slot,
                                MANAGER_NAME,
                                MANAGER_OBJECT,
                                MANAGER_INTERFACE,
                                "JobRemoved",
                                on_job_removed,
                                NULL,
                                manager);
        }
        if (r >= 0) {
                r = sd_bus_attach_event(manager->bus, manager->event, SD_EVENT_PRIORITY_NORMAL);
        }
        if (r < 0) {
                close_bus(manager);
        }
        return r;
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata) {
        SystemdManager *manager = userdata;

        manager->reconnect_source = sd_event_source_disable_unref(manager->reconnect_source);
        if (!manager->bus) {
                (void) open_bus(manager);
        }
        ask_changes(manager);
        ask_next(manager);
        return 0;
}

static void reconnect_later(SystemdManager *manager) {
        if (!manager->reconnect_source) {
                (void) sd_event_add_time_relative(
                                manager->event,
                                &manager->reconnect_source,
                                CLOCK_BOOTTIME,
                                RECONNECT_USEC,
                                USEC_PER_MSEC,
                                on_reconnect,
                                manager);
        }
}

/* No activation: a manager that does not run is none. */
static int probe(SystemdManager *manager) {
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        int r = sd_bus_message_new_method_call(
                        manager->bus,
                        &message,
                        MANAGER_NAME,
                        MANAGER_OBJECT,
                        "org.freedesktop.DBus.Properties",
                        "Get");
        if (r >= 0) {
                r = sd_bus_message_append(message, "ss", MANAGER_INTERFACE, "ControlGroup");
        }
        if (r >= 0) {
                r = sd_bus_message_set_auto_start(message, 0);
        }
        if (r >= 0) {
                /* no fault point: a question */
                r = sd_bus_call_async(
                                manager->bus, &manager->probe_slot, message, on_probe_reply, manager, 0);
        }
        return r;
}

/* Whoever started us may not be on the bus yet: at boot both come at the same time. */
static int wait_for_answer(SystemdManager *manager, bool expected, uint64_t deadline_usec) {
        bool absent = false;
        uint64_t now_usec;
        int r = 0;

        while (r >= 0 && (!manager->answered || absent) &&
               (now_usec = now_boottime_usec()) < deadline_usec) {
                uint64_t left_usec = deadline_usec - now_usec;
                r = sd_event_run(manager->event, absent ? MIN(left_usec, ABSENT_USEC) : left_usec);
                if (r == 0 && absent) {
                        manager->answered = absent = false;
                        r = probe(manager);
                }
                absent = absent ||
                         (expected && manager->answered &&
                          (manager->probe_result == -ENXIO || manager->probe_result == -EHOSTUNREACH));
        }
        return r;
}

int systemd_manager_new(
                sd_event *event, bool system, bool expected, uint64_t timeout_usec, SystemdManager **ret) {
        SystemdManager *manager = g_new0(SystemdManager, 1);
        uint64_t deadline_usec = now_boottime_usec() + timeout_usec;

        manager->event = sd_event_ref(event);
        manager->system = system;
        manager->asked = g_hash_table_new(g_str_hash, g_str_equal);
        g_queue_init(&manager->waiting);
        g_queue_init(&manager->changing);
        int r = open_bus(manager);
        if (r >= 0) {
                r = probe(manager);
        }
        if (r >= 0) {
                r = wait_for_answer(manager, expected, deadline_usec);
        }
        if (r >= 0) {
                r = manager->answered ? manager->probe_result : -ETIMEDOUT;
        }
        if (r < 0) {
                systemd_manager_free(manager);
                return r;
        }
        *ret = manager;
        return 0;
}

/* At the end of everything: a manager refuses what comes from somebody who has left the bus already. */
static void wait_for_changes(SystemdManager *manager) {
        uint64_t deadline_usec = now_boottime_usec() + LEAVE_TIMEOUT_USEC;

        while (manager->bus && !g_queue_is_empty(&manager->changing) &&
               now_boottime_usec() < deadline_usec) {
                int r = sd_bus_process(manager->bus, NULL);
                if (r == 0) {
                        /* may block: the loop has ended, and not for long */
                        r = sd_bus_wait(manager->bus, deadline_usec - now_boottime_usec());
                }
                if (r < 0) {
                        return;
                }
        }
}

void systemd_manager_free(SystemdManager *manager) {
        if (!manager) {
                return;
        }
        wait_for_changes(manager);
        requeue(manager);
        while (!g_queue_is_empty(&manager->waiting)) {
                request_free(g_queue_pop_head(&manager->waiting));
        }
        while (!g_queue_is_empty(&manager->changing)) {
                UnitRequest *request = g_queue_pop_head(&manager->changing);
                if (request->handler) {
                        request->handler(request->userdata, -ESRCH);
                }
                unit_request_free(request);
        }
        close_bus(manager);
        (void) sd_event_source_disable_unref(manager->reconnect_source);
        g_hash_table_unref(manager->asked);
        g_free(manager->cgroup);
        (void) sd_event_unref(manager->event);
        g_free(manager);
}

ScopeRequest *systemd_manager_start_scope(
                SystemdManager *manager,
                const ScopeProperties *properties,
                ScopeHandler handler,
                void *userdata) {
        ScopeRequest *request = g_new0(ScopeRequest, 1);

        request->manager = manager;
        request->unit = g_strdup(properties->unit);
        request->description = g_strdup(properties->description);
        request->slice = g_strdup(properties->slice);
        request->before = g_strdup(properties->before);
        request->delegate = properties->delegate;
        request->limits = properties->limits;
        request->pid = properties->pid;
        request->handler = handler;
        request->userdata = userdata;
        g_queue_push_tail(&manager->waiting, request);
        ask_next(manager);
        return request;
}

bool scope_request_set_limits(ScopeRequest *request, const IsolationLimits *limits) {
        request->limits = *limits;
        return g_hash_table_lookup(request->manager->asked, request->unit) != request;
}

void systemd_manager_set_limits(
                SystemdManager *manager,
                const char *unit,
                const IsolationLimits *limits,
                const IsolationLimits *before,
                ScopeHandler handler,
                void *userdata) {
        UnitRequest *request = g_new0(UnitRequest, 1);

        request->manager = manager;
        request->unit = g_strdup(unit);
        request->limits = *limits;
        request->before = *before;
        request->handler = handler;
        request->userdata = userdata;
        g_queue_push_tail(&manager->changing, request);
        ask_changes(manager);
}

const char *systemd_manager_cgroup(const SystemdManager *manager) {
        return manager->cgroup;
}

void scope_request_cancel(ScopeRequest *request) {
        if (request) {
                SystemdManager *manager = request->manager;
                (void) g_queue_remove(&manager->waiting, request);
                (void) g_hash_table_remove(manager->asked, request->unit);
                request_free(request);
                ask_next(manager);
        }
}

void systemd_manager_stop_unit(SystemdManager *manager, const char *unit) {
        UnitRequest *stop = g_new0(UnitRequest, 1);

        stop->manager = manager;
        stop->unit = g_strdup(unit);
        g_queue_push_tail(&manager->changing, stop);
        ask_changes(manager);
}

static int on_units(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        SystemdManager *manager = userdata;
        const char *unit;

        manager->list_slot = sd_bus_slot_unref(manager->list_slot);
        if (sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_enter_container(reply, 'a', "(ssssssouso)") < 0) {
                return 0;
        }
        while (sd_bus_message_read(
                               reply,
                               "(ssssssouso)",
                               &unit,
                               NULL,
                               NULL,
                               NULL,
                               NULL,
                               NULL,
                               NULL,
                               NULL,
                               NULL,
                               NULL) > 0) {
                manager->list_handler(manager->list_userdata, unit);
        }
        return 0;
}

void systemd_manager_list_units(
                SystemdManager *manager, const char *pattern, UnitHandler handler, void *userdata) {
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        manager->list_handler = handler;
        manager->list_userdata = userdata;
        int r = sd_bus_message_new_method_call(
                        manager->bus,
                        &message,
                        MANAGER_NAME,
                        MANAGER_OBJECT,
                        MANAGER_INTERFACE,
                        "ListUnitsByPatterns");
        if (r >= 0) {
                r = sd_bus_message_append(message, "asas", 0, 1, pattern);
        }
        if (r >= 0) {
                /* no fault point: a question */
                (void) sd_bus_call_async(
                                manager->bus,
                                &manager->list_slot,
                                message,
                                on_units,
                                manager,
                                CALL_TIMEOUT_USEC);
        }
}

char *systemd_escape(const char *text) {
        GString *escaped = g_string_new(NULL);

        for (const char *p = text; *p; p++) {
                if (isalnum((unsigned char) *p) || *p == '_' || *p == ':' || (*p == '.' && p != text)) {
                        g_string_append_c(escaped, *p);
                } else {
                        g_string_append_printf(escaped, "\\x%02x", (unsigned char) *p);
                }
        }
        return g_string_free(escaped, FALSE);
}
