/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/notify-sender.h"

#include "platform/proc-stat.h"

#include <glib.h>
#include <string.h>

/* What the kernel writes behind the path of a zombie whose cgroup was removed. */
#define REMOVED_MARK " (deleted)"

static bool is_at_or_below(const char *path, const char *folder) {
        size_t length = strlen(folder);

        return strncmp(path, folder, length) == 0 &&
               (path[length] == '\0' || path[length] == '/' || strcmp(path + length, REMOVED_MARK) == 0);
}

/* Not isolation_group_has_pid(): an app may have cgroups of its own below the one that it was given; and
 * without cgroups that goes through all processes, for each message, and knows only who is in the group, not
 * who is not. */
bool notify_sender_is_foreign(const NotifySender *sender, uid_t owner, const IsolationGroup *group) {
        const char *folder = group ? isolation_group_path(group) : "";
        g_autofree char *path = NULL;

        if (sender->uid != owner && sender->uid != 0) {
                return true;
        }
        if (!folder[0] || sender->pid <= 0 || proc_cgroup_path(sender->pid, &path) < 0) {
                return false;
        }
        return !is_at_or_below(path, folder);
}
