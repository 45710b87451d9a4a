/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One message of sd_notify(3): assignments, one a line. Read as systemd reads them: names that are not known
 * are skipped; of READY=, RELOADING= and STOPPING= the last that is "1" counts; what else is but a flag
 * counts wherever it stands; of all others the first counts. */

enum {
        NOTIFY_MESSAGE_BYTES_MAX = 4096,
        NOTIFY_STATUS_BYTES_MAX = 512,
        NOTIFY_NAME_BYTES_MAX = 255,
};

typedef enum NotifyKey {
        NOTIFY_READY,
        NOTIFY_RELOADING,
        NOTIFY_STOPPING,
        NOTIFY_STATUS,
        NOTIFY_WATCHDOG,
        NOTIFY_WATCHDOG_USEC,
        NOTIFY_EXTEND_TIMEOUT_USEC,
        NOTIFY_MONOTONIC_USEC,
        NOTIFY_MAIN_PID,
        NOTIFY_MAIN_PIDFD_ID,
        NOTIFY_ERRNO,
        NOTIFY_BUS_ERROR,
        NOTIFY_ACCESS,
        NOTIFY_BARRIER,
        NOTIFY_FD_STORE,
        NOTIFY_FD_STORE_REMOVE,
        NOTIFY_FD_NAME,
        NOTIFY_FD_POLL,
        _NOTIFY_KEY_MAX,
} NotifyKey;

typedef enum NotifyAccess {
        NOTIFY_ACCESS_NONE,
        NOTIFY_ACCESS_MAIN,
        NOTIFY_ACCESS_EXEC,
        NOTIFY_ACCESS_ALL,
        _NOTIFY_ACCESS_MAX,
} NotifyAccess;

/* A field means something only if its key was there: notify_message_has(). */
typedef struct NotifyMessage {
        uint32_t given; /* a bit for each key whose value counts; at most one of READY, RELOADING, STOPPING
                         */
        uint32_t wrong; /* a bit for each key that had a value which was ignored */
        bool watchdog_trigger; /* of WATCHDOG=: "trigger", else a sign of life */
        uint64_t watchdog_usec;
        uint64_t extend_timeout_usec;
        uint64_t monotonic_usec;
        uint64_t main_pidfd_id;
        int32_t main_pid;     /* more than 1 */
        int32_t error_number; /* 0: none */
        NotifyAccess access;
        char status[NOTIFY_STATUS_BYTES_MAX + 1]; /* one line of UTF-8, "": cleared */
        char bus_error[NOTIFY_NAME_BYTES_MAX + 1];
        char fd_name[NOTIFY_NAME_BYTES_MAX + 1];
} NotifyMessage;

/* -EMSGSIZE: it is too long; -EBADMSG: it has a NUL byte other than one at its end. The out parameter is
 * written on success alone. */
int notify_message_parse(const char *text, size_t length, NotifyMessage *ret);

bool notify_message_has(const NotifyMessage *message, NotifyKey key);
bool notify_message_is_wrong(const NotifyMessage *message, NotifyKey key);

/* "WATCHDOG_USEC": the name of a key. */
const char *notify_key_name(NotifyKey key);
