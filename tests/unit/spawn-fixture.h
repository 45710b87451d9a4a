/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/spawn.h"

#include <stdbool.h>

/* A plan for "/bin/sh -c command" in a folder, with nothing else given. */
typedef struct ShellPlan {
        ExecPlan plan;
        char *argv[4];
        char *envp[4];
} ShellPlan;

void test_shell_plan_init(ShellPlan *shell, const char *command, const char *cwd);

/* What came of a child: the last report, whether it said that it executes, and how it ended. */
typedef struct SpawnOutcome {
        unsigned n_reports;
        ExecReport last;
        bool executing;
        int code, status; /* of waitid(2) */
} SpawnOutcome;

/* Read reports until the child closes the pipe, then reap it. */
SpawnOutcome test_spawn_finish(GatedChild *child);

/* Spawn, open the gate, and see it through. */
SpawnOutcome test_spawn_run(const ExecPlan *plan);
