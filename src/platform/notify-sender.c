/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/notify-sender.h"

#include "platform/cgroup.h"
#include "platform/proc-stat.h"

#include <glib.h>
#include <string.h>

/* Not isolation_group_has_pid(): without cgroups that goes through all processes, for each message, and
 * knows only who is in the group, not who is not. */
bool notify_sender_is_foreign(const NotifySender *sender, uid_t owner, const IsolationGroup *group) {
        const char *folder = group ? isolation_group_path(group) : "";
        g_autofree char *path = NULL;

        if (sender->uid != owner && sender->uid != 0) {
                return true;
        }
        if (!folder[0] || sender->pid <= 0 || proc_cgroup_path(sender->pid, &path) < 0) {
                return false;
        }
        return !cgroup_path_is_within(path, folder);
}
