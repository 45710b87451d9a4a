/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The time that it has; with its start period, where it is to be healthy. */
uint64_t readiness_timeout_usec(const ProcessHandle *handle);

/* What follows from its execve(): it is online, or it will say that it is ready. */
ProcessInput readiness_executed_input(const ProcessHandle *handle);

/* The state machine has come to online. */
void readiness_went_online(ProcessHandle *handle);

/* It says that it is ready: by any of the ways that there are, and at any time. */
void readiness_on_ready_and_invalidate(ProcessHandle *handle);

/* A worker of a cluster listens: that is enough, unless it is to say more (wait_ready). */
void readiness_on_listening_and_invalidate(ProcessHandle *handle);

/* What takes another's place has become healthy, or unhealthy. */
void readiness_on_health_and_invalidate(ProcessHandle *handle);

/* It did not in time. */
void readiness_on_timeout_and_invalidate(ProcessHandle *handle);

/* The main process ended; its exit status is known. */
void readiness_on_exit(ProcessHandle *handle);

/* "exited with code 1 before it was ready": how the last launch ended; freed by the caller. */
char *readiness_describe_exit(const ProcessHandle *handle);
