/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The files of a launch that the gated child reads: env_file and credentials. */
typedef struct LaunchFiles {
        ExecEnvironmentFile env_files[ENV_FILES_MAX];
        ExecCredential credentials[CREDENTIALS_MAX];
        GPtrArray *texts; /* of char *, which these point to */
} LaunchFiles;

/* Put them into a plan, which points to them from then on. */
void launch_files_init(LaunchFiles *files, const ProcessHandle *handle, ExecPlan *plan);
void launch_files_done(LaunchFiles *files);

/* Whether a report of the child is about one of them; if so launch_error is set. */
bool launch_files_take_failure(ProcessHandle *handle, const ExecReport *report);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LaunchFiles, launch_files_done)
