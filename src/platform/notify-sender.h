/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/isolation.h"

#include <stdbool.h>
#include <sys/types.h>

/* Who sent a message, as the kernel says (SCM_CREDENTIALS of unix(7)). */
typedef struct NotifySender {
        pid_t pid; /* it may have gone; 0: in a pid namespace that we do not see */
        uid_t uid;
} NotifySender;

/* Whether the sender is known not to be of the process whose socket it wrote to. The socket is the identity:
 * many have gone when their message is read, as systemd-notify(1), and what is not known is accepted.
 * Refused are another user than the owner (or root), and who is seen in a cgroup that is neither that of the
 * group nor below it. group NULL: gone, or not there yet. */
bool notify_sender_is_foreign(const NotifySender *sender, uid_t owner, const IsolationGroup *group);
