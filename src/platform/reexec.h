/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A new program in our place: same pid, children stay children. */

/* Fds that the successor gets by name, as from the service manager (sd_listen_fds_with_names(3)). Owned. */
typedef struct Handover Handover;

Handover *handover_new(void);
void handover_free(Handover *handover);
void handover_take(Handover *handover, const char *name, int fd);

/* The path of our own program, to be asked at the start: what is there later is the one to be executed.
 * Freed by the caller. */
int reexec_own_path(char **ret);

/* Execute the command with lock_fd as an argument "--lock-fd=" behind the others and, unless it is negative,
 * with lifeline_fd as "--lifeline="; the handover takes both. Returns on failure alone: then fds and
 * environment may have been changed, and the process is good for an error message. */
int reexec(char *const *command, Handover *handover, int lock_fd, int lifeline_fd);

/* Execute the command with "--check-state=3,4" as a last argument and these two as fds 3 and 4; its standard
 * output is read from *ret_fd: "OK" if it can take the state over. */
int reexec_check(char *const *command, int slots_fd, int blobs_fd, int *ret_pidfd, int *ret_fd);
