/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/cgroup-limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* The service manager (org.freedesktop.systemd1 of the user or system bus) as far as scopes need it. Calls
 * are asynchronous; a lost bus is opened again and what waited is asked for again. */
typedef struct SystemdManager SystemdManager;

typedef struct ScopeRequest ScopeRequest;

typedef struct ScopeProperties {
        const char *unit;
        const char *description;
        const char *slice;
        const char *before; /* unit, NULL: none */
        bool delegate;
        IsolationLimits limits;
        pid_t pid; /* a child of ours that waits at its gate: it stays unreaped until the answer */
} ScopeProperties;

/* result: 0 when the process is in the scope, or a negative errno. */
typedef void (*ScopeHandler)(void *userdata, int result);

enum {
        SCOPE_JOBS_MAX = 64, /* asked for at a time; more wait */
};

/* Connects, and turns the loop until the manager has answered or timeout_usec is over. Negative: there is
 * none. One that is expected may come to the bus meanwhile. Before anything else runs on this loop. */
int systemd_manager_new(
                sd_event *event, bool system, bool expected, uint64_t timeout_usec, SystemdManager **ret);
void systemd_manager_free(SystemdManager *manager);

/* Start a transient scope around a process (copied from the properties). The handler is called once, from
 * the loop, unless the request is cancelled. */
ScopeRequest *systemd_manager_start_scope(
                SystemdManager *manager,
                const ScopeProperties *properties,
                ScopeHandler handler,
                void *userdata);
/* It is to have other limits. False: it was asked for already, with those that it had. */
bool scope_request_set_limits(ScopeRequest *request, const IsolationLimits *limits);
void scope_request_cancel(ScopeRequest *request);

/* Ask for a unit to be stopped, whatever was asked of it before; nothing is told of the outcome. */
void systemd_manager_stop_unit(SystemdManager *manager, const char *unit);

/* Change, until it ends, what differs of the limits of a unit. The handler is called once, from the loop or
 * at the end of the manager: 0, or a negative errno; -ESRCH: there is no such unit. */
void systemd_manager_set_limits(
                SystemdManager *manager,
                const char *unit,
                const IsolationLimits *limits,
                const IsolationLimits *before,
                ScopeHandler handler,
                void *userdata);

/* The cgroup that its units are below. */
const char *systemd_manager_cgroup(const SystemdManager *manager);

/* Told of each loaded unit whose name matches the pattern, some time later. */
typedef void (*UnitHandler)(void *userdata, const char *unit);
void systemd_manager_list_units(
                SystemdManager *manager, const char *pattern, UnitHandler handler, void *userdata);

/* A text as it may stand in a unit name between "-" (systemd-escape(1)); freed by the caller. */
char *systemd_escape(const char *text);
