/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"
#include "platform/exec-child.h"

/* Parts of what is executed for an app, be it the app itself or what asks whether it is well. */

/* Its resource limits, at most RESOURCE_COUNT; how many they are. */
size_t launch_list_limits(const AppConfig *config, ExecLimit *limits);

/* The resource of a number of setrlimit(2). */
Resource launch_resource_of(int system_resource);

/* For execve(2), as long as the environment is there; the array alone is freed by the caller. */
char **launch_list_environment(const Environment *environment);
