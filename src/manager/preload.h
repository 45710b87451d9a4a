/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/process.h"

/* The file of ours that Node loads before the script of an app (attribute pmx). */

/* Names it for the process that it is meant for; it takes the variable away. */
#define PRELOAD_VARIABLE "PM2D_PRELOAD"

/* Its path, if a launch of this process loads it: the app wants it, Node runs the script, and it can speak.
 * NULL: it does not. Where the file is missing the log and StatusText say so. It is that of the installed
 * program, or what PM2D_PRELOAD_PATH says in our environment. */
const char *preload_find(Process *process);
