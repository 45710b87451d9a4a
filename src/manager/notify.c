/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/notify.h"

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "core/notify-message.h"
#include "core/value-text.h"
#include "manager/main-process.h"
#include "manager/manager-state.h"
#include "manager/readiness.h"
#include "platform/notify-discard.h"
#include "platform/notify-folder.h"

#include <inttypes.h>
#include <string.h>

#define EXTENSION_MAX_USEC (UINT64_C(86400) * USEC_PER_SEC)

int notify_prepare(const Manager *manager) {
        return notify_folder_make(manager->paths->notify_dir, manager->system);
}

static char *socket_path(const ProcessHandle *handle) {
        char *path = NULL;

        (void) notify_folder_socket_path(
                        handle->manager->paths->notify_dir,
                        handle->process->unique_id,
                        handle->notify_generation,
                        &path);
        return path;
}

static bool has_path(const ProcessHandle *handle, const void *name) {
        const char *path = handle->notify ? notify_socket_get_path(handle->notify) : NULL;

        return path && g_str_has_suffix(path, name);
}

static bool is_known(void *userdata, const char *name) {
        return manager_any_handle(userdata, has_path, name);
}

void notify_sweep(Manager *manager) {
        (void) notify_folder_sweep(manager->paths->notify_dir, is_known, manager);
}

bool notify_is_spoken(const Process *process) {
        return process->config->notify == NOTIFY_SYSTEMD || process->config->watchdog_usec > 0;
}

static void refuse(ProcessHandle *handle, const char *what) {
        Process *process = handle->process;

        if (!process->trouble) { /* once for each launch */
                log_warning("process %" PRIu32 " '%s': sd_notify: %s",
                            process->id,
                            process->config->name,
                            what);
        }
        process_take_trouble(process, g_strdup_printf("sd_notify: %s", what));
        manager_notify_changes(handle->manager, process);
}

static void tell_wrong_values(ProcessHandle *handle, const NotifyMessage *message) {
        for (int key = 0; key < _NOTIFY_KEY_MAX; key++) {
                if (notify_message_is_wrong(message, (NotifyKey) key)) {
                        g_autofree char *what = g_strdup_printf(
                                        "%s has a wrong value", notify_key_name((NotifyKey) key));
                        refuse(handle, what);
                        return;
                }
        }
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata);

/* The timer does not follow each sign of life: when it fires it looks whether there was one. */
static void arm_watchdog(ProcessHandle *handle) {
        uint64_t deadline_usec = watchdog_deadline(&handle->watchdog);

        handle->watchdog_timer = sd_event_source_disable_unref(handle->watchdog_timer);
        if (deadline_usec == WATCHDOG_NEVER) {
                return;
        }
        (void) sd_event_add_time(
                        handle->manager->event,
                        &handle->watchdog_timer,
                        CLOCK_MONOTONIC,
                        deadline_usec,
                        USEC_PER_MSEC,
                        on_watchdog,
                        handle);
}

static void fail_watchdog_and_invalidate(ProcessHandle *handle, const char *what) {
        Process *process = handle->process;

        handle->watchdog_timer = sd_event_source_disable_unref(handle->watchdog_timer);
        if (process->state != PROCESS_ONLINE) {
                return; /* it is ending anyway */
        }
        log_warning("process %" PRIu32 " '%s': %s", process->id, process->config->name, what);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_WATCHDOG, .text = (char *) what });
        (void) error_set(&handle->launch_error, ERROR_TIMEOUT, "%s", what);
        process_take_reason(process, g_strdup(what));
        manager_emit(handle->manager, process, EVENT_WATCHDOG, false);
        handle->hung = true;
        lifecycle_input_and_invalidate(handle, INPUT_HUNG);
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata) {
        ProcessHandle *handle = userdata;

        if (now_monotonic_usec() < watchdog_deadline(&handle->watchdog)) {
                arm_watchdog(handle);
                return 0;
        }
        g_autofree char *time = duration_to_text(handle->watchdog.timeout_usec);
        g_autofree char *what = g_strdup_printf("gave no sign of life within %s (watchdog)", time);
        fail_watchdog_and_invalidate(handle, what);
        return 0;
}

void notify_start_watchdog(ProcessHandle *handle) {
        if (handle->notify && handle->watchdog.timeout_usec > 0) {
                watchdog_start(&handle->watchdog, handle->watchdog.timeout_usec, now_monotonic_usec());
                arm_watchdog(handle);
        }
}

void notify_on_frozen(ProcessHandle *handle) {
        if (handle->process->frozen) {
                watchdog_pause(&handle->watchdog, now_monotonic_usec());
        } else {
                watchdog_resume(&handle->watchdog, now_monotonic_usec());
        }
        if (handle->notify && handle->process->state == PROCESS_ONLINE) {
                arm_watchdog(handle);
        }
}

static void take_watchdog_and_invalidate(ProcessHandle *handle, const NotifyMessage *message) {
        if (notify_message_has(message, NOTIFY_WATCHDOG_USEC)) {
                handle->watchdog.timeout_usec = message->watchdog_usec;
                manager_state_save(handle);
                if (handle->process->state == PROCESS_ONLINE) {
                        watchdog_start(&handle->watchdog, message->watchdog_usec, now_monotonic_usec());
                        arm_watchdog(handle);
                }
        }
        if (!notify_message_has(message, NOTIFY_WATCHDOG)) {
                return;
        }
        if (message->watchdog_trigger) {
                fail_watchdog_and_invalidate(handle, "asked for it (WATCHDOG=trigger)");
        } else {
                watchdog_ping(&handle->watchdog, now_monotonic_usec());
        }
}

