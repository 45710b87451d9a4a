/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The channel of a process, from its launch to its end: lines of JSON, as Node's IPC has them. */

/* Whether a launch of it has a channel. */
bool messages_are_spoken(const Process *process);

/* Make the channel of a launch. *ret_child_fd is the child's end, the caller's to close. */
int messages_open(ProcessHandle *handle, int *ret_child_fd);

/* Go on with the channel of an earlier supervisor; fd is taken, negative: there is none. */
void messages_adopt(ProcessHandle *handle, int fd);

/* The main process has ended: what it had said by then. */
void messages_hear_out(ProcessHandle *handle);

/* The end of the channel. */
void messages_close(ProcessHandle *handle);

/* A successor goes on with it: its socket, which is the caller's now; negative: there is none. */
int messages_leave(ProcessHandle *handle);

/* NotOnline, NoChannel: nothing can be sent to it. */
int messages_check(const ProcessHandle *handle, Error *error);

/* Send one line of JSON to the process; NotOnline, NoChannel, LimitExceeded. */
int messages_send(ProcessHandle *handle, const char *text, size_t length, Error *error);

/* The message "shutdown" in place of the kill signal; false: it cannot be sent. */
bool messages_ask_to_end(ProcessHandle *handle);
