/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

/* Entries for the journal with fields of their own, without waiting: the native protocol
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL). */
typedef struct JournalSender JournalSender;

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* on_room: called once after -EAGAIN. The path is borrowed. */
JournalSender *journal_sender_new(
                sd_event *event, const char *path, void (*on_room)(void *userdata), void *userdata);
void journal_sender_free(JournalSender *sender);

typedef struct JournalField {
        const char *name;
        const char *value;
        size_t length;
} JournalField;

/* One entry. -EAGAIN: the journal does not keep up, on_room will be called; -ENOENT, -ECONNREFUSED: there is
 * none. Nothing was sent then. */
int journal_sender_send(JournalSender *sender, const JournalField *fields, size_t n);
