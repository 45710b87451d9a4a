/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* How a process ended: by exit(code), by a signal, or unknown (not seen). Code and signal apart, unlike
 * PM2, where death by a signal reads as code 0. */
typedef struct ExitStatus {
        int code;   /* 0-255, -1: none */
        int signal; /* 0: none */
        bool oom;   /* the signal was the kernel's, for want of memory */
} ExitStatus;

#define EXIT_STATUS_NONE ((ExitStatus){ .code = -1, .signal = 0 })

/* From si_code and si_status of waitid(2). */
ExitStatus exit_status_from_wait(int wait_code, int wait_status);

/* "exited with code 1", "was ended by SIGKILL", "was ended by SIGKILL, out of memory",
 * "exited, status unknown"; freed by the caller. */
char *exit_status_describe(ExitStatus status);
