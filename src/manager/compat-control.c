/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* PM2's face is switched on and off by the callers of another one: neither knows of the other, so it goes
 * through here. */

#include "manager/manager-internal.h"
#include "manager/observers.h"
#include "manager/request.h"

#include <string.h>
#include <unistd.h>

void manager_set_compat_control(Manager *manager, const CompatControl *control) {
        manager->compat_control = control;
}

const char *manager_compat_path(const Manager *manager) {
        const CompatControl *control = manager->compat_control;
        const char *path = control ? control->path(control->userdata) : NULL;

        return path ? path : "";
}

static int check(const Manager *manager, const Caller *caller, const Value *options, Error *error) {
        g_auto(Request) request = { 0 };

        int r = request_parse(&request, options, 0, error);
        if (r < 0) {
                return r;
        }
        if (!caller_may_control(caller, geteuid())) {
                return error_set(
                                error,
                                ERROR_ACCESS_DENIED,
                                "only the owner of the supervisor decides about PM2's sockets");
        }
        if (!manager->compat_control) {
                return error_set(error, ERROR_NOT_SUPPORTED, "this supervisor has no sockets of PM2");
        }
        return shutdown_refuse(manager, error);
}

/* Tell of another path than the one before, which may be gone with what it was of. */
static void tell_change(Manager *manager, const char *before) {
        if (strcmp(before, manager_compat_path(manager)) != 0) {
                observers_tell_compat_changed(manager);
        }
}

int manager_enable_compat(
                Manager *manager,
                const Caller *caller,
                const char *home,
                const Value *options,
                Error *error) {
        g_autofree char *before = g_strdup(manager_compat_path(manager));

        int r = check(manager, caller, options, error);
        if (r >= 0) {
                r = manager->compat_control->enable(manager->compat_control->userdata, home, error);
        }
        tell_change(manager, before);
        return r;
}

int manager_disable_compat(Manager *manager, const Caller *caller, const Value *options, Error *error) {
        g_autofree char *before = g_strdup(manager_compat_path(manager));

        int r = check(manager, caller, options, error);
        if (r >= 0) {
                r = manager->compat_control->disable(manager->compat_control->userdata, error);
        }
        tell_change(manager, before);
        return r;
}
