/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/fd-util.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *p) {
        free(*(void **) p);
}

static inline void cleanup_close(const int *fd) {
        (void) close_fd(*fd);
}

static inline void cleanup_fclose(FILE **file) {
        if (*file) {
                (void) fclose(*file);
        }
}

static inline void cleanup_closedir(DIR **dir) {
        if (*dir) {
                (void) closedir(*dir);
        }
}

#define _cleanup_free_     CLEANUP(cleanup_free)
#define _cleanup_close_    CLEANUP(cleanup_close)
#define _cleanup_fclose_   CLEANUP(cleanup_fclose)
#define _cleanup_closedir_ CLEANUP(cleanup_closedir)

/* Take the fd out of its variable, which then owns nothing. */
static inline int steal_fd(int *fd) {
        int taken = *fd;
        *fd = -EBADF;
        return taken;
}
