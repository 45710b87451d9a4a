/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* What a process was executed as, from /proc (proc(5)): enough to execute it again. */
typedef struct ProcImage {
        uid_t uid;
        char *program; /* the file that runs */
        char *cwd;
        char **argv;
        char **env;
} ProcImage;

/* -ESRCH: it is gone; -EACCES: it may not be looked at. Ended with proc_image_done(). */
int proc_image_read(pid_t pid, ProcImage *ret);
void proc_image_done(ProcImage *image);
