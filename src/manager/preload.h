/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/process.h"

/* The files of ours that Node loads before the script of an app (attributes pmx, reload_drain). They are
 * those of the installed program, or in the folder that PM2D_PRELOAD_FOLDER in our environment names. */

enum {
        PRELOADS_MAX = 2,
};

/* A variable of each file names it for the process that it is meant for; the file takes the variable away.
 */
#define PRELOAD_VARIABLE "PM2D_PRELOAD"
#define DRAIN_VARIABLE   "PM2D_DRAIN"
extern const char *const preload_variables[PRELOADS_MAX];

/* The path of each file, in the order of the variables, if a launch of this process loads it: the app wants
 * it, Node runs the script, and it can speak; else NULL. Where a file is missing the log and StatusText say
 * so. The caller frees them. */
void preload_find(Process *process, char *ret_paths[PRELOADS_MAX]);
