/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

/* A command that does the same to several targets: all are tried, each failure is printed, and what was
 * done is printed at the end with the table of all processes. */
typedef struct Change {
        Ctl *ctl;
        const char *done; /* what happened to a process, as "%s (%u) stopped": its name and id */
        pm2_value *processes;
        unsigned tried, failed;
        int status;   /* exit status of the last failure */
        bool partial; /* something was done in spite of a failure */
        bool no_list; /* without the table */
} Change;

/* Add copies of the processes to an array. -ENOMEM. */
int change_collect(pm2_value *array, const pm2_value *processes);

/* -ENOMEM. */
int change_begin(Change *change, Ctl *ctl, const char *done);

/* Note the outcome r of one target; takes the processes. Returns false if going on makes no sense. */
bool change_add(Change *change, int r, pm2_value *processes);

/* Note a failure that was printed, by its exit status. Returns false if going on makes no sense. */
bool change_note_failure(Change *change, int status);

/* Print and end. Returns the exit status: that of the failure of a single target, else 1 for any. */
int change_end(Change *change);

/* One call for one target. */
typedef int (*ChangeCall)(
                Ctl *ctl, const char *target, const pm2_options *options, pm2_value **ret_processes);

/* The whole command for the positional arguments from first on. The name of an ecosystem file stands for the
 * apps in it. */
int change_targets(
                Ctl *ctl,
                const Arguments *arguments,
                unsigned first,
                ChangeCall call,
                const pm2_options *options,
                const char *done);

/* The whole command for all positional arguments, with no options but those of every call. */
int change_plain(Ctl *ctl, const Arguments *arguments, ChangeCall call, const char *done);

/* Print a wrong option's message, which is freed, or the error. Returns the exit status. */
int change_refuse(int error, char *message);
