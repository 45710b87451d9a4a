/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

/* Print "pm2ctl: <message>" on standard error, once for each line of the message. */
void print_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Print a value of libpm2 as JSON in the format that was asked for. Returns an exit status. */
int print_json(const Ctl *ctl, const pm2_value *value);

/* Print the client's last failure. Returns the exit status that stands for it. */
int print_failure(const Ctl *ctl, int error);

/* Print the processes as a table. */
void print_processes(const Ctl *ctl, const pm2_value *processes);

/* Print the table of all processes, unless that was not wanted. Returns an exit status. */
int print_list(const Ctl *ctl);

/* The escape sequence of a status' colour, NULL for none. */
const char *status_colour(const char *status);

/* Parse the value of --json; "" is short. -EINVAL: no such format. */
int json_mode_from_string(const char *text, JsonMode *ret);
