/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/orphans.h"

#include "basic/fault-point.h"
#include "basic/macro.h"

#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct Orphans {
        sd_event_source *child_source;
        sd_event_source *again_source;
        GHashTable *known;
        void (*on_reaped)(void *userdata);
        void *userdata;
};

/* Peek at a dead child; take it if it is nobody's. A known one hides those behind it until it is reaped by
 * its watcher, who then calls orphans_remove_known(). */
static void reap(Orphans *orphans) {
        for (;;) {
                siginfo_t info = { 0 };
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
                    orphans_is_known(orphans, info.si_pid)) {
                        return;
                }
                (void) CHANGE("stranger-reap", waitid(P_PID, (id_t) info.si_pid, &info, WEXITED | WNOHANG));
        }
}

static int on_child_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Orphans *orphans = userdata;

        reap(orphans);
        orphans->on_reaped(orphans->userdata);
        return 0;
}

static int on_again(sd_event_source *source, void *userdata) {
        Orphans *orphans = userdata;

        reap(orphans);
        orphans->on_reaped(orphans->userdata);
        return 0;
}

int orphans_new(sd_event *event, void (*on_reaped)(void *userdata), void *userdata, Orphans **ret) {
        Orphans *orphans = g_new0(Orphans, 1);

        orphans->known = g_hash_table_new(NULL, NULL);
        orphans->on_reaped = on_reaped;
        orphans->userdata = userdata;
        int r = RET_NERRNO(CHANGE("subreaper-set", prctl(PR_SET_CHILD_SUBREAPER, 1)));
        if (r >= 0) {
                r = sd_event_add_signal(event, &orphans->child_source, SIGCHLD, on_child_signal, orphans);
        }
        if (r >= 0) {
                r = sd_event_add_defer(event, &orphans->again_source, on_again, orphans);
        }
        if (r >= 0) {
                r = sd_event_source_set_enabled(orphans->again_source, SD_EVENT_OFF);
        }
        if (r < 0) {
                orphans_free(orphans);
                return r;
        }
        *ret = orphans;
        return 0;
}

void orphans_free(Orphans *orphans) {
        if (orphans) {
                (void) sd_event_source_disable_unref(orphans->child_source);
                (void) sd_event_source_disable_unref(orphans->again_source);
                g_hash_table_unref(orphans->known);
                g_free(orphans);
        }
}

void orphans_add_known(Orphans *orphans, pid_t pid) {
        (void) g_hash_table_add(orphans->known, GINT_TO_POINTER(pid));
}

void orphans_remove_known(Orphans *orphans, pid_t pid) {
        if (g_hash_table_remove(orphans->known, GINT_TO_POINTER(pid))) {
                (void) sd_event_source_set_enabled(orphans->again_source, SD_EVENT_ONESHOT);
        }
}

bool orphans_is_known(const Orphans *orphans, pid_t pid) {
        return g_hash_table_contains(orphans->known, GINT_TO_POINTER(pid));
}