/* What it is at, and its status: of the two of one message the status counts. */
static void take_text(ProcessHandle *handle, const NotifyMessage *message) {
        static const struct {
                NotifyKey key;
                SelfReportPhase phase;
        } phases[] = {
                { NOTIFY_READY, SELF_REPORT_NO_PHASE },
                { NOTIFY_RELOADING, SELF_REPORT_RELOADING },
                { NOTIFY_STOPPING, SELF_REPORT_STOPPING },
        };
        Process *process = handle->process;
        uint64_t before = process->report.version;

        for (size_t i = 0; i < ELEMENTS(phases); i++) {
                if (notify_message_has(message, phases[i].key)) {
                        process_set_phase(process, phases[i].phase);
                }
        }
        if (notify_message_has(message, NOTIFY_STATUS)) {
                process_set_status_text(process, message->status);
        }
        if (process->report.version != before) {
                manager_state_save(handle);
                manager_notify_changes(handle->manager, process);
        }
}

static void follow_main(ProcessHandle *handle, const NotifyMessage *message) {
        bool has_id = notify_message_has(message, NOTIFY_MAIN_PIDFD_ID);
        const char *why =
                        main_process_follow(handle, message->main_pid, has_id ? message->main_pidfd_id : 0);

        if (why) {
                g_autofree char *what = g_strdup_printf(
                                "MAINPID=%" PRId32 " was refused: %s", message->main_pid, why);
                refuse(handle, what);
        }
}

static void on_message(void *userdata, const char *text, size_t length, const NotifySender *sender) {
        ProcessHandle *handle = userdata;
        Process *process = handle->process;
        NotifyMessage message;

        if (notify_sender_is_foreign(sender, process->owner, handle->group)) {
                refuse(handle, "a message of a foreign process was refused");
                return;
        }
        int r = text ? notify_message_parse(text, length, &message) : -EMSGSIZE;
        if (r < 0) {
                refuse(handle, r == -EMSGSIZE ? "a message was too long" : "a message was no text");
                return;
        }
        tell_wrong_values(handle, &message);
        if (notify_message_has(&message, NOTIFY_MAIN_PID)) {
                follow_main(handle, &message);
        }
        take_text(handle, &message);
        if (notify_message_has(&message, NOTIFY_EXTEND_TIMEOUT_USEC)) {
                lifecycle_extend_timeout(handle, MIN(message.extend_timeout_usec, EXTENSION_MAX_USEC));
        }
        if (notify_message_has(&message, NOTIFY_READY)) {
                readiness_on_ready_and_invalidate(handle);
        }
        take_watchdog_and_invalidate(handle, &message);
}

int notify_open(ProcessHandle *handle) {
        Process *process = handle->process;

        handle->watchdog = (Watchdog){ .timeout_usec = process->config->watchdog_usec };
        handle->notify_generation = 0;
        handle->hung = false;
        if (!notify_is_spoken(process)) {
                return 0;
        }
        handle->notify_generation = ++handle->manager->generation;
        g_autofree char *path = socket_path(handle);
        int r = path ? notify_socket_new(
                                       handle->manager->event,
                                       path,
                                       process->owner,
                                       on_message,
                                       handle,
                                       &handle->notify)
                     : -ENAMETOOLONG;
        if (r >= 0) {
                manager_state_keep_notify(handle);
        }
        return r;
}

Environment *notify_variables(const ProcessHandle *handle) {
        g_autofree char *socket = NULL, *watchdog = NULL;
        const char *variables[3] = { NULL };
        size_t n = 0;

        if (handle->notify) {
                socket = g_strconcat("NOTIFY_SOCKET=", notify_socket_get_path(handle->notify), NULL);
                variables[n++] = socket;
        }
        if (handle->notify && handle->watchdog.timeout_usec > 0) {
                watchdog = g_strdup_printf("WATCHDOG_USEC=%" PRIu64, handle->watchdog.timeout_usec);
                variables[n++] = watchdog;
        }
        return environment_new(variables);
}

void notify_adopt(ProcessHandle *handle, int fd) {
        g_autofree char *path = handle->notify_generation > 0 ? socket_path(handle) : NULL;

        if (!path) {
                (void) close_fd(fd);
                return;
        }
        int r = notify_socket_adopt(
                        handle->manager->event,
                        fd,
                        path,
                        handle->process->owner,
                        on_message,
                        handle,
                        &handle->notify);
        if (r < 0) {
                (void) log_warning_errno(
                                r, "process %" PRIu32 ": its notify socket: %m", handle->process->id);
                return;
        }
        if (handle->process->state == PROCESS_ONLINE) {
                notify_start_watchdog(handle); /* nobody listened: it has all its time */
                notify_on_frozen(handle);
        }
}

void notify_hear_out(ProcessHandle *handle) {
        if (handle->notify) {
                notify_socket_drain(handle->notify);
        }
}

void notify_close(ProcessHandle *handle) {
        handle->watchdog_timer = sd_event_source_disable_unref(handle->watchdog_timer);
        notify_socket_free(g_steal_pointer(&handle->notify));
}

void notify_end(void) {
        notify_discard_end();
}

int notify_leave(ProcessHandle *handle) {
        return notify_socket_leave(g_steal_pointer(&handle->notify));
}
