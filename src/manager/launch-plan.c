/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/launch-plan.h"

static const int system_resources[RESOURCE_COUNT] = {
        [RESOURCE_AS] = RLIMIT_AS,
        [RESOURCE_CORE] = RLIMIT_CORE,
        [RESOURCE_CPU] = RLIMIT_CPU,
        [RESOURCE_DATA] = RLIMIT_DATA,
        [RESOURCE_FSIZE] = RLIMIT_FSIZE,
        [RESOURCE_LOCKS] = RLIMIT_LOCKS,
        [RESOURCE_MEMLOCK] = RLIMIT_MEMLOCK,
        [RESOURCE_MSGQUEUE] = RLIMIT_MSGQUEUE,
        [RESOURCE_NICE] = RLIMIT_NICE,
        [RESOURCE_NOFILE] = RLIMIT_NOFILE,
        [RESOURCE_NPROC] = RLIMIT_NPROC,
        [RESOURCE_RSS] = RLIMIT_RSS,
        [RESOURCE_RTPRIO] = RLIMIT_RTPRIO,
        [RESOURCE_RTTIME] = RLIMIT_RTTIME,
        [RESOURCE_SIGPENDING] = RLIMIT_SIGPENDING,
        [RESOURCE_STACK] = RLIMIT_STACK,
};

Resource launch_resource_of(int system_resource) {
        int resource = 0;

        while (resource < RESOURCE_COUNT && system_resources[resource] != system_resource) {
                resource++;
        }
        return (Resource) resource;
}

size_t launch_list_limits(const AppConfig *config, ExecLimit *limits) {
        size_t n = 0;

        for (int i = 0; config->limits && i < RESOURCE_COUNT; i++) {
                const ResourceLimit *limit = &config->limits->of[i];
                if (limit->given) {
                        limits[n++] = (ExecLimit){ system_resources[i],
                                                   { .rlim_cur = limit->soft, .rlim_max = limit->hard } };
                }
        }
        return n;
}

char **launch_list_environment(const Environment *environment) {
        char **assignments = g_new0(char *, environment_count(environment) + 1);

        for (size_t i = 0; i < environment_count(environment); i++) {
                assignments[i] = (char *) environment_at(environment, i);
        }
        return assignments;
}
