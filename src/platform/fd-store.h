/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

/* The service manager keeps fds for us over a crash or restart (FDSTORE= of sd_notify(3)). Without one the
 * calls do nothing, and barriers are passed at once. */
typedef struct FdStore FdStore;

/* Takes what was kept from the environment (sd_listen_fds_with_names(3)). */
int fd_store_new(sd_event *event, FdStore **ret);
void fd_store_free(FdStore *store);

/* Whether fds are kept. */
bool fd_store_is_there(const FdStore *store);

/* A fd that was kept under this name, given out once; negative: none. */
int fd_store_take(FdStore *store, const char *name);
/* What nobody took is given back. */
void fd_store_drop_rest(FdStore *store);

/* Names: at most 24 bytes, or the environment of the next start grows too large. */
int fd_store_add(FdStore *store, const char *name, int fd);
void fd_store_remove(FdStore *store, const char *name);

/* Told when everything sent before has been taken in. */
typedef struct FdBarrier FdBarrier;
int fd_store_barrier(FdStore *store, void (*on_passed)(void *userdata), void *userdata, FdBarrier **ret);
void fd_barrier_free(FdBarrier *barrier);
