/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The faces that look on. Each is told in the order in which they came. */

#include "manager/observers.h"

#include "manager/manager-internal.h"

#define TELL(manager, member, ...)                                                                          \
        for (guint i = 0; i < (manager)->observers->len; i++) {                                             \
                const ManagerObserver *observer = (manager)->observers->pdata[i];                           \
                if (observer->member) {                                                                     \
                        observer->member(__VA_ARGS__);                                                      \
                }                                                                                           \
        }

void manager_add_observer(Manager *manager, const ManagerObserver *observer) {
        g_ptr_array_add(manager->observers, (void *) observer);
}

void manager_remove_observer(Manager *manager, const ManagerObserver *observer) {
        (void) g_ptr_array_remove(manager->observers, (void *) observer);
}

void observers_tell_added(Manager *manager, Process *process) {
        TELL(manager, added, observer->userdata, process);
}

void observers_tell_changed(Manager *manager, Process *process, unsigned changes) {
        TELL(manager, changed, observer->userdata, process, changes);
}

void observers_tell_event(Manager *manager, Process *process, ProcessEventKind kind, bool manually) {
        TELL(manager, event, observer->userdata, process, kind, manually);
}

bool observers_want_messages(const Manager *manager) {
        for (guint i = 0; i < manager->observers->len; i++) {
                const ManagerObserver *observer = manager->observers->pdata[i];
                if (observer->message) {
                        return true;
                }
        }
        return false;
}

void observers_tell_message(
                Manager *manager,
                Process *process,
                const char *type,
                const char *data,
                size_t data_length,
                bool raw) {
        TELL(manager, message, observer->userdata, process, type, data, data_length, raw);
}

bool observers_want_log(const Manager *manager, const Process *process, bool error) {
        for (guint i = 0; i < manager->observers->len; i++) {
                const ManagerObserver *observer = manager->observers->pdata[i];
                if (observer->wants_log && observer->wants_log(observer->userdata, process, error)) {
                        return true;
                }
        }
        return false;
}

void observers_tell_log(Manager *manager, const LogLines *lines) {
        TELL(manager, log, observer->userdata, lines);
}

void observers_tell_removed(Manager *manager, Process *process) {
        TELL(manager, removed, observer->userdata, process);
}

void observers_tell_shutting_down(Manager *manager) {
        TELL(manager, shutting_down, observer->userdata);
}

void observers_tell_killed(Manager *manager, const char *reason) {
        TELL(manager, killed, observer->userdata, reason);
}

void observers_tell_leaving(Manager *manager) {
        TELL(manager, leaving, observer->userdata);
}

void observers_tell_restarting(Manager *manager) {
        TELL(manager, restarting, observer->userdata);
}

void observers_tell_compat_changed(Manager *manager) {
        TELL(manager, compat_changed, observer->userdata);
}
